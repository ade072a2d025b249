from __future__ import annotations

import json
import math
import pickle
import re
import subprocess
import sys
from dataclasses import replace

import hypothesis.strategies as st
import pytest
import safetensors.torch
import torch
from hypothesis import given, settings
from torch import nn

from kdhelpers.data import Split
from kdhelpers.teacher_outputs import (
    CorruptTeacherOutputs,
    Manifest,
    StaleTeacherOutputs,
    StoredFile,
    TeacherOutputs,
    record_teacher,
)
from kdhelpers.teacher_outputs.manifest import FORMAT, _sealed

ROWS, C = 23, 6
quick = settings(max_examples=100, deadline=None, derandomize=True)
SIZES = dict(shard_rows=8, batch_size=5, progress=False)
NAMES = [f"n{i}" for i in range(C)]


class Teacher(nn.Module):
    """Its logits are its inputs, times a weight."""

    def __init__(self, scale=1.0):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(scale))

    def forward(self, inputs):
        return inputs * self.scale


@pytest.fixture(scope="module")
def split():
    inputs = torch.randn(ROWS, C, generator=torch.Generator().manual_seed(0)) * 5
    inputs[3, 2] = -torch.inf
    ids = [f"r{i}" if i % 2 else i for i in range(ROWS)]
    return Split(ids, inputs)


@pytest.fixture(scope="module")
def folder(split, tmp_path_factory):
    folder = tmp_path_factory.mktemp("store")
    record_teacher(Teacher(), split, folder, classes=NAMES, **SIZES)
    return folder


@pytest.fixture
def outputs(folder):
    return TeacherOutputs.open(folder)


@pytest.fixture
def copy(folder, tmp_path):
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


def everything(folder, split):
    """Read all that a store can be asked for."""
    outputs = TeacherOutputs.open(folder, split=split)
    return outputs.ids, outputs.logits(split.ids), outputs.argmax(split.ids)


@quick
@given(st.lists(st.integers(0, ROWS - 1)))
def test_logits_come_by_id_whatever_the_order(folder, split, rows):
    outputs, ids = TeacherOutputs.open(folder), [split.ids[row] for row in rows]
    found = outputs.logits(ids)
    assert found.shape == (len(rows), C)
    assert found.dtype == torch.float32
    assert torch.equal(found, split.inputs[rows].half().float())
    torch.testing.assert_close(found, split.inputs[rows], rtol=2**-10, atol=0)
    assert torch.equal(outputs.argmax(ids), split.inputs[rows].argmax(1))


def test_what_is_open_says_what_it_holds(outputs, split):
    assert len(outputs) == ROWS
    assert outputs.ids == split.ids
    assert [type(id) for id in outputs.ids] == [type(id) for id in split.ids]
    assert outputs.classes == tuple(NAMES)
    assert outputs.missing(["r1", "1", 1, 0]) == ["1", 1]
    assert repr(outputs) == "TeacherOutputs(23 rows, 6 classes, float16)"
    html = outputs._repr_html_()
    rows = re.findall("<th scope='row'.*?>(.*?)</th>", html)
    assert rows == ["rows", "classes", "logits", "on disk", "teacher", "data"]
    assert f"{sum(path.stat().st_size for path in outputs.path.glob('[irs]*')):,} bytes" in html
    told = (outputs.manifest.teacher[:12], outputs.manifest.data[:12])
    assert all(f">{cell}</td>" in html for cell in ("6: n0 … n5", *told))


def test_the_argmax_is_of_the_float32_logits(tmp_path):
    close = torch.tensor([[1.0, 1.0001], [1.0001, 1.0]])  # the same number in float16
    outputs = record_teacher(Teacher(), Split([0, 1], close), tmp_path, progress=False)
    assert outputs.argmax([0, 1]).tolist() == [1, 0]
    assert outputs.logits([0, 1]).unique().tolist() == [1.0]


