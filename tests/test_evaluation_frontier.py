from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdhelpers.evaluation.frontier import unbeaten

# Few different numbers, so that models are often equal in one respect or in both.
MODELS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=7)


def beats(one, other):
    return one != other and one[0] <= other[0] and one[1] >= other[1]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(MODELS)
def test_those_stay_that_no_other_beats(models):
    costs, qualities = [cost for cost, _ in models], [quality for _, quality in models]
    expected = [not any(beats(other, model) for other in models) for model in models]
    assert unbeaten(costs, qualities).tolist() == expected


@pytest.mark.parametrize("wrong", [([1, 2], [1]), ([[1]], [[1]]), (1, 1)])
def test_other_shapes_are_refused(wrong):
    with pytest.raises(ValueError, match="must be lists of one length"):
        unbeaten(*wrong)


@pytest.mark.parametrize("wrong", [([1.0, float("nan")], [1, 2]), ([1, 2], [float("nan"), 1.0])])
def test_what_is_no_number_is_refused(wrong):
    with pytest.raises(ValueError, match="A cost or quality is NaN"):
        unbeaten(*wrong)
