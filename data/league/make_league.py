"""Measure the league of lesson 09: many ways to learn from one teacher, under one protocol and budget.

    python data/league/make_league.py            # all tasks, beside this script
    python data/league/make_league.py --tasks digits --folder build/league --seed 2

Each method gets five values of one setting and three tuning seeds; validation chooses. Then ten seeds of its
own, the same for all methods; only these are tested, once. Writes league.csv, a row a run, and the teacher.
"""

from __future__ import annotations

import argparse
import csv
import io
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn import functional as F

from kdhelpers.data import Task, load_digits, load_mnist1d
from kdhelpers.evaluation import evaluate
from kdhelpers.files import write_whole
from kdhelpers.losses import (
    Projector,
    WithFeatures,
    attention_transfer_loss,
    dist_loss,
    dkd_loss,
    hint_loss,
    kd_loss,
    listwise_ranking_loss,
    logit_mse_loss,
    nkd_loss,
    pairwise_ranking_loss,
    rkd_loss,
    similarity_loss,
    standardized_kd_loss,
    tap_layers,
)
from kdhelpers.models import ImageCNN, SignalCNN
from kdhelpers.seeding import seeded
from kdhelpers.training import train, train_many

TUNING_SEEDS, FINAL_SEEDS = range(100, 103), range(10)
COLUMNS = ("task", "method", "purpose", "setting", "seed", "validation", "test")
LAYERS = ("convolutions.1", "convolutions.3", "convolutions.5")


@dataclass(frozen=True)
class Answer:
    """What a network says about some rows: logits (B, C), and features (B, ...) of one layer."""

    logits: Tensor
    features: Tensor


Term = Callable[[Answer, Answer, Tensor, float], Tensor]
"""Of the student's answer, the teacher's, labels (B,) and the setting: what is added to cross-entropy."""


@dataclass(frozen=True)
class Method:
    """A way to learn.

    Args:
        term: What it adds to cross-entropy.
        settings: The values that validation chooses from: a weight, if nothing else is said.
        after_kd: Whether it adds to cross-entropy plus distillation at the temperature chosen for that.
        layer: Which of the student's and teacher's layers it compares.
        projected: Whether the student's layer is brought to the teacher's width.
        random: Whether the layer is that of an untrained network.
        like: Take the setting that was chosen for this method, untuned.
    """

    term: Term
    settings: tuple[float, ...] = ()
    after_kd: bool = False
    layer: int = 2
    projected: bool = False
    random: bool = False
    like: str = ""


def smoothing(student: Answer, teacher: Answer, labels: Tensor, setting: float) -> Tensor:
    """Turns cross-entropy, which is there already, into label smoothing."""
    smooth = F.cross_entropy(student.logits, labels, label_smoothing=setting)
    return smooth - F.cross_entropy(student.logits, labels)


def on_logits(loss: Callable[..., Tensor], **settings: float) -> Term:
    return lambda s, t, labels, weight: weight * loss(s.logits, t.logits, **settings)


def on_features(loss: Callable[..., Tensor], **settings: float) -> Term:
    return lambda s, t, labels, weight: weight * loss(s.features, t.features, **settings)


def temperature(s: Answer, t: Answer, labels: Tensor, setting: float) -> Tensor:
    return kd_loss(s.logits, t.logits, temperature=setting)


def decoupled(s: Answer, t: Answer, labels: Tensor, setting: float) -> Tensor:
    return dkd_loss(s.logits, t.logits, labels, temperature=4.0, beta=setting)


def normalised(s: Answer, t: Answer, labels: Tensor, setting: float) -> Tensor:
    return nkd_loss(s.logits, t.logits, labels, gamma=setting)


def in_order(scores_of: Callable[[Tensor], Tensor]) -> Term:
    """Pairwise order of scores that keep some of the teacher's logits' order."""
    return lambda s, t, labels, weight: weight * pairwise_ranking_loss(s.logits, scores_of(t.logits))


def ranks(logits: Tensor) -> Tensor:
    """0 for the lowest logit of a row, 1 for the next, and so on."""
    return logits.argsort(dim=-1).argsort(dim=-1).to(logits.dtype)


def top_two(logits: Tensor) -> Tensor:
    """2 for the highest logit of a row, 1 for the next, and 0 for all others."""
    return (ranks(logits) - logits.shape[-1] + 3).clamp(min=0)


def shuffled_below_top(logits: Tensor) -> Tensor:
    """The class at the top stays; the order of the others is random, the same for a row each time."""
    keys = torch.frac(logits.detach().double().abs() * 9973.0).to(logits.dtype)  # digits that mean nothing
    return keys.scatter(-1, logits.argmax(-1, keepdim=True), 2.0)


