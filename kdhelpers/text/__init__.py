"""Models that read text: a pretrained-transformer teacher and a small hashed n-gram student."""

from .student import NgramStudent
from .teacher import TransformerTeacher
from .weights import find_minilm

__all__ = ["NgramStudent", "TransformerTeacher", "find_minilm"]
