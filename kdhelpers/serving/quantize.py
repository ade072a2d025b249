"""An exported model in 8-bit whole numbers: a quarter of the file, and less time for a transformer."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..extras import need
from ..ngrams import check_texts
from .answers import as_array
from .artefact import DYNAMIC, FLOAT32, GRAPH, STATIC, TENSORS, read_artefact, write_artefact
from .export import PROBES
from .predictor import OnnxPredictor

# What multiplies by weights, and what looks them up.
_PRODUCTS = ("MatMul", "Gemm", "Conv")
_KINDS = [*_PRODUCTS, "Gather"]


def quantize_onnx(
    folder: str | os.PathLike[str],
    to: str | os.PathLike[str],
    *,
    calibration: Any = None,
    per_channel: bool = True,
    reduce_range: bool = True,
) -> Path:
    """Write an exported model anew with 8-bit weights: ``OnnxPredictor.load`` reads it like any other.

    A weight becomes ``round(weight / scale)``, where the largest of its column becomes 64 (127 without
    ``reduce_range``). A table of vectors that texts look up has one scale, and values from 0 to 255. Biases
    stay as they were, or become 32-bit numbers. What goes into a product becomes 8 bits too: scaled anew in
    every call, or, with calibration, by the range that it had there, so that what lies outside is cut off.
    What comes out of a matrix product stays a float: no logit is cut off.

    How far the answers move depends on the model: measure it, on the same rows as the model before. The same
    model and calibration give the same bytes, with the same release of ONNX Runtime.

    Source: Jacob et al. 2018, "Quantization and training of neural networks for efficient
    integer-arithmetic-only inference", arXiv:1712.05877; done by ONNX Runtime's ``quantize_dynamic`` or
    ``quantize_static``.

    Args:
        folder: What ``export_onnx`` wrote; it is left as it was.
        to: Another folder; made if missing.
        calibration: A few hundred inputs like those to come: texts, or for a model of arrays an array
            (n, ...). Each goes through the model once, by itself. Early releases of ONNX Runtime (1.18) run
            int8 convolutions only with it.
        per_channel: A scale for each column of a matrix. With one for all of it, a single large weight takes
            the precision of the rest. Convolutions have one for each channel with calibration alone.
        reduce_range: 7 bits for what is multiplied. Processors without VNNI, such as those that have AVX2
            alone, add two products in 16 bits, where 8-bit weights overflow and are cut off without a word
            (ONNX Runtime's documentation on U8S8 and ``reduce_range``). With 7 bits nothing overflows, so
            that the file answers alike everywhere.

    Returns:
        The new folder.

    Raises:
        ImportError: The extra ``serving`` is not installed.
        FileNotFoundError: Nothing was exported there, or a file is gone.
        ValueError: A damaged or quantised model, one without weights to quantise, the same folder twice, or
            calibration that is empty, holds NaN or does not fit.
        TypeError: Calibration that is no list of texts, for a model of texts.
        RuntimeError: ONNX Runtime cannot quantise it, or it then gives no finite logits.
        OSError: A file could not be written.

    Example:
        >>> import tempfile
        >>> from kdhelpers.serving import export_onnx
        >>> from kdhelpers.text import NgramStudent
        >>> folder = export_onnx(NgramStudent(["billing", "other"], dim=8), tempfile.mkdtemp())
        >>> OnnxPredictor.load(quantize_onnx(folder, tempfile.mkdtemp()))
        OnnxPredictor(ngram student, 2 classes, 0.3 MB, int8)
    """
    need("onnx", extra="serving")
    settings, files = read_artefact(folder)
    if settings.get("numbers", FLOAT32) != FLOAT32:
        raise ValueError(f"The model in {folder} is int8 already: quantise the one it was made from.")
    if Path(folder).resolve() == Path(to).resolve():
        raise ValueError(f"The int8 model cannot go to {to}, where the model itself is: give another folder.")
    source = OnnxPredictor.load(folder)
    rows = None if calibration is None else _checked(source, calibration)
    content = _quantized(source, files[GRAPH], rows, dict(per_channel=per_channel, reduce_range=reduce_range))
    settings |= {"numbers": DYNAMIC if rows is None else STATIC}
    _check_answers(settings, content, source, rows)
    write_artefact(to, settings, {**files, GRAPH: content})
    return Path(to)


def _checked(source: OnnxPredictor, calibration: Any) -> Any:
    """The calibration as rows that the model takes."""
    if source.kind != TENSORS:
        check_texts(calibration)
    if len(calibration) == 0:
        raise ValueError("calibration is empty: give a few hundred inputs like those to come, or None.")
    if source.kind != TENSORS:
        return list(calibration)
    (rows,) = source._features(as_array(calibration))  # which refuses another shape
    strange = np.flatnonzero(~np.isfinite(rows.reshape(len(rows), -1)).all(1))
    if len(strange):
        raise ValueError(f"Row {strange[0]} of calibration holds NaN or infinity: leave such rows out.")
    return rows


class _Reader:
    """Feeds ONNX Runtime one input at a time, as texts differ in length."""

    def __init__(self, source: OnnxPredictor, rows: Any) -> None:
        self._feeds: Iterator[dict[str, NDArray[Any]]] = (
            dict(zip(source._names, source._features(rows[row : row + 1]), strict=True))
            for row in range(len(rows))
        )

    def get_next(self) -> dict[str, NDArray[Any]] | None:
        return next(self._feeds, None)


def _quantized(source: OnnxPredictor, graph: bytes, rows: Any, options: dict[str, Any]) -> bytes:
    """The int8 graph. ONNX Runtime works with files: they are gone when it is done."""
    onnx = need("onnx", extra="serving")
    from .graphs import _quiet, tidied

    with _quiet():  # first: the library must be there, or say which extra brings it
        runtime = need("onnxruntime.quantization", extra="serving")
    try:
        with _quiet(), TemporaryDirectory() as place:
            before, after = Path(place) / GRAPH, Path(place) / "int8.onnx"
            before.write_bytes(graph)
            options |= dict(weight_type=runtime.QuantType.QInt8)
            if rows is None:
                runtime.quantize_dynamic(before, after, op_types_to_quantize=_KINDS, **options)
            else:
                _static(runtime, before, after, _Reader(source, rows), options)
            model = onnx.load(after)
    except Exception as error:  # the library has many of its own, and none in common
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise RuntimeError(
            f"ONNX Runtime cannot quantise the model in {source.folder} ({reason})."
        ) from error
    byte = (onnx.TensorProto.INT8, onnx.TensorProto.UINT8)
    if not any(len(weight.dims) > 1 and weight.data_type in byte for weight in model.graph.initializer):
        raise ValueError(f"The model in {source.folder} has no weights that int8 could make smaller.")
    _forget_domains(model)
    return tidied(model)


def _static(runtime: Any, before: Path, after: Path, reader: _Reader, options: dict[str, Any]) -> None:
    onnx = need("onnx", extra="serving")
    prepared = before.with_name("prepared.onnx")
    shapes = need("onnxruntime.quantization.shape_inference", extra="serving")
    shapes.quant_pre_process(before, prepared, skip_symbolic_shape=True)
    model = onnx.load(prepared)
    for number, node in enumerate(model.graph.node):
        node.name = node.name or f"{node.op_type}_{number}"
    onnx.save(model, prepared)
    weights = {
        weight.name for weight in model.graph.initializer if weight.data_type == onnx.TensorProto.FLOAT
    }
    runtime.quantize_static(
        prepared,
        after,
        reader,
        quant_format=runtime.QuantFormat.QDQ,
        activation_type=runtime.QuantType.QUInt8,
        calibrate_method=runtime.CalibrationMethod.MinMax,
        # Early releases (1.18) fail over a softmax that they did not see in calibration.
        op_types_to_quantize=[*_KINDS, "Softmax"],
        nodes_to_exclude=_left_alone(model.graph.node, weights),
        extra_options={
            # What is looked up is not multiplied by 8-bit weights: it keeps its eighth bit.
            "TensorQuantOverrides": {
                name: [{"reduce_range": False}] for name in _tables(model.graph.node, weights)
            },
            # Of the three only a convolution needs it to run in int8; elsewhere it would cut values off.
            "OpTypesToExcludeOutputQuantization": ["MatMul", "Gemm"],
        },
        **options,
    )


def _left_alone(nodes: Sequence[Any], weights: set[str]) -> list[str]:
    """Softmax, and products of what is new in every call: ``MatMulConstBOnly`` does nothing here."""
    return [
        node.name
        for node in nodes
        if node.op_type == "Softmax" or (node.op_type in _PRODUCTS and node.input[1] not in weights)
    ]


def _tables(nodes: Sequence[Any], weights: set[str]) -> list[str]:
    """Weights that are looked up and used for nothing else."""
    looked_up = {node.input[0] for node in nodes if node.op_type == "Gather"} & weights
    return sorted(looked_up - {name for node in nodes if node.op_type != "Gather" for name in node.input})


def _forget_domains(model: Any) -> None:
    """Drop the sets of operators that ONNX Runtime lists because it has them, not because they are used."""
    used = {"", *(node.domain for node in model.graph.node)}
    kept = [entry for entry in model.opset_import if entry.domain in used]
    del model.opset_import[:]
    model.opset_import.extend(kept)


def _probes(settings: dict[str, Any], rows: Any) -> Any:
    if settings["kind"] != TENSORS:
        return PROBES
    taken = settings["features"]
    return np.zeros((1, *taken["shape"]), taken["dtype"]) if rows is None else rows


def _check_answers(settings: dict[str, Any], content: bytes, source: OnnxPredictor, rows: Any) -> None:
    probes = _probes(settings, rows)
    try:
        logits = OnnxPredictor(settings, content, source._features)(probes)
    except Exception as error:  # ONNX Runtime has many of its own, and none in common
        reason = str(error).splitlines()[0]
        raise RuntimeError(f"The int8 model does not run, so nothing was written: {reason}") from error
    if logits.shape != (len(probes), len(source.classes)) or not np.isfinite(logits).all():
        raise RuntimeError(
            "The int8 model gives logits that are no finite numbers, so nothing was written: "
            "it needs the precision of float32."
        )
