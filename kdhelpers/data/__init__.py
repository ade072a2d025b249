"""Tasks whose rows have ids, and the data sets of the course."""

from .checks import NO_LABEL
from .splits import Split, join
from .tasks import Task

__all__ = ["NO_LABEL", "Split", "Task", "join"]
