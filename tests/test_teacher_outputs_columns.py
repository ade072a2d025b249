from __future__ import annotations

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings

from kdhelpers.data import Split
from kdhelpers.teacher_outputs import TeacherOutputs, record_teacher
from kdhelpers.teacher_outputs.columns import Apart, Together, column

ROWS, SHARD = 11, 4
DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.int32]


def filled(kind, values):
    """A column of these values, put in last shard first, from memory that no dtype is aligned to."""
    found = kind(values)
    for number in reversed(range(-(-len(values) // SHARD))):
        shard = values[number * SHARD : (number + 1) * SHARD].contiguous()
        data = bytearray(b"?") + shard.view(torch.uint8).numpy().tobytes()
        found.put(number, memoryview(data)[1:])
    return found


def together(values):
    return Together(values.dtype, values.shape[1], len(values), SHARD)


def apart(values):
    return Apart(values.dtype, values.shape[1], SHARD)


@pytest.mark.parametrize("kind", [together, apart])
@pytest.mark.parametrize("dtype", DTYPES)
@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.integers(1, 7), st.lists(st.integers(0, ROWS - 1)))
def test_rows_are_picked_as_from_one_tensor(kind, dtype, width, places):
    values = torch.randint(-99, 99, (ROWS, width), generator=torch.Generator().manual_seed(width)).to(dtype)
    found = filled(kind, values).rows(torch.tensor(places, dtype=torch.long))
    assert found.dtype == dtype
    assert torch.equal(found, values[places])


@pytest.mark.parametrize("kind", [together, apart])
def test_what_was_picked_may_be_changed(kind):
    values = torch.arange(22, dtype=torch.int32).view(ROWS, 2)
    stored, places = filled(kind, values), torch.tensor([3, 9])
    stored.rows(places).zero_()
    assert torch.equal(stored.rows(places), values[[3, 9]])


@pytest.mark.parametrize(
    ("dtype", "width", "kind"),
    [
        (torch.float16, 128, Together),
        (torch.float16, 129, Apart),
        (torch.float32, 64, Together),
        (torch.float32, 65, Apart),
    ],
)
def test_only_narrow_rows_are_copied(dtype, width, kind):
    assert type(column(dtype, width, ROWS, SHARD)) is kind


def test_a_store_of_wide_rows_is_read_by_id_too(tmp_path):
    inputs = torch.randn(ROWS, 300, generator=torch.Generator().manual_seed(0))
    split = Split([f"r{row}" for row in range(ROWS)], inputs)
    record_teacher(torch.nn.Identity(), split, tmp_path, shard_rows=SHARD, batch_size=3, progress=False)
    outputs = TeacherOutputs.open(tmp_path, split=split)
    assert torch.equal(outputs.logits(["r10", "r0", "r10"]), inputs[[10, 0, 10]].half().float())
    assert outputs.argmax(split.ids).equal(inputs.argmax(1))
    assert outputs.logits([]).shape == (0, 300)
