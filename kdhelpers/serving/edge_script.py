"""Answers messages with an exported student, with Python, NumPy and ONNX Runtime alone.

    python predict.py "I was charged twice"      the label and its probability
    python predict.py < messages.txt             the same for each line

In Python: ``from predict import load``, then ``load().predict("I was charged twice")``.
"""

from __future__ import annotations

import hashlib
import importlib
import io
import json
import math
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from kdhelpers.ngrams import NgramHasher


class Model:
    """A student as it was exported: one message in, its label and the label's probability out.

    Args:
        settings: As ``predictor.json`` holds them.
        graph: The content of ``model.onnx``.
    """

    def __init__(self, settings: Mapping[str, Any], graph: bytes) -> None:
        runtime = importlib.import_module("onnxruntime")
        options = runtime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self.classes = tuple(settings["classes"])
        self._hasher = NgramHasher(**settings["features"])
        self._session = runtime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])

    def predict(self, text: str) -> tuple[str, float]:
        """The likeliest label of one message, and its probability."""
        indices = self._hasher([text])[0]
        mask = np.ones((1, len(indices)), np.float32)
        if not len(indices):
            indices, mask = np.zeros(1, np.int64), np.zeros((1, 1), np.float32)
        logits = self._session.run(["logits"], {"indices": indices[None], "mask": mask})[0][0].tolist()
        top = max(logits)
        return self.classes[logits.index(top)], 1 / sum([math.exp(value - top) for value in logits])


def load(folder: str | Path | None = None) -> Model:
    """The model in a folder, by default the one that this file is in.

    Raises:
        FileNotFoundError: A file is missing.
        ValueError: The graph is not the one that was exported.
    """
    place = Path(folder or Path(__file__).parent)
    settings = json.loads((place / "predictor.json").read_text(encoding="utf-8"))
    graph = (place / "model.onnx").read_bytes()
    if hashlib.sha256(graph).hexdigest() != settings["sha256"]["model.onnx"]:
        raise ValueError(f"model.onnx in {place} is damaged or was altered: copy the folder anew.")
    return Model(settings, graph)


def main(messages: Iterable[str]) -> None:
    """Print label and probability of each message."""
    model = load()
    for message in messages:
        label, probability = model.predict(message.rstrip("\r\n"))
        print(f"{label}\t{probability:.6f}", flush=True)


if __name__ == "__main__":
    for stream in (sys.stdin, sys.stdout):  # in any locale; a broken byte of input is no reason to stop
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="replace")
    main(sys.argv[1:] or sys.stdin)
