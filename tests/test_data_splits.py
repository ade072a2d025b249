from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
import torch

from kdhelpers.data import NO_LABEL, Split, Task, join


def numbered(n=6, start=0, **more):
    """Rows whose inputs and labels can be told from their ids."""
    rows = torch.arange(start, start + n)
    fields = {
        "ids": [f"r{row}" for row in rows.tolist()],
        "inputs": rows.float()[:, None],
        "labels": rows % 3,
    }
    return Split(**{**fields, **more})


def belongs_together(split):
    rows = torch.tensor([int(str(id)[1:]) for id in split.ids])
    return torch.equal(split.inputs[:, 0], rows.float()) and torch.equal(split.labels, rows % 3)


@pytest.mark.parametrize(
    ("rows", "ids"),
    [
        ([4, 0], ["r4", "r0"]),
        (torch.tensor([1, -1]), ["r1", "r5"]),
        (np.array([2, 3]), ["r2", "r3"]),
        (slice(1, 4), ["r1", "r2", "r3"]),
        (slice(None, None, -2), ["r5", "r3", "r1"]),
        ([True, False, False, False, False, True], ["r0", "r5"]),
        (torch.arange(6) > 3, ["r4", "r5"]),
        (range(2), ["r0", "r1"]),
    ],
)
def test_take_keeps_order_and_rows_together(rows, ids):
    split = numbered(slices={"odd": torch.arange(6) % 2 == 1})
    taken = split.take(rows)
    assert list(taken.ids) == ids
    assert belongs_together(taken)
    assert taken.slices["odd"].tolist() == [int(id[1:]) % 2 == 1 for id in ids]


def test_by_id_follows_the_ids_asked_for():
    found = numbered().by_id(["r5", "r0", "r2"])
    assert found.ids == ("r5", "r0", "r2")
    assert belongs_together(found)


def test_ids_may_be_whole_numbers_from_anywhere():
    for ids in (range(7, 9), [7, 8], np.array([7, 8]), torch.tensor([7, 8])):
        split = Split(ids, ["seven", "eight"])
        assert split.ids == (7, 8)
        assert all(type(id) is int for id in split.ids)
        assert split.by_id(torch.tensor([8])).inputs == ["eight"]


def test_sample_is_seeded_nested_and_leaves_the_global_state():
    split = numbered(50)
    before = torch.get_rng_state()
    small, large = split.sample(5, seed=3), split.sample(20, seed=3)
    assert torch.equal(before, torch.get_rng_state())
    assert small.ids == large.ids[:5]
    assert belongs_together(large)
    assert split.sample(5, seed=4).ids != small.ids
    assert sorted(split.sample(50, seed=0).ids) == sorted(split.ids)


def test_labels_of_smaller_integers_are_widened():
    for labels in (torch.tensor([1, 0], dtype=torch.int16), torch.tensor([1, 0], dtype=torch.uint8), [1, 0]):
        split = Split(["a", "b"], torch.zeros(2), labels)
        assert split.labels.dtype == torch.int64
        assert split.labels.tolist() == [1, 0]


def test_labelled_and_unlabelled():
    split = numbered(
        3, labels=torch.tensor([2, NO_LABEL, 0]), slices={"all": torch.ones(3, dtype=torch.bool)}
    )
    assert split.labelled.tolist() == [True, False, True]
    bare = split.unlabelled()
    assert bare.labels is None
    assert bare.labelled.tolist() == [False] * 3
    assert bare.ids == split.ids
    assert bare.slices["all"].all()


def test_join_fills_what_is_missing():
    odd = {"odd": torch.tensor([False, True])}
    joined = join(numbered(2, slices=odd), numbered(3, start=2).unlabelled())
    assert joined.ids == ("r0", "r1", "r2", "r3", "r4")
    assert joined.inputs[:, 0].tolist() == [0, 1, 2, 3, 4]
    assert joined.labels.tolist() == [0, 1, -100, -100, -100]
    assert joined.slices["odd"].tolist() == [False, True, False, False, False]


def test_join_of_unlabelled_texts():
    joined = join(Split(["a"], ["one"]), Split(["b"], ["two"]))
    assert joined.inputs == ["one", "two"]
    assert joined.labels is None


def test_joined_parts_are_the_whole():
    split = numbered(9)
    joined = join(split.take(slice(4)), split.take(slice(4, None)))
    assert joined.ids == split.ids
    assert belongs_together(joined)


def test_splits_survive_copying_and_pickling():
    split = numbered(slices={"odd": torch.arange(6) % 2 == 1})
    split.by_id(["r1"])
    for twin in (copy.deepcopy(split), pickle.loads(pickle.dumps(split))):
        assert belongs_together(twin.by_id(["r4", "r1"]))


def test_a_split_is_not_reassigned_and_keeps_its_own_slices():
    slices = {"odd": torch.arange(6) % 2 == 1}
    split = numbered(slices=slices)
    slices.clear()
    assert list(split.slices) == ["odd"]
    with pytest.raises(AttributeError):
        split.labels = None


def one(**fields):
    return Split(**{"ids": ["a", "b"], "inputs": torch.zeros(2, 4), **fields})


