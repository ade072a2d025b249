"""Training: one loop to read, the same for several models at once, and distillation on top of it."""

from .batches import Batch, Loss
from .distillation import distill, from_teacher
from .history import History
from .loop import train
from .many import train_many

__all__ = ["Batch", "History", "Loss", "distill", "from_teacher", "train", "train_many"]
