from __future__ import annotations

import errno
import hashlib
import json
import os
from pathlib import Path

import pytest
import torch
from torch import nn
from tqdm import tqdm

from kdhelpers.data import Split
from kdhelpers.processes import Processes
from kdhelpers.teacher_outputs import (
    CorruptTeacherOutputs,
    Manifest,
    StaleTeacherOutputs,
    TeacherOutputs,
    record_teacher,
)
from kdhelpers.teacher_outputs.recording import _check_seen, _Recording

ROWS, C, SHARD, BATCH = 50, 5, 16, 6
SIZES = dict(shard_rows=SHARD, batch_size=BATCH, progress=False)
BATCHES = 10  # three in each whole shard, one in the last


class Teacher(nn.Module):
    """Its logits depend on which rows it sees together, as those of some models do in their last bits."""

    def __init__(self, stop_at=None, error=KeyboardInterrupt):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.linear = nn.Linear(4, C)
        self.stop_at, self.error, self.calls, self.sizes = stop_at, error, 0, []

    def forward(self, inputs):
        if self.calls == self.stop_at:
            raise self.error
        self.calls += 1
        self.sizes.append(len(inputs))
        assert not self.training
        assert not torch.is_grad_enabled()
        return self.linear(inputs) + len(inputs) / 100


class Says(nn.Module):
    """Gives what it is told, whatever it is asked."""

    def __init__(self, logits):
        super().__init__()
        self.said = logits

    def forward(self, inputs):
        return self.said[: len(inputs)]


@pytest.fixture(scope="module")
def split():
    return Split(
        [f"r{i}" for i in range(ROWS)], torch.randn(ROWS, 4, generator=torch.Generator().manual_seed(1))
    )


@pytest.fixture(scope="module")
def whole(split, tmp_path_factory):
    """The folder of an uninterrupted recording, as {name: bytes}."""
    folder = tmp_path_factory.mktemp("whole")
    record_teacher(Teacher(), split, folder, **SIZES)
    return content(folder)


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def interrupted(split, folder, at, error=KeyboardInterrupt):
    with pytest.raises(error):
        record_teacher(Teacher(stop_at=at, error=error), split, folder, **SIZES)


def test_the_folder_holds_what_it_says(split, whole):
    shards = [f"shard-0000{i}.safetensors" for i in range(4)]
    assert sorted(whole) == ["ids.json", "manifest.json", "row-hashes.bin", *shards]
    manifest = json.loads(whole["manifest.json"])
    assert manifest["complete"] is True
    assert manifest["classes"] == [f"class {i}" for i in range(C)]
    assert (manifest["rows"], manifest["shard_rows"], manifest["dtype"]) == (ROWS, SHARD, "float16")
    assert [shard["rows"] for shard in manifest["shards"]] == [16, 16, 16, 2]
    assert manifest["ids"]["rows"] == manifest["row_hashes"]["rows"] == ROWS
    for entry in (manifest["ids"], manifest["row_hashes"], *manifest["shards"]):
        assert entry["size"] == len(whole[entry["name"]])
        assert entry["sha256"] == hashlib.sha256(whole[entry["name"]]).hexdigest()
    assert json.loads(whole["ids.json"]) == list(split.ids)
    # The seal is over all that stands before it, and people can read the file.
    seal = manifest.pop("sha256")
    assert seal == hashlib.sha256(json.dumps(manifest).encode()).hexdigest()
    assert whole["manifest.json"].decode() == json.dumps({**manifest, "sha256": seal}, indent=1) + "\n"


def test_the_same_outputs_are_the_same_bytes(split, whole, tmp_path):
    record_teacher(Teacher(), split, tmp_path / "deep" / "er", **SIZES)
    assert content(tmp_path / "deep" / "er") == whole


def test_a_finished_recording_is_opened_without_asking_the_teacher(split, whole, tmp_path):
    record_teacher(Teacher(), split, tmp_path, **SIZES)
    teacher = Teacher(stop_at=0)
    outputs = record_teacher(teacher, split, tmp_path, **{**SIZES, "batch_size": 1})
    assert len(outputs) == ROWS
    assert content(tmp_path) == whole


def test_batches_begin_where_shards_do_and_the_mode_comes_back(split, tmp_path):
    teacher = Teacher().train()
    record_teacher(teacher, split, tmp_path, **SIZES)
    assert teacher.sizes == [6, 6, 4] * 3 + [2]
    assert teacher.training
    assert teacher.linear.training


