"""What the serving tests export, and what they look for in it."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import torch
from torch import nn

import kdhelpers
from kdhelpers.ngrams import NgramHasher
from kdhelpers.text import NgramStudent, TransformerTeacher

CLASSES = ("billing", "account access", "technical issue", "other")
NASTY = [
    "",
    "   ",
    "Where is my parcel?",
    "I was charged twice for order 10-4432 and nobody answers, please refund me today",
    "🙂🙃 返金してください",
    "a\0b\0",
    "\ud800 half a pair",
    "it's x " * 15_000,  # 105 kB
    "🙂" * 3_000,
    "x",
]
# What would tell on whose machine, or in which file, a graph was made.
TELLTALE = [
    *(str(Path(place).resolve()).encode() for place in (tempfile.gettempdir(), sys.prefix)),
    str(Path(kdhelpers.__file__).parent).encode(),
    *(b"site-packages", b"stack_trace", b"Traceback", b"forward(", b"transformers."),
]


def small_student(buckets: int = 2**10, dim: int = 8) -> NgramStudent:
    torch.manual_seed(0)
    return NgramStudent(CLASSES, dim=dim, hasher=NgramHasher(buckets=buckets)).eval()


def two_layers_of_minilm() -> TransformerTeacher:
    """MiniLM itself but for four of its six layers, whose recording takes most of an export's time."""
    teacher = TransformerTeacher(CLASSES)
    del teacher.encoder.encoder.layer[2:]
    torch.manual_seed(1)
    nn.init.normal_(teacher.head.weight)
    nn.init.normal_(teacher.head.bias)
    return teacher.eval()
