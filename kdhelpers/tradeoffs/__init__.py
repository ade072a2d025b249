"""Several models as they are served, on one test set, by one evaluator: what each gives and costs."""

from .comparing import compare_models
from .table import Tradeoffs

__all__ = ["Tradeoffs", "compare_models"]
