from __future__ import annotations

import signal
import sys

import pytest
import torch
from accelerate import Accelerator
from accelerate.utils import DistributedType
from torch import nn

from kdhelpers.data import Split
from kdhelpers.processes import Processes
from kdhelpers.teacher_outputs import record_teacher
from kdhelpers.training import train


@pytest.fixture
def accelerator():
    return Accelerator(cpu=True)


def split():
    generator = torch.Generator().manual_seed(0)
    return Split(range(20), torch.randn(20, 3, generator=generator), torch.arange(20) % 2)


def test_without_the_extra_one_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "accelerate", None)
    sentence = r"needs accelerate, which is not installed: run `pip install 'kdhelpers\[accelerate\]'`"
    with pytest.raises(ImportError, match=sentence):
        train(nn.Linear(3, 2), split(), epochs=1, progress=False, accelerator=object())
    train(nn.Linear(3, 2), split(), epochs=1, progress=False)  # nobody else needs it


def test_what_is_no_accelerator_is_refused(tmp_path):
    with pytest.raises(ValueError, match="accelerator is 'two': pass an accelerate"):
        record_teacher(nn.Linear(3, 2), split(), tmp_path, accelerator="two")


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        (
            "distributed_type",
            DistributedType.FSDP,
            "of type FSDP, which spreads one model over the processes",
        ),
        ("mixed_precision", "bf16", "has mixed precision or accumulates gradients"),
        ("gradient_accumulation_steps", 2, "has mixed precision or accumulates gradients"),
    ],
)
def test_accelerators_that_would_change_the_results_are_refused(
    accelerator, monkeypatch, name, value, sentence
):
    monkeypatch.setattr(type(accelerator), name, property(lambda self: value))
    with pytest.raises(ValueError, match=sentence):
        Processes(accelerator)


def test_an_accelerator_of_one_process_changes_nothing(accelerator, tmp_path):
    one, other = nn.Linear(3, 2), nn.Linear(3, 2)
    other.load_state_dict(one.state_dict())
    options = dict(epochs=3, batch_size=8, progress=False, validation=split())
    with_it = train(one, split(), accelerator=accelerator, **options)
    without = train(other, split(), device="cpu", **options)
    assert torch.equal(one.weight, other.weight)
    assert (with_it.loss, with_it.validation_accuracy) == (without.loss, without.validation_accuracy)
    outputs = record_teacher(one, split(), tmp_path / "with", accelerator=accelerator, progress=False)
    record_teacher(one, split(), tmp_path / "without", progress=False)
    for file in outputs.path.iterdir():
        assert file.read_bytes() == (tmp_path / "without" / file.name).read_bytes()


def test_alone_an_error_is_its_own():
    with pytest.raises(ZeroDivisionError):
        Processes().each(lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        Processes().once(lambda: 1 / 0)


def test_alone_ctrl_c_is_not_held_back():
    before = signal.getsignal(signal.SIGINT)
    with Processes().interrupted_together():
        assert signal.getsignal(signal.SIGINT) is before
