from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdhelpers.evaluation import mcnemar_p, rows_to_tell


@pytest.mark.parametrize(("gain", "differ"), [(0.05, 0.2), (0.1, 0.3), (0.03, 0.06)])
def test_so_many_rows_find_the_gain_as_often_as_planned(gain, differ):
    n, rng = rows_to_tell(gain, differ), np.random.default_rng(0)
    better, worse = (differ + gain) / 2, (differ - gain) / 2
    draws = rng.multinomial(n, [better, worse, 1 - differ], 600)
    found = np.mean([mcnemar_p(int(b), int(c)) < 0.05 for b, c, _ in draws])
    # The exact test is a little more careful than the formula.
    assert 0.7 < found < 0.86


@given(st.floats(0.01, 0.2), st.floats(0.2, 0.9))
def test_more_is_needed_for_less(gain, differ):
    n = rows_to_tell(gain, differ)
    assert rows_to_tell(gain / 2, differ) > n
    assert rows_to_tell(-gain, differ) == n
    assert rows_to_tell(gain, differ, power=0.95) > n
    assert rows_to_tell(gain, min(1, differ * 1.1)) >= n


@pytest.mark.parametrize(("gain", "differ"), [(0, 0.1), (0.2, 0.1), (0.2, 1.1), (float("nan"), 0.5)])
def test_impossible_gains_get_a_sentence(gain, differ):
    with pytest.raises(ValueError, match="differ"):
        rows_to_tell(gain, differ)


def test_chances_must_be_chances():
    with pytest.raises(ValueError, match="power 1"):
        rows_to_tell(0.1, 0.2, power=1)
