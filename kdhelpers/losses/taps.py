"""Get at what hidden layers compute, by their names, without touching the model's code."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn


@contextmanager
def tap_layers(model: nn.Module, *names: str) -> Iterator[dict[str, Tensor]]:
    """While the block lasts, note what the named layers give in each forward pass.

    Args:
        model: Any module. Its hooks are taken off when the block ends, however it ends.
        *names: Of submodules, as in ``model.named_modules()``, such as "encoder.layer.2".

    Yields:
        From name to the layer's latest output, with its gradient; empty before the first pass. A layer that
        gives a tuple or a mapping, such as those of transformers, is represented by its first tensor.

    Raises:
        ValueError: There is no such layer; names close to it are told.
        TypeError: In a pass, a layer gives no tensor.

    Example:
        >>> import torch
        >>> model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
        >>> with tap_layers(model, "1") as features:
        ...     logits = model(torch.zeros(3, 4))
        ...     features["1"].shape
        torch.Size([3, 8])
    """
    layers = [find_layer(model, name) for name in names]
    features: dict[str, Tensor] = {}
    handles = []
    try:
        for name, layer in zip(names, layers, strict=True):
            handles.append(layer.register_forward_hook(_noting(features, name)))
        yield features
    finally:
        for handle in handles:
            handle.remove()


def find_layer(model: nn.Module, name: str) -> nn.Module:
    """The submodule of that name.

    Raises:
        ValueError: There is none; names close to it are told.

    Example:
        >>> find_layer(nn.Sequential(nn.ReLU()), "0")
        ReLU()
    """
    known: dict[str, nn.Module] = dict(model.named_modules())
    if name in known:
        return known[name]
    names = [other for other in known if other]
    close = difflib.get_close_matches(name, names, n=3, cutoff=0.5) or names[:3]
    advice = f"did you mean {_listed(close)}?" if close else "it has no layers."
    raise ValueError(f"The {type(model).__name__} has no layer {name!r}: {advice}")


def _listed(names: list[str]) -> str:
    quoted = [repr(name) for name in names]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} or {quoted[-1]}"


def _noting(features: dict[str, Tensor], name: str) -> Callable[[nn.Module, Any, Any], None]:
    def note(layer: nn.Module, inputs: Any, output: Any) -> None:
        found = _first_tensor(output)
        if found is None:
            raise TypeError(f"Layer {name!r} gives a {type(output).__name__} without a tensor; tap another.")
        features[name] = found

    return note


def _first_tensor(output: Any) -> Tensor | None:
    if isinstance(output, Tensor):
        return output
    if isinstance(output, Mapping):
        output = output.values()
    elif not isinstance(output, tuple | list):
        return None
    return next((found for part in output if (found := _first_tensor(part)) is not None), None)
