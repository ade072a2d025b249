from __future__ import annotations

import hashlib
import json

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import assume, given, settings
from torch import nn

from kdhelpers.data import Split
from kdhelpers.teacher_outputs.fingerprints import data_fingerprint, teacher_fingerprint

quick = settings(max_examples=100, deadline=None, derandomize=True)
ids = st.one_of(st.integers(), st.text(max_size=4))
texts = st.text(st.characters(), max_size=4)  # lone surrogates as well
rows = st.lists(st.tuples(ids, texts), min_size=1, max_size=5, unique_by=lambda row: row[0])


def of(pairs):
    return data_fingerprint(Split([id for id, _ in pairs], [text for _, text in pairs]))


@quick
@given(rows, rows)
def test_only_the_same_rows_in_the_same_order_have_the_same_fingerprint(one, two):
    assert (of(one)[0] == of(two)[0]) == (one == two)
    assert of(one) == of(list(one))


@quick
@given(rows, st.data())
def test_any_change_of_a_row_an_id_or_the_order_shows(pairs, data):
    at = data.draw(st.integers(0, len(pairs) - 1))
    id, text = pairs[at]
    other = data.draw(
        st.sampled_from([(id, text + "x"), (id, " " + text), (f"{id}x", text), (str(id), text)])
    )
    changed = [*pairs[:at], other, *pairs[at + 1 :]]
    assume(other != pairs[at] and other[0] not in {id for id, _ in pairs[:at] + pairs[at + 1 :]})
    assert of(changed)[0] != of(pairs)[0]
    assert of(pairs[1:] + pairs[:1])[0] != of(pairs)[0] or len(pairs) == 1


@quick
@given(rows, st.integers(1, 4), st.integers(1, 4))
def test_nothing_collides_by_concatenation(pairs, cut, add):
    """A character moved from one row to the next, or from an id to its text, changes the fingerprint."""
    joined = "".join(f"{id}{text}" for id, text in pairs) + "abcdefgh"
    one = [(joined[:cut], joined[cut:])]
    two = [(joined[: cut + add], joined[cut + add :])]
    assert of(one)[0] != of(two)[0]
    halves = [("p", joined[:cut]), ("q", joined[cut:])]
    others = [("p", joined[: cut + add]), ("q", joined[cut + add :])]
    assert of(halves)[0] != of(others)[0]


@quick
@given(rows)
def test_each_row_has_a_hash_of_its_own_input(pairs):
    hashes = of(pairs)[1]
    told = [hashes[at : at + 8] for at in range(0, len(hashes), 8)]
    assert len(told) == len(pairs)
    assert {hash: text for hash, (_, text) in zip(told, pairs, strict=True)} == {
        of([(0, text)])[1]: text for _, text in pairs
    }


@pytest.mark.parametrize(
    "other",
    [
        torch.zeros(3, 4, dtype=torch.float64),
        torch.zeros(3, 4, dtype=torch.int32),
        torch.zeros(3, 2, 2),
        torch.zeros(3, 4, 1),
        -torch.zeros(3, 4),
        ["\0" * 16] * 3,
    ],
)
def test_the_kind_of_input_counts(other):
    ids = ["a", "b", "c"]
    plain = data_fingerprint(Split(ids, torch.zeros(3, 4)))
    assert data_fingerprint(Split(ids, other))[0] != plain[0]
    assert data_fingerprint(Split(ids, torch.zeros(4, 3).T)) == plain  # how it lies in memory doesn't


def test_labels_and_slices_do_not_count_and_long_tensors_are_read_in_parts():
    inputs = torch.randn(5000, 2, generator=torch.Generator().manual_seed(0)).bfloat16()
    split = Split(range(5000), inputs, torch.zeros(5000, dtype=torch.long), {"x": torch.ones(5000) > 0})
    whole, hashes = data_fingerprint(split)
    assert (whole, hashes) == data_fingerprint(Split(range(5000), inputs))
    assert hashes[4990 * 8 :] == data_fingerprint(split.take(slice(4990, 5000)))[1]
    assert data_fingerprint(Split([0, 1], torch.zeros(2)))[1] != b""  # rows may be single numbers


