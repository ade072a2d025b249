"""The causal transformer: what it may look at, what it refuses, and that many train as one does."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from kdhelpers.data import Split
from kdhelpers.language import CausalTransformer
from kdhelpers.seeding import generator, seeded
from kdhelpers.training import train, train_many


def small(seed: int = 0, layers: int = 2) -> CausalTransformer:
    return seeded(lambda: CausalTransformer(words=7, length=6, width=8, layers=layers, heads=2), seed)


def next_token(logits: torch.Tensor, batch) -> torch.Tensor:
    return F.cross_entropy(logits[:, :-1].flatten(0, 1), batch.inputs[:, 1:].flatten())


def test_no_place_sees_what_comes_later() -> None:
    model, tokens = small(), torch.randint(7, (3, 6), generator=generator(0))
    for place in range(1, 6):
        changed = tokens.clone()
        changed[:, place] = (changed[:, place] + 1) % 7
        before, after = model(tokens), model(changed)
        torch.testing.assert_close(before[:, :place], after[:, :place])
        assert not torch.allclose(before[:, place:], after[:, place:])


def test_a_shorter_text_gets_the_logits_of_its_part_in_a_longer_one() -> None:
    model, tokens = small(), torch.randint(7, (2, 6), generator=generator(1))
    torch.testing.assert_close(model(tokens[:, :4]), model(tokens)[:, :4])


def test_attention_equals_that_of_torch() -> None:
    block = small().blocks[0]
    attended = torch.randn(3, 5, 24, generator=generator(2))
    query, key, value = (part.unflatten(-1, (2, 4)).transpose(1, 2) for part in attended.split(8, -1))
    wanted = F.scaled_dot_product_attention(query, key, value, is_causal=True)
    torch.testing.assert_close(block._attend(attended), wanted.transpose(1, 2).flatten(2))


def test_many_train_as_each_would_alone() -> None:
    split = Split(range(12), torch.randint(7, (12, 6), generator=generator(3)))
    settings = dict(epochs=2, batch_size=4, learning_rate=1e-2, progress=False)
    together = [small(seed) for seed in (0, 1)]
    train_many(together, split, next_token, seeds=[0, 1], **settings)
    for seed, model in enumerate(together):
        alone = small(seed)
        train(alone, split, next_token, seed=seed, **settings)
        torch.testing.assert_close(alone(split.inputs), model(split.inputs), rtol=1e-3, atol=1e-4)


def test_it_learns_to_copy_the_token_before_last() -> None:
    first = torch.randint(7, (256, 2), generator=generator(4))
    split = Split(range(256), first.repeat(1, 3))  # abab…
    model = small(layers=1)
    train(model, split, next_token, epochs=30, batch_size=64, learning_rate=2e-2, progress=False)
    assert (model(split.inputs)[:, 1:-1].argmax(-1) == split.inputs[:, 2:]).double().mean() > 0.95


def test_it_has_the_weights_that_its_sizes_say() -> None:
    words, length, width, layers = 7, 6, 8, 2
    block = 12 * width**2 + 13 * width  # attention 4 w², network 8 w²; their biases and the norms
    wanted = 2 * words * width + length * width + layers * block + 2 * width
    assert sum(weight.numel() for weight in small().parameters()) == wanted


@pytest.mark.parametrize(
    ("sizes", "sentence"),
    [
        (dict(words=0, length=4), "words must be 1 or more, not 0"),
        (dict(words=4, length=4, layers=0), "layers must be 1 or more"),
        (dict(words=4, length=4, width=10, heads=4), "4 heads do not divide a width of 10"),
    ],
)
def test_sizes_that_cannot_be(sizes: dict[str, int], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        CausalTransformer(**sizes)


@pytest.mark.parametrize("shape", [(3, 7), (6,), (2, 3, 4)])
def test_tokens_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"\(B, L\) with L up to 6"):
        small()(torch.zeros(shape, dtype=torch.long))


def test_it_is_a_module_without_buffers() -> None:
    assert isinstance(small(), nn.Module)
    assert not list(small().buffers())