def test_an_unknown_id_is_named(outputs):
    for ask in (outputs.logits, outputs.argmax):
        with pytest.raises(ValueError, match=r"lack 2 of 3 ids, the first is 'r2': run the teacher"):
            ask([0, "r2", 1])


def test_what_is_read_may_be_changed_and_is_read_again(outputs, split):
    first = outputs.logits(split.ids)
    expected = first.clone()
    first.zero_()
    assert torch.equal(outputs.logits(split.ids), expected)


def test_a_pickle_opens_the_same_folder(outputs, split):
    outputs.logits(split.ids)
    found = pickle.loads(pickle.dumps(outputs))
    assert torch.equal(found.logits(split.ids), outputs.logits(split.ids))
    assert len(pickle.dumps(outputs)) < 1000


@pytest.mark.parametrize("k", range(1, C))
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_top_k_keeps_the_largest_and_the_mass_of_the_tail(split, tmp_path, k, dtype):
    outputs = record_teacher(Teacher(), split, tmp_path, top_k=k, dtype=dtype, **SIZES)
    order = [split.ids[row] for row in reversed(range(ROWS))]
    logits = split.inputs.flip(0)
    values, indices, tail = outputs.top_k(order)
    best = logits.topk(k)
    assert torch.equal(values, best.values.to(dtype).float())
    assert torch.equal(indices, best.indices)
    others = logits.scatter(1, indices, -torch.inf)
    torch.testing.assert_close(tail, others.logsumexp(1))
    assert repr(outputs) == f"TeacherOutputs(23 rows, 6 classes, {outputs.manifest.dtype}, the {k} highest)"

    shares, found = logits.softmax(1), outputs.logits(order).softmax(1)
    tolerance = 1e-5 if dtype == torch.float32 else 2e-2  # float16 rounds a logit of 16 by 2^-7
    torch.testing.assert_close(found.gather(1, indices), shares.gather(1, indices), rtol=tolerance, atol=1e-7)
    rest = found.scatter(1, indices, 0.0)
    even = (others.logsumexp(1) - logits.logsumexp(1)).exp() / (C - k)
    torch.testing.assert_close(rest.amax(1), even, rtol=max(tolerance, 1e-4), atol=1e-7)
    assert torch.equal(outputs.argmax(order), logits.argmax(1))
    assert outputs.logits([]).shape == (0, C)


def test_top_k_of_equal_logits_and_ruled_out_classes(tmp_path):
    logits = torch.tensor([[1.0, 2.0, 2.0, 2.0], [-torch.inf, -torch.inf, 0.0, -torch.inf]])
    outputs = record_teacher(Teacher(), Split([0, 1], logits), tmp_path, top_k=2, progress=False)
    assert outputs.top_k([0])[1].tolist() == [[1, 2]]
    assert outputs.argmax([0, 1]).tolist() == [1, 2]
    assert outputs.logits([1]).softmax(1).tolist() == [[0, 0, 1, 0]]


def test_top_k_of_outputs_that_hold_all_is_refused(outputs):
    with pytest.raises(ValueError, match=r"hold the logits of all classes: use logits\(ids\)\.topk\(k\)"):
        outputs.top_k([0])


def test_what_it_is_of_may_be_asked_for(folder, split):
    some = Split(split.ids, split.inputs, torch.zeros(ROWS, dtype=torch.long)).take([20, 3, 4])
    outputs = TeacherOutputs.open(folder, teacher=Teacher(), split=some, classes=NAMES, verify=True)
    assert len(outputs) == ROWS


def changed(split):
    inputs = split.inputs.clone()
    inputs[[4, 9], 0] += 1
    return Split(split.ids, inputs)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (
            dict(teacher=Teacher(1.5)),
            r"are of another teacher \(fingerprint \w{12}, this one has \w{12}\): open",
        ),
        (dict(teacher=nn.Identity()), "are of another teacher"),
        (
            dict(classes=NAMES[::-1]),
            "the class order differs: class 0 is 'n0' in the outputs and 'n5' here. Give",
        ),
        (dict(classes=[*NAMES[:5], "x"]), "the classes differ: class 5 is 'n5' in the outputs and 'x' here"),
        (dict(classes=NAMES[:5]), "the classes differ: there are 6 in the outputs and 5 here"),
    ],
)
def test_another_teacher_or_class_order_is_refused(folder, asked, said):
    with pytest.raises(StaleTeacherOutputs, match=said) as caught:
        TeacherOutputs.open(folder, **asked)
    assert str(folder) in str(caught.value)