class Cached(nn.Linear):
    def __init__(self, value):
        super().__init__(2, 2)
        nn.init.ones_(self.weight)
        nn.init.zeros_(self.bias)
        self.register_buffer("cache", torch.tensor(value), persistent=False)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (Cached(1.0), Cached(2.0)),  # a buffer that state_dict leaves out
        (Cached(1), Cached(1.0)),
        (nn.Sequential(nn.ReLU()), nn.Sequential(nn.Tanh())),
        (nn.ParameterList([torch.zeros(2, 3)]), nn.ParameterList([torch.zeros(3, 2)])),
        (nn.ParameterList([torch.zeros(2)]), nn.ParameterDict({"a": torch.zeros(2)})),
        (nn.ParameterList([torch.zeros(2)] * 2), nn.ParameterList([torch.zeros(4)])),
    ],
)
def test_teachers_that_differ_are_told_apart(one, two):
    assert teacher_fingerprint(one) != teacher_fingerprint(two)
    assert teacher_fingerprint(one) == teacher_fingerprint(one)


def test_every_weight_counts_and_the_mode_does_not():
    teacher = Cached(0.0)
    plain = teacher_fingerprint(teacher)
    assert teacher_fingerprint(teacher.train()) == plain == teacher_fingerprint(Cached(0.0).eval())
    for weight in teacher.parameters():
        with torch.no_grad():
            weight.view(-1)[0] += 1e-6
        assert teacher_fingerprint(teacher) != plain
        plain = teacher_fingerprint(teacher)


def test_a_teacher_may_name_itself():
    teacher = nn.Linear(2, 2)
    teacher.fingerprint = lambda: "mine, version 3"
    assert teacher_fingerprint(teacher) == "mine, version 3"
    teacher.fingerprint = lambda: None
    with pytest.raises(ValueError, match=r"fingerprint\(\) gives None: it must give a text"):
        teacher_fingerprint(teacher)


class WithExtras(nn.Linear):
    def get_extra_state(self):
        return {"vocabulary": ["a"]}

    def set_extra_state(self, state):
        pass


def test_a_state_that_is_no_tensor_is_refused():
    with pytest.raises(ValueError, match=r"'_extra_state', which is no tensor: give .* fingerprint\(\)"):
        teacher_fingerprint(WithExtras(2, 2))


def told(data):
    return len(data).to_bytes(8, "little") + data


def test_fingerprints_are_written_out_so_that_old_recordings_stay_readable():
    # What was recorded before holds these hashes: another way to make them would make it all stale.
    inputs = torch.arange(12, dtype=torch.float32).view(2, 2, 3)
    for ids, content, kind in [
        (["a", 7], inputs, ["tensor", "torch.float32", [2, 3]]),
        (["é", -1], ["hello", ""], ["text"]),
    ]:
        contents = [row.encode() if isinstance(row, str) else row.numpy().tobytes() for row in content]
        rows = [hashlib.sha256(told(json.dumps(kind).encode()) + each).digest() for each in contents]
        names = [b"s" + id.encode() if isinstance(id, str) else f"i{id}".encode() for id in ids]
        whole = b"".join(told(name) + row for name, row in zip(names, rows, strict=True))
        expected = hashlib.sha256(whole).hexdigest(), b"".join(row[:8] for row in rows)
        assert data_fingerprint(Split(ids, content)) == expected

    teacher = nn.Sequential(Cached(0.5))
    parts = [["part", "", "Sequential"], ["part", "0", "Cached"]]
    digest = hashlib.sha256(told(json.dumps(parts).encode()))
    for name in ("bias", "cache", "weight"):
        tensor = getattr(teacher[0], name)
        digest.update(told(json.dumps([f"0.{name}", "torch.float32", list(tensor.shape)]).encode()))
        digest.update(tensor.detach().numpy().tobytes())
    assert teacher_fingerprint(teacher) == digest.hexdigest()
