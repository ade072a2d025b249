"""Tasks whose rows have ids, and the data sets of the course."""

from .checks import NO_LABEL
from .images import load_digits, load_mnist
from .signals import load_mnist1d
from .splits import Split, join
from .tasks import Task

__all__ = ["NO_LABEL", "Split", "Task", "join", "load_digits", "load_mnist", "load_mnist1d"]
