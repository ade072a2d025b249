"""Predictions, quizzes, exercise checks, and the local study history they are kept in."""

from kdhelpers.study.exercises import check
from kdhelpers.study.overview import forget, progress
from kdhelpers.study.questions import predict, quiz, reveal

__all__ = ["check", "forget", "predict", "progress", "quiz", "reveal"]
