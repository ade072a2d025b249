"""From a reader's data to a student that can be served: each step kept, so that a kill costs little."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from torch import Tensor, nn

from ..bars import progress_bar
from ..contract import Contract
from ..costs import Costs, measure_costs
from ..data import Split
from ..evaluation import Report, TeacherLogits, evaluate
from ..files import write_whole
from ..serving import OnnxPredictor, export_onnx
from ..serving.artefact import RESULTS
from ..text import NgramStudent, TransformerTeacher
from .card import model_card
from .gathered import OwnData
from .mixing import MixedTeacher, mixed_teacher, share_notes
from .outcome import Outcome
from .report import report_html
from .students import kept_student, one_thread, train_student
from .teaching import MAX_TOKENS, fitted_teacher, teacher_folder, teacher_notes, teacher_outputs
from .workplace import Workplace

SEEDS = 5


def distill_own_data(
    data: OwnData,
    out: str | os.PathLike[str],
    *,
    teacher: str | os.PathLike[str] | None = None,
    contract: Contract | None = None,
    seeds: int = SEEDS,
    quote: bool = False,
    progress: bool = True,
) -> Outcome:
    """Fit a teacher to the labels, let it answer for all texts, distil a student, compare, and write it down.

    The folder gets the student (``model.safetensors`` with ``model.json``, and ``model.onnx`` with
    ``predictor.json``, which ``OnnxPredictor.load`` reads), ``model_card.md``, ``report.html`` and
    ``results.json``; in ``work`` it keeps what each step made. A run that was killed goes on from there when
    the same call is made again, and ends in the same student and results. Settings are the same for all data,
    so that nothing is chosen on the test.

    Args:
        data: What ``read_own_data`` gives.
        out: A folder for this alone.
        teacher: The folder of any transformer for texts (config.json, tokenizer.json, model.safetensors).
            None: MiniLM, which reads English.
        contract: What the student must do; the report says whether it does.
        seeds: Students of each kind, 2 or more.
        quote: Whether the report may quote messages of the test.
        progress: Whether to show bars.

    Raises:
        ValueError: The folder holds another distillation or other files, fewer than two seeds, or a contract
            on what the data does not have.
        FileNotFoundError: There is no such teacher.
        ImportError: An extra is missing: ``cli`` has all.
        OSError: A file could not be written; the same call goes on from there.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> folder = Path(tempfile.mkdtemp())
        >>> bill, post = ("paid twice", "wrong bill", "debited", "fee?"), ("late", "lost", "where", "when")
        >>> rows = [f"{text},billing" for text in bill] + [f"{text},delivery" for text in post]
        >>> _ = (folder / "mail.csv").write_text("\\n".join(["text,queue", *rows]))
        >>> from kdhelpers.own_data import read_own_data
        >>> data = read_own_data(folder / "mail.csv", text="text", label="queue")
        >>> outcome = distill_own_data(data, folder / "out", seeds=2, progress=False)
        >>> OnnxPredictor.load(folder / "out").classes
        ('billing', 'delivery')
    """
    if seeds < 2:
        raise ValueError(f"seeds is {seeds}: an interval needs 2 or more, and 5 make a fair comparison.")
    check_contract(contract, data.classes)
    folder, sha256 = teacher_folder(teacher)
    place = Workplace(out, _settings(data, sha256))
    transformer = fitted_teacher(data, folder, sha256, place, progress=progress)
    model = mixed_teacher(transformer, data.labelled, place)
    data = replace(data, notes=(*data.notes, *teacher_notes(data, teacher), *share_notes(model)))
    outputs, on_test = teacher_outputs(model, data, place, progress=progress)
    labels_only, distilled, student = _students(data, outputs, on_test, place, seeds, progress)
    student.save(place.folder)
    export_onnx(student, place.folder)
    costs = _costs(model, student, data, place)
    report = _report(data, on_test.logits(data.test.ids))
    verdict = contract.check(distilled[0], costs[SERVED], classes=data.classes) if contract else None
    outcome = Outcome(place.folder, data, labels_only, distilled, report, costs, sha256, verdict)
    _write(outcome, quote)
    return outcome


def check_contract(contract: Contract | None, classes: tuple[str, ...]) -> None:
    """Refuse a contract on slices, which a CSV file does not have, or on classes that it does not know.

    Raises:
        ValueError: It asks for such.

    Example:
        >>> check_contract(Contract("Mail", accuracy=0.7, classes={"solar": 0.5}), ("billing", "other"))
        Traceback (most recent call last):
        ValueError: The contract asks for the recall of 'solar', which is not among the classes ...
    """
    if contract is None:
        return
    if contract.slices:
        raise ValueError(
            f"The contract asks for accuracy on the slice {next(iter(contract.slices))!r}: a CSV file has no "
            "slices, so measure that with evaluate(..., slices=...) in Python."
        )
    numbers = {str(number) for number in range(len(classes))}
    for name in contract.classes:
        if name not in classes and name not in numbers:
            shown = ", ".join(classes[:8]) + (", …" if len(classes) > 8 else "")
            raise ValueError(
                f"The contract asks for the recall of {name!r}, which is not among the classes {shown}."
            )


SERVED = "student, as served"


def _settings(data: OwnData, sha256: str) -> dict[str, object]:
    """All that decides the result, by its name in words."""
    files = {"labelled": "labelled file", "unlabelled": "pool", "test": "test"}
    found: dict[str, object] = {
        said: list(data.sources[use]) if use in data.sources else None for use, said in files.items()
    }
    return {
        **found,
        "choice of columns": dict(data.columns),
        "teacher": sha256,
        "length of texts": MAX_TOKENS,
    }


def _report(data: OwnData, logits: object, outputs: TeacherLogits | None = None) -> Report:
    test = data.test
    rows = Split(test.ids, logits, test.labels)  # type: ignore[arg-type]
    return evaluate(nn.Identity(), rows, classes=data.classes, outputs=outputs)


def _students(
    data: OwnData,
    outputs: TeacherLogits,
    on_test: TeacherLogits,
    place: Workplace,
    seeds: int,
    progress: bool,
) -> tuple[list[Report], list[Report], NgramStudent]:
    """Pairs of students: reports of those from labels and of the distilled ones, and the first of these."""
    labels_only, distilled = [], []
    first: Mapping[str, Tensor] = {}
    for seed in progress_bar(range(seeds), title="students", unit="pair", shown=progress):
        plain, soft = (train_student(data, source, seed, place) for source in (None, outputs))
        labels_only.append(_report(data, plain["logits"]))
        distilled.append(_report(data, soft["logits"], on_test))
        first = first or soft
    return labels_only, distilled, kept_student(data, first)


def _costs(
    teacher: TransformerTeacher | MixedTeacher, student: NgramStudent, data: OwnData, place: Workplace
) -> dict[str, Costs]:
    """What each costs on this machine for a message of middle length, measured once."""
    texts = sorted((str(text) for text in data.test.inputs), key=lambda text: (len(text), text))
    example = [texts[len(texts) // 2]]
    served = OnnxPredictor.load(place.folder)

    def made() -> Mapping[str, object]:
        with one_thread():
            models: dict[str, Any] = {"teacher": teacher, "student": student, SERVED: served}
            return {
                name: asdict(measure_costs(one, example, repeats=30, warmup=5, batch_size=32))
                for name, one in models.items()
            }

    return {name: Costs(**found) for name, found in place.facts("costs", made).items()}  # type: ignore[arg-type]


def _write(outcome: Outcome, quote: bool) -> None:
    folder = outcome.folder
    write_whole(folder / "model_card.md", model_card(outcome))
    write_whole(folder / "report.html", report_html(outcome, quote=quote))
    write_whole(folder / RESULTS, json.dumps(_results(outcome), indent=1, ensure_ascii=False) + "\n")


def _results(outcome: Outcome) -> dict[str, object]:
    data, gap = outcome.data, outcome.gap_closed
    return {
        "classes": list(data.classes),
        "columns": dict(data.columns),
        "sources": {use: list(source) for use, source in data.sources.items()},
        "rows": {
            "labelled": len(data.labelled),
            "pool": 0 if data.pool is None else len(data.pool),
            "test": len(data.test),
        },
        "accuracy": {way: asdict(found) for way, found in outcome.accuracies.items()},
        "mean recall": dict(outcome.balanced),
        "difference": {**asdict(outcome.difference), "verdict": outcome.difference.verdict},
        "gap closed": None if gap is None else asdict(gap),
        "student": {"accuracy": asdict(outcome.student.accuracy), "calibration": asdict(outcome.student.ece)},
        "notes": list(data.notes),
    }
