"""What test_accelerate.py lets ``accelerate launch`` run: each process writes down what it found.

accelerate launch --multi_gpu --num_processes 2 accelerate_job.py FOLDER all
accelerate launch --multi_gpu --num_processes 2 accelerate_job.py FOLDER slowly
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from kdhelpers.data import Split
from kdhelpers.losses import logit_mse_loss
from kdhelpers.processes import Processes
from kdhelpers.teacher_outputs import record_teacher
from kdhelpers.training import distill, train

ROWS, FEATURES, CLASSES = 45, 6, 4  # batches of 16, 16 and 13, which no two processes can halve
RECORDING = dict(batch_size=4, shard_rows=6, progress=False)  # eight shards, the last with three rows
TRAINING = dict(epochs=5, batch_size=16, learning_rate=0.01, seed=3, progress=False)


def split_of(labels="all"):
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(ROWS, FEATURES, generator=generator)
    known = torch.randint(0, CLASSES, (ROWS,), generator=generator)
    if labels == "some":
        known[torch.rand(ROWS, generator=generator) < 0.7] = -100
    return Split([f"r{row}" for row in range(ROWS)], inputs, None if labels == "none" else known)


class Teacher(nn.Module):
    """Its logits depend on which rows it sees together, as those of some models do in their last bits."""

    def __init__(self, fails_at=None, error=ValueError, pause=0.0, seed=0):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.linear = nn.Linear(FEATURES, CLASSES)
        self.fails_at, self.error, self.pause, self.calls = fails_at, error, pause, 0

    def forward(self, inputs):
        self.calls += 1
        if self.calls == self.fails_at:
            raise self.error("the teacher stumbled")
        time.sleep(self.pause)
        return self.linear(inputs) + len(inputs) / 100


def student(seed=0, dropout=0.0, idle=False):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = nn.Sequential(nn.Linear(FEATURES, 8), nn.Tanh(), nn.Dropout(dropout), nn.Linear(8, CLASSES))
        if idle:  # a weight that no loss reaches: weight decay must let it be
            net[1].register_parameter("idle", nn.Parameter(torch.ones(2)))
        return net


def state(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def trained(run, model, *args, **options):
    history = run(model, *args, **{**TRAINING, **options})
    return state(model), history


def runs(folder, accelerator=None, seed=0):
    """Every kind of training, as one process does it too: weights and history by name."""
    common = dict(accelerator=accelerator) if accelerator else dict(device="cpu")
    outputs = record_teacher(Teacher(), split_of(), folder / "runs", progress=False, accelerator=accelerator)
    cycle = dict(schedule="one-cycle", weight_decay=0.1, validation=split_of(), **common)
    mixed = dict(kd_weight=0.5, **common)
    return {
        "labels": trained(train, student(seed, idle=True), split_of(), **cycle),
        "some labels": trained(train, student(seed), split_of("some"), **common),
        "teacher and some labels": trained(distill, student(seed), split_of("some"), outputs, **mixed),
        "own loss": trained(distill, student(seed), split_of("none"), outputs, loss=logit_mse_loss, **common),
        "one row": trained(train, student(seed), split_of().take([7]), **common),
        "float64": trained(train, student(seed).double(), wide(split_of()), **common),
    }


def wide(split):
    return Split(split.ids, split.inputs.double(), split.labels)


def said(work):
    """The error of some work, in words."""
    try:
        work()
    except BaseException as error:
        return f"{type(error).__name__}: {error}"
    return "nothing"


def failing_loss(number, error):
    """A loss that fails in one process, in its fourth step."""
    asked = 0

    def loss(logits, batch):
        nonlocal asked
        asked += 1
        if asked == 4 and number == 1:
            error()
        return F.cross_entropy(logits, batch.labels)

    return loss


def stumble():
    raise ZeroDivisionError("the loss stumbled")


def failures(folder, accelerator, number):
    """What each process says when another one fails, and that they go on together after it."""
    both = dict(accelerator=accelerator)
    stumbling = Teacher(fails_at=3 if number == 1 else None)
    other, partly = Teacher(seed=number), split_of().take(slice(10 + number))
    first = split_of().take(slice(20))
    record_teacher(Teacher(), first, folder / "first", accelerator=accelerator, **RECORDING)
    return {
        "teacher": said(
            lambda: record_teacher(stumbling, split_of(), folder / "failed", **RECORDING, **both)
        ),
        "other teacher": said(lambda: record_teacher(other, split_of(), folder / "n", **RECORDING, **both)),
        "stale": said(lambda: record_teacher(Teacher(), first, folder / "failed", **RECORDING, **both)),
        "loss": said(lambda: train(student(), split_of(), failing_loss(number, stumble), **TRAINING, **both)),
        "other split": said(lambda: train(student(), partly, **TRAINING, **both)),
        "diverged": said(
            lambda: train(
                student(), split_of(), lambda logits, _: logits.sum() * torch.nan, **TRAINING, **both
            )
        ),
    }


def interrupted(accelerator, number):
    """One process gets Ctrl+C in the fourth step: all stop after the same one."""
    loss = failing_loss(number, lambda: os.kill(os.getpid(), signal.SIGINT))
    return trained(train, student(), split_of(), loss, accelerator=accelerator)


def batch_norm(accelerator):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = nn.Sequential(nn.Linear(FEATURES, 8), nn.BatchNorm1d(8), nn.Linear(8, CLASSES))
    return trained(train, net, split_of(), accelerator=accelerator)


def dropped(accelerator):
    """Which units dropout left in the first row that each process saw."""
    seen = []

    def loss(logits, batch):
        seen.append(logits[0].detach().clone())
        return logits.sum() * 0

    model = nn.Sequential(nn.Linear(FEATURES, 64), nn.Dropout(0.5))
    nn.init.zeros_(model[0].weight)
    nn.init.ones_(model[0].bias)
    train(model, split_of(), loss, epochs=1, progress=False, accelerator=accelerator)
    return seen[0]


def everything(folder, accelerator):
    processes = Processes(accelerator)
    number = processes.number
    record_teacher(Teacher(), split_of(), folder / "store", accelerator=accelerator, **RECORDING)
    record_teacher(Teacher(), split_of(), folder / "fresh", accelerator=accelerator, **RECORDING)
    again = Teacher(fails_at=1)  # all is there: it is not asked
    record_teacher(again, split_of(), folder / "store", accelerator=accelerator, **RECORDING)
    record_teacher(Teacher(), split_of(), folder / "top", top_k=2, accelerator=accelerator, **RECORDING)
    return {
        "place": (number, processes.count, accelerator.distributed_type.value),
        "each": processes.each(lambda: number * 10),
        "once": processes.once(lambda: os.getpid()),
        "own": os.getpid(),
        "runs": runs(folder, accelerator, seed=number),  # the first process's weights are those that count
        "failures": failures(folder, accelerator, number),
        "interrupted": interrupted(accelerator, number),
        "batch norm": batch_norm(accelerator),
        "dropped": dropped(accelerator),
        "wrong device": said(
            lambda: train(student(), split_of(), epochs=1, device="cpu", accelerator=accelerator)
        ),
    }


def main():
    from accelerate import Accelerator

    folder, task = Path(sys.argv[1]), sys.argv[2]
    accelerator = Accelerator(cpu=True)
    if task == "slowly":
        slow = Teacher(pause=0.1)
        (folder / f"pid-{accelerator.process_index}").write_text(str(os.getpid()))
        record_teacher(slow, split_of(), folder / "store", accelerator=accelerator, **RECORDING)
    else:
        found = everything(folder, accelerator)
        (folder / f"found-{accelerator.process_index}").write_bytes(pickle.dumps(found))
    accelerator.end_training()


if __name__ == "__main__":
    main()