@pytest.mark.parametrize(
    ("make", "error", "sentence"),
    [
        (lambda: Split([], torch.zeros(0, 4)), ValueError, "data is empty"),
        (lambda: one(ids=["a", "a"]), ValueError, "id 'a' occurs 2 times"),
        (lambda: one(ids="ab"), TypeError, "not one string"),
        (lambda: one(ids=[1.5, 2]), ValueError, "strings or whole numbers, not float"),
        (lambda: one(ids=[True, False]), ValueError, "strings or whole numbers, not bool"),
        (lambda: one(inputs=torch.zeros(3, 4)), ValueError, "inputs has 3 rows, but the ids name 2 rows"),
        (lambda: one(inputs=["one"]), ValueError, "inputs has 1 row, but the ids name 2 rows"),
        (lambda: one(inputs=["one", 2]), ValueError, "row 1 is int"),
        (lambda: one(inputs="ab"), TypeError, "tensor or a list of texts, not str"),
        (lambda: one(inputs=np.zeros((2, 4))), TypeError, "tensor or a list of texts, not ndarray"),
        (lambda: one(inputs=torch.tensor(1.0)), ValueError, "a single number"),
        (lambda: one(labels=torch.tensor([1])), ValueError, "labels has 1 row, but the ids name 2 rows"),
        (lambda: one(labels=torch.tensor([1.0, 0.0])), ValueError, "whole numbers, not float32"),
        (lambda: one(labels=torch.tensor([True, False])), ValueError, "whole numbers, not bool"),
        (lambda: one(labels=["x", "y"]), ValueError, "labels must be a tensor or a list of numbers"),
        (lambda: one(labels=torch.zeros(2, 3).long()), ValueError, r"shape \(2,\), not \(2, 3\)"),
        (lambda: one(labels=torch.tensor([0, -1])), ValueError, "labels has -1 in row 1"),
        (lambda: one(slices={"few": torch.tensor([0, 1])}), ValueError, "few must be a boolean mask"),
        (lambda: one(slices={"few": torch.tensor([True])}), ValueError, "few has 1 row"),
        (lambda: numbered().take([]), ValueError, "data is empty"),
        (lambda: numbered().take([1, 1]), ValueError, "id 'r1' occurs 2 times"),
        (lambda: numbered().take([6]), IndexError, "no row 6: the split has 6 rows"),
        (lambda: numbered().take([-7]), IndexError, "no row -7"),
        (lambda: numbered().take([True, False]), ValueError, "rows has 2 rows"),
        (lambda: numbered().take([0.5]), ValueError, "row numbers"),
        (
            lambda: numbered().by_id(["r1", "x", "y"]),
            ValueError,
            "2 of 3 ids are not in this split.*'x'.*'r0'",
        ),
        (lambda: numbered().by_id([["r1"]]), ValueError, "1 of 1 ids are not"),
        (lambda: numbered().by_id(["r1", "r1"]), ValueError, "id 'r1' occurs 2 times"),
        (lambda: numbered().sample(7, seed=0), ValueError, "Cannot draw 7 of 6 rows"),
        (lambda: numbered().sample(0, seed=0), ValueError, "Cannot draw 0"),
        (lambda: join(), ValueError, "nothing to join"),
        (lambda: join(numbered(2), numbered(2)), ValueError, "id 'r0' occurs 2 times"),
        (
            lambda: join(one(), Split(["c"], torch.zeros(1, 5))),
            ValueError,
            r"\(4,\) float32 with \(5,\) float32",
        ),
        (lambda: join(one(), Split(["c"], ["text"])), ValueError, "with texts"),
    ],
)
def test_a_mistake_gets_one_sentence(make, error, sentence):
    with pytest.raises(error, match=sentence) as caught:
        make()
    assert "\n" not in str(caught.value)


def tiny_task(**parts):
    splits = {"train": numbered(3), "validation": numbered(3, start=3), "test": numbered(3, start=6)}
    return Task("tiny", ("a", "b", "c"), **{**splits, **parts})


def test_task_names_its_splits():
    assert list(tiny_task().splits) == ["train", "validation", "test"]
    assert list(tiny_task(pool=numbered(9, start=9).unlabelled()).splits)[-1] == "pool"


def test_a_label_beyond_the_classes_is_refused():
    with pytest.raises(
        ValueError, match=r"validation split has label 3, but the task names 3 classes \(0 to 2\)"
    ):
        tiny_task(validation=numbered(2, start=3, labels=torch.tensor([-100, 3])))
    assert tiny_task(test=numbered(1, start=6, labels=torch.tensor([-100]))).test.labelled.sum() == 0


@pytest.mark.parametrize("pool", [numbered(3, start=8), numbered(3, start=8).unlabelled()])
def test_an_id_in_two_splits_is_refused(pool):
    with pytest.raises(ValueError, match="id 'r8' is in both test and pool"):
        tiny_task(pool=pool)


def test_what_a_notebook_shows_is_escaped_and_counted():
    pool = numbered(1200, start=9).unlabelled()
    html = Task(
        "<b>", ("a", "b", "c"), numbered(3), numbered(3, start=3), numbered(3, start=6), pool
    )._repr_html_()
    assert "<b>" not in html
    assert "&lt;b&gt;" in html
    cells = [cell.split("<")[0] for cell in html.split(">")]
    after = cells[cells.index("pool") :]
    assert [cell for cell in after if cell] == ["pool", "1,200", "0", "0"]

    split = numbered(slices={"odd & rare": torch.arange(6) == 1})
    assert "odd &amp; rare" in split._repr_html_()
    assert "1 row<" in split._repr_html_()
    assert repr(split) == "Split(6 rows, (1,) float32, all labelled, slices odd & rare)"
