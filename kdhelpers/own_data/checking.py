"""A student that is served, held to a contract on a test that may be newer than it is."""

from __future__ import annotations

import os
from pathlib import Path

from ..contract import Contract, Verdict
from ..costs import measure_costs
from ..data.display import rows_said
from ..evaluation import evaluate
from ..serving import OnnxPredictor
from ..serving.artefact import columns_made_from
from .distilling import check_contract
from .reading import read_test


def check_student(
    folder: str | os.PathLike[str],
    test: str | os.PathLike[str],
    contract: Contract,
    *,
    text: str | None = None,
    label: str | None = None,
) -> tuple[Verdict, tuple[str, ...]]:
    """Measure a student as it is served, on labelled texts, and judge it by a contract.

    Args:
        folder: What ``distill_own_data`` made.
        test: A CSV file with labels.
        contract: What is asked of the student.
        text: The column of the texts; by default the one that the student was made from.
        label: The column of the class names; by default likewise.

    Returns:
        The verdict, and what was noticed in the test.

    Raises:
        FileNotFoundError: There is no student, or no such file.
        ValueError: A file is broken, a class unknown, or the contract asks for what cannot be measured.
        ImportError: The extra ``serving`` is not installed.

    Example:
        >>> from kdhelpers.contract import Contract
        >>> check_student("nowhere", "test.csv", Contract("Mail", accuracy=0.7))
        Traceback (most recent call last):
        FileNotFoundError: There is no exported model in nowhere: it lacks predictor.json.
    """
    predictor, columns = OnnxPredictor.load(folder), columns_made_from(folder)
    check_contract(contract, predictor.classes)
    if contract.agreement is not None:
        raise ValueError(
            "The contract asks for agreement with the teacher, which only the report of `kdhelpers distill` "
            "measures: take that clause out, or distil with this contract and test."
        )
    rows, notes = read_test(
        test, predictor.classes, text=text or columns["text"], label=label or columns["label"]
    )
    report = evaluate(predictor, rows, classes=predictor.classes)
    example = sorted((str(one) for one in rows.inputs), key=len)[len(rows) // 2]
    costs = measure_costs(predictor, [example], repeats=100, batch_size=32)
    measured = f"Measured on {rows_said(len(rows))} of {Path(test).name}: accuracy {report.accuracy}."
    return contract.check(report, costs, classes=predictor.classes), (*notes, measured)