@pytest.mark.parametrize("at", range(BATCHES))
def test_an_interrupted_recording_goes_on_to_the_same_bytes(split, whole, tmp_path, capsys, at):
    interrupted(split, tmp_path, at)
    safe = SHARD * (at // 3)
    assert (
        f"Interrupted: {safe} of 50 rows are safe in {tmp_path}, and the same call" in capsys.readouterr().out
    )
    with pytest.raises(CorruptTeacherOutputs, match=f"{safe} of 50 rows: call" if safe else "no manifest"):
        TeacherOutputs.open(tmp_path)
    teacher = Teacher()
    record_teacher(teacher, split, tmp_path, **SIZES)
    assert teacher.calls == BATCHES - 3 * (at // 3)
    assert content(tmp_path) == whole


def test_a_recording_may_stop_at_every_shard(split, whole, tmp_path):
    for _ in range(3):
        interrupted(split, tmp_path, 3, RuntimeError)  # each time one shard further
    record_teacher(Teacher(), split, tmp_path, **SIZES)
    assert content(tmp_path) == whole


@pytest.mark.parametrize("at", [0, 4])
def test_what_a_kill_leaves_half_done_is_removed_or_made_again(split, whole, tmp_path, at):
    interrupted(split, tmp_path, at)
    for name in ("manifest.json", "ids.json", "shard-00002.safetensors"):
        (tmp_path / f".{name}.x1y2z3.tmp").write_bytes(b"half")
    (tmp_path / "shard-00001.safetensors").write_bytes(b"renamed, but not in the manifest yet")
    record_teacher(Teacher(), split, tmp_path, **SIZES)
    assert content(tmp_path) == whole


def test_a_full_disk_gets_one_sentence_at_every_write_and_the_same_call_goes_on(split, whole, tmp_path):
    sync = os.fsync
    for at in range(10):  # row hashes, ids, four shards with a manifest each
        folder, calls = tmp_path / str(at), []

        def full(handle, at=at, calls=calls):
            calls.append(handle)
            if len(calls) == at + 1:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            sync(handle)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "fsync", full)
            with pytest.raises(
                OSError, match=r"\(No space left on device\): \d+ of 50 rows are safe"
            ) as error:
                record_teacher(Teacher(), split, folder, **SIZES)
        assert error.value.errno == errno.ENOSPC
        assert not list(folder.glob(".*.tmp"))
        record_teacher(Teacher(), split, folder, **SIZES)
        assert content(folder) == whole


def test_anew_deletes_what_was_there_and_nothing_else(split, whole, tmp_path):
    record_teacher(Teacher(), split.take(slice(20)), tmp_path, **{**SIZES, "shard_rows": 2})
    (tmp_path / "README.md").write_text("mine")
    record_teacher(Teacher(), split, tmp_path, resume=False, **SIZES)
    assert content(tmp_path) == {**whole, "README.md": b"mine"}


def test_anew_where_nothing_was_finished_is_a_first_recording(split, whole, tmp_path):
    interrupted(split, tmp_path, 0)  # ids and hashes, but no manifest yet
    record_teacher(Teacher(), split, tmp_path, resume=False, **SIZES)
    assert content(tmp_path) == whole


@pytest.mark.parametrize("stop", [None, 4])
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (dict(dtype=torch.float32), "dtype is float16 there and float32 here"),
        (dict(top_k=2), "top_k is None there and 2 here"),
        (dict(shard_rows=8), "shard_rows is 16 there and 8 here"),
        (dict(augmented=True), "augmented is False there and True here"),
        (dict(classes=list("abcde")), "classes differ: class 0 is 'class 0' in the outputs and 'a' here"),
        (dict(classes=[f"class {i}" for i in (1, 0, 2, 3, 4)]), "the class order differs: class 0"),
    ],
)
def test_other_settings_are_refused(split, tmp_path, stop, change, said):
    if stop is None:
        record_teacher(Teacher(), split, tmp_path, **SIZES)
    else:
        interrupted(split, tmp_path, stop)
    before = content(tmp_path)
    with pytest.raises(StaleTeacherOutputs, match=rf"another recording: .*{said}.* resume=False"):
        record_teacher(Teacher(), split, tmp_path, **{**SIZES, **change})
    assert content(tmp_path) == before