def test_other_data_is_refused_row_by_row(folder, split):
    with pytest.raises(StaleTeacherOutputs, match=r"2 of 23 rows are not what .* the first is 4"):
        TeacherOutputs.open(folder, split=changed(split))
    TeacherOutputs.open(folder, split=changed(split).take([5, 6]))  # these did not change
    with pytest.raises(StaleTeacherOutputs, match=r"2 of 2 rows are not in the outputs .* first is '0'"):
        TeacherOutputs.open(folder, split=Split(["0", 1], split.inputs[:2]))
    with pytest.raises(StaleTeacherOutputs, match="23 of 23 rows are not what"):
        TeacherOutputs.open(folder, split=Split(split.ids, split.inputs.double()))


@quick
@given(st.data())
def test_a_flipped_bit_anywhere_is_never_read(folder, split, data):
    path = data.draw(st.sampled_from(sorted(folder.iterdir())))
    whole = path.read_bytes()
    at, bit = data.draw(st.integers(0, len(whole) - 1)), data.draw(st.integers(0, 7))
    try:
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << bit]) + whole[at + 1 :])
        with pytest.raises(CorruptTeacherOutputs, match=path.name):
            everything(folder, split)
        with pytest.raises(CorruptTeacherOutputs, match=path.name):
            TeacherOutputs.open(folder).check()
        with pytest.raises(CorruptTeacherOutputs, match=path.name):
            TeacherOutputs.open(folder, verify=True)
    finally:
        path.write_bytes(whole)
    everything(folder, split)


@quick
@given(st.data())
def test_a_missing_or_truncated_file_is_refused_at_opening(folder, split, data):
    path = data.draw(st.sampled_from(sorted(folder.iterdir())))
    whole = path.read_bytes()
    try:
        path.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
        with pytest.raises(CorruptTeacherOutputs, match=path.name):
            TeacherOutputs.open(folder)
        path.unlink()
        with pytest.raises(CorruptTeacherOutputs, match=path.name):
            TeacherOutputs.open(folder)
    finally:
        path.write_bytes(whole)


def test_a_shard_is_compared_when_it_is_first_read(copy, split):
    shard = copy / "shard-00001.safetensors"
    shard.write_bytes(shard.read_bytes()[:-1] + b"?")
    outputs = TeacherOutputs.open(copy)
    outputs.logits(split.ids[:8])
    for _ in range(2):
        with pytest.raises(
            CorruptTeacherOutputs, match=r"shard-00001.*its hash differs.* undamaged copy, or"
        ):
            outputs.logits(split.ids[7:9])
    (copy / "shard-00002.safetensors").unlink()
    with pytest.raises(CorruptTeacherOutputs, match="lacks the file shard-00002"):
        outputs.argmax(split.ids[-1:])


def rewritten(folder, **changes):
    """A manifest with other fields and the seal that belongs to them."""
    text = json.loads((folder / "manifest.json").read_text()) | changes
    text.pop("sha256")
    (folder / "manifest.json").write_bytes(_sealed(text))


def test_a_later_format_is_refused(copy):
    rewritten(copy, version=2)
    with pytest.raises(CorruptTeacherOutputs, match=r"format version 2, and .* reads version 1: update"):
        TeacherOutputs.open(copy)


def test_an_edited_manifest_is_refused(copy):
    path = copy / "manifest.json"
    path.write_text(path.read_text().replace('"n0"', '"n1"', 1))
    with pytest.raises(CorruptTeacherOutputs, match=r"manifest\.json was altered"):
        TeacherOutputs.open(copy)


