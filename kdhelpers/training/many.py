"""Several replicas of a small model trained in one pass: intervals at a fraction of the price."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from kdhelpers.data import Split
from kdhelpers.devices import best_device
from kdhelpers.evaluation import in_mode
from kdhelpers.seeding import generator
from kdhelpers.training.batches import Loader
from kdhelpers.training.history import History, record_epoch, watched
from kdhelpers.training.loop import Loss
from kdhelpers.training.settings import check_settings, label_loss, make_schedule

STACKABLE = "Train such models one by one with train()."


def train_many(
    models: Sequence[nn.Module],
    split: Split,
    losses: Loss | Sequence[Loss] | None = None,
    *,
    seeds: Sequence[int],
    epochs: int,
    batch_size: int = 128,
    learning_rate: float = 1e-3,
    validation: Split | None = None,
    progress: bool = True,
    weight_decay: float = 0.0,
    schedule: str = "constant",
    device: str | torch.device | None = None,
) -> list[History]:
    """Train several models of one shape side by side, each as :func:`train` would on its own.

    Their weights are stacked and one pass computes all (``torch.func.vmap``), which for small models is
    several times faster than one after the other. Each keeps its own row order and its own loss. The weights
    differ from those of separate runs by floating-point rounding only (about 1e-6 a step in float32).

    Args:
        models: Replicas of one architecture, without buffers (batch norm) or dropout; changed in place.
        split: The rows that all of them learn from.
        losses: One loss for all, one for each model, or None for cross-entropy with the labels.
        seeds: One for each model: decides its order of rows.
        epochs: As in :func:`train`, and so are the others.

    Returns:
        One history a model.

    Raises:
        ValueError: Counts that differ, models that cannot be stacked, or a bad setting.
        FloatingPointError: A loss is no longer a number.

    Example:
        >>> split = Split(ids=range(4), inputs=torch.eye(4), labels=torch.tensor([0, 1, 0, 1]))
        >>> models = [nn.Linear(4, 2) for _ in range(3)]
        >>> histories = train_many(models, split, seeds=[0, 1, 2], epochs=20, progress=False)
        >>> [history.steps for history in histories]
        [20, 20, 20]
    """
    check_settings(epochs, batch_size, learning_rate, weight_decay, schedule)
    each = _one_each(losses, split, models, seeds)
    loader = Loader(split, best_device(device))
    stack = _Stack([model.to(loader.device) for model in models])
    optimizer = torch.optim.AdamW(stack.weights.values(), lr=learning_rate, weight_decay=weight_decay)
    scheduler = make_schedule(schedule, optimizer, learning_rate, steps=epochs * -(-len(split) // batch_size))
    shuffles = [generator(seed) for seed in seeds]
    histories = [History(device=str(loader.device)) for _ in models]

    with in_mode(models[0], training=True), stack, watched(histories, epochs, progress) as tick:
        for _ in range(epochs):
            totals = torch.zeros(len(models), device=loader.device)
            orders = torch.stack([torch.randperm(len(split), generator=shuffle) for shuffle in shuffles])
            for rows in orders.split(batch_size, dim=1):  # (models, B)
                optimizer.zero_grad()
                batches = [loader.batch(own) for own in rows]
                logits = stack(loader.inputs(rows))  # (models, B, C)
                values = torch.stack([loss(*pair) for loss, *pair in zip(each, logits, batches, strict=True)])
                values.sum().backward()  # no replica's loss touches another's weights
                optimizer.step()
                scheduler.step()
                totals += values.detach() * rows.shape[1]
                for history in histories:
                    history.steps += 1
            stack.write_back()
            for history, total, model in zip(histories, totals / len(split), models, strict=True):
                record_epoch(history, total, model, validation)
            tick()
    return histories


class _Stack:
    """The weights of several models as one tensor a parameter, written back when the block ends."""

    def __init__(self, models: Sequence[nn.Module]) -> None:
        self.models = models
        stacked, _ = stack_module_state(list(models))
        self.weights = {name: weight.detach().requires_grad_() for name, weight in stacked.items()}
        self._pass = vmap(lambda weights, inputs: functional_call(models[0], weights, (inputs,)))

    def __call__(self, inputs: Tensor | list[str]) -> Tensor:
        logits: Tensor = self._pass(self.weights, inputs)
        return logits

    def __enter__(self) -> _Stack:
        return self

    def __exit__(self, *_: object) -> None:
        self.write_back()

    @torch.no_grad()
    def write_back(self) -> None:
        for place, model in enumerate(self.models):
            for name, weight in model.named_parameters():
                weight.copy_(self.weights[name][place])


def _one_each(
    losses: Loss | Sequence[Loss] | None, split: Split, models: Sequence[nn.Module], seeds: Sequence[int]
) -> list[Loss]:
    if not models:
        raise ValueError("There is no model to train: pass one or more.")
    loss = losses or label_loss(split)
    each = list(loss) if isinstance(loss, Sequence) else [loss] * len(models)
    for name, found in {"losses": len(each), "seeds": len(seeds)}.items():
        if found != len(models):
            raise ValueError(f"There are {len(models)} models but {found} {name}: pass one for each model.")
    if isinstance(split.inputs, list):
        raise ValueError(f"Texts cannot be stacked. {STACKABLE}")
    _check_stackable(models)
    return each


def _check_stackable(models: Sequence[nn.Module]) -> None:
    shapes = [{name: weight.shape for name, weight in model.named_parameters()} for model in models]
    for place, (model, shape) in enumerate(zip(models, shapes, strict=True)):
        if type(model) is not type(models[0]) or shape != shapes[0]:
            raise ValueError(f"Model {place} differs from model 0 in kind or shape. {STACKABLE}")
        if any(True for _ in model.buffers()):
            raise ValueError(f"Model {place} has buffers, such as batch norm's averages. {STACKABLE}")
        if any(isinstance(part, nn.modules.dropout._DropoutNd) and part.p > 0 for part in model.modules()):
            raise ValueError(f"Model {place} has dropout. {STACKABLE}")
    if len(set(map(id, models))) < len(models):
        raise ValueError("The same model is listed twice: each replica must be a model of its own.")
