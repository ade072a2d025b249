from __future__ import annotations

from math import comb

import numpy as np
import pytest

from kdhelpers.data import load_support
from kdhelpers.evaluation import wilson
from kdhelpers.monitoring import NewWordsAlarm


def slow_most(reference, week, level):
    """The largest number that is not yet an alarm, from the definition."""
    words = [set(text.split()) for text in [*reference, *week]]
    totals = [sum(word in text for text in words) for word in set().union(*words)]
    n, m = len(words), len(week)
    for most in range(m + 1):
        bound = sum(comb(m, j) / comb(n, j) for j in totals if most < j <= m)
        if bound <= level:
            return most
    return m


@pytest.mark.parametrize("seed", range(6))
def test_the_threshold_is_the_bound(seed):
    rng = np.random.default_rng(seed)
    vocabulary = [a + b for a in "abcdefgh" for b in "ijklmnop"]

    def texts(count, start):
        return [f"{' '.join(rng.choice(vocabulary[start:], 4))} x{row}" for row in range(count)]

    reference, week = texts(30, 8), texts(9, 0)
    found = NewWordsAlarm(reference, weeks=1, rate=0.2).check(week)
    plain = [" ".join(text.split()[:-1]) for text in [*reference, *week]]
    assert found.threshold == slow_most(plain[:30], plain[30:], 0.2)
    new = set(" ".join(plain[30:]).split()) - set(" ".join(plain[:30]).split())
    counts = {word: sum(word in text.split() for text in plain[30:]) for word in new}
    assert found.value == max(counts.values(), default=0)
    assert all(counts[word] == n for word, n in found.parts.items())


@pytest.mark.whole
def test_messages_are_exchangeable_so_false_alarms_are_rare():
    rng, count, years, weeks = np.random.default_rng(0), 0, 300, 4
    # Words of all frequencies, as in a language.
    shares = 1 / np.arange(1, 400) ** 1.1
    names = np.array([f"{a}{b}{c}" for a in "abcdefgh" for b in "ijklmnop" for c in "qrstuvw"][:399])
    for _ in range(years):
        drawn = rng.choice(names, (400, 5), p=shares / shares.sum())
        texts = [" ".join(words) for words in drawn]
        alarm = NewWordsAlarm(texts[:240], weeks=weeks, rate=0.2)
        count += any(alarm.check(texts[240 + 40 * week :][:40]).alarm for week in range(weeks))
    assert wilson(count, years).low <= 0.2


def test_the_new_product_is_found_and_named():
    support = load_support()
    alarm = NewWordsAlarm(support.pool.inputs)
    rng = np.random.default_rng(0)
    for split, alarms in ((support.test, False), (support.next_quarter, True)):
        weeks = [rng.choice(split.inputs, 400).tolist() for _ in range(10)]
        found = [alarm.check(week) for week in weeks]
        assert np.mean([check.alarm for check in found]) == alarms
    solar = support.next_quarter.take(support.next_quarter.slices["new"])
    word = next(iter(found[0].parts))
    assert any(word in text.lower() for text in solar.inputs)


def test_equal_messages_count_once():
    alarm = NewWordsAlarm(["one of many words"] + [f"row {word}" for word in ("ab", "cd", "ef")])
    assert alarm.check(["something else"] * 50).value == 1


@pytest.mark.parametrize("texts", ["help", [1], [None]])
def test_what_is_no_list_of_texts_is_refused(texts):
    with pytest.raises(TypeError, match="must be a list of texts"):
        NewWordsAlarm(texts)


def test_nothing_is_refused():
    with pytest.raises(ValueError, match="reference holds no text"):
        NewWordsAlarm([])
    with pytest.raises(ValueError, match="this_week holds no text"):
        NewWordsAlarm(["hello"]).check([])
    assert NewWordsAlarm(["hello"]).check(["..."]).value == 0
