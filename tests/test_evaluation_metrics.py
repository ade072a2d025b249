from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from kdhelpers.evaluation import metrics


@pytest.fixture
def logits():
    return torch.randn(2, 60, 5, generator=torch.Generator().manual_seed(0)) * 3


def slow_log_probabilities(row):
    top = max(row)
    total = math.log(sum(math.exp(value - top) for value in row)) + top
    return [value - total for value in row]


def test_log_probabilities_and_nll_equal_a_slow_reference(logits):
    labels = np.arange(60) % 5
    rows = [slow_log_probabilities(row) for row in logits[0].tolist()]
    found = metrics.log_probabilities(logits[0])
    np.testing.assert_allclose(found, rows, atol=1e-12)
    expected = [-row[label] for row, label in zip(rows, labels, strict=True)]
    np.testing.assert_allclose(metrics.nll_rows(found, labels), expected, atol=1e-12)


def test_kl_equals_a_slow_reference(logits):
    teacher, student = (metrics.log_probabilities(part) for part in logits)
    expected = [
        sum(math.exp(p) * (p - q) for p, q in zip(*pair, strict=True))
        for pair in zip(teacher, student, strict=True)
    ]
    np.testing.assert_allclose(metrics.kl_rows(teacher, student), expected, atol=1e-12)
    np.testing.assert_allclose(metrics.kl_rows(teacher, teacher), 0)


def test_kl_where_a_class_is_ruled_out():
    half, first = metrics.log_probabilities(torch.tensor([[0.0, 0.0], [0.0, -math.inf]]))
    assert metrics.kl_rows(first[None], first[None])[0] == 0
    assert metrics.kl_rows(first[None], half[None])[0] == pytest.approx(math.log(2))
    assert metrics.kl_rows(half[None], first[None])[0] == math.inf


def slow_calibration_error(confidence, correct):
    total = 0.0
    for index in range(15):
        rows = [i for i, c in enumerate(confidence) if index / 15 < c <= (index + 1) / 15]
        if rows:
            gap = np.mean([correct[i] for i in rows]) - np.mean([confidence[i] for i in rows])
            total += len(rows) / len(confidence) * abs(gap)
    return total


@pytest.mark.parametrize("n", [1, 7, 400])
def test_calibration_error_equals_a_slow_reference(n):
    rng = np.random.default_rng(n)
    confidence = rng.uniform(0.1, 1, n)
    correct = rng.random(n) < 0.7
    found = metrics.calibration_error(confidence, correct)
    assert found.value == pytest.approx(slow_calibration_error(confidence, correct), abs=1e-12)
    assert found.low <= found.value <= found.high
    assert found.n == n


def test_calibration_error_is_not_the_gap_of_the_averages():
    # Too sure on half of the rows and not sure enough on the other: on average all is well.
    confidence = np.repeat([0.6, 0.9], 100)
    correct = np.concatenate([np.arange(100) < 90, np.arange(100) < 60])
    assert metrics.calibration_error(confidence, correct).value == pytest.approx(0.3)


def test_certainty_falls_in_the_last_bin():
    certain = metrics.calibration_error(np.array([1.0, 1 + 1e-15, 0.99]), np.array([True, True, True]))
    assert certain.value == pytest.approx(0.01 / 3)
