from __future__ import annotations

from collections import namedtuple
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from transformers.modeling_outputs import BaseModelOutput, SequenceClassifierOutput

from kdhelpers.data import Split
from kdhelpers.evaluation import evaluate, predict_logits
from kdhelpers.logits import logits_of
from kdhelpers.seeding import seeded
from kdhelpers.teacher_outputs import collect_logits, record_teacher
from kdhelpers.training import distill, train, train_many

LOGITS = torch.tensor([[1.0, 2.0]])
Named = namedtuple("Named", ["logits", "aux_logits"])  # as torchvision's GoogLeNet gives while it trains


class Answers(nn.Module):
    """A linear model whose answer takes another form."""

    def __init__(self, form):
        super().__init__()
        self.linear, self.form = seeded(lambda: nn.Linear(3, 2), seed=0), form

    def forward(self, inputs):
        return self.form(self.linear(inputs))


FORMS = [
    lambda logits: logits,
    lambda logits: {"logits": logits, "loss": None},
    lambda logits: SequenceClassifierOutput(logits=logits, hidden_states=(logits,)),
    lambda logits: SimpleNamespace(logits=logits),
    lambda logits: Named(logits, None),
]


@pytest.fixture
def split():
    generator = torch.Generator().manual_seed(0)
    return Split(range(20), torch.randn(20, 3, generator=generator), torch.arange(20) % 2)


@pytest.mark.parametrize("form", FORMS)
def test_the_logits_are_found_in_every_form(form):
    assert logits_of(form(LOGITS)) is LOGITS


@pytest.mark.parametrize("form", FORMS[1:])
def test_every_step_takes_models_that_answer_in_this_form(form, split, tmp_path):
    model, plain = Answers(form), Answers(FORMS[0])
    assert torch.equal(predict_logits(model, split), predict_logits(plain, split))
    assert str(evaluate(model, split)) == str(evaluate(plain, split))
    outputs = record_teacher(model, split, tmp_path, dtype=torch.float32, progress=False)
    assert torch.equal(outputs.logits(split.ids), collect_logits(plain, split).logits(split.ids))

    options = dict(epochs=2, batch_size=8, progress=False, device="cpu")
    for run in (train, lambda student, *_, **o: distill(student, split, outputs, **o)):
        run(model, split, **options)
        run(plain, split, **options)
        assert torch.equal(model.linear.weight, plain.linear.weight)
    together = Answers(form)
    train_many([together], split, seeds=[0], **options)
    alone = Answers(FORMS[0])
    train(alone, split, seed=0, **options)
    torch.testing.assert_close(together.linear.weight, alone.linear.weight)


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        (lambda logits: BaseModelOutput(last_hidden_state=logits), "gives last_hidden_state, but no logits"),
        (lambda logits: (logits, logits), "gives a tuple, but no logits"),
        (lambda logits: {}, "gives an empty mapping, but no logits"),
    ],
)
def test_an_answer_without_logits_is_refused(form, sentence, split):
    with pytest.raises(ValueError, match=sentence):
        train(Answers(form), split, epochs=1, progress=False, device="cpu")
    with pytest.raises(ValueError, match=sentence):
        predict_logits(Answers(form), split)
