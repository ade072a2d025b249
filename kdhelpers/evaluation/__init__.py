"""Measuring models: every number with an interval, every comparison with a verdict."""

from ..modes import in_mode
from .calibration import Reliability, fit_temperature, reliability
from .comparison import Difference, compare, compare_unpaired
from .gaps import Gap, Gaps
from .imitation import Fidelity, fidelity, outcome_gap
from .intervals import Estimate, mean_interval, paired_shares, t_quantile, wilson
from .parts import class_parts, gaps_to_rest, paired_gaps, slice_parts
from .planning import rows_to_tell
from .prediction import TeacherLogits, predict_logits
from .report import Report, evaluate
from .significance import fisher_p, holm, mcnemar_p, unpaired_difference, unpaired_shares

__all__ = [
    "Difference",
    "Estimate",
    "Fidelity",
    "Gap",
    "Gaps",
    "Reliability",
    "Report",
    "TeacherLogits",
    "class_parts",
    "compare",
    "compare_unpaired",
    "evaluate",
    "fidelity",
    "fisher_p",
    "fit_temperature",
    "gaps_to_rest",
    "holm",
    "in_mode",
    "mcnemar_p",
    "mean_interval",
    "outcome_gap",
    "paired_gaps",
    "paired_shares",
    "predict_logits",
    "reliability",
    "rows_to_tell",
    "slice_parts",
    "t_quantile",
    "unpaired_difference",
    "unpaired_shares",
    "wilson",
]
