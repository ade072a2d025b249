"""Text models as folders: weights in safetensors, settings in JSON; nothing pickled."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
from torch import Tensor, nn

from ..files import write_whole

SETTINGS, WEIGHTS, FORMAT = "model.json", "model.safetensors", 1


def save_model(folder: str | os.PathLike[str], model: nn.Module, settings: Mapping[str, Any]) -> None:
    """Write a model's weights, then its settings; a folder with settings is complete.

    Raises:
        OSError: A file could not be written.

    Example:
        >>> import tempfile
        >>> folder = tempfile.mkdtemp()
        >>> save_model(folder, nn.Linear(2, 1), {"kind": "line"})
        >>> read_settings(folder, "line")
        {'kind': 'line'}
    """
    state = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    write_whole(Path(folder) / WEIGHTS, safetensors.torch.save(state))
    content = {"format": FORMAT, **settings}
    write_whole(Path(folder) / SETTINGS, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def read_settings(folder: str | os.PathLike[str], kind: str) -> dict[str, Any]:
    """The settings of a saved model.

    Raises:
        FileNotFoundError: No model was saved there.
        ValueError: The settings are damaged, or of another kind of model.

    Example:
        >>> read_settings("nowhere", "line")
        Traceback (most recent call last):
        FileNotFoundError: There is no saved model in nowhere: it lacks model.json.
    """
    path = Path(folder) / SETTINGS
    if not path.is_file():
        raise FileNotFoundError(f"There is no saved model in {folder}: it lacks {SETTINGS}.")
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
        found, version = settings["kind"], settings.pop("format")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{SETTINGS} in {folder} is damaged: save the model anew.") from error
    if version != FORMAT:
        raise ValueError(f"The model in {folder} has format {version}, not {FORMAT}: update kdhelpers.")
    if found != kind:
        raise ValueError(f"The model in {folder} is of the kind {found!r}, not {kind!r}: load it as such.")
    return dict(settings)


def read_weights(folder: str | os.PathLike[str], model: nn.Module) -> None:
    """Put saved weights into a model of the same shape.

    Raises:
        FileNotFoundError: There are none.
        ValueError: They are damaged, or of another shape.

    Example:
        >>> import tempfile
        >>> folder, line = tempfile.mkdtemp(), nn.Linear(2, 1)
        >>> save_model(folder, line, {"kind": "line"})
        >>> read_weights(folder, line)
    """
    path = Path(folder) / WEIGHTS
    if not path.is_file():
        raise FileNotFoundError(f"There are no weights in {folder}: it lacks {WEIGHTS}.")
    try:
        state: dict[str, Tensor] = safetensors.torch.load_file(path)
        model.load_state_dict(state)
    except (safetensors.SafetensorError, RuntimeError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"The weights in {folder} are damaged or of another model ({reason}).") from error


def checked_classes(classes: Sequence[str]) -> tuple[str, ...]:
    """Class names, two or more, none twice.

    Raises:
        ValueError: Fewer than two, or one twice.

    Example:
        >>> checked_classes(["billing"])
        Traceback (most recent call last):
        ValueError: There is one class, 'billing': a classifier needs two or more to tell apart.
    """
    names = tuple(map(str, [classes] if isinstance(classes, str) else classes))
    if len(names) < 2:
        told = f"one class, {names[0]!r}" if names else "no class"
        raise ValueError(f"There is {told}: a classifier needs two or more to tell apart.")
    twice = next((name for row, name in enumerate(names) if name in names[:row]), None)
    if twice is not None:
        raise ValueError(f"The class {twice!r} stands twice: give each class one name.")
    return names
