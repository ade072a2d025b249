"""Students in pairs: from the labels alone, and from the teacher, off the same starting point."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from ..data import Split
from ..evaluation import TeacherLogits, predict_logits
from ..losses import kd_loss
from ..seeding import seeded
from ..text import NgramStudent
from ..training import Loss, from_teacher, train
from .gathered import OwnData
from .workplace import Workplace

TEMPERATURE = 1.0
_WEIGHTS = "weights."


@dataclass(frozen=True)
class Recipe:
    """How long and how fast to learn. The same for every data set but for the number of passes.

    Args:
        epochs: How often each text is seen.
        batch_size: Texts a step.
        learning_rate: The highest one of the cycle.

    Example:
        >>> Recipe.for_labels(770).epochs, Recipe.for_teacher(10_000).epochs
        (40, 4)
    """

    epochs: int
    batch_size: int
    learning_rate: float

    @classmethod
    def for_labels(cls, rows: int) -> Recipe:
        """For labels alone: so many passes that more bring nothing, fewer where there are thousands.

        Example:
            >>> Recipe.for_labels(20_000).epochs
            5
        """
        return cls(_passes(rows, 64, steps=1_500, most=40), 64, 1e-2)

    @classmethod
    def for_teacher(cls, rows: int) -> Recipe:
        """For the teacher's answers: four passes over a large pool, more over a small one.

        Example:
            >>> Recipe.for_teacher(500).epochs
            40
        """
        return cls(_passes(rows, 128, steps=310, most=40), 128, 2e-2)


def train_student(
    data: OwnData, outputs: TeacherLogits | None, seed: int, place: Workplace
) -> dict[str, Tensor]:
    """One student's logits on the test, and its weights if it is the distilled one of seed 0.

    They are read from the workplace, or the student is trained and they are kept there.

    Args:
        data: What to learn from.
        outputs: What the teacher said of it; None trains on the labels alone.
        seed: Of the starting point and the order. Both kinds of student with one seed are a pair.
        place: Where it is kept.

    Raises:
        KeyboardInterrupt: It was interrupted; nothing half-trained is kept.

    Example:
        >>> import tempfile
        >>> split = Split(["a", "b"], ["I paid twice", "it is late"], torch.tensor([0, 1]))
        >>> data, place = OwnData(("bill", "post"), split, None, split), Workplace(tempfile.mkdtemp(), {})
        >>> train_student(data, None, 1, place)["logits"].argmax(1)
        tensor([0, 1])
    """
    way = "labels" if outputs is None else "distilled"

    def made() -> Mapping[str, Tensor]:
        student = seeded(lambda: NgramStudent(data.classes), seed)
        with one_thread():
            if outputs is None:
                learn(student, data.labelled, None, Recipe.for_labels(len(data.labelled)), seed)
            else:
                loss = from_teacher(outputs, loss=partial(kd_loss, temperature=TEMPERATURE), kd_weight=1.0)
                learn(student, data.transfer, loss, Recipe.for_teacher(len(data.transfer)), seed)
            found = {"logits": predict_logits(student, data.test)}
        if seed == 0 and outputs is not None:
            found |= {_WEIGHTS + name: value for name, value in student.state_dict().items()}
        return found

    return place.tensors(f"student-{way}-{seed}", made)


def kept_student(data: OwnData, kept: Mapping[str, Tensor]) -> NgramStudent:
    """The distilled student of seed 0, from what ``train_student`` gave.

    Example:
        >>> import tempfile
        >>> from kdhelpers.teacher_outputs import MemoryOutputs
        >>> split = Split(["a", "b"], ["I paid twice", "it is late"], torch.tensor([0, 1]))
        >>> data, place = OwnData(("bill", "post"), split, None, split), Workplace(tempfile.mkdtemp(), {})
        >>> said = MemoryOutputs(split.ids, 5 * torch.eye(2))
        >>> kept_student(data, train_student(data, said, 0, place))(["it is late"]).argmax(1)
        tensor([1])
    """
    student = NgramStudent(data.classes)
    student.load_state_dict(
        {name.removeprefix(_WEIGHTS): value for name, value in kept.items() if name.startswith(_WEIGHTS)}
    )
    return student.eval()


@contextmanager
def one_thread() -> Iterator[None]:
    """A student is too small for a second thread, which would only wait; afterwards all is as before.

    Example:
        >>> with one_thread():
        ...     torch.get_num_threads()
        1
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def learn(student: NgramStudent, split: Split, loss: Loss | None, recipe: Recipe, seed: int) -> None:
    """Train a student by a recipe.

    Raises:
        KeyboardInterrupt: It was interrupted.

    Example:
        >>> split = Split(["a", "b"], ["I paid twice", "it is late"], torch.tensor([0, 1]))
        >>> student = NgramStudent(("bill", "post"))
        >>> learn(student, split, None, Recipe.for_labels(2), seed=0)
        >>> student.eval()(["it is late"]).argmax(1)
        tensor([1])
    """
    history = train(
        student,
        split,
        loss,
        epochs=recipe.epochs,
        batch_size=recipe.batch_size,
        learning_rate=recipe.learning_rate,
        schedule="one-cycle",
        seed=seed,
        device="cpu",
        progress=False,
    )
    if history.interrupted:
        raise KeyboardInterrupt


def _passes(rows: int, batch_size: int, *, steps: int, most: int) -> int:
    return max(4, min(most, round(steps * batch_size / rows)))
