from __future__ import annotations

import re

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from kdhelpers.data import Split
from kdhelpers.evaluation import evaluate, fidelity, outcome_gap

CHOICES = st.lists(st.tuples(*[st.integers(0, 2)] * 3), min_size=1, max_size=40)


def report_of(choices, labels, ids=None):
    """A report on rows with these choices and labels."""
    inputs = torch.eye(3)[list(choices)]
    return evaluate(nn.Identity(), Split(ids or range(len(labels)), inputs, torch.tensor(labels)))


@given(CHOICES)
def test_the_four_cells_are_counted_one_by_one(rows):
    student, teacher, labels = (list(column) for column in zip(*rows, strict=True))
    found = fidelity(report_of(student, labels), report_of(teacher, labels))
    counts = dict.fromkeys([(a, r) for a in (True, False) for r in (True, False)], 0)
    for s, t, label in rows:
        counts[s == t, s == label] += 1
    cells = {
        (True, True): found.agrees_right,
        (True, False): found.agrees_wrong,
        (False, True): found.differs_right,
        (False, False): found.differs_wrong,
    }
    for key, cell in cells.items():
        assert cell.value == pytest.approx(counts[key] / len(rows))
    assert found.agreement.value == pytest.approx(found.agrees_right.value + found.agrees_wrong.value)
    assert found.accuracy.value == pytest.approx(found.agrees_right.value + found.differs_right.value)
    wrong = counts[True, False] + counts[False, False]
    if wrong:
        assert found.inherited.value == pytest.approx(counts[True, False] / wrong)
    else:
        assert found.inherited is None


def test_rows_are_matched_by_id():
    labels = [0, 1, 2, 0]
    student, teacher = report_of([0, 1, 1, 0], labels), report_of([0, 2, 1, 0], [0, 2, 1, 0], [3, 2, 1, 0])
    # The teacher's report is in reverse: by id it chooses 0, 1, 2, 0, all right.
    assert fidelity(student, teacher).agreement.value == 0.75
    with pytest.raises(ValueError, match="about other rows"):
        fidelity(student, report_of([0], [0]))


def test_a_student_of_wrong_labels_looks_better_by_them():
    taught, real = [0] * 60, [0] * 40 + [1] * 20
    gap = outcome_gap(report_of([0] * 60, real), report_of([0] * 60, taught))
    assert gap.mean == pytest.approx(-20 / 60)
    assert (gap.n, gap.pairs) == (60, "rows")
    assert gap.verdict == "worse"


def test_noise_that_nobody_learned_makes_it_look_worse_by_them():
    real, noisy = [0] * 60, [1] * 12 + [0] * 48
    assert outcome_gap(report_of([0] * 60, real), report_of([0] * 60, noisy)).verdict == "better"


def test_one_model_on_the_same_rows_is_asked_for():
    with pytest.raises(ValueError, match="of other answers"):
        outcome_gap(report_of([0, 1], [0, 0]), report_of([0, 0], [0, 0]))
    with pytest.raises(ValueError, match="about other rows"):
        outcome_gap(report_of([0, 1], [0, 0]), report_of([0], [0]))


def test_tables_show_all_cells():
    found = fidelity(report_of([0, 1], [0, 0]), report_of([0, 1], [0, 0]))
    names = [line.split("  ")[0] for line in str(found).splitlines()]
    assert names == [
        *(f"{one} and {other}" for one in ("agrees", "differs") for other in ("right", "wrong")),
        "agreement with the teacher",
        "accuracy",
        "mistakes that are the teacher's",
    ]
    faultless = report_of([0, 1], [0, 1])
    assert str(fidelity(faultless, faultless)).splitlines()[-1].startswith("accuracy ")
    shown = found._repr_html_()
    assert "mistakes that are the teacher" in shown
    header = re.findall("<th scope='col'.*?>(.*?)</th>", shown)
    assert header == ["student and teacher", "share", "95% interval", "rows"]
    for cell in ("accuracy", "50.0%", found.accuracy.format_interval(), "2"):
        assert f">{cell}</t" in shown
