"""Tasks whose rows have ids, and the data sets of the course."""

from .banking import load_banking77
from .checks import NO_LABEL
from .csv_files import read_classes, read_csv
from .images import load_digits, load_mnist
from .signals import load_mnist1d
from .splits import Split, join
from .support import SupportTask, load_support
from .tasks import Task

__all__ = [
    "NO_LABEL",
    "Split",
    "SupportTask",
    "Task",
    "join",
    "load_banking77",
    "load_digits",
    "load_mnist",
    "load_mnist1d",
    "load_support",
    "read_classes",
    "read_csv",
]
