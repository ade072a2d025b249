from __future__ import annotations

import math

import numpy as np
import pytest

from kdhelpers.data import Split
from kdhelpers.evaluation import wilson
from kdhelpers.monitoring import audit_sample

CONFIDENCE = np.linspace(0.2, 1.0, 40)


@pytest.mark.parametrize("unsure", [0.0, 0.5, 0.9])
def test_rows_are_drawn_as_often_as_stated(unsure):
    drawn, stated = np.zeros(40), np.zeros(40)
    for seed in range(2000):
        sample = audit_sample(range(40), 8, seed=seed, confidence=CONFIDENCE, unsure=unsure)
        assert len(set(sample.ids)) == 8
        drawn[list(sample.ids)] += 1
        stated[list(sample.ids)] = sample.probabilities
    assert np.abs(drawn / 2000 - stated).max() < 0.055  # five standard deviations
    assert stated.sum() == pytest.approx(8)
    assert stated[0] == pytest.approx(8 / 40 * (1 - unsure + unsure * 0.8 / (1 - CONFIDENCE).mean()))


@pytest.mark.parametrize("unsure", [0.0, 0.7])
def test_the_estimate_is_unbiased_and_its_interval_covers(unsure):
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.3, 1, 400)
    right = rng.random(400) < confidence  # unsure rows are wrong more often
    found = []
    for seed in range(1000):
        sample = audit_sample(range(400), 40, seed=seed, confidence=confidence, unsure=unsure)
        found.append(sample.estimate(right[list(sample.ids)]))
    values = np.array([estimate.value for estimate in found])
    assert abs(values.mean() - right.mean()) < 4 * values.std() / math.sqrt(1000)
    assert np.mean([e.low <= right.mean() <= e.high for e in found]) > 0.92


def test_unsure_rows_alone_would_be_biased_and_weights_mend_it():
    confidence = np.repeat([0.2, 0.9], 50)
    right = np.repeat([False, True], 50)
    plain, mended = [], []
    for seed in range(400):
        sample = audit_sample(range(100), 20, seed=seed, confidence=confidence, unsure=0.8)
        plain.append(right[list(sample.ids)].mean())
        mended.append(sample.estimate(right[list(sample.ids)]).value)
    assert np.mean(plain) < 0.25
    assert np.mean(mended) == pytest.approx(0.5, abs=0.03)


def test_a_uniform_sample_has_wilsons_interval_and_equal_weights():
    sample = audit_sample(range(1000), 50, seed=3)
    assert sample.weights.tolist() == [20.0] * 50
    assert sample.estimate([1] * 40 + [0] * 10) == wilson(40, 50)


def test_a_split_is_sampled_by_id_and_the_seed_decides():
    split = Split([f"m{row}" for row in range(30)], [""] * 30)
    first, again, other = (audit_sample(split, 6, seed=seed).ids for seed in (1, 1, 2))
    assert first == again != other
    assert set(first) <= set(split.ids)


def test_certain_rows_are_certain():
    confidence = np.array([0.0, 1.0, 1.0, 1.0, 1.0])
    for seed in range(20):
        sample = audit_sample([*"abcde"], 3, seed=seed, confidence=confidence, unsure=0.99)
        assert "a" in sample.ids
        assert sample.probabilities[0] == 1
    everything = audit_sample([*"abc"], 3, seed=0, confidence=[0.1, 0.5, 0.9])
    assert everything.probabilities.tolist() == [1, 1, 1]
    sure_of_all = audit_sample([*"abc"], 1, seed=0, confidence=[1, 1, 1])
    assert sure_of_all.probabilities == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"n": 0}, "n is 0"),
        ({"n": 4}, "there are only 3 rows"),
        ({"confidence": [0.1, 0.2]}, "confidence must be"),
        ({"confidence": [0.1, 0.2, 1.2]}, "from 0 to 1"),
        ({"confidence": [0.1, 0.2, math.nan]}, "from 0 to 1"),
        ({"confidence": [0.1, 0.2, 0.3], "unsure": 1}, "unsure is 1"),
    ],
)
def test_what_cannot_be_drawn_is_refused(settings, says):
    with pytest.raises(ValueError, match=says):
        audit_sample(range(3), **{"n": 2, "seed": 0, **settings})


def test_an_estimate_needs_an_answer_for_each_row():
    sample = audit_sample(range(9), 3, seed=0)
    for right in ([1, 0], [1, 0, 2]):
        with pytest.raises(ValueError, match="right must say yes or no"):
            sample.estimate(right)
