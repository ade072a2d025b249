"""Training: one readable loop, several seeds at once, and distillation on top."""

from kdhelpers.training.batches import Batch as Batch
from kdhelpers.training.distillation import distill as distill
from kdhelpers.training.distillation import from_teacher as from_teacher
from kdhelpers.training.history import History as History
from kdhelpers.training.loop import Loss as Loss
from kdhelpers.training.loop import train as train
from kdhelpers.training.many import train_many as train_many
