"""Two real processes on the CPU, as ``accelerate launch`` starts them, beside one that does it all alone."""

from __future__ import annotations

import os
import pickle
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import accelerate_job as job
import pytest
import torch

from kdhelpers.teacher_outputs import Manifest, record_teacher

pytestmark = pytest.mark.whole
PROCESSES = 2
RUNS = ("labels", "some labels", "teacher and some labels", "own loss", "one row", "float64")
WAIT = 120


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def launched(folder, task):
    options = "--multi_gpu --num_machines 1 --mixed_precision no --dynamo_backend no"
    command = [sys.executable, "-m", "accelerate.commands.launch", *options.split()]
    command += [
        "--main_process_port",
        str(free_port()),
        "--num_processes",
        str(PROCESSES),
        job.__file__,
        str(folder),
        task,
    ]
    paths = os.pathsep.join(
        [*map(str, (Path(job.__file__).parent, Path(job.__file__).parents[1])), *sys.path]
    )
    # libuv is not in every build of torch for Windows.
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": paths, "USE_LIBUV": "0"}
    with (folder / f"{task}.txt").open("w") as said:
        return subprocess.Popen(command, env=environment, stdout=said, stderr=subprocess.STDOUT)


def until(found, process):
    end = time.monotonic() + WAIT
    while not found():
        assert time.monotonic() < end, "it takes too long"
        assert process.poll() is None, "it ended too soon"
        time.sleep(0.01)


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """A folder where the first of two processes was killed while they recorded, and how that ended."""
    folder = tmp_path_factory.mktemp("launched")
    process = launched(folder, "slowly")
    until((folder / "store" / "manifest.json").exists, process)
    os.kill(int((folder / "pid-0").read_text()), getattr(signal, "SIGKILL", signal.SIGTERM))
    process.wait(WAIT)
    return folder, process.returncode, Manifest.read(folder / "store").recorded


@pytest.fixture(scope="module")
def found(killed):
    """What both processes of a whole run found, in the same folder."""
    folder = killed[0]
    process = launched(folder, "all")
    process.wait(WAIT)
    assert process.returncode == 0, (folder / "all.txt").read_text()
    return [pickle.loads((folder / f"found-{number}").read_bytes()) for number in range(PROCESSES)]


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The same trainings in this process alone."""
    return job.runs(tmp_path_factory.mktemp("alone"))


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def recorded(folder, **options):
    record_teacher(job.Teacher(), job.split_of(), folder, **{**job.RECORDING, **options})
    return content(folder)


def test_they_are_several_processes(found):
    assert [one["place"] for one in found] == [(0, 2, "MULTI_CPU"), (1, 2, "MULTI_CPU")]
    assert [one["each"] for one in found] == [[0, 10], [0, 10]]
    assert [one["once"] for one in found] == [found[0]["own"]] * 2
    assert found[0]["own"] != found[1]["own"]


# --- recording


@pytest.mark.parametrize(("name", "options"), [("fresh", {}), ("top", dict(top_k=2))])
def test_two_processes_store_the_bytes_that_one_stores(found, killed, tmp_path, name, options):
    assert content(killed[0] / name) == recorded(tmp_path, **options)


def test_a_process_killed_ends_the_run_and_the_same_call_goes_on_to_the_same_bytes(killed, found, tmp_path):
    folder, code, safe = killed
    assert code != 0
    assert 0 < safe < job.ROWS
    assert content(folder / "store") == recorded(tmp_path)


def test_one_process_goes_on_where_two_failed(found, killed, tmp_path):
    folder = killed[0] / "failed"
    assert Manifest.read(folder).recorded == 2 * 6  # a shard of each, before the second stumbled
    assert recorded(folder) == recorded(tmp_path)


# --- training


@pytest.mark.parametrize("name", RUNS)
def test_two_processes_learn_what_one_learns(found, alone, name):
    (weights, history), tolerance = alone[name], 1e-12 if name == "float64" else 1e-5
    for one in found:
        theirs, told = one["runs"][name]
        for part, weight in weights.items():
            torch.testing.assert_close(theirs[part], weight, rtol=0, atol=tolerance)
        assert told.loss == pytest.approx(history.loss, abs=tolerance)
        assert told.validation_accuracy == history.validation_accuracy
        assert told.steps == history.steps


def test_the_trainings_differ_from_each_other_and_from_their_start(alone):
    starts = job.state(job.student())
    ends = [weights["0.weight"].float() for name, (weights, _) in alone.items() if name != "float64"]
    for place, end in enumerate(ends):
        assert all((end - other).abs().max() > 1e-3 for other in (*ends[:place], starts["0.weight"]))


@pytest.mark.parametrize("name", RUNS)
def test_all_processes_end_with_the_same_weights_and_history(found, name):
    (first, told), (second, also_told) = (one["runs"][name] for one in found)
    assert first.keys() == second.keys()
    assert all(torch.equal(first[part], second[part]) for part in first)
    assert told == also_told  # seconds and all


def test_a_weight_that_nothing_reaches_stays_as_in_one_process(found):
    assert torch.equal(found[1]["runs"]["labels"][0]["1.idle"], torch.ones(2))


def test_batch_norm_ends_the_same_everywhere(found):
    first, second = (one["batch norm"][0] for one in found)
    assert all(torch.equal(first[part], second[part]) for part in first)
    assert first["1.num_batches_tracked"] == 15


def test_each_process_draws_its_own_random_numbers(found):
    assert not torch.equal(found[0]["dropped"], found[1]["dropped"])


# --- errors


@pytest.mark.parametrize(
    ("kind", "where", "words"),
    [
        ("teacher", 1, "ValueError: the teacher stumbled"),
        ("loss", 1, "ZeroDivisionError: the loss stumbled"),
        ("stale", 0, "StaleTeacherOutputs: "),
    ],
)
def test_an_error_of_one_process_is_told_to_the_others(found, kind, where, words):
    own, other = found[where]["failures"][kind], found[1 - where]["failures"][kind]
    assert own.startswith(words)
    assert other == f"RuntimeError: Process {where} of 2 failed, so that this one stops too: {own}"


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("other teacher", "ValueError: Process 1 has another teacher, split or setting than process 0: "),
        ("other split", "ValueError: Process 1 has another split than process 0: "),
        ("diverged", "FloatingPointError: The loss became nan in epoch 1: "),
    ],
)
def test_what_is_wrong_for_all_is_said_by_all(found, kind, sentence):
    assert [one["failures"][kind].startswith(sentence) for one in found] == [True, True]


def test_all_stop_after_the_same_step_when_one_is_interrupted(found, killed):
    (first, told), (second, also_told) = (one["interrupted"] for one in found)
    assert told == also_told
    assert (told.interrupted, told.steps) == (True, 4)  # the step in which it came is finished first
    assert all(torch.equal(first[part], second[part]) for part in first)
    assert (killed[0] / "all.txt").read_text().count("Interrupted in epoch 2 of 5, after 4 steps") == 1


def test_the_accelerator_chooses_the_device(found):
    assert found[0]["wrong device"].startswith("ValueError: The accelerator chooses the device: ")
