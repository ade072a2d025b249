"""An exported model that answers, with NumPy and ONNX Runtime alone (and tokenizers, for a transformer)."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..extras import need
from ..ngrams import NgramHasher, check_texts
from ..tokens import Tokens
from .answers import Logits, Prediction, as_array
from .artefact import FLOAT32, GRAPH, NGRAMS, SETTINGS, TENSORS, TOKENIZER, damaged, read_artefact
from .memory import serving_memory

Features = Callable[[Any], tuple[NDArray[Any], ...]]
# Memory is bounded by what goes through the graph at once: so many rows of an array, or so many characters,
# where a text counts for a few more than it has.
ROWS, TOGETHER, EXTRA = 256, 2**14, 32
_OUTPUT = ["logits"]


class OnnxPredictor:
    """A model as it is served: texts in, logits or queue and confidence out. Made by ``OnnxPredictor.load``.

    A model exported from an ``example`` takes arrays (n, ...) in place of texts.

    Args:
        settings: As ``predictor.json`` holds them.
        graph: The content of ``model.onnx``.
        features: Turns inputs into the graph's own inputs.
        threads: How many threads of the processor one call may use.

    Raises:
        ImportError: The extra ``serving`` is not installed.
        ValueError: threads is below 1, or the graph cannot be read or has another number of classes.

    Example:
        >>> import tempfile
        >>> from kdhelpers.serving import export_onnx
        >>> from kdhelpers.text import NgramStudent
        >>> folder = export_onnx(NgramStudent(["billing", "other"], dim=8), tempfile.mkdtemp())
        >>> predictor = OnnxPredictor.load(folder)
        >>> predictor
        OnnxPredictor(ngram student, 2 classes, 1.0 MB)
        >>> predictor.predict(["I was charged twice"])[0].label in predictor.classes
        True
        >>> predictor.memory(["I was charged twice"]) > 1e6
        True
    """

    def __init__(
        self, settings: Mapping[str, Any], graph: bytes, features: Features, *, threads: int = 1
    ) -> None:
        if threads < 1:
            raise ValueError(f"threads is {threads}: give 1 or more.")
        self.settings = dict(settings)
        self.kind: str = settings["kind"]
        self.classes: tuple[str, ...] = tuple(settings["classes"])
        self.parameters: int = settings["parameters"]
        self.numbers: str = settings.get("numbers", FLOAT32)
        self.bytes = len(graph)
        self.threads = threads
        self.folder: Path | None = None  # set by `load`
        self._features = features
        self._session = _session(graph, threads)
        self._names = [node.name for node in self._session.get_inputs()]
        count = self._session.get_outputs()[0].shape[-1]
        if count != len(self.classes):
            raise ValueError(f"There are {len(self.classes)} class names for a graph of {count} classes.")

    @classmethod
    def load(cls, folder: str | os.PathLike[str], *, threads: int = 1) -> OnnxPredictor:
        """A model as ``export_onnx`` wrote it, once its files are found to be whole.

        Raises:
            FileNotFoundError: Nothing was exported there, or a file is gone.
            ValueError: A file is damaged, of an unknown format, or threads is below 1.
            ImportError: The extra ``serving`` is not installed (or ``text``, for a transformer).

        Example:
            >>> OnnxPredictor.load("nowhere")
            Traceback (most recent call last):
            FileNotFoundError: There is no exported model in nowhere: it lacks predictor.json.
        """
        settings, files = read_artefact(folder)
        try:
            features = _features(settings, Path(folder))
        except TypeError as error:  # a setting that is missing, unknown, or of another type
            raise damaged(folder, SETTINGS) from error
        predictor = cls(settings, files[GRAPH], features, threads=threads)
        predictor.bytes = sum(map(len, files.values())) + (Path(folder) / SETTINGS).stat().st_size
        predictor.folder = Path(folder).absolute()
        return predictor

    def predict(self, texts: Any) -> list[Prediction]:
        """For each text the likeliest class and its probability.

        Raises:
            TypeError: Not a sequence of texts.

        Example:
            >>> import tempfile
            >>> from kdhelpers.serving import export_onnx
            >>> from kdhelpers.text import NgramStudent
            >>> folder = export_onnx(NgramStudent(["billing", "other"], dim=2), tempfile.mkdtemp())
            >>> [0.5 <= confidence <= 1 for _, confidence in OnnxPredictor.load(folder).predict(["", "x"])]
            [True, True]
        """
        # In plain Python: for one message NumPy's calls would take several times as long as their work.
        return [self._likeliest(row) for row in self.logits(texts).tolist()]

    def _likeliest(self, logits: list[float]) -> Prediction:
        top = max(logits)
        total = sum([math.exp(value - top) for value in logits])
        return Prediction(self.classes[logits.index(top)], 1 / total)

    def logits(self, texts: Any) -> Logits:
        """Logits (n, C) in float32, in the order of the texts. Any number of texts fits into memory.

        Raises:
            TypeError: Not a sequence of texts.
            ValueError: For a model of arrays: rows of another shape.

        Example:
            >>> import tempfile
            >>> from kdhelpers.serving import export_onnx
            >>> from kdhelpers.text import NgramStudent
            >>> folder = export_onnx(NgramStudent(["billing", "other"], dim=2), tempfile.mkdtemp())
            >>> OnnxPredictor.load(folder).logits(["a", "b", "c"]).shape
            (3, 2)
        """
        batches: Iterator[tuple[Any, Any]]
        if self.kind == TENSORS:
            batches = _array_batches(as_array(texts))
        elif len(texts) == 1:
            return self._run(texts)  # one message: nothing to sort, and every microsecond counts
        else:
            check_texts(texts)
            batches = _text_batches(list(texts))
        logits = np.empty((len(texts), len(self.classes)), np.float32)
        for rows, inputs in batches:
            logits[rows] = self._run(inputs)
        return logits

    __call__ = logits

    def memory(self, example: Any) -> int:
        """Bytes that a process of its own needs beyond its libraries to load this model and answer.

        Raises:
            ValueError: The model was not loaded from a folder.
            RuntimeError: The process could not be started, or failed.
        """
        if self.folder is None:
            raise ValueError("Only a model loaded from a folder can be started anew: use OnnxPredictor.load.")
        return serving_memory(self.folder, example, self.threads)

    def _run(self, inputs: Any) -> Logits:
        feed = dict(zip(self._names, self._features(inputs), strict=True))
        found: Logits = self._session.run(_OUTPUT, feed)[0]
        return found

    def __repr__(self) -> str:
        size = f"{self.bytes / 1e6:.1f} MB"
        numbers = "" if self.numbers == FLOAT32 else ", " + self.numbers.split(",")[0]
        return f"OnnxPredictor({self.kind}, {len(self.classes)} classes, {size}{numbers})"


def _session(graph: bytes, threads: int) -> Any:
    runtime = need("onnxruntime", extra="serving")
    options = runtime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    # A thread that spins while it waits is faster by itself, and slows down all else on the machine.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    try:
        return runtime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the library has many of its own, and none in common
        reason = str(error).splitlines()[0]
        raise ValueError(f"ONNX Runtime {runtime.__version__} cannot read {GRAPH} ({reason}).") from error


def _features(settings: Mapping[str, Any], folder: Path) -> Features:
    if settings["kind"] == NGRAMS:
        return ngram_features(NgramHasher(**settings["features"]))
    if settings["kind"] == TENSORS:
        return tensor_features(**settings["features"])
    return Tokens(folder / TOKENIZER, **settings["features"])


def ngram_features(hasher: NgramHasher) -> Features:
    """Texts as the rectangles of ``hasher.padded``, quicker for one text.

    Example:
        >>> ngram_features(NgramHasher(characters=(), words=(1,)))(["yes yes"])[1]
        array([[1., 1.]], dtype=float32)
    """

    def features(texts: Sequence[str]) -> tuple[NDArray[Any], ...]:
        if len(texts) != 1:
            return hasher.padded(texts)
        indices = hasher(texts)[0]
        if not len(indices):
            return np.zeros((1, 1), np.int64), np.zeros((1, 1), np.float32)
        return indices[None], np.ones((1, len(indices)), np.float32)

    return features


def tensor_features(dtype: str, shape: Sequence[int]) -> Features:
    """Rows as an array of this type, if they have this shape.

    Example:
        >>> tensor_features("float32", [3])(np.zeros((2, 4)))
        Traceback (most recent call last):
        ValueError: The inputs have shape (2, 4): this model takes (n, 3).
    """

    def features(rows: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        if rows.shape[1:] != tuple(shape):
            wanted = ", ".join(map(str, ["n", *shape]))
            raise ValueError(f"The inputs have shape {rows.shape}: this model takes ({wanted}).")
        return (np.ascontiguousarray(rows, np.dtype(dtype)),)

    return features


def _text_batches(texts: list[str]) -> Iterator[tuple[list[int], list[str]]]:
    """Texts of like length together, since a batch is as wide as its longest text, and their rows."""
    rows: list[int] = []
    for row in sorted(range(len(texts)), key=lambda row: len(texts[row])):
        if rows and (len(rows) + 1) * (len(texts[row]) + EXTRA) > TOGETHER:
            yield rows, [texts[row] for row in rows]
            rows = []
        rows.append(row)
    if rows:
        yield rows, [texts[row] for row in rows]


def _array_batches(inputs: NDArray[Any]) -> Iterator[tuple[slice, NDArray[Any]]]:
    for start in range(0, len(inputs), ROWS):
        rows = slice(start, start + ROWS)
        yield rows, inputs[rows]
