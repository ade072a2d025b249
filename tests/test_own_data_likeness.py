"""Texts that are nearly the same, found without comparing all with all."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from kdhelpers.ngrams import NgramHasher
from kdhelpers.own_data.likeness import ALIKE, alike_groups, as_read
from kdhelpers.own_data.splitting import rows_for_test

WORDS = st.sampled_from(
    ["parcel", "card", "late", "lost", "twice", "my", "was", "please", "charged", "today"]
)
TEXTS = st.lists(st.lists(WORDS, min_size=1, max_size=9).map(" ".join), min_size=1, max_size=12)


def slowly(texts: list[str]) -> list[int]:
    """All pairs compared, and groups grown until nothing changes."""
    pieces = [
        set(NgramHasher(buckets=2**30, characters=(5,), words=(1,))([text])[0].tolist()) for text in texts
    ]
    groups = list(range(len(texts)))
    for _ in texts:
        for one, other in combinations(range(len(texts)), 2):
            both = len(pieces[one] & pieces[other])
            if both and both >= ALIKE * len(pieces[one] | pieces[other]):
                groups[one] = groups[other] = min(groups[one], groups[other])
    return groups


@settings(deadline=None, max_examples=60)
@given(TEXTS)
def test_groups_are_those_of_comparing_all_pairs(texts):
    found, wanted = alike_groups(texts), slowly(texts)
    # MinHash may miss a pair, but never joins two that are unlike.
    for one, other in combinations(range(len(texts)), 2):
        if found[one] == found[other]:
            assert wanted[one] == wanted[other]
        if as_read(texts[one]) == as_read(texts[other]):
            assert found[one] == found[other]


def test_few_pairs_are_missed():
    rng = np.random.RandomState(0)
    words = ["".join(rng.choice(list("abcdefghijklmnop"), 6)) for _ in range(300)]
    missed = 0
    for _ in range(200):
        text = rng.choice(words, 30, replace=False).tolist()
        changed = [*text]
        changed[int(rng.randint(30))] = "another"
        found = alike_groups([" ".join(text), " ".join(changed)])
        missed += found[0] != found[1]
    assert missed <= 6


def test_unlike_texts_of_any_script_stay_apart():
    texts = ["где моя посылка", "карта списала дважды", "荷物が届きません", "カードが拒否", "!!!", "", "🙂"]
    found = alike_groups(texts)
    assert len(set(found)) == len(texts)
    assert alike_groups(["荷物が届きません!", "荷物が届きません"]) == [0, 0]


def test_a_thousand_of_the_same_are_one_group_at_once():
    assert set(alike_groups(["we received your message"] * 1_000)) == {0}


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 30)), min_size=1, max_size=120))
def test_a_test_takes_whole_groups_and_no_more_than_its_share(rows):
    labels, groups = ([row[at] for row in rows] for at in (0, 1))
    try:
        chosen = rows_for_test(labels, groups)
    except ValueError:
        return
    assert chosen == sorted(set(chosen))
    taken = {groups[row] for row in chosen}
    assert all((groups[row] in taken) == (row in set(chosen)) for row in range(len(rows)))
    for label in set(labels):
        of_it, in_test = labels.count(label), sum(labels[row] == label for row in chosen)
        assert in_test <= max(1, round(of_it / 4)) if of_it >= 4 else in_test == 0