@pytest.mark.parametrize("text", ["", "{}", "[]", "not json", '{"format": 1}', "[" * 100_000, "\xff"])
def test_what_is_no_manifest_is_refused(tmp_path, text):
    (tmp_path / "manifest.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(CorruptTeacherOutputs, match=r"manifest\.json"):
        TeacherOutputs.open(tmp_path)


def test_a_missing_folder_and_one_of_other_things_are_told_apart(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"There is no folder .*nowhere: record_teacher"):
        TeacherOutputs.open(tmp_path / "nowhere")
    with pytest.raises(
        CorruptTeacherOutputs, match=r"has no manifest\.json: it holds no teacher outputs, or"
    ):
        TeacherOutputs.open(tmp_path)


def test_files_are_plain_safetensors(folder, split):
    shard = safetensors.torch.load_file(folder / "shard-00002.safetensors")
    assert torch.equal(shard["logits"], split.inputs[16:].half())
    assert torch.equal(shard["argmax"], split.inputs[16:].argmax(1).int())
    assert json.loads((folder / "manifest.json").read_text())["format"] == FORMAT


def million(folder, rows=1_000_000, size=4096):
    """A store of many rows, made without a teacher."""
    ids = json.dumps([f"pool-{row:07d}" for row in range(rows)]).encode()
    files = {"ids.json": ids, "row-hashes.bin": bytes(8 * rows)}
    shard = safetensors.torch.save(
        {"argmax": torch.zeros(size, dtype=torch.int32), "logits": torch.zeros(size, 10).half()}
    )
    count = math.ceil(rows / size)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    file = StoredFile.of("", size, shard)
    shards = tuple(replace(file, name=f"shard-{at:05d}.safetensors") for at in range(count))
    for entry in shards:
        (folder / entry.name).write_bytes(shard)
    told = {name: StoredFile.of(name, count * size, content) for name, content in files.items()}
    manifest = Manifest(
        teacher="t",
        data="d",
        classes=tuple(f"class {i}" for i in range(10)),
        dtype="float16",
        top_k=None,
        rows=count * size,
        shard_rows=size,
        augmented=False,
        ids=told["ids.json"],
        row_hashes=told["row-hashes.bin"],
        shards=shards,
    )
    (folder / "manifest.json").write_bytes(manifest.rendered())


OPENING = """
import sys, psutil, torch
from kdhelpers.teacher_outputs import TeacherOutputs
before = psutil.Process().memory_info().rss
outputs = TeacherOutputs.open(sys.argv[1])
grown = psutil.Process().memory_info().rss - before
print(len(outputs), grown)
"""


@pytest.mark.whole
def test_opening_a_million_rows_takes_no_memory(tmp_path):
    million(tmp_path)
    run = subprocess.run(
        [sys.executable, "-c", OPENING, str(tmp_path)], capture_output=True, text=True, check=True
    )
    rows, grown = map(int, run.stdout.split())
    print(f"opening {rows:,} rows took {grown / 1e6:.1f} MB")
    assert rows >= 1_000_000
    assert grown < 50_000_000


@quick
@given(st.lists(st.integers(0, ROWS - 1), min_size=1), st.data())
def test_a_reader_gives_the_logits_of_the_ids_at_positions(folder, split, rows, data):
    outputs, ids = TeacherOutputs.open(folder), [split.ids[row] for row in rows]
    positions = data.draw(st.lists(st.integers(0, len(ids) - 1)))
    found = outputs.reader(ids)(torch.tensor(positions, dtype=torch.long))
    assert torch.equal(found, outputs.logits([ids[position] for position in positions]))


def test_a_reader_refuses_the_ids_that_the_teacher_never_saw_where_it_comes_to_them(outputs):
    read = outputs.reader([0, "r2", 1, "r3"])
    assert torch.equal(read(torch.tensor([3, 0])), outputs.logits(["r3", 0]))
    with pytest.raises(ValueError, match=r"lack 2 of 3 ids, the first is 'r2': run the teacher"):
        read(torch.tensor([0, 1, 2]))
