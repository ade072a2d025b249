"""Measuring models: every number with an interval, every comparison with a verdict."""

from ..modes import in_mode
from .comparison import Difference, compare
from .intervals import Estimate, mean_interval, paired_shares, t_quantile, wilson
from .prediction import TeacherLogits, predict_logits
from .report import Report, evaluate

__all__ = [
    "Difference",
    "Estimate",
    "Report",
    "TeacherLogits",
    "compare",
    "evaluate",
    "in_mode",
    "mean_interval",
    "paired_shares",
    "predict_logits",
    "t_quantile",
    "wilson",
]
