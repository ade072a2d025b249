from __future__ import annotations

import pytest
import torch
from torch import nn

from kdhelpers.data import Split
from kdhelpers.evaluation import in_mode, predict_logits


@pytest.fixture
def split():
    return Split(ids=range(11), inputs=torch.randn(11, 4, generator=torch.Generator().manual_seed(0)))


def test_rows_come_in_order_whatever_the_batch_size(split):
    model = nn.Linear(4, 3)
    expected = model(split.inputs).detach()
    for size in (1, 4, 11, 512):
        found = predict_logits(model, split, batch_size=size)
        torch.testing.assert_close(found, expected)
        assert not found.requires_grad


def test_a_bar_is_shown_only_on_request(split, monkeypatch):
    asked = []
    path = "kdhelpers.evaluation.prediction.progress_bar"
    monkeypatch.setattr(path, lambda steps, *, shown, **names: (asked.append(shown), steps)[1])
    predict_logits(nn.Linear(4, 3), split)
    predict_logits(nn.Linear(4, 3), split, progress=True)
    assert asked == [False, True]


def test_dropout_is_off_and_every_part_keeps_its_own_mode(split):
    model = nn.Sequential(nn.Linear(4, 3), nn.Dropout(0.9), nn.BatchNorm1d(3))
    model.train()
    model[2].eval()
    mean = model[2].running_mean.clone()
    assert torch.equal(predict_logits(model, split), predict_logits(model, split))
    assert [part.training for part in model.modules()] == [True, True, True, False]
    assert torch.equal(mean, model[2].running_mean)


def test_mode_is_restored_after_an_error(split):
    model = nn.Sequential(nn.Linear(9, 3))  # wrong width
    with pytest.raises(RuntimeError):
        predict_logits(model, split)
    assert model.training
    with in_mode(model, training=False):
        assert not model[0].training
    assert model[0].training


@pytest.mark.parametrize("kind", ["parameter", "buffer"])
def test_inputs_go_where_the_model_is(split, kind):
    asked = []

    class Elsewhere(nn.Module):
        def __init__(self):
            super().__init__()
            tensor = torch.zeros(1, device="meta")
            if kind == "parameter":
                self.place = nn.Parameter(tensor)
            else:
                self.register_buffer("place", tensor)

        def forward(self, inputs):
            asked.append(inputs.device.type)
            return torch.zeros(len(inputs), 3)

    assert predict_logits(Elsewhere(), split).shape == (11, 3)
    assert asked == ["meta"]


def test_texts_are_passed_on_as_lists():
    class Lengths(nn.Module):
        def forward(self, texts):
            assert isinstance(texts, list)
            return torch.tensor([[len(text), 0.0] for text in texts])

    split = Split(ids=["a", "b", "c"], inputs=["one", "three", ""])
    assert predict_logits(Lengths(), split, batch_size=2)[:, 0].tolist() == [3.0, 5.0, 0.0]


def test_wider_models_give_float32_that_a_later_loss_may_use(split):
    model = nn.Linear(4, 3).double()
    logits = predict_logits(model, Split(split.ids, split.inputs.double()))
    assert logits.dtype == torch.float32
    student = torch.zeros(11, 3, requires_grad=True)
    (student * logits).sum().backward()  # logits made in inference mode would be refused here
    assert torch.equal(student.grad, logits)


def test_what_is_not_logits_is_refused(split):
    with pytest.raises(ValueError, match=r"gives \(44,\) for 11 rows: it must give logits \(11, C\)"):
        predict_logits(nn.Flatten(0), split)
    with pytest.raises(ValueError, match=r"gives \(11, 4, 1\) for 11 rows: it must give logits \(11, C\)"):
        predict_logits(nn.Unflatten(1, (4, 1)), split)
    with pytest.raises(ValueError, match="gives list for 11 rows"):
        predict_logits(lambda inputs: inputs.tolist(), split)
    with pytest.raises(ValueError, match="batch_size is 0"):
        predict_logits(nn.Identity(), split, batch_size=0)
