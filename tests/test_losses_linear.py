"""The loss from hidden states is the loss of their logits, however it is cut into chunks."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from loss_references import logits
from torch import Tensor

from kdhelpers.losses import kd_loss, linear, linear_kd_loss

N, D, E, V = 7, 3, 4, 150


def case(words: int = V, dtype: torch.dtype = torch.float64) -> dict[str, Tensor]:
    sizes = dict(
        student_hidden=(N, D),
        student_weight=(words, D),
        teacher_hidden=(N, E),
        teacher_weight=(words, E),
        student_bias=(words,),
        teacher_bias=(words,),
    )
    tensors = {
        name: logits(*size, seed=n, scale=1, dtype=dtype) for n, (name, size) in enumerate(sizes.items())
    }
    return {name: x.requires_grad_(name.startswith("student")) for name, x in tensors.items()}


def plain(c: dict[str, Tensor], temperature: float = 1.0, **options) -> Tensor:
    student = F.linear(c["student_hidden"], c["student_weight"], c.get("student_bias"))
    teacher = F.linear(c["teacher_hidden"], c["teacher_weight"], c.get("teacher_bias"))
    return kd_loss(student, teacher, temperature, **options)


def gradients(loss: Tensor, c: dict[str, Tensor]) -> list[Tensor]:
    return list(torch.autograd.grad(loss, [x for x in c.values() if x.requires_grad]))


@given(
    chunk_size=st.integers(1, 9),
    temperature=st.sampled_from([1.0, 3.0]),
    reduction=st.sampled_from(["mean", "sum", "none"]),
    bias=st.booleans(),
    words=st.sampled_from([5, 150]),
)
@settings(max_examples=25, deadline=None, derandomize=True)
def test_value_and_gradients_are_those_of_the_logits(
    chunk_size: int, temperature: float, reduction: str, bias: bool, words: int
) -> None:
    c = case(words)
    if not bias:
        del c["student_bias"], c["teacher_bias"]
    options = dict(temperature=temperature, reduction=reduction)
    found, expected = linear_kd_loss(**c, chunk_size=chunk_size, **options), plain(c, **options)
    torch.testing.assert_close(found, expected)
    weights = logits(*found.shape, seed=9) if reduction == "none" else 2.5
    pairs = (gradients((x * weights).sum(), c) for x in (found, expected))
    for one, other in zip(*pairs, strict=True):
        torch.testing.assert_close(one, other)


def test_against_finite_differences() -> None:
    c = case(5)
    names = ("student_hidden", "student_weight", "student_bias")

    def loss(*tensors: Tensor, **options: object) -> Tensor:
        return linear_kd_loss(**{**c, **dict(zip(names, tensors, strict=False))}, chunk_size=3, **options)

    leaves = tuple(c[name] for name in names)
    assert torch.autograd.gradcheck(loss, leaves)
    for reduction in ("mean", "none"):
        assert torch.autograd.gradgradcheck(lambda *x, r=reduction: loss(*x, reduction=r), leaves)
    del c["student_bias"]
    assert torch.autograd.gradgradcheck(loss, leaves[:2])
    c["student_weight"].requires_grad_(False)
    assert torch.autograd.gradgradcheck(loss, leaves[:1])


@pytest.mark.parametrize("frozen", ["student_hidden", "student_weight", "student_bias"])
def test_what_wants_no_gradient_gets_none(frozen: str) -> None:
    c = case()
    c[frozen].requires_grad_(False)
    linear_kd_loss(**c).backward()
    assert c[frozen].grad is None
    for name in {"student_hidden", "student_weight", "student_bias"} - {frozen}:
        assert c[name].grad.abs().sum() > 0
    with torch.no_grad():
        torch.testing.assert_close(linear_kd_loss(**c), plain(c))


@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_the_teacher_gets_no_gradient(reduction: str) -> None:
    c = {name: x.requires_grad_() for name, x in case().items()}
    linear_kd_loss(**c, reduction=reduction).sum().backward()
    assert [name for name, x in c.items() if x.grad is None] == [
        "teacher_hidden",
        "teacher_weight",
        "teacher_bias",
    ]


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_masks_and_leading_dimensions(reduction: str) -> None:
    c = case()
    for name, width in (("student_hidden", D), ("teacher_hidden", E)):
        c[name] = logits(2, 3, width, seed=width).requires_grad_(name.startswith("student"))
    mask = torch.tensor([[True, False, True], [False, True, True]])
    found = linear_kd_loss(**c, mask=mask, reduction=reduction, chunk_size=3)
    torch.testing.assert_close(found, plain(c, mask=mask, reduction=reduction))
    torch.testing.assert_close(linear_kd_loss(**c, reduction=reduction), plain(c, reduction=reduction))
    found.sum().backward()
    assert (c["student_hidden"].grad[~mask] == 0).all()
    with torch.no_grad():
        c["student_hidden"][~mask], c["teacher_hidden"][~mask] = math.nan, math.inf
    torch.testing.assert_close(linear_kd_loss(**c, mask=mask, reduction=reduction), found)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_no_row_that_counts(reduction: str) -> None:
    c = case()
    loss = linear_kd_loss(**c, mask=torch.zeros(N, dtype=torch.bool), reduction=reduction)
    loss.sum().backward()
    assert (loss == 0).all()
    for name in ("student_hidden", "student_weight", "student_bias"):
        assert (c[name].grad == 0).all()


def test_words_that_pad_a_layer_are_left_out() -> None:
    c = case()
    expected = plain(c)
    longer = {**c}
    for name, extra in (("teacher_weight", logits(6, E, seed=8)), ("teacher_bias", logits(6, seed=8) + 9)):
        longer[name] = torch.cat([c[name], extra])
    torch.testing.assert_close(linear_kd_loss(**longer), expected)
    bare = {name: x for name, x in longer.items() if "bias" not in name}
    shorter = {**bare, "teacher_weight": c["teacher_weight"]}
    torch.testing.assert_close(linear_kd_loss(**bare), plain(shorter))
    both = {**longer}
    for name, extra in (("student_weight", logits(2, D, seed=8)), ("student_bias", logits(2, seed=8) + 9)):
        both[name] = torch.cat([c[name].detach(), extra]).requires_grad_()
    loss = linear_kd_loss(**both, vocabulary=V)
    torch.testing.assert_close(loss, expected)
    loss.backward()
    assert (both["student_weight"].grad[V:] == 0).all()
    assert (both["student_weight"].grad[:V] != 0).all()


def test_words_that_both_rule_out_by_their_bias_take_no_part() -> None:
    c = case()
    with torch.no_grad():
        for name in ("student_bias", "teacher_bias"):
            c[name][3] = -math.inf
    loss, expected = linear_kd_loss(**c), plain(c)
    torch.testing.assert_close(loss, expected)
    (found,) = torch.autograd.grad(loss, c["student_hidden"])
    torch.testing.assert_close(found, torch.autograd.grad(expected, c["student_hidden"])[0])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_wide_where_it_matters(dtype: torch.dtype) -> None:
    c = case(dtype=dtype)
    loss = linear_kd_loss(**c)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, plain(c))
    loss.backward()
    wide = {name: x.detach().float().requires_grad_(x.requires_grad) for name, x in c.items()}
    expected = gradients(plain(wide), wide)
    for name, gradient in zip(("student_hidden", "student_weight", "student_bias"), expected, strict=True):
        assert c[name].grad.dtype == dtype
        error = (c[name].grad.float() - gradient).abs().max()
        assert error < 0.02 * gradient.abs().max()


def test_autocast_takes_the_products_in_half_and_the_rest_in_float32() -> None:
    c = case(dtype=torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss, expected = linear_kd_loss(**c), plain(c)
        mixed = linear_kd_loss(**{**c, "student_hidden": c["student_hidden"].bfloat16()})
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(mixed, expected)
    loss.backward()
    assert c["student_weight"].grad.dtype == torch.float32


def test_never_more_than_a_chunk_of_logits_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    real = linear._logits
    monkeypatch.setattr(linear, "_logits", lambda *layer: made.append(len(layer[0])) or real(*layer))
    linear_kd_loss(**case(), chunk_size=3).backward()
    assert made == [3, 3, 3, 3, 1, 1]  # both models', of 7 rows, once
    made.clear()
    linear_kd_loss(**case(), chunk_size=3, reduction="none").sum().backward()
    assert sorted(made) == sorted(2 * [3, 3, 3, 3, 1, 1])  # again in the backward pass
    made.clear()
    monkeypatch.setattr(linear, "_HELD", 2 * V)
    linear_kd_loss(**case())
    assert max(made) == 2


def test_the_graph_can_be_walked_twice() -> None:
    c = case()
    loss = linear_kd_loss(**c)
    loss.backward(retain_graph=True)
    once = c["student_weight"].grad.clone()
    loss.backward()
    torch.testing.assert_close(c["student_weight"].grad, 2 * once)


def test_under_func_grad() -> None:
    c = case()
    rest = {name: x.detach() for name, x in c.items() if name != "student_hidden"}
    hidden = c["student_hidden"].detach()
    found = torch.func.grad(lambda h: linear_kd_loss(h, **rest))(hidden)
    torch.testing.assert_close(found, gradients(plain(c), c)[0])


def test_bad_arguments() -> None:
    c = case()

    def refused(words: str, **changes: object) -> None:
        with pytest.raises(ValueError, match=words):
            linear_kd_loss(**{**c, **changes})  # type: ignore[arg-type]

    refused(
        r"^student_hidden has shape \(7, 4\) and student_weight \(150, 3\); give", student_hidden=logits(7, 4)
    )
    refused(r"^teacher_hidden has shape \(7, 4\) and teacher_weight \(4,\)", teacher_weight=logits(4))
    refused(r"teacher_weight \(0, 4\)", teacher_weight=logits(0, 4))
    refused(
        r"^student_hidden has rows of shape \(7,\) and teacher_hidden \(6,\)", teacher_hidden=logits(6, 4)
    )
    refused(r"rows of shape \(7,\) and teacher_hidden \(7, 2\); both", teacher_hidden=logits(7, 2, 4))
    refused(r"^teacher_bias has shape", teacher_bias=logits(3))
    refused(r"^student_bias has shape \(3,\), but student_weight has 150 words; give", student_bias=logits(3))
    refused(
        r"^teacher_hidden has dtype torch.float32 and teacher_weight torch.float64; give both the same\.$",
        teacher_hidden=logits(7, 4).float(),
    )
    refused(
        r"^vocabulary is 151, but the student has 150 words and the teacher 150; give at most 150\.$",
        vocabulary=151,
    )
    assert linear_kd_loss(**c, vocabulary=150) == linear_kd_loss(**c)  # all words that there are
    refused(r"^vocabulary is 0; give a whole number of 1 or more\.$", vocabulary=0)
    refused(r"^chunk_size is 0", chunk_size=0)
    refused(r"^temperature is 0", temperature=0)
    refused(r"^reduction is 'all'", reduction="all")
    refused(r"^mask has shape \(3,\), but the hidden states have rows", mask=torch.ones(3, dtype=torch.bool))
    refused(r"^student_weight has dtype torch.int64", student_weight=torch.ones(150, 3, dtype=torch.int64))
    for name in c:
        spoilt = c[name].detach().clone()
        spoilt.view(-1)[1] = math.nan
        for reduction in ("mean", "none"):
            refused(rf"^{name} holds NaN or \+inf where it counts", **{name: spoilt}, reduction=reduction)
    refused(
        r"^The loss is NaN although all that goes in is finite",
        student_hidden=torch.full_like(c["student_hidden"], 1e300),
        student_weight=torch.full_like(c["student_weight"], 1e300),
    )


@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_gradients_that_can_be_differentiated_are_the_same_gradients(temperature: float) -> None:
    c = case()
    wanted = [x for x in c.values() if x.requires_grad]
    expected = torch.autograd.grad(5 * linear_kd_loss(**c, temperature=temperature, chunk_size=2), wanted)
    loss = 5 * linear_kd_loss(**c, temperature=temperature, chunk_size=2)
    for one, other in zip(torch.autograd.grad(loss, wanted, create_graph=True), expected, strict=True):
        assert one.requires_grad
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_one_row(reduction: str) -> None:
    c = case()
    for name in ("student_hidden", "teacher_hidden"):
        c[name] = c[name][:1].detach()
    found = linear_kd_loss(**c, reduction=reduction)
    torch.testing.assert_close(found, plain(c, reduction=reduction))


def test_a_mask_under_func_grad_averages_over_rows_that_count() -> None:
    c = {name: x.detach() for name, x in case().items()}
    mask = torch.tensor([True, False, True, True, False, False, True])

    def loss(bias: Tensor) -> Tensor:
        return linear_kd_loss(**{**c, "student_bias": bias}, mask=mask)

    found = torch.func.grad(loss)(c["student_bias"])
    bias = c["student_bias"].clone().requires_grad_()
    (expected,) = torch.autograd.grad(plain({**c, "student_bias": bias}, mask=mask), bias)
    torch.testing.assert_close(found, expected)
