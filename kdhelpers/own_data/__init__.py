"""A reader's own CSV files, from few labels to a student with a report: what ``kdhelpers distill`` runs."""

from .checking import check_student
from .distilling import distill_own_data
from .gathered import OwnData
from .outcome import Outcome
from .reading import read_own_data

__all__ = ["Outcome", "OwnData", "check_student", "distill_own_data", "read_own_data"]