def decades(first: float) -> tuple[float, ...]:
    """Five settings, each ten times the last."""
    return tuple(first * 10**step for step in range(5))


METHODS: dict[str, Method] = {
    "labels": Method(smoothing, (0.0,)),
    "smoothing": Method(smoothing, (0.05, 0.1, 0.2, 0.4, 0.8)),
    "kd": Method(temperature, (2.0, 4.0, 10.0, 20.0, 40.0)),
    "logit_mse": Method(on_logits(logit_mse_loss), decades(0.01)),
    "standardized": Method(on_logits(standardized_kd_loss), decades(1)),
    "dkd": Method(decoupled, decades(0.08)),
    "dist": Method(on_logits(dist_loss), decades(0.1)),
    "nkd": Method(normalised, decades(0.15)),
    "order_pairs": Method(in_order(ranks), decades(0.1)),
    "order_list": Method(on_logits(listwise_ranking_loss, method="listmle"), decades(0.1)),
    "top_two": Method(in_order(top_two), like="order_pairs"),
    "shuffled": Method(in_order(shuffled_below_top), like="order_pairs"),
    "hint": Method(on_features(hint_loss), decades(1), projected=True),
    "similarity": Method(on_features(similarity_loss), decades(30)),
    "kd+attention": Method(on_features(attention_transfer_loss), decades(10), after_kd=True),
    "kd+similarity": Method(on_features(similarity_loss), decades(30), after_kd=True),
    "kd+relations": Method(on_features(rkd_loss, angle_weight=0.0), decades(0.1), after_kd=True),
    "kd+hint1": Method(on_features(hint_loss), decades(1), after_kd=True, layer=0, projected=True),
    "kd+hint2": Method(on_features(hint_loss), decades(1), after_kd=True, layer=1, projected=True),
    "kd+hint": Method(on_features(hint_loss), decades(1), after_kd=True, projected=True),
    "kd+random": Method(on_features(hint_loss), decades(1), after_kd=True, projected=True, random=True),
    "kd+random_same": Method(
        on_features(hint_loss), after_kd=True, projected=True, random=True, like="kd+hint"
    ),
}
PATIENT = ("labels", "kd", "kd+similarity", "kd+hint")


@dataclass
class Pair:
    """A teacher, and students that learn from some rows."""

    task: Task
    teacher: nn.Module
    untrained: nn.Module
    student: Callable[[], nn.Module]
    rows: int
    options: dict[str, Any]
    methods: tuple[str, ...] = tuple(METHODS)
    seen: dict[tuple[int, bool], Answer] = field(default_factory=dict)

    @property
    def split(self):  # type: ignore[no-untyped-def]
        return self.task.train.take(range(self.rows))

    def taught(self, layer: int, random: bool) -> Answer:
        """The teacher's answer on all rows; of an untrained one the features, in the teacher's size."""
        if (layer, random) not in self.seen:
            true = answer(self.teacher, self.split.inputs, LAYERS[layer])
            if random:
                noise = answer(self.untrained, self.split.inputs, LAYERS[layer]).features
                size = true.features.square().mean().sqrt() / noise.square().mean().sqrt()
                true = Answer(true.logits, noise * size)
            self.seen[layer, random] = true
        return self.seen[layer, random]

    def build(self, method: Method, seed: int) -> WithFeatures:
        """A student from its seed: the same one for every method, and a projector from a seed of its own."""
        student = seeded(self.student, seed)
        layer, projector = LAYERS[method.layer], None
        if method.projected:
            found = answer(student, self.split.inputs[:1], layer).features
            wanted = self.taught(method.layer, method.random).features
            projector = seeded(lambda: Projector(found.shape[1], wanted.shape[1], dim=1), 1000 + seed)
        return WithFeatures(student, layer, projector)


@torch.no_grad()
def answer(model: nn.Module, inputs: Tensor, layer: str) -> Answer:
    with tap_layers(model, layer) as taps:
        return Answer(model(inputs), taps[layer])


def objective(pair: Pair, method: Method, setting: float, kd_temperature: float) -> Callable[..., Tensor]:
    taught = pair.taught(method.layer, method.random)
    classes = len(pair.task.classes)

    def loss(output: Tensor, batch: Any) -> Tensor:
        teacher = Answer(taught.logits[batch.rows], taught.features[batch.rows])
        # (B, channels, places), of as many places as the teacher's.
        features = output[:, classes:].unflatten(1, (-1, *teacher.features.shape[2:]))
        student = Answer(output[:, :classes], features)
        value = F.cross_entropy(student.logits, batch.labels)
        if method.after_kd:
            value = value + kd_loss(student.logits, teacher.logits, temperature=kd_temperature)
        return value + method.term(student, teacher, batch.labels, setting)

    return loss


