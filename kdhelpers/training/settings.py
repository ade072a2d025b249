"""What a training run is set up from, each mistake answered in a sentence before anything is trained."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import wraps
from typing import ParamSpec, TypeVar

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import ConstantLR, LRScheduler, OneCycleLR

from ..data import Split
from ..devices import best_device
from ..evaluation import predict_logits
from ..processes import Processes
from ..seeding import seeded, seeded_randomness

P = ParamSpec("P")
R = TypeVar("R")
SCHEDULES = ("constant", "one-cycle")
# From here on, an update takes as long as the weights take from memory and back: better once than ten times.
MANY_WEIGHTS = 500_000


def own_randomness(run: Callable[P, R]) -> Callable[P, R]:
    """Start everything random in a run from its ``seed`` (or the first of its ``seeds``), and leave the
    global random state as it was.

    Example:
        >>> @own_randomness
        ... def draw(*, seed=0):
        ...     return torch.rand(1).item()
        >>> draw(seed=3) == draw(seed=3)
        True
    """

    @wraps(run)
    def inner(*args: P.args, **kwargs: P.kwargs) -> R:
        seeds = kwargs.get("seeds") or [kwargs.get("seed", 0)]
        # What is wrong with a seed that is no whole number is said there.
        with seeded_randomness(seeds[0]):  # type: ignore[index]
            return run(*args, **kwargs)

    return inner


def check_settings(
    epochs: int, batch_size: int, learning_rate: float, weight_decay: float, schedule: str
) -> None:
    """Refuse settings that cannot train.

    Raises:
        ValueError: One of them is out of range.

    Example:
        >>> check_settings(epochs=5, batch_size=128, learning_rate=1e-3, weight_decay=0, schedule="constant")
    """
    for name, count in (("epochs", epochs), ("batch_size", batch_size)):
        if not isinstance(count, int) or isinstance(count, bool) or count < 1:
            raise ValueError(f"{name} is {count!r}: give a whole number of 1 or more.")
    if not (math.isfinite(learning_rate) and learning_rate > 0):
        raise ValueError(f"learning_rate is {learning_rate}: give a number above 0, such as 0.001.")
    if not (math.isfinite(weight_decay) and weight_decay >= 0):
        raise ValueError(f"weight_decay is {weight_decay}: give a number of 0 or more.")
    if schedule not in SCHEDULES:
        raise ValueError(f"schedule is {schedule!r}: choose 'constant' or 'one-cycle'.")


def choose_device(
    device: str | torch.device | None, models: Sequence[nn.Module], processes: Processes | None = None
) -> torch.device:
    """The device asked for, or the process's own; otherwise CUDA, else MPS, else the processor.

    Raises:
        ValueError: There is no such device here, or an accelerator has chosen one already.

    Example:
        >>> choose_device("cpu", [])
        device(type='cpu')
    """
    own = None if processes is None else processes.device
    if own is not None:
        if device is not None:
            raise ValueError("The accelerator chooses the device: leave out device, or the accelerator.")
        return own
    found = best_device(device)
    wide = any(weight.dtype == torch.float64 for model in models for weight in model.parameters())
    # MPS has no float64: without a wish of the caller's, such a model stays on the processor.
    return torch.device("cpu") if device is None and wide and found.type == "mps" else found


def trainable(model: nn.Module) -> list[Tensor]:
    """The parameters that learn.

    Raises:
        ValueError: None does.

    Example:
        >>> [tuple(weight.shape) for weight in trainable(nn.Linear(3, 2))]
        [(2, 3), (2,)]
    """
    found: list[Tensor] = [weight for weight in model.parameters() if weight.requires_grad]
    if not found:
        raise ValueError(f"The {type(model).__name__} has no parameters to train.")
    return found


def adamw(weights: Sequence[Tensor], learning_rate: float, weight_decay: float) -> torch.optim.AdamW:
    """AdamW; of many weights on the processor its fused kind, which gives the same but for rounding.

    A step of a text student, whose n-grams have a million weights, takes a third of the time with it.
    Source: Loshchilov & Hutter 2017, "Decoupled Weight Decay Regularization", arXiv:1711.05101.

    Example:
        >>> [adamw([torch.zeros(count)], 0.1, 0.0).defaults["fused"] for count in (3, 10**6)]
        [None, True]
    """
    many = sum(weight.numel() for weight in weights) >= MANY_WEIGHTS
    fits = all(weight.device.type == "cpu" and weight.is_floating_point() for weight in weights)
    # None, not False, where it makes no difference: then PyTorch chooses what is fastest on the device.
    return torch.optim.AdamW(
        weights, lr=learning_rate, weight_decay=weight_decay, fused=(many and fits) or None
    )


def learning_rates(optimiser: torch.optim.Optimizer, schedule: str, steps: int) -> LRScheduler:
    """The course of the learning rate over all steps: constant, or one cycle up and down (to almost 0).

    Source: Smith & Topin 2017, "Super-Convergence", arXiv:1708.07120.

    Example:
        >>> optimiser = torch.optim.AdamW(nn.Linear(1, 1).parameters(), lr=0.1)
        >>> learning_rates(optimiser, "constant", steps=10).get_last_lr()
        [0.1]
    """
    if schedule == "constant":
        return ConstantLR(optimiser, factor=1.0, total_iters=0)
    highest = max(group["lr"] for group in optimiser.param_groups)
    # PyTorch's cycle needs room to turn; a run of one or two steps starts it and stops.
    return OneCycleLR(optimiser, max_lr=highest, total_steps=max(steps, 4))


def validation_accuracy(model: nn.Module, validation: Split, seed: int) -> float:
    """Share of the labelled rows that are right now. Nothing random in it reaches the training.

    Example:
        >>> split = Split(ids=[0, 1], inputs=torch.eye(2), labels=torch.tensor([0, 0]))
        >>> validation_accuracy(nn.Identity(), split, seed=0)
        0.5
    """
    known = validation.labelled
    logits = seeded(lambda: predict_logits(model, validation), seed)
    assert validation.labels is not None
    return (logits.argmax(1) == validation.labels.cpu())[known].double().mean().item()


def check_validation(validation: Split | None) -> None:
    """Refuse a validation split without labels.

    Raises:
        ValueError: None of its rows has a label.

    Example:
        >>> check_validation(None)
    """
    if validation is not None and not (validation.labels is not None and validation.labelled.any()):
        raise ValueError("The validation split has no labels: pass one that has, or none.")


def check_stackable(models: Sequence[nn.Module], split: Split) -> None:
    """Refuse models that cannot be trained side by side as if each were alone.

    Raises:
        ValueError: No models, one of them twice, of other classes, shapes or dtypes; buffers or dropout;
            or inputs that are not a tensor.

    Example:
        >>> check_stackable([nn.Linear(2, 1), nn.Linear(2, 1)], Split(ids=[0], inputs=torch.zeros(1, 2)))
    """
    if not models:
        raise ValueError("There are no models to train: pass one or more.")
    if len(set(map(id, models))) < len(models):
        raise ValueError("The same model is passed twice: build one for each seed.")
    if not isinstance(split.inputs, Tensor):
        raise ValueError("Models can be stacked only over tensors: for texts, call train once for each.")
    for number, model in enumerate(models):
        if type(model) is not type(models[0]) or _shapes(model) != _shapes(models[0]):
            raise ValueError(f"Model {number} has another class or other weights than model 0: pass equals.")
        if next(model.buffers(), None) is not None:
            raise ValueError(f"Model {number} has buffers (batch normalisation?), which cannot be stacked.")
        if any(isinstance(part, nn.modules.dropout._DropoutNd) and part.p > 0 for part in model.modules()):
            raise ValueError(f"Model {number} has dropout, which would differ: call train once for each.")


def check_one_each(values: Sequence[object], models: Sequence[nn.Module], name: str) -> None:
    """Refuse anything but one value a model.

    Raises:
        ValueError: There are more or fewer.

    Example:
        >>> check_one_each([0], [nn.Linear(1, 1)], "seeds")
    """
    if len(values) != len(models):
        raise ValueError(f"There are {len(values)} {name} for {len(models)} models: give one for each.")


def _shapes(model: nn.Module) -> dict[str, tuple[torch.Size, torch.dtype, bool]]:
    return {name: (w.shape, w.dtype, w.requires_grad) for name, w in model.named_parameters()}
