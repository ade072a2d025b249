"""Where models run."""

import pytest
import torch
from torch import nn

from kdhelpers.devices import best_device, device_of


def test_a_wish_is_followed():
    assert best_device("cpu") == torch.device("cpu")
    assert best_device(torch.device("meta")).type == "meta"


@pytest.mark.parametrize(
    ("cuda", "mps", "wanted"), [(True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")]
)
def test_without_a_wish_a_gpu_is_preferred(monkeypatch, cuda, mps, wanted):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert best_device().type == wanted


@pytest.mark.parametrize("missing", ["cuda:99", "no such thing"])
def test_a_device_that_is_not_there_gets_a_sentence(missing):
    with pytest.raises(ValueError, match=r"There is no device .* here: use 'cpu', or leave it out\."):
        best_device(missing)


def test_a_model_is_asked_where_it_is():
    assert device_of(nn.Linear(1, 1, device="meta")).type == "meta"
    assert device_of(nn.Identity()).type == "cpu"


def test_a_model_with_buffers_alone_is_asked_too():
    model = nn.Module()
    model.register_buffer("mean", torch.empty(1, device="meta"))
    assert device_of(model).type == "meta"
