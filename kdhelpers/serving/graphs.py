"""Models as ONNX graphs: the student's written node by node, any other recorded by PyTorch's exporter."""

from __future__ import annotations

import copy
import io
import logging
import math
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..devices import device_of
from ..extras import need
from ..modes import in_mode
from ..text import NgramStudent, TransformerTeacher

# Fixed, so that a new release of something below us changes neither the file nor who can read it.
OPSET, IR_VERSION = 18, 10
LOGITS = "logits"


def ngram_graph(student: NgramStudent) -> Any:
    """The graph of an n-gram student: look up, sum what the mask lets through, scale, one linear layer.

    Its inputs are what ``NgramHasher.padded`` gives: ``indices`` (B, K) int64 and ``mask`` (B, K) float32.

    Example:
        >>> [node.op_type for node in ngram_graph(NgramStudent(["a", "b"])).graph.node][:3]
        ['Gather', 'Unsqueeze', 'MatMul']
    """
    onnx = need("onnx", extra="serving")
    node, tensor = onnx.helper.make_node, onnx.TensorProto
    weights = {"vectors": student.vectors.weight, "weight": student.head.weight, "bias": student.head.bias}
    values = {name: value.detach().float().cpu().numpy() for name, value in weights.items()}
    values |= {"axis": np.array([1], np.int64), "least": np.array(1, np.float32)}
    nodes = [
        node("Gather", ["vectors", "indices"], ["found"]),
        # A product with the mask as a row sums what it lets through: quicker than to multiply, then to sum.
        node("Unsqueeze", ["mask", "axis"], ["row"]),
        node("MatMul", ["row", "found"], ["sums"]),
        node("Squeeze", ["sums", "axis"], ["sum"]),
        node("ReduceSum", ["mask", "axis"], ["present"]),
        node("Max", ["present", "least"], ["count"]),
        node("Sqrt", ["count"], ["root"]),
        node("Div", ["sum", "root"], ["scaled"]),
        node("Gemm", ["scaled", "weight", "bias"], [LOGITS], transB=1),
    ]
    kinds = {"indices": tensor.INT64, "mask": tensor.FLOAT}
    value_info = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        nodes,
        "student",
        [value_info(name, kind, ["batch", "length"]) for name, kind in kinds.items()],
        [value_info(LOGITS, tensor.FLOAT, ["batch", len(student.classes)])],
        [onnx.numpy_helper.from_array(value, name) for name, value in values.items()],
    )
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", OPSET)])


class TokensToLogits(nn.Module):
    """A teacher from its tokens on: token numbers and mask, both (B, L) int64, to logits (B, C).

    Example:
        >>> teacher = TransformerTeacher(["a", "b", "c"])
        >>> TokensToLogits(teacher)(*map(torch.from_numpy, teacher.tokens(["help", ""]))).shape
        torch.Size([2, 3])
    """

    def __init__(self, teacher: TransformerTeacher) -> None:
        super().__init__()
        self.encoder, self.head = teacher.encoder, teacher.head

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        hidden = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        means = (hidden * attention_mask[..., None]).sum(1) / attention_mask.sum(1, keepdim=True)
        logits: Tensor = self.head(F.normalize(means, dim=1))
        return logits


def traced_graph(model: nn.Module, inputs: Mapping[str, Tensor], axes: Mapping[int, str]) -> Any:
    """The graph that PyTorch's exporter records of a model.

    Args:
        model: Called with the inputs, in their order; gives logits.
        inputs: Each input by name, with two rows.
        axes: Which axes of every input vary, by name.

    Raises:
        RuntimeError: PyTorch cannot export it.

    Example:
        >>> graph = traced_graph(nn.Linear(3, 2), {"inputs": torch.zeros(2, 3)}, {0: "batch"}).graph
        >>> [node.op_type for node in graph.node]
        ['Gemm']
    """
    onnx = need("onnx", extra="serving")
    new = _has_new_exporter()
    with _quiet():  # the first use of either imports a whole library of its own
        if new:
            need("onnxscript", extra="serving")
        exporter: Any = torch.onnx.export  # whose signature is another in every release
    here = model if device_of(model).type == "cpu" else copy.deepcopy(model).cpu()
    options: dict[str, Any] = dict(
        input_names=list(inputs), output_names=[LOGITS], opset_version=OPSET, verbose=False
    )
    buffer = io.BytesIO()
    try:
        with in_mode(here, training=False), torch.no_grad(), _quiet():
            if new:
                shapes = tuple(dict.fromkeys(axes, torch.export.Dim.DYNAMIC) for _ in inputs)
                options |= dict(dynamo=True, dynamic_shapes=shapes, external_data=False)
                return exporter(here, tuple(inputs.values()), **options).model_proto
            options |= dict(dynamic_axes={name: dict(axes) for name in inputs} | {LOGITS: {0: axes[0]}})
            exporter(here, tuple(inputs.values()), buffer, **options)
    except Exception as error:  # the exporters have many, and none in common
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise RuntimeError(f"PyTorch cannot export this {type(model).__name__} ({reason}).") from error
    return onnx.load_model_from_string(buffer.getvalue())


def _has_new_exporter() -> bool:
    # Stable since 2.6. The one before it is deprecated later, and was not yet where it is used here.
    major, minor = torch.__version__.split(".")[:2]
    return (int(major), int(minor)) >= (2, 6)


@contextmanager
def _quiet() -> Iterator[None]:
    """The exporters' warnings are about their own insides; what comes out is checked against the model."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def tidied(model: Any) -> bytes:
    """The bytes of a graph without notes: stack traces, paths and names of the machine that made it.

    Example:
        >>> graph = ngram_graph(NgramStudent(["a", "b"], dim=2))
        >>> graph.doc_string = "/srv/me/secret.py"
        >>> b"secret" in tidied(graph)
        False
    """
    onnx = need("onnx", extra="serving")
    _forget_notes(model)
    del model.graph.value_info[:]
    model.producer_name, model.producer_version, model.ir_version = "kdhelpers", "", IR_VERSION
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString(deterministic=True))


def _forget_notes(message: Any) -> None:
    for field, value in message.ListFields():
        if field.name in ("doc_string", "metadata_props"):
            message.ClearField(field.name)
        elif hasattr(value, "ListFields"):
            _forget_notes(value)
        elif field.message_type is not None:
            for part in value:
                _forget_notes(part)


def count_weights(model: Any) -> int:
    """How many numbers a graph has learnt: its constants of one axis or more that are no whole numbers.

    Example:
        >>> count_weights(ngram_graph(NgramStudent(["a", "b"], dim=2))) == 2**15 * 2 + 2 * 2 + 2
        True
    """
    kind = need("onnx", extra="serving").TensorProto
    # What is of 64 or 32 bits and whole is an index or a shape; weights of 8 bits are weights.
    other = (kind.INT64, kind.INT32, kind.BOOL)
    return sum(math.prod(w.dims) for w in model.graph.initializer if w.dims and w.data_type not in other)
