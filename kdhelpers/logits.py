"""Where a model's answer has its logits: it may be the tensor itself, or hold it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def logits_of(answer: Any) -> Any:
    """The logits in what a model gives: its ``logits``, as those of transformers have, or else all of it.

    Args:
        answer: A tensor or an array of logits, or an object or mapping that has them as ``logits``.

    Returns:
        The logits as they are; their shape is for the caller to look at.

    Raises:
        ValueError: A mapping or a tuple without ``logits``.

    Example:
        >>> logits_of({"logits": [1.0, 2.0], "loss": 0.3})
        [1.0, 2.0]
        >>> logits_of({"last_hidden_state": [1.0]})
        Traceback (most recent call last):
        ValueError: The model gives last_hidden_state, but no logits: use one with a head, or wrap it ...
    """
    found = answer.get("logits") if isinstance(answer, Mapping) else getattr(answer, "logits", None)
    if found is not None:
        return found
    if isinstance(answer, Mapping | tuple):
        given = ", ".join(map(str, answer)) if isinstance(answer, Mapping) else f"a {type(answer).__name__}"
        raise ValueError(
            f"The model gives {given or 'an empty mapping'}, but no logits: use one with a head, or wrap it "
            "in a module that returns logits."
        )
    return answer
