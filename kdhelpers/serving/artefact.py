"""A model that can be served, as a folder: its graph, its settings, and a tokenizer if it has one."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..files import write_whole

SETTINGS, GRAPH, TOKENIZER, FORMAT = "predictor.json", "model.onnx", "tokenizer.json", 1
# What a distillation leaves beside the model.
RESULTS = "results.json"
NGRAMS, TRANSFORMER, TENSORS = "ngram student", "transformer teacher", "tensors"
# What the weights are, and how what goes into a product is scaled. A file that does not say has floats.
FLOAT32, DYNAMIC, STATIC = "float32", "int8, dynamic", "int8, static"
_TYPES = {"classes": list, "features": dict, "parameters": int, "sha256": dict}
# What each kind needs beside its settings.
FILES = {NGRAMS: (GRAPH,), TRANSFORMER: (GRAPH, TOKENIZER), TENSORS: (GRAPH,)}


def write_artefact(
    folder: str | os.PathLike[str], settings: Mapping[str, Any], files: Mapping[str, bytes]
) -> None:
    """Write the files, then the settings with their sha256: a folder with fitting settings is complete.

    Raises:
        OSError: A file could not be written.

    Example:
        >>> import tempfile
        >>> folder = tempfile.mkdtemp()
        >>> settings = {"kind": TENSORS, "classes": ["a", "b"], "features": {}, "parameters": 0}
        >>> write_artefact(folder, settings, {GRAPH: b"graph"})
        >>> read_artefact(folder)[1]
        {'model.onnx': b'graph'}
    """
    for name, content in files.items():
        write_whole(Path(folder) / name, content)
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    whole = {"format": FORMAT, **settings, "sha256": digests}
    write_whole(Path(folder) / SETTINGS, json.dumps(whole, indent=1, ensure_ascii=False) + "\n")


def read_artefact(folder: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The settings of an exported model, and its files once they have the sha256 that the settings state.

    Raises:
        FileNotFoundError: Nothing was exported there, or a file is gone.
        ValueError: A file is damaged, or of a format or kind that this version does not know.

    Example:
        >>> read_artefact("nowhere")
        Traceback (most recent call last):
        FileNotFoundError: There is no exported model in nowhere: it lacks predictor.json.
    """
    place = Path(folder)
    if not (place / SETTINGS).is_file():
        raise FileNotFoundError(f"There is no exported model in {folder}: it lacks {SETTINGS}.")
    settings = _settings(place)
    return settings, {name: _file(place, name, settings["sha256"]) for name in FILES[settings["kind"]]}


def _settings(place: Path) -> dict[str, Any]:
    try:
        settings = dict(json.loads((place / SETTINGS).read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise damaged(place, SETTINGS) from error
    version, kind = settings.get("format"), settings.get("kind")
    if version != FORMAT:
        raise ValueError(f"The model in {place} has format {version}, not {FORMAT}: update kdhelpers.")
    if kind not in FILES:
        raise ValueError(f"The model in {place} is of the kind {kind!r}, not {', '.join(FILES)}.")
    whole = all(isinstance(settings.get(name), wanted) for name, wanted in _TYPES.items())
    if not whole or settings.get("numbers", FLOAT32) not in (FLOAT32, DYNAMIC, STATIC):
        raise damaged(place, SETTINGS)
    return settings


def _file(place: Path, name: str, digests: Mapping[str, str]) -> bytes:
    if not (place / name).is_file():
        raise FileNotFoundError(f"The model in {place} lacks {name}: export it anew.")
    content = (place / name).read_bytes()
    if hashlib.sha256(content).hexdigest() != digests.get(name):
        raise damaged(place, name)
    return content


def columns_made_from(folder: str | os.PathLike[str]) -> dict[str, str]:
    """The columns that ``kdhelpers distill`` read; for a model from elsewhere "text" and "label".

    Raises:
        ValueError: The file that says so is damaged.

    Example:
        >>> columns_made_from("nowhere")
        {'text': 'text', 'label': 'label'}
    """
    path = Path(folder) / RESULTS
    if not path.is_file():
        return {"text": "text", "label": "label"}
    try:
        columns = json.loads(path.read_text(encoding="utf-8"))["columns"]
        return {name: str(columns[name]) for name in ("text", "label")}
    except (ValueError, TypeError, KeyError) as error:
        raise damaged(folder, RESULTS) from error


def damaged(place: str | os.PathLike[str], name: str) -> ValueError:
    """What to raise about a file that is not as it was written.

    Example:
        >>> print(damaged("served", "model.onnx"))
        model.onnx in served is damaged or was altered: export the model anew.
    """
    return ValueError(f"{name} in {place} is damaged or was altered: export the model anew.")
