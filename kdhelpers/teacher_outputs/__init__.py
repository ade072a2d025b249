"""A teacher's outputs, made once and read by example id as often as students are trained."""

from ..evaluation import TeacherLogits
from .manifest import CorruptTeacherOutputs, Manifest, StaleTeacherOutputs, StoredFile
from .memory import MemoryOutputs, collect_logits
from .recording import record_teacher
from .store import TeacherOutputs

__all__ = [
    "CorruptTeacherOutputs",
    "Manifest",
    "MemoryOutputs",
    "StaleTeacherOutputs",
    "StoredFile",
    "TeacherLogits",
    "TeacherOutputs",
    "collect_logits",
    "record_teacher",
]
