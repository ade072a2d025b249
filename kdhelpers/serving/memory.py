"""How much memory an exported model needs, measured in a process that does nothing else."""

from __future__ import annotations

import importlib
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

from ..extras import need
from .answers import as_array
from .artefact import TOKENIZER

ANSWERS = 20
# The new process finds its modules where this one does, in a checkout too.
_START = """
import pickle, sys
sys.path[:] = pickle.load(sys.stdin.buffer)
from kdhelpers.serving import memory
memory._answer(*pickle.load(sys.stdin.buffer))
"""


def serving_memory(folder: str | os.PathLike[str], example: Any, threads: int = 1) -> int:
    """Bytes that a process needs beyond its libraries, to load an exported model and answer.

    A new Python process imports what serving takes (no torch), loads the model and answers the example 20
    times: counted is how much more memory it held at its peak than after its imports. Loading is often the
    peak. About 10 MB are what ONNX Runtime takes for any model, however small.

    Args:
        folder: Where ``export_onnx`` wrote the model.
        example: Inputs, such as a list with one text: the longer they are, the more memory they take.
        threads: How many threads of the processor one call may use.

    Raises:
        RuntimeError: The process could not be started, or failed; the sentence ends with its reason.

    Example:
        >>> import tempfile
        >>> from kdhelpers.serving import export_onnx
        >>> from kdhelpers.text import NgramStudent
        >>> folder = export_onnx(NgramStudent(["billing", "other"], dim=8), tempfile.mkdtemp())
        >>> 1e6 < serving_memory(folder, ["I was charged twice"]) < 1e9
        True
    """
    inputs = example if isinstance(example, list) else as_array(example)
    sent = pickle.dumps(sys.path) + pickle.dumps((str(folder), inputs, threads))
    # Nothing is downloaded to answer; a library that would try is told not to.
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    command = [sys.executable, "-c", _START]
    try:
        done = subprocess.run(command, input=sent, capture_output=True, env=environment)
    except OSError as error:
        raise _failed(folder, str(error)) from error
    if done.returncode:
        said = done.stderr.decode(errors="replace").split("\n")
        reasons = [line for line in said if line.strip()]
        raise _failed(folder, reasons[-1] if reasons else f"it ended with code {done.returncode}")
    return int(done.stdout.split()[-1])


def _failed(folder: str | os.PathLike[str], reason: str) -> RuntimeError:
    return RuntimeError(f"A process of its own could not serve {folder}: {reason}")


def _answer(folder: str, inputs: Any, threads: int) -> None:
    """What the new process does; it prints by how many bytes its peak grew."""
    from .predictor import OnnxPredictor

    importlib.import_module("onnxruntime")
    if (Path(folder) / TOKENIZER).is_file():
        importlib.import_module("tokenizers")
    before = _peak()
    model = OnnxPredictor.load(folder, threads=threads)
    for _ in range(ANSWERS):
        model(inputs)
    print(_peak() - before)


def _peak() -> int:
    """The most memory that this process has held so far, in bytes."""
    if sys.platform == "win32":
        return int(need("psutil", extra="course").Process().memory_info().peak_wset)
    status = Path("/proc/self/status")
    for line in status.read_text().splitlines() if status.exists() else ():
        # Asked first, as on Linux getrusage may tell the peak of the process that started this one.
        if line.startswith("VmHWM"):
            return 1024 * int(line.split()[1])
    usage = importlib.import_module("resource")
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * int(usage.getrusage(usage.RUSAGE_SELF).ru_maxrss)
