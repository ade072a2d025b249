from __future__ import annotations

import math
import re

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from torch import nn

from kdhelpers.data import Split
from kdhelpers.evaluation import evaluate, fit_temperature, reliability


def drawn(n, temperature, seed):
    """Logits that are right as often as they say, then sharpened by a temperature."""
    generator = torch.Generator().manual_seed(seed)
    honest = 2 * torch.randn(n, 5, generator=generator)
    labels = torch.multinomial(honest.softmax(1), 1, generator=generator).flatten()
    return honest * temperature, labels


def report_of(logits, labels):
    return evaluate(nn.Identity(), Split(range(len(labels)), logits, labels))


def test_bins_are_counted_as_one_would_by_hand():
    logits, labels = drawn(500, 1.0, seed=0)
    report = report_of(logits, labels)
    found = reliability(report, bins=5)
    assert sum(one.accuracy.n for one in found.bins) == 500
    for one in found.bins:
        inside = (report.confidence > one.low) & (report.confidence <= one.high)
        assert one.accuracy.n == int(inside.sum())
        assert one.accuracy.value == pytest.approx(report.correct[inside].double().mean().item())
        assert one.confidence == pytest.approx(report.confidence[inside].double().mean().item())


@pytest.mark.parametrize(("temperature", "verdict"), [(3.0, "overconfident"), (0.3, "underconfident")])
def test_the_sign_is_told(temperature, verdict):
    assert reliability(report_of(*drawn(600, temperature, seed=1))).verdict == verdict


@pytest.mark.whole
def test_a_calibrated_model_is_seldom_accused():
    verdicts = [reliability(report_of(*drawn(150, 1.0, seed))).verdict for seed in range(200)]
    share = np.mean([verdict != "no evidence" for verdict in verdicts])
    assert share < 0.05 + 2.5 * math.sqrt(0.05 * 0.95 / 200)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
def test_the_temperature_that_was_put_in_comes_out(temperature):
    logits, labels = drawn(10_000, temperature, seed=2)
    found = fit_temperature(logits, labels)
    assert found == pytest.approx(temperature, rel=0.05)
    after = reliability(report_of(logits / found, labels))
    assert abs(after.overconfidence.value) < 0.01


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000), st.floats(0.2, 5))
def test_it_is_the_minimum_that_scipy_finds(seed, temperature):
    logits, labels = drawn(200, temperature, seed)

    def loss(log_t):
        return F.cross_entropy(logits.double() / math.exp(log_t), labels).item()

    theirs = minimize_scalar(loss, bounds=(math.log(0.01), math.log(100)), method="bounded")
    assert loss(math.log(fit_temperature(logits, labels))) <= theirs.fun + 1e-9


def test_shifting_logits_and_rows_without_label_change_nothing():
    logits, labels = drawn(100, 2.0, seed=3)
    found = fit_temperature(logits, labels)
    assert fit_temperature(logits + 7, labels) == pytest.approx(found, rel=1e-5)
    more = torch.cat([logits, torch.full((5, 5), 9.0)]), torch.cat([labels, torch.full((5,), -100)])
    assert fit_temperature(*more) == found


def test_all_right_or_all_wrong_stops_at_the_ends():
    logits = torch.tensor([[4.0, 0.0]] * 5)
    assert fit_temperature(logits, torch.tensor([0] * 5)) == pytest.approx(0.01, rel=1e-3)
    assert fit_temperature(logits, torch.tensor([1] * 5)) == pytest.approx(100, rel=1e-3)


def test_bad_input_gets_one_sentence():
    with pytest.raises(ValueError, match=r"give \(n, C\) and \(n,\)"):
        fit_temperature(torch.zeros(3), torch.zeros(3))
    with pytest.raises(ValueError, match="labelled rows with finite logits"):
        fit_temperature(torch.zeros(2, 3), torch.tensor([-100, -100]))
    with pytest.raises(ValueError, match="labelled rows with finite logits"):
        fit_temperature(torch.full((1, 3), float("nan")), torch.tensor([0]))
    with pytest.raises(ValueError, match="bins is 0"):
        reliability(report_of(*drawn(5, 1.0, 0)), bins=0)


def test_tables_say_the_verdict():
    report = report_of(*drawn(600, 3.0, seed=1))
    found = reliability(report)
    assert "overconfident" in repr(found)
    shown = found._repr_html_()
    assert "overconfident" in shown
    assert re.findall("<th scope='col'.*?>(.*?)</th>", shown) == [
        "confidence",
        "mean confidence",
        "accuracy",
        "rows",
    ]
    last = found.bins[-1]
    cells = ["90% to 100%", f"{last.confidence:.1%}", str(last.accuracy), str(last.accuracy.n)]
    assert all(f">{cell}</t" in shown for cell in cells)


def test_ten_ranges_are_shown_if_nothing_else_is_asked_for():
    report = report_of(*drawn(600, 1.0, seed=1))
    assert [one.low for one in reliability(report).bins] == [
        one.low for one in reliability(report, bins=10).bins
    ]
