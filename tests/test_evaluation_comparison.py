from __future__ import annotations

import math
import re

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from kdhelpers.data import Split
from kdhelpers.evaluation import (
    Difference,
    compare,
    compare_unpaired,
    evaluate,
    paired_shares,
    unpaired_shares,
)


def report_of(right, ids=None, labels=None):
    """A report whose rows are right as told."""
    labels = [0] * len(right) if labels is None else labels
    chosen = [label if ok else 1 - label for ok, label in zip(right, labels, strict=True)]
    inputs = torch.eye(2)[chosen]
    return evaluate(nn.Identity(), Split(ids or range(len(right)), inputs, torch.tensor(labels)))


def test_paired_seeds_equal_scipy():
    rng = np.random.default_rng(0)
    a, b = rng.normal(0.8, 0.1, 6), rng.normal(0.7, 0.1, 6)
    theirs = stats.ttest_rel(a, b).confidence_interval()
    for first, second in ((a, b), (a.tolist(), b.tolist()), (torch.tensor(a), torch.tensor(b))):
        found = compare(first, second)
        assert found.mean == pytest.approx((a - b).mean())
        assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high), rel=1e-7)
        assert (found.n, found.pairs) == (6, "seeds")


def test_pairing_matters():
    seeds = np.array([0.1, 0.5, 0.9, 0.3, 0.7])
    gain = np.array([0.02, 0.03, 0.02, 0.03, 0.02])
    assert compare(seeds + gain, seeds).verdict == "better"
    assert compare(seeds + gain, seeds[::-1]).verdict == "no evidence"


@pytest.mark.parametrize(
    ("low", "high", "higher", "verdict"),
    [
        (0.1, 0.2, True, "better"),
        (-0.2, -0.1, True, "worse"),
        (0.1, 0.2, False, "worse"),
        (-0.2, -0.1, False, "better"),
        (-0.1, 0.2, True, "no evidence"),
        (-0.1, 0.2, False, "no evidence"),
        (0.0, 0.2, True, "no evidence"),
        (-0.2, 0.0, False, "no evidence"),
    ],
)
def test_verdicts(low, high, higher, verdict):
    assert Difference((low + high) / 2, low, high, n=5, higher_is_better=higher).verdict == verdict


def test_a_lower_loss_is_better_when_told():
    low, high = [0.30, 0.31, 0.29], [0.50, 0.52, 0.51]
    assert compare(low, high).verdict == "worse"
    assert compare(low, high, higher_is_better=False).verdict == "better"


def test_what_rounding_leaves_is_no_evidence():
    found = compare([0.1 + 0.2] * 3, [0.3] * 3)
    assert (found.mean, found.verdict) == (0.0, "no evidence")


def test_reports_are_paired_by_id_not_by_position():
    right_a = [True] * 30 + [False] * 10
    right_b = [True] * 20 + [False] * 15 + [True] * 5
    a = report_of(right_a, ids=list(range(40)))
    order = np.random.default_rng(1).permutation(40).tolist()
    b = report_of([right_b[i] for i in order], ids=order)
    expected = paired_shares(10, 5, 40)
    found = compare(a, b)
    assert (found.mean, found.low, found.high) == (expected.value, expected.low, expected.high)
    assert (found.n, found.pairs) == (40, "rows")
    swapped = compare(b, a)
    assert (swapped.mean, swapped.low, swapped.high) == pytest.approx((-found.mean, -found.high, -found.low))


def test_lists_of_reports_compare_their_accuracies():
    good = [report_of([True] * (8 + i) + [False] * (2 - i)) for i in (0, 1, 1)]
    poor = [report_of([True] * (4 + i) + [False] * (6 - i)) for i in (0, 1, 0)]
    found, expected = compare(good, poor), compare([0.8, 0.9, 0.9], [0.4, 0.5, 0.4])
    assert (found.mean, found.low, found.high) == pytest.approx((expected.mean, expected.low, expected.high))
    assert str(found).startswith("+43.3 points [")


def test_reports_on_other_rows_are_refused():
    a = report_of([True, False], ids=["a", "b"])
    with pytest.raises(ValueError, match=r"other rows \('b' is in one only\)"):
        compare(a, report_of([True, False], ids=["a", "c"]))
    with pytest.raises(ValueError, match=r"other rows \('c' is in one only\)"):
        compare(a, report_of([True, False, True], ids=["a", "b", "c"]))
    with pytest.raises(ValueError, match=r"other rows"):
        compare([a, a], [a, report_of([True, False], ids=["a", "c"])])
    with pytest.raises(ValueError, match="other labels for 'b'"):
        compare(a, report_of([True, False], ids=["a", "b"], labels=[0, 1]))


def test_bad_lists_are_refused():
    with pytest.raises(ValueError, match="2 against 3 values"):
        compare([1, 2], [1, 2, 3])
    with pytest.raises(ValueError, match="two seeds or more"):
        compare([1], [2])
    with pytest.raises(ValueError, match="b has nan"):
        compare([1, 2], [1, math.nan])
    with pytest.raises(ValueError, match="a must be a list of numbers"):
        compare(["x", "y"], [1, 2])
    with pytest.raises(TypeError, match="A report can only be compared with a report"):
        compare(report_of([True]), [0.5, 0.6])


def test_a_difference_writes_itself():
    gain = Difference(0.152, -0.0213, 0.3, n=5)
    assert str(gain) == "+15.2 points [-2.1, +30.0]"
    assert f"{gain:.2f}" == f"{gain:+.2f}" == "+0.15 [-0.02, +0.30]"
    assert str(compare([1.0, 2.0], [0.5, 1.5])) == "+0.500 [+0.500, +0.500]"
    html = gain._repr_html_()
    header = re.findall("<th scope='col'.*?>(.*?)</th>", html)
    assert header == ["verdict", "difference", "95% interval", "pairs"]
    for cell in ("no evidence", "+15.2 points", "[-2.1, +30.0]", "5 seeds"):
        assert f">{cell}</t" in html


def test_other_rows_are_compared_unpaired():
    first, second = (
        report_of([True] * 30 + [False] * 10),
        report_of([True] * 10 + [False] * 20, range(100, 130)),
    )
    found, expected = compare_unpaired(first, second), unpaired_shares(30, 40, 10, 30)
    assert (found.mean, found.low, found.high) == (expected.value, expected.low, expected.high)
    assert (found.verdict, found.pairs) == ("better", "rows, unpaired")


def test_rows_in_common_are_to_be_paired():
    first = report_of([True] * 4)
    with pytest.raises(ValueError, match="4 rows are in both reports, such as 0"):
        compare_unpaired(first, first)
    mixed = report_of([True] * 3, ids=["b", 7, "a"])
    with pytest.raises(ValueError, match="3 rows are in both reports, such as 7"):
        compare_unpaired(mixed, mixed)
