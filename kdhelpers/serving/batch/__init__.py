"""Scoring a file of any size: in little memory, with broken rows told, and a killed run taken up again."""

from .messages import predict_lines
from .scoring import BatchResult, predict_file

__all__ = ["BatchResult", "predict_file", "predict_lines"]
