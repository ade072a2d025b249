"""What `train` costs beside torchdistill's training box: same model, rows, batches, optimiser and loss.

    python tests/benchmarks/bench_peers.py [--json]

It needs torchdistill which may be in an environment of its own together with this
package's folder on PYTHONPATH: table.py takes its Python as ``--peers``. Rows reach the box through the
DataLoader that it makes of its settings. See measured.py for how ratios are taken.
"""

from __future__ import annotations

import json
import logging
import sys
from dataclasses import asdict

import torch
from bench_training import BATCH, EPOCHS, JOB, ROWS, models, split_of
from measured import Row, in_turn, ratio
from torch import nn
from torch.utils.data import RandomSampler, TensorDataset

from kdhelpers.data import Split
from kdhelpers.training import train

REPEATS = 21


def settings() -> dict[str, object]:
    places = {
        "input": {"is_from_teacher": False, "module_path": ".", "io": "output"},
        "target": {"uses_label": True},
    }
    loss = {"key": "CrossEntropyLoss", "kwargs": {}}
    term = {
        "criterion": loss,
        "criterion_wrapper": {"key": "SimpleLossWrapper", "kwargs": places},
        "weight": 1.0,
    }
    return {
        "num_epochs": EPOCHS,
        "train_data_loader": {
            "dataset_id": "train",
            "sampler": {"class_or_func": RandomSampler},
            "kwargs": {"batch_size": BATCH, "num_workers": 0},
        },
        "model": {"forward_proc": "forward_batch_only"},
        "optimizer": {"key": "AdamW", "kwargs": {"lr": 1e-3, "weight_decay": 0.0}},
        "criterion": {"key": "WeightedSumLoss", "kwargs": {"sub_terms": {"labels": term}}},
    }


def boxed(model: nn.Module, split: Split) -> float:
    """Train in the box, and tell the mean loss of the last epoch."""
    from torchdistill.core.training import get_training_box

    data = {"train": TensorDataset(split.inputs, split.labels)}
    box = get_training_box(model, data, settings(), torch.device("cpu"), None, False, 1)
    model.train()
    for epoch in range(EPOCHS):
        total = torch.zeros(())
        box.pre_epoch_process(epoch=epoch)
        for inputs, labels, extra in box.train_data_loader:
            box.pre_forward_process()
            loss = box.forward_process(inputs, labels, extra)
            box.post_forward_process(loss)
            total += loss.detach() * len(inputs)
        box.post_epoch_process()
    return total.item() / len(split)


def rows() -> list[Row]:
    torch.set_num_threads(1)
    logging.getLogger("torchdistill").setLevel(logging.ERROR)
    split = split_of(ROWS)
    options = dict(epochs=EPOCHS, batch_size=BATCH, progress=False, device="cpu")
    ours, theirs = train(models(1)[0], split, **options).loss[-1], boxed(models(1)[0], split)
    assert abs(ours - theirs) < 0.02, f"not the same job: the loss ends at {ours:.3f} and {theirs:.3f}"
    ways = {
        "train": lambda: train(models(1)[0], split, **options),
        "box": lambda: boxed(models(1)[0], split),
    }
    return [
        ratio(
            f"`train` / torchdistill's training box, {JOB}",
            in_turn(ways, REPEATS),
            "train",
            "box",
            at_most=1.0,
        )
    ]


if __name__ == "__main__":
    found = rows()
    print(json.dumps([asdict(row) for row in found]) if "--json" in sys.argv else "\n".join(map(str, found)))
