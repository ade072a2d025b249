"""What a model answers: its logits as an array, and how sure it is of its first choice. No torch needed."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Logits = NDArray[np.float32]
# An nn.Module, an OnnxPredictor, or any function of inputs: named so that torch need not be imported for it.
Answering = Callable[[Any], Any]


class Prediction(NamedTuple):
    """A class and the probability that the model gives it.

    Example:
        >>> Prediction("billing", 0.93).label
        'billing'
    """

    label: str
    confidence: float


def confidences(logits: NDArray[Any]) -> NDArray[np.float64]:
    """The probability of the likeliest class (n,) of logits (n, C).

    Example:
        >>> confidences(np.array([[0.0, 0.0], [0.0, 100.0]]))
        array([0.5, 1. ])
    """
    wide = np.asarray(logits, np.float64)
    return np.asarray(1 / np.exp(wide - wide.max(1, keepdims=True)).sum(1))


def as_array(values: Any) -> NDArray[Any]:
    """An array of whatever has numbers: an array, a list, a tensor with gradients on any device.

    Example:
        >>> as_array([[1, 2]])
        array([[1, 2]])
    """
    if not hasattr(values, "detach"):
        return np.asarray(values)
    tensor = values.detach().cpu()
    # NumPy has no bfloat16, and wants no other narrow number here.
    return np.asarray((tensor.float() if tensor.is_floating_point() else tensor).numpy())


def logits_of(model: Answering, inputs: Any, whose: str) -> Logits:
    """The logits of a model on inputs, as a new float32 array (n, C).

    Args:
        model: An nn.Module (run in evaluation mode and without gradients) or any function.
        inputs: n texts, or a tensor or array (n, ...).
        whose: How to call the model in an error.

    Raises:
        ValueError: The model gives something else than (n, C).

    Example:
        >>> logits_of(lambda texts: [[len(text), 0] for text in texts], ["a", "bc"], "the student")
        array([[1., 0.],
               [2., 0.]], dtype=float32)
    """
    logits = np.array(as_array(run_model(model, inputs)), np.float32)
    if logits.ndim != 2 or len(logits) != len(inputs):
        raise ValueError(
            f"{whose.capitalize()} gives {logits.shape} for {len(inputs)} rows: "
            f"it must give logits ({len(inputs)}, C)."
        )
    return logits


def run_model(model: Answering, inputs: Any) -> Any:
    """What a model gives for inputs: an nn.Module in evaluation mode and without gradients, others as called.

    Example:
        >>> run_model(len, ["a", "b"])
        2
    """
    # Who has an nn.Module has imported torch; who serves without torch is not made to.
    torch = sys.modules.get("torch")
    if torch is None or not isinstance(model, torch.nn.Module):
        return model(inputs)
    from ..data import Split
    from ..evaluation import predict_logits

    return predict_logits(model, Split(ids=range(len(inputs)), inputs=inputs))
