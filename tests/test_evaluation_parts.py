from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from kdhelpers.data import Split
from kdhelpers.evaluation import (
    Report,
    class_parts,
    evaluate,
    gaps_to_rest,
    paired_gaps,
    slice_parts,
)
from kdhelpers.evaluation.gaps import HEADER


def report_of(right, slices=None, labels=None, ids=None) -> tuple[Report, Split]:
    """A report whose rows are right as told, and its split."""
    labels = torch.zeros(len(right), dtype=torch.long) if labels is None else torch.as_tensor(labels)
    chosen = torch.where(torch.as_tensor(right), labels, (labels + 1) % 3)
    split = Split(range(len(right)) if ids is None else ids, torch.eye(3)[chosen], labels, slices or {})
    return evaluate(nn.Identity(), split), split


def test_a_slice_against_the_rest_equals_scipy():
    rng = np.random.default_rng(0)
    right, hard = rng.random(300) < 0.7, rng.random(300) < 0.2
    report, split = report_of(right.tolist(), {"hard": torch.tensor(hard)})
    (gap,) = gaps_to_rest(report, slice_parts(report, split)).rows
    table = [[(right & hard).sum(), (~right & hard).sum()], [(right & ~hard).sum(), (~right & ~hard).sum()]]
    assert gap.p == pytest.approx(stats.fisher_exact(table).pvalue)
    assert gap.value.value == pytest.approx(right[hard].mean())
    assert gap.other.value == pytest.approx(right[~hard].mean())
    assert gap.difference.mean == pytest.approx(right[hard].mean() - right[~hard].mean())
    assert (gap.difference.n, gap.difference.pairs) == (300, "rows")


def test_parts_are_matched_by_id_and_rows_without_a_label_are_left_out():
    labels = torch.tensor([0, -100, 1, 2])
    hard = torch.tensor([True, True, False, True])
    split = Split(list("abcd"), torch.eye(3)[[0, 0, 1, 2]], labels, {"hard": hard, "none": hard & False})
    report = evaluate(nn.Identity(), split)
    assert slice_parts(report, split.take([3, 2, 1, 0]))["hard"].tolist() == [True, False, True]
    assert "none" not in slice_parts(report, split)
    assert class_parts(report, ["x", "y", "z"])["z"].tolist() == [False, False, True]


def test_a_lost_slice_is_found_among_many_and_the_worst_comes_first():
    rng = np.random.default_rng(1)
    masks = {f"slice {k}": torch.tensor(rng.random(600) < 0.3) for k in range(12)}
    masks["lost"] = torch.arange(600) < 40
    right = rng.random(600) < np.where(masks["lost"].numpy(), 0.2, 0.8)
    report, _ = report_of(right.tolist())
    found = gaps_to_rest(report, masks)
    assert found.worse == ("lost",)
    assert found.rows[0].name == "lost"
    assert found["lost"].verdict == "worse"


EVERY_ROW_RIGHT, _ = report_of([True] * 200)


def drawn(rng):
    """A report whose rows are right by chance alone, and masks of ten parts that do not matter."""
    wrong = torch.tensor(rng.random(200) >= 0.7)
    report = replace(EVERY_ROW_RIGHT, predictions=EVERY_ROW_RIGHT.labels + wrong)
    return report, {str(k): torch.tensor(rng.random(200) < 0.25) for k in range(10)}


def false_alarms(judge, seeds=400):
    return sum(bool(judge(np.random.default_rng(seed))) for seed in range(seeds)) / seeds


@pytest.mark.whole
def test_where_no_part_is_worse_alarms_stay_within_the_rate():
    def judge(rng):
        report, masks = drawn(rng)
        return [row for row in gaps_to_rest(report, masks, rate=0.1).rows if row.verdict != "no evidence"]

    # Exact tests are careful ones: at most the rate, give or take what 400 draws leave open.
    assert false_alarms(judge) < 0.1 + 2 * np.sqrt(0.1 * 0.9 / 400)


@pytest.mark.whole
def test_unadjusted_the_same_parts_would_alarm_far_more_often():
    def judge(rng):
        report, masks = drawn(rng)
        alone = [gaps_to_rest(report, {name: mask}, rate=0.1).rows[0] for name, mask in masks.items()]
        return [row for row in alone if row.verdict != "no evidence"]

    assert false_alarms(judge, 100) > 0.2


