"""A trained model written down for serving, and checked to answer as it did."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..extras import need
from .answers import as_array, logits_of
from .artefact import GRAPH, NGRAMS, TENSORS, TOKENIZER, TRANSFORMER, write_artefact
from .predictor import Features, OnnxPredictor, ngram_features, tensor_features

if TYPE_CHECKING:
    from torch import Tensor, nn

    from ..text import TransformerTeacher

TOLERANCE = 1e-4
PROBES = (
    "",
    "Where is my parcel?",
    "I was charged TWICE for order 10-4432, don't you check anything?!",
    "🙂🙃 返金してください",
    "\0 \ud800",
    "it does not work. " * 300,
)


@dataclass(frozen=True)
class _Plan:
    """What is particular to a kind of model."""

    kind: str
    classes: Sequence[str]
    graph: Callable[[], Any]
    features: Features
    settings: dict[str, Any]
    files: dict[str, bytes]
    probes: Any


def export_onnx(
    model: nn.Module,
    folder: str | os.PathLike[str],
    *,
    example: Tensor | None = None,
    classes: Sequence[str] | None = None,
) -> Path:
    """Write a model as files that need no torch: ``OnnxPredictor.load`` reads them.

    The folder gets ``model.onnx``, for a transformer ``tokenizer.json``, and last ``predictor.json``. The
    same model gives the same bytes. Before anything is written, ONNX Runtime must answer as the model does.

    Args:
        model: An NgramStudent, a TransformerTeacher, or any nn.Module from a tensor (B, ...) to logits
            (B, C). It is left as it was.
        folder: Where to; made if missing.
        example: For any other nn.Module, the inputs of one row: a tensor (1, ...).
        classes: The C class names; by default the model's own, or else numbers.

    Returns:
        The folder.

    Raises:
        ImportError: The extra ``serving`` is not installed.
        ValueError: A model of unknown kind without an example, an example that is not one row, or names that
            do not fit.
        RuntimeError: PyTorch cannot export the model, or its graph answers differently.
        OSError: A file could not be written.

    Example:
        >>> import tempfile
        >>> from kdhelpers.text import NgramStudent
        >>> student = NgramStudent(["billing", "other"], dim=2)
        >>> sorted(file.name for file in export_onnx(student, tempfile.mkdtemp()).iterdir())
        ['model.onnx', 'predictor.json']
    """
    need("onnx", extra="serving")
    from .graphs import count_weights, tidied

    plan = _plan(model, example, classes)
    graph = plan.graph()
    content, weights = tidied(graph), count_weights(graph)
    settings = dict(kind=plan.kind, classes=list(plan.classes), features=plan.settings, parameters=weights)
    predictor = OnnxPredictor(settings, content, plan.features)
    for inputs in (*(plan.probes[row : row + 1] for row in range(len(plan.probes))), plan.probes):
        _check_same(model, predictor, inputs)
    write_artefact(folder, settings, {GRAPH: content, **plan.files})
    return Path(folder)


def _plan(model: nn.Module, example: Tensor | None, classes: Sequence[str] | None) -> _Plan:
    from ..text import NgramStudent, TransformerTeacher
    from .graphs import ngram_graph

    if isinstance(model, NgramStudent):
        names = _names(classes, len(model.classes), model.classes)
        features, hashing = ngram_features(model.hasher), asdict(model.hasher)
        return _Plan(NGRAMS, names, lambda: ngram_graph(model), features, hashing, {}, PROBES)
    if isinstance(model, TransformerTeacher):
        return _teacher_plan(model, classes)
    return _tensor_plan(model, example, classes)


def _teacher_plan(model: TransformerTeacher, classes: Sequence[str] | None) -> _Plan:
    import torch

    from .graphs import TokensToLogits, traced_graph

    # Two texts of unlike length: with one, or without filling, the exporter would take that for a rule.
    ids, mask = map(torch.from_numpy, model.tokens(["a few words to begin with", "two"]))
    inputs = {"input_ids": ids, "attention_mask": mask}
    return _Plan(
        TRANSFORMER,
        _names(classes, len(model.classes), model.classes),
        lambda: traced_graph(TokensToLogits(model), inputs, {0: "batch", 1: "length"}),
        model.tokens,
        {"max_length": model.tokens.max_length},
        {TOKENIZER: model.tokens.save().encode()},
        PROBES,
    )


def _tensor_plan(model: nn.Module, example: Tensor | None, classes: Sequence[str] | None) -> _Plan:
    import torch

    from .graphs import traced_graph

    if not isinstance(example, torch.Tensor) or example.ndim == 0 or len(example) != 1:
        raise ValueError(
            f"To export {type(model).__name__}, pass example=, the inputs of one row as a tensor (1, ...), "
            "such as split.inputs[:1]."
        )
    row = example.detach().cpu()
    both = torch.cat([row, row])
    # Zeros are valid whatever the inputs mean, token numbers too.
    probes = torch.cat([row, torch.zeros_like(row), row])
    names = _names(classes, logits_of(model, both, "the model").shape[1], getattr(model, "classes", None))
    taken: dict[str, Any] = {"dtype": str(as_array(row).dtype), "shape": list(row.shape[1:])}
    return _Plan(
        TENSORS,
        names,
        lambda: traced_graph(model, {"inputs": both}, {0: "batch"}),
        tensor_features(**taken),
        taken,
        {},
        probes,
    )


def _names(given: Sequence[str] | None, count: int, own: Sequence[str] | None) -> Sequence[str]:
    from ..text.saving import checked_classes

    names = checked_classes(given or own or list(map(str, range(count))))
    if len(names) != count:
        raise ValueError(f"There are {len(names)} class names for a model of {count} classes.")
    return names


def _check_same(model: nn.Module, predictor: OnnxPredictor, inputs: Any) -> None:
    wanted = logits_of(model, inputs, "the model")
    # What is rounded grows with the logits themselves.
    allowed = TOLERANCE * max(1.0, float(np.abs(wanted).max()))
    away = float(np.abs(wanted - predictor(inputs)).max())
    if not away <= allowed:  # which a NaN is not either
        raise RuntimeError(
            f"The exported graph's logits are up to {away:.2g} from the model's ({allowed:.2g} is allowed), "
            "so nothing was written: what answers by chance or by Python's branches cannot be exported."
        )
