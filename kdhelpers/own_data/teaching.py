"""The teacher on a reader's data: fitted to few labels once, asked once for each text."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import torch
from torch import Tensor, nn

from ..data import Split
from ..teacher_outputs import TeacherOutputs, record_teacher
from ..text import TransformerTeacher, find_minilm
from ..text.logistic import fit_logistic, labelled_texts
from .gathered import OwnData
from .workplace import Workplace

# Tokens that a teacher reads of a text: what is beyond costs time, and seldom decides.
MAX_TOKENS = 128
# The last letter of the Latin alphabet's extensions.
LATIN = "\u024f"


def teacher_folder(folder: str | os.PathLike[str] | None) -> tuple[Path, str]:
    """Where the teacher's weights are, and their sha256.

    Args:
        folder: Any folder with config.json, tokenizer.json and model.safetensors. None: MiniLM's.

    Raises:
        FileNotFoundError: A file is missing, or MiniLM can neither be found nor fetched.
        ImportError: The extra ``text`` is not installed.

    Example:
        >>> teacher_folder("nowhere")
        Traceback (most recent call last):
        FileNotFoundError: There is no teacher in nowhere: it lacks model.safetensors ...
    """
    place = find_minilm() if folder is None else Path(folder)
    weights = place / "model.safetensors"
    if not weights.is_file():
        raise FileNotFoundError(
            f"There is no teacher in {place}: it lacks model.safetensors (a Hugging Face folder holds that, "
            "config.json and tokenizer.json)."
        )
    return place, hashlib.sha256(weights.read_bytes()).hexdigest()


def teacher_notes(data: OwnData, folder: str | os.PathLike[str] | None) -> list[str]:
    """What should be known of a teacher before it is asked: MiniLM reads English.

    Args:
        data: Whose texts it will read.
        folder: The teacher's folder; None is MiniLM.

    Example:
        >>> split = Split(["a", "b"], ["где моя посылка", "с карты списали дважды"], torch.tensor([0, 1]))
        >>> teacher_notes(OwnData(("x", "y"), split, None, split), None)[0][:43]
        'MiniLM, the teacher here, was made for Engl'
    """
    letters = [sign for text in data.labelled.inputs for sign in str(text)[:1_000] if sign.isalpha()]
    foreign = sum(sign > LATIN for sign in letters)
    if folder is not None or 2 * foreign <= len(letters):
        return []
    return [
        "MiniLM, the teacher here, was made for English, and most letters of these texts are of another "
        "script: a multilingual transformer, with --teacher, will know more."
    ]


def fitted_teacher(
    data: OwnData, weights: Path, sha256: str, place: Workplace, *, progress: bool = False
) -> TransformerTeacher:
    """The teacher with its head fitted to the labelled texts, as ``TransformerTeacher.fit`` does; it is kept.

    Args:
        data: Its labelled texts are learnt from.
        weights: The folder of the transformer.
        sha256: Of its weights.
        place: Where the head is kept.
        progress: Whether to show a bar while the texts are read.

    Raises:
        ValueError: The folder holds no transformer that can be built, or all texts are of one class.

    Example:
        >>> import tempfile
        >>> split = Split(["a", "b"], ["I paid twice", "it is late"], torch.tensor([0, 1]))
        >>> data, place = OwnData(("bill", "post"), split, None, split), Workplace(tempfile.mkdtemp(), {})
        >>> fitted_teacher(data, *teacher_folder(None), place)(["late again"]).argmax(1)
        tensor([1])
    """
    teacher = TransformerTeacher(data.classes, weights=weights, sha256=sha256, max_length=MAX_TOKENS)

    def fit() -> dict[str, Tensor]:
        _, labels = labelled_texts(data.labelled, teacher.classes)
        fit_logistic(teacher.head, embedded(teacher, data.labelled, place, progress=progress), labels)
        return dict(teacher.head.state_dict())

    teacher.head.load_state_dict(place.tensors("teacher-head", fit))
    return teacher


def embedded(
    teacher: TransformerTeacher, labelled: Split, place: Workplace, *, progress: bool = False
) -> Tensor:
    """The transformer's view (n, D) of the labelled texts: the texts are read once, and the view is kept.

    Args:
        teacher: Only its transformer is asked.
        labelled: n texts.
        place: Where the view is kept.
        progress: Whether to show a bar while the texts are read.

    Example:
        >>> import tempfile
        >>> teacher, split = TransformerTeacher(["bill", "post"]), Split(["a"], ["I paid twice"])
        >>> embedded(teacher, split, Workplace(tempfile.mkdtemp(), {})).shape
        torch.Size([1, 384])
    """

    def read() -> dict[str, Tensor]:
        with torch.no_grad():
            return {"texts": teacher.embed([str(text) for text in labelled.inputs], progress=progress)}

    return place.tensors("teacher-embeddings", read)["texts"]


def teacher_outputs(
    teacher: nn.Module, data: OwnData, place: Workplace, *, progress: bool = True
) -> tuple[TeacherOutputs, TeacherOutputs]:
    """What the teacher says of all texts to learn from, and of the test; each text is read once, ever.

    Raises:
        OSError: A file could not be written; what was stored before is safe.
        ValueError: The teacher gives no numbers that a student could learn from.

    Example:
        >>> import tempfile
        >>> split = Split(["a", "b"], ["I paid twice", "it is late"], torch.tensor([0, 1]))
        >>> data, place = OwnData(("bill", "post"), split, None, split), Workplace(tempfile.mkdtemp(), {})
        >>> teacher = fitted_teacher(data, *teacher_folder(None), place)
        >>> len(teacher_outputs(teacher, data, place, progress=False)[0])
        2
    """
    kept = [("teacher-outputs", data.transfer), ("teacher-outputs-test", data.test)]
    first, second = (
        record_teacher(teacher, split, place.work / name, progress=progress, shard_rows=512)
        for name, split in kept
    )
    return first, second