def test_pairs_are_matched_by_id_and_equal_mcnemar():
    rng = np.random.default_rng(3)
    right_a, right_b = rng.random(200) < 0.6, rng.random(200) < 0.8
    order = rng.permutation(200)
    a, _ = report_of(right_a.tolist())
    b, _ = report_of(right_b[order].tolist(), ids=order.tolist())
    gap = paired_gaps(a, b, {"all": torch.ones(200, dtype=torch.bool)})["all"]
    only_a, only_b = (right_a & ~right_b).sum(), (right_b & ~right_a).sum()
    assert gap.p == pytest.approx(stats.binomtest(int(only_a), int(only_a + only_b)).pvalue)
    assert gap.difference.mean == pytest.approx(right_a.mean() - right_b.mean())
    assert gap.verdict == "worse"
    assert gap.difference.pairs == "rows"


def test_equal_reports_show_no_gap():
    report, _ = report_of([True] * 30 + [False] * 10, labels=[0, 1] * 20)
    found = paired_gaps(report, report, class_parts(report))
    assert {row.verdict for row in found.rows} == {"no evidence"}
    assert all(row.p == 1 for row in found.rows)


def test_what_does_not_matter_is_not_reported():
    right_a, right_b = [False] * 30 + [True] * 370, [True] * 400
    a, b = report_of(right_a)[0], report_of(right_b)[0]
    everyone = {"all": torch.ones(400, dtype=torch.bool)}
    assert paired_gaps(a, b, everyone).worse == ("all",)
    assert paired_gaps(a, b, everyone, tolerance=0.04).worse == ("all",)
    assert paired_gaps(a, b, everyone, tolerance=0.075).worse == ()
    assert paired_gaps(b, a, everyone, tolerance=0.04)["all"].verdict == "better"
    with pytest.raises(ValueError, match="tolerance is 5"):
        paired_gaps(a, b, everyone, tolerance=5)


def test_bad_input_gets_one_sentence():
    report, _ = report_of([True, False])
    with pytest.raises(ValueError, match="There is no part to compare"):
        gaps_to_rest(report, {"all": torch.tensor([True, True])})
    with pytest.raises(ValueError, match="short"):
        gaps_to_rest(report, {"short": torch.tensor([True])})
    for rate in (0, 1, 5):
        with pytest.raises(ValueError, match=f"rate is {rate}: give the chance"):
            gaps_to_rest(report, {"a": torch.tensor([True, False])}, rate=rate)
    with pytest.raises(ValueError, match="1 class names, but a label is 2"):
        class_parts(report_of([True], labels=[2])[0], ["only"])
    with pytest.raises(ValueError, match="1 class names, but a label is 1"):
        class_parts(report_of([True], labels=[1])[0], ["only"])
    with pytest.raises(KeyError, match="no part 'b': there are a"):
        gaps_to_rest(report, {"a": torch.tensor([True, False])})["b"]


def test_tables_say_what_was_compared():
    report, _ = report_of([True] * 50 + [False] * 10, labels=[0] * 50 + [1] * 10)
    found = gaps_to_rest(report, class_parts(report))
    assert "the other rows" in str(found)
    shown = found._repr_html_()
    assert "Holm" in shown
    assert re.findall("<th scope='col'.*?>(.*?)</th>", shown) == list(HEADER)
    # 10 rows, all wrong, against 50 that are all right.
    ours = next(line for line in str(found).splitlines() if line.startswith("1 "))
    assert ours.split()[:4] == ["1", "10", "0.0%", "100.0%"]
    assert "points" not in ours  # the caption says so once for all
    assert ours.split()[-2:] == [f"{found['1'].p:.2g}", "worse"]
    assert all(f">{cell}</t" in shown for cell in [*ours.split()[:4], *ours.split()[-2:]])
    assert re.split(" {2,}", str(found).splitlines()[0]) == list(HEADER)
    assert str(found).splitlines()[0].index("verdict") == ours.index("worse")
    assert repr(found) == "Gaps(2 parts, worse: 1)"