def test_another_teacher_and_other_data_are_refused(split, tmp_path):
    interrupted(split, tmp_path, 4)
    other = Teacher()
    nn.init.zeros_(other.linear.bias)
    with pytest.raises(StaleTeacherOutputs, match="it is of another teacher"):
        record_teacher(other, split, tmp_path, **SIZES)
    order = [1, 0, *range(2, ROWS)]
    for changed in (split.take(order), split.take(slice(49)), Split(split.ids, split.inputs * 2)):
        with pytest.raises(StaleTeacherOutputs, match="it is of other data"):
            record_teacher(Teacher(), changed, tmp_path, **SIZES)


def test_nothing_is_added_to_what_is_damaged(split, tmp_path):
    interrupted(split, tmp_path, 4)
    shard = tmp_path / "shard-00000.safetensors"
    shard.write_bytes(shard.read_bytes()[:-1] + b"?")
    with pytest.raises(CorruptTeacherOutputs, match=r"shard-00000\.safetensors is not what was written"):
        record_teacher(Teacher(), split, tmp_path, **SIZES)


@pytest.mark.parametrize("name", ["thesis.docx", "manifest.json", "ids.json"])
@pytest.mark.parametrize("resume", [True, False])
def test_a_folder_of_other_files_is_left_alone(split, tmp_path, name, resume):
    (tmp_path / name).write_bytes(b"{}")
    with pytest.raises(
        ValueError, match=rf"holds other files, such as {name}: give .* a folder of their own"
    ):
        record_teacher(Teacher(), split, tmp_path, resume=resume, **SIZES)
    assert content(tmp_path) == {name: b"{}"}


def test_a_damaged_manifest_is_refused_and_may_be_recorded_anew(split, whole, tmp_path):
    record_teacher(Teacher(), split, tmp_path, **SIZES)
    (tmp_path / "manifest.json").write_bytes(b"")
    with pytest.raises(CorruptTeacherOutputs, match="damaged"):
        record_teacher(Teacher(), split, tmp_path, **SIZES)
    record_teacher(Teacher(), split, tmp_path, resume=False, **SIZES)
    assert content(tmp_path) == whole


def test_a_file_is_no_folder(split, tmp_path):
    (tmp_path / "x").write_text("x")
    with pytest.raises(ValueError, match="x is a file: give a folder"):
        record_teacher(Teacher(), split, tmp_path / "x", **SIZES)


BAD = [
    (torch.full((3, 2), float("nan")), "NaN or infinite logits in 3 of 3 rows, the first is 'a'"),
    (torch.tensor([[0.0, 1], [2, torch.inf], [0, 0]]), "in 1 of 3 rows, the first is 'b'"),
    (torch.full((3, 2), -torch.inf), "the first is 'a'"),
    (torch.tensor([[0.25, 0.75], [1, 0], [0.5, 0.5]]), r"look like probabilities .*give logits"),
    (
        torch.tensor([[0.0, 1], [2, 0], [0, -7e4]]),
        r"65,504 .* first is 'c': record them with dtype=torch\.float32",
    ),
    (torch.zeros(3), r"must give logits \(3, C\)"),
]


@pytest.mark.parametrize(("logits", "said"), BAD)
def test_what_is_no_logits_is_refused(tmp_path, logits, said):
    with pytest.raises(ValueError, match=said):
        record_teacher(Says(logits), Split(list("abc"), torch.zeros(3, 1)), tmp_path, progress=False)
    assert not list(tmp_path.glob("shard*"))


@pytest.mark.parametrize(
    "logits",
    [
        [[0.25, 0.75], [1.0, 0.001]],  # one row does not sum to 1
        [[-0.25, 1.25], [1.0, 0.0]],  # one is negative
        [[0.0, -torch.inf], [1.0, 65504]],  # a class ruled out; the largest number that float16 holds
    ],
)
def test_what_could_be_logits_is_taken(tmp_path, logits):
    logits = torch.tensor(logits)
    outputs = record_teacher(Says(logits), Split([0, 1], torch.zeros(2, 1)), tmp_path, progress=False)
    torch.testing.assert_close(outputs.logits([0, 1]), logits, rtol=1e-3, atol=0)


