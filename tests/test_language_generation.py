"""Generation: greedy and drawn texts, the end, and what is refused."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kdhelpers.language import CausalTransformer, generate
from kdhelpers.seeding import generator, seeded


def counting(tokens: Tensor) -> Tensor:
    return 10 * F.one_hot((tokens + 1) % 5, 5).float()


def fair(tokens: Tensor) -> Tensor:
    return torch.tensor([0.7, 0.3]).log().expand(*tokens.shape, 2)


def test_the_most_probable_token_follows() -> None:
    written = generate(counting, torch.tensor([[1, 2], [3, 4]]), new_tokens=3)
    assert written.tolist() == [[1, 2, 3, 4, 0], [3, 4, 0, 1, 2]]


def test_each_row_ends_by_itself() -> None:
    written = generate(counting, torch.tensor([[1], [3]]), new_tokens=4, end_token=4)
    assert written.tolist() == [[1, 2, 3, 4, 4], [3, 4, 4, 4, 4]]


def test_an_end_in_the_prompt_does_not_end_the_answer() -> None:
    assert generate(counting, torch.tensor([[4, 0]]), new_tokens=2, end_token=4).tolist() == [[4, 0, 1, 2]]


@pytest.mark.parametrize(("temperature", "share"), [(1.0, 0.7), (2.0, 0.604), (0.5, 0.845)])
def test_tokens_are_drawn_as_often_as_they_should_be(temperature: float, share: float) -> None:
    prompts = torch.zeros(4_000, 1, dtype=torch.long)
    drawn = generate(fair, prompts, 2, temperature=temperature, random=generator(0))[:, 1:]
    assert (drawn == 0).double().mean().item() == pytest.approx(share, abs=0.025)


def test_a_generator_repeats_its_draws() -> None:
    prompts = torch.zeros(8, 1, dtype=torch.long)
    one, two, other = (
        generate(fair, prompts, 9, temperature=1.0, random=generator(seed)) for seed in (1, 1, 2)
    )
    assert torch.equal(one, two)
    assert not torch.equal(one, other)


def test_step_by_step_equals_all_at_once() -> None:
    model = seeded(lambda: CausalTransformer(6, 8, width=8, layers=2, heads=2), 0)
    written = generate(model, torch.randint(6, (4, 3), generator=generator(0)), new_tokens=5)
    assert torch.equal(model(written)[:, 2:-1].argmax(-1), written[:, 3:])


def test_answers_that_hold_logits_and_modes_that_come_back() -> None:
    class Holder(nn.Module):
        def forward(self, tokens: Tensor) -> SimpleNamespace:
            assert not self.training
            return SimpleNamespace(logits=counting(tokens))

    model = Holder().train()
    assert generate(model, torch.tensor([[0]]), new_tokens=1).tolist() == [[0, 1]]
    assert model.training


def test_nothing_of_it_has_a_gradient() -> None:
    model = CausalTransformer(5, 4, width=8, layers=1, heads=2)
    assert not generate(model, torch.tensor([[0]]), 2, temperature=1.0).requires_grad
    assert all(weight.grad is None for weight in model.parameters())


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (dict(prompts=torch.zeros(3, dtype=torch.long)), r"shape \(3,\): give whole numbers \(B, P\)"),
        (dict(prompts=torch.zeros(3, 2)), "torch.float32"),
        (dict(new_tokens=0), "new_tokens is 0: give 1 or more"),
        (dict(temperature=-1.0), "temperature is -1.0"),
        (dict(temperature=float("nan")), "temperature is nan"),
    ],
)
def test_what_is_refused(arguments: dict, sentence: str) -> None:
    given = dict(prompts=torch.tensor([[1]]), new_tokens=2) | arguments
    with pytest.raises(ValueError, match=sentence):
        generate(counting, **given)