def run(
    pair: Pair, method: Method, settings: list[float], seeds: list[int], kd_temperature: float
) -> list[nn.Module]:
    """Train a student of each setting and its seed, all side by side."""
    students = [pair.build(method, seed) for seed in seeds]
    losses = [objective(pair, method, setting, kd_temperature) for setting in settings]
    train_many(students, pair.split, losses, seeds=seeds, schedule="one-cycle", **pair.options)
    return [student.student for student in students]


def league(pair: Pair) -> Iterator[dict[str, Any]]:
    """All runs of a pair, as rows of the table without the task's name."""
    chosen: dict[str, float] = {}
    for name in pair.methods:
        method, start = METHODS[name], time.process_time()
        kd_temperature = chosen.get("kd", 1.0)
        if method.like:
            chosen[name] = chosen[method.like]
        else:
            grid = [(setting, seed) for setting in method.settings for seed in TUNING_SEEDS]
            models = run(pair, method, *map(list, zip(*grid, strict=True)), kd_temperature)  # type: ignore[arg-type]
            found: dict[float, list[float]] = {}
            for (setting, seed), model in zip(grid, models, strict=True):
                accuracy = evaluate(model, pair.task.validation).accuracy.value
                found.setdefault(setting, []).append(accuracy)
                yield row(name, "tuning", setting, seed, accuracy)
            chosen[name] = max(found, key=lambda setting: sum(found[setting]))
        models = run(pair, method, [chosen[name]] * len(FINAL_SEEDS), list(FINAL_SEEDS), kd_temperature)
        total = 0.0
        for seed, model in zip(FINAL_SEEDS, models, strict=True):
            parts = (pair.task.validation, pair.task.test)
            validation, test = (evaluate(model, part).accuracy.value for part in parts)
            total += test
            yield row(name, "final", chosen[name], seed, validation, test)
        taken = time.process_time() - start
        print(f"{name:16} {chosen[name]:8g}  test {total / len(FINAL_SEEDS):.3f}  {taken:5.1f} s", flush=True)


def row(method: str, purpose: str, setting: float, seed: int, *accuracies: float) -> dict[str, Any]:
    validation, test = (*(f"{accuracy:.4f}" for accuracy in accuracies), "")[:2]
    names = ("method", "purpose", "setting", "seed", "validation", "test")
    return dict(zip(names, (method, purpose, f"{setting:g}", seed, validation, test), strict=True))


def trained(build: Callable[[], nn.Module], task: Task, seed: int, **options: Any) -> nn.Module:
    teacher = seeded(build, seed)
    train(teacher, task.train, learning_rate=1e-2, schedule="one-cycle", seed=seed, **options)
    return teacher.eval()


def signals(seed: int, epochs: int = 45, methods: tuple[str, ...] = tuple(METHODS)) -> Pair:
    task = load_mnist1d()
    teacher = trained(lambda: SignalCNN(channels=50), task, seed, epochs=30)
    untrained = seeded(lambda: SignalCNN(channels=50), seed + 1000)
    options = dict(epochs=epochs, batch_size=50, learning_rate=2e-2)
    return Pair(task, teacher, untrained, SignalCNN, 500, options, methods)


def digits(seed: int) -> Pair:
    task = load_digits()
    teacher = trained(lambda: ImageCNN(channels=16), task, seed, epochs=40, batch_size=64)
    untrained = seeded(lambda: ImageCNN(channels=16), seed + 1000)
    options = dict(epochs=60, batch_size=25, learning_rate=1e-2)
    return Pair(task, teacher, untrained, lambda: ImageCNN(channels=4), 100, options)


def patient(seed: int) -> Pair:
    """Signals with twice the steps, and some of the methods."""
    return signals(seed, epochs=90, methods=PATIENT)


def main() -> None:
    made = {"signals": signals, "digits": digits, "patient": patient}
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tasks", nargs="+", choices=made, default=[*made])
    parser.add_argument("--folder", type=Path, default=Path(__file__).parent)
    parser.add_argument("--seed", type=int, default=1, help="of the teacher; the students have their own")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    table = io.StringIO()
    writer = csv.DictWriter(table, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for name in arguments.tasks:
        pair = made[name](arguments.seed)
        accuracy = evaluate(pair.teacher, pair.task.test).accuracy
        print(f"{name}: the teacher's test accuracy is {accuracy}", flush=True)
        if name == "signals":
            write_whole(arguments.folder / "teacher.safetensors", save(pair.teacher.state_dict()))
        for line in league(pair):
            writer.writerow({"task": name, **line})
            write_whole(arguments.folder / "league.csv", table.getvalue())


if __name__ == "__main__":
    main()