def test_float32_holds_what_float16_does_not(tmp_path):
    logits = torch.tensor([[7e4, 1 / 3]])
    split = Split(["a"], torch.zeros(1, 1))
    outputs = record_teacher(Says(logits), split, tmp_path, dtype=torch.float32, progress=False)
    assert torch.equal(outputs.logits(["a"]), logits)


def test_only_the_logits_that_are_kept_must_fit(tmp_path):
    logits = torch.tensor([[0.0, 1.0, -7e4], [2.0, 0.0, -1e5]])
    outputs = record_teacher(
        Says(logits), Split(["a", "b"], torch.zeros(2, 1)), tmp_path, top_k=2, progress=False
    )
    assert outputs.top_k(["a", "b"])[0].tolist() == [[1.0, 0.0], [2.0, 0.0]]
    assert outputs.top_k(["a", "b"])[2].tolist() == [-7e4, -1e5]  # tails are stored in float32


def test_no_shard_is_made_where_none_is_left(split, tmp_path):
    whole_shards = split.take(slice(2 * SHARD))
    manifest = record_teacher(Teacher(), whole_shards, tmp_path, **SIZES).manifest
    recording = _Recording(
        Teacher(stop_at=0), whole_shards, tmp_path, BATCH, Processes(None), tqdm(disable=True)
    )
    assert recording._shard(manifest) is None


def test_a_folder_that_a_process_does_not_see_is_refused(tmp_path):
    with pytest.raises(
        ValueError, match=r"What the first process wrote in .* a disk that all processes share"
    ):
        _check_seen(tmp_path)


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        (dict(batch_size=0), "batch_size is 0: give 1 or more"),
        (dict(shard_rows=-1), "shard_rows is -1: give 1 or more"),
        (dict(top_k=0), "top_k is 0: give 1 or more"),
        (dict(top_k=C), "top_k is 5, but the teacher gives 5 logits a row"),
        (dict(dtype=torch.int8), r"dtype is torch\.int8: logits are stored as torch\.float16 or"),
        (dict(classes=["a", "b"]), "gives 5 logits a row, but there are 2 class names"),
    ],
)
def test_settings_out_of_range_are_refused(split, tmp_path, setting, said):
    with pytest.raises(ValueError, match=said):
        record_teacher(Teacher(), split, tmp_path, **{**SIZES, **setting})


def test_class_names_are_those_given_else_the_teachers(split, tmp_path):
    teacher = Teacher()
    teacher.classes = C  # a count, as of many models, is no name
    assert record_teacher(teacher, split, tmp_path / "a", **SIZES).classes[0] == "class 0"
    teacher.classes = list("vwxyz")
    assert record_teacher(teacher, split, tmp_path / "b", **SIZES).classes == tuple("vwxyz")
    assert record_teacher(teacher, split, tmp_path / "c", classes="abcde", **SIZES).classes == tuple("abcde")


def test_texts_go_to_the_teacher_as_a_list(tmp_path):
    class Reader(nn.Module):
        def forward(self, texts):
            assert isinstance(texts, list)
            return torch.tensor([[len(text), -1.0] for text in texts])

    texts = ["", "émoji 🙂", "\0", "x" * 100_000, "\ud800"]
    outputs = record_teacher(Reader(), Split(range(5), texts), tmp_path, dtype=torch.float32, progress=False)
    assert outputs.logits(range(5))[:, 0].tolist() == [len(text) for text in texts]


def test_a_bar_counts_rows_from_where_it_resumes(split, tmp_path, monkeypatch):
    asked, moved = [], []

    class Bar:
        update = moved.append
        __enter__ = __exit__ = lambda self, *_: self

    interrupted(split, tmp_path, 4)
    path = "kdhelpers.teacher_outputs.recording.progress_bar"
    monkeypatch.setattr(path, lambda **names: (asked.append(names), Bar())[1])
    record_teacher(Teacher(), split, tmp_path, **{**SIZES, "progress": True})
    assert asked == [dict(title="asking the teacher", unit="row", total=ROWS, shown=True)]
    assert moved == [16, 6, 6, 4, 6, 6, 4, 2]


def test_the_manifest_says_whether_a_view_was_augmented(split, tmp_path):
    record_teacher(Teacher(), split, tmp_path, augmented=True, **SIZES)
    assert Manifest.read(tmp_path).augmented
