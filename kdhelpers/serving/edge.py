"""A student as a folder that answers by itself: no kdhelpers and no torch where it runs."""

from __future__ import annotations

import inspect
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from .. import ngrams
from . import edge_script
from .artefact import read_artefact, write_artefact
from .export import export_onnx
from .quantize import quantize_onnx

if TYPE_CHECKING:
    from ..text import NgramStudent

SCRIPT, HASHING = "predict.py", "ngrams.py"


def export_edge(student: NgramStudent, folder: str | os.PathLike[str], *, quantize: bool = True) -> Path:
    """Write a student as a folder that runs by itself, with Python, NumPy and ONNX Runtime alone.

    Beside what ``export_onnx`` writes, so that ``OnnxPredictor.load`` reads it too, the folder gets
    ``predict.py`` and the file that it takes its n-grams from, as this package has them::

        python predict.py "I was charged twice"
        python predict.py < messages.txt

    or, in Python, ``from predict import load``.

    Args:
        student: An NgramStudent. A transformer needs a tokenizer, which is a library of its own.
        folder: Where to; made if missing.
        quantize: Weights of 8 bits: a quarter of the file, and answers that differ a little.

    Returns:
        The folder.

    Raises:
        ImportError: The extra ``serving`` is not installed.
        TypeError: Another kind of model.
        OSError: A file could not be written.

    Example:
        >>> import tempfile
        >>> from kdhelpers.text import NgramStudent
        >>> folder = export_edge(NgramStudent(["billing", "other"], dim=8), tempfile.mkdtemp())
        >>> sorted(file.name for file in folder.iterdir())
        ['model.onnx', 'ngrams.py', 'predict.py', 'predictor.json']
    """
    from ..text import NgramStudent

    if not isinstance(student, NgramStudent):
        raise TypeError(
            f"export_edge takes an NgramStudent, not {type(student).__name__}: what else there is goes "
            "through export_onnx, and is served by OnnxPredictor."
        )
    settings, files = _exported(student, quantize)
    write_artefact(
        folder, settings, {**files, SCRIPT: _script(), HASHING: inspect.getsource(ngrams).encode()}
    )
    return Path(folder)


def _exported(student: NgramStudent, quantize: bool) -> tuple[dict[str, Any], dict[str, bytes]]:
    with TemporaryDirectory() as place:
        folder = export_onnx(student, Path(place) / "float32")
        return read_artefact(quantize_onnx(folder, Path(place) / "int8") if quantize else folder)


def _script() -> bytes:
    """The script's source, with the n-grams from the file that is beside it there."""
    return inspect.getsource(edge_script).replace(ngrams.__name__, Path(HASHING).stem).encode()
