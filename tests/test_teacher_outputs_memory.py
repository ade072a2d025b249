from __future__ import annotations

import pytest
import torch
from torch import nn

from kdhelpers.data import Split
from kdhelpers.teacher_outputs import MemoryOutputs, collect_logits


@pytest.fixture
def split():
    generator = torch.Generator().manual_seed(0)
    return Split([f"r{i}" for i in range(9)], torch.randn(9, 4, generator=generator))


def test_logits_come_by_id_whatever_the_order(split):
    teacher = nn.Linear(4, 3)
    outputs = collect_logits(teacher, split, batch_size=4, progress=False)
    order = torch.tensor([5, 0, 8, 5])
    expected = teacher(split.inputs).detach()
    torch.testing.assert_close(outputs.logits([f"r{i}" for i in order]), expected[order])
    torch.testing.assert_close(outputs.logits(split.take([3, 1]).ids), expected[[3, 1]])
    assert outputs.logits([]).shape == (0, 3)
    assert len(outputs) == 9
    assert outputs.ids == split.ids


def test_the_teacher_is_asked_in_evaluation_mode_and_keeps_its_own(split):
    teacher = nn.Sequential(nn.Linear(4, 3), nn.Dropout(0.9)).train()
    outputs = collect_logits(teacher, split, progress=False)
    torch.testing.assert_close(outputs.logits(split.ids), teacher[0](split.inputs).detach())
    assert teacher[1].training


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_what_is_kept_is_a_copy_in_float32_that_a_loss_may_use(dtype):
    logits = torch.zeros(2, 3, dtype=dtype, requires_grad=True)
    outputs = MemoryOutputs(["a", "b"], logits)
    with torch.no_grad():
        logits += 1
    found = outputs.logits(["a"])
    assert found.dtype == torch.float32
    assert not found.requires_grad
    assert found.sum() == 0


def test_a_bar_is_shown_on_request(split, monkeypatch):
    asked = []

    def bar(steps, *, shown, **names):
        asked.append((names["title"], shown))
        return steps

    monkeypatch.setattr("kdhelpers.evaluation.prediction.progress_bar", bar)
    collect_logits(nn.Linear(4, 3), split, progress=False)
    collect_logits(nn.Linear(4, 3), split)
    assert asked == [("predicting", False), ("predicting", True)]


def test_an_unknown_id_is_named():
    outputs = MemoryOutputs(["a", "b"], torch.eye(2))
    with pytest.raises(ValueError, match=r"lack 2 of 3 ids, the first is 'x': run the teacher"):
        outputs.logits(["a", "x", "y"])


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_teacher_without_numbers_is_refused(bad):
    logits = torch.zeros(3, 2)
    logits[1, 0] = bad
    with pytest.raises(ValueError, match=r"NaN or infinite logits in 1 of 3 rows, the first is 'b'"):
        MemoryOutputs(["a", "b", "c"], logits)


def test_a_class_may_be_ruled_out():
    logits = torch.tensor([[0.0, -torch.inf]])
    assert torch.equal(MemoryOutputs(["a"], logits).logits(["a"]), logits)


@pytest.mark.parametrize("logits", [torch.zeros(3), torch.zeros(2, 2), torch.zeros(3, 2, dtype=torch.int64)])
def test_what_is_not_logits_is_refused(logits):
    with pytest.raises(ValueError, match=r"for 3 ids: give floating-point logits"):
        MemoryOutputs(["a", "b", "c"], logits)


def test_an_id_twice_is_refused():
    with pytest.raises(ValueError, match="'a' occurs 2 times"):
        MemoryOutputs(["a", "a"], torch.eye(2))


def test_ids_that_were_never_seen_are_listed():
    assert MemoryOutputs(["a", 1], torch.eye(2)).missing(["1", "a", 2]) == ["1", 2]


def test_a_row_that_rules_out_every_class_is_refused():
    with pytest.raises(ValueError, match="in 1 of 2 rows, the first is 'b'"):
        MemoryOutputs(["a", "b"], torch.tensor([[0.0, -torch.inf], [-torch.inf, -torch.inf]]))


def test_a_reader_looks_ids_up_once_and_reads_by_position():
    outputs = MemoryOutputs(["a", "b"], torch.eye(2))
    read = outputs.reader(["b", "c", "a"])
    assert read(torch.tensor([2, 0, 2])).tolist() == [[1, 0], [0, 1], [1, 0]]
    with pytest.raises(ValueError, match="lack 1 of 2 ids, the first is 'c'"):
        read(torch.tensor([0, 1]))
