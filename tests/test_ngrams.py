from __future__ import annotations

import hashlib
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdhelpers.ngrams import NgramHasher, check_texts

TEXTS = st.lists(st.text(max_size=60), max_size=6)
WRAP = 2**64


def slow_buckets(text: str, hasher: NgramHasher) -> list[int]:
    """The definition, one n-gram after another in Python's own whole numbers."""
    plain = text[: hasher.max_bytes].lower().replace("'", "").replace("’", "")
    cleaned = bytes(
        ord("0") if chr(byte).isdigit() and byte < 128 else byte if byte > 127 or chr(byte).isalnum() else 32
        for byte in plain.encode("utf-8", "replace")
    )
    words = b" ".join(cleaned.split())[: hasher.max_bytes]
    line, found = b" " + words + b" ", []
    for length in hasher.characters:
        for start in range(len(line) - length + 1):
            piece = int.from_bytes(line[start : start + length], "little")
            found.append(piece + length * 0x9E3779B97F4A7C15)
    hashes = [
        int.from_bytes(hashlib.blake2b(word, digest_size=8).digest(), "little") for word in words.split()
    ]
    for length in hasher.words:
        for start in range(len(hashes) - length + 1):
            chain = hashes[start]
            for following in hashes[start + 1 : start + length]:
                chain = (chain * 0xFF51AFD7ED558CCD + following) % WRAP
            found.append(chain + (8 + length) * 0x9E3779B97F4A7C15)
    return [mixed(value % WRAP) % hasher.buckets for value in found]


def mixed(value: int) -> int:
    value = ((value ^ (value >> 33)) * 0xFF51AFD7ED558CCD) % WRAP
    return value ^ (value >> 29)


def bags(hasher: NgramHasher, texts: list[str]) -> list[list[int]]:
    indices, offsets = hasher(texts)
    return [part.tolist() for part in np.split(indices, offsets[1:])] if texts else []


HASHERS = (
    NgramHasher(),
    NgramHasher(64, (1, 8), (3,)),
    NgramHasher(2**10, (), (1, 2)),
    NgramHasher(8, (2,), ()),
)


@pytest.mark.parametrize("hasher", HASHERS, ids=range(len(HASHERS)))
@given(texts=TEXTS)
def test_many_texts_at_once_are_each_as_the_slow_definition_has_it(hasher, texts) -> None:
    got = bags(hasher, texts)
    assert [Counter(bag) for bag in got] == [Counter(slow_buckets(text, hasher)) for text in texts]


@given(texts=TEXTS)
def test_a_text_has_the_same_ngrams_in_the_same_order_alone_and_in_company(texts) -> None:
    together = bags(NgramHasher(), texts)
    assert together == [bags(NgramHasher(), [text])[0] for text in texts]
    assert together == [NgramHasher().one(text).tolist() for text in texts]


@given(texts=TEXTS)
def test_the_rectangle_holds_the_same(texts) -> None:
    rectangle, there = NgramHasher().padded(texts)
    assert rectangle.shape == there.shape
    assert rectangle.shape[1] >= 1
    assert [row[mask > 0].tolist() for row, mask in zip(rectangle, there, strict=True)] == bags(
        NgramHasher(), texts
    )


def test_the_numbers_are_these_on_every_machine() -> None:
    assert NgramHasher(characters=(3,), words=(1,)).one("Où est 42 £").tolist() == PINNED


PINNED = [
    31783, 19220, 25228, 24737, 16114, 27129, 14163, 25915, 17530,
    6725, 17223, 20770, 2458, 1117, 27577, 24112, 19159,
]  # fmt: skip


@pytest.mark.whole
def test_another_run_of_python_gives_the_same_numbers() -> None:
    # Python's own hash() of a text changes from run to run.
    code = "from kdhelpers.ngrams import NgramHasher; print(NgramHasher().one('my parcel 🙂').tolist())"
    runs = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    }
    assert runs == {f"{NgramHasher().one('my parcel 🙂').tolist()}\n"}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("WHERE is it", "where IS it"),
        ("can't", "cant"),
        ("order 4711", "order 9083"),
        ("well... yes", "well yes"),
        ("a\0b", "a b"),
        ("two  words\n", "two words"),
    ],
)
def test_what_does_not_matter_changes_nothing(one: str, other: str) -> None:
    assert NgramHasher().one(one).tolist() == NgramHasher().one(other).tolist()


def test_other_scripts_emoji_and_broken_pairs_are_hashed() -> None:
    for text in ("посылка", "包裹在哪里", "🙂", "\ud800 half"):
        assert len(NgramHasher().one(text)) > 0


def test_a_very_long_text_is_cut() -> None:
    hasher = NgramHasher(max_bytes=100, characters=(3,), words=())
    assert len(hasher.one("x" * 100_000)) == 100
    assert len(hasher.one("é" * 100_000)) == 100


def test_buckets_are_used_evenly() -> None:
    words = [f"word{chr(97 + i % 26)}{chr(97 + i // 26)}" for i in range(676)]
    indices = NgramHasher(buckets=64, characters=(), words=(1,)).one(" ".join(words))
    counts = np.bincount(indices, minlength=64)
    # 676 balls in 64 boxes: the chi-square statistic has mean 63 and standard deviation 11.
    assert ((counts - 676 / 64) ** 2 / (676 / 64)).sum() < 63 + 4 * 11.2


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (dict(buckets=1000), "power of two"),
        (dict(buckets=1), "power of two"),
        (dict(characters=(9,)), "1 to 8 bytes"),
        (dict(words=(0,)), "1 to 8"),
        (dict(characters=(), words=()), "nothing to hash"),
        (dict(max_bytes=0), "max_bytes"),
    ],
)
def test_bad_settings_get_a_sentence(settings, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        NgramHasher(**settings)


def test_what_is_no_list_of_texts_gets_a_sentence() -> None:
    with pytest.raises(TypeError, match="put it in a list"):
        NgramHasher()("help")
    with pytest.raises(TypeError, match="Row 1 is NoneType"):
        check_texts(["help", None])  # type: ignore[list-item]


def test_settings_may_come_as_lists_as_json_has_them() -> None:
    assert NgramHasher(characters=[3], words=[1]) == NgramHasher(characters=(3,), words=(1,))  # type: ignore[arg-type]
