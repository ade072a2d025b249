"""Bad input to a loss: one clear sentence each, read here."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from loss_references import LOSSES, SOFTENED, logits

from kdhelpers.losses import distillation_loss, js_divergence_loss, kd_loss
from kdhelpers.losses.checks import is_traced

GOOD = torch.zeros(3, 4)
LABELS = torch.tensor([0, 1, 2])


def sentence(error: pytest.ExceptionInfo[Any]) -> str:
    text = str(error.value)
    assert "\n" not in text
    assert text.endswith(".")
    return text


@pytest.mark.parametrize("name", LOSSES)
def test_shapes_that_differ(name: str) -> None:
    with pytest.raises(ValueError, match="student_logits has shape") as error:
        LOSSES[name](GOOD, torch.zeros(3, 5))
    assert sentence(error) == (
        "student_logits has shape (3, 4) and teacher_logits (3, 5); "
        "both need the same rows and the same classes."
    )


@pytest.mark.parametrize("name", SOFTENED)
@pytest.mark.parametrize("temperature", [0, -1.0, math.inf, math.nan])
def test_temperature_not_above_zero(name: str, temperature: float) -> None:
    with pytest.raises(ValueError, match="temperature is") as error:
        SOFTENED[name](GOOD, GOOD, temperature=temperature)
    assert sentence(error) == f"temperature is {temperature}; give a finite number above 0, such as 4."


@pytest.mark.parametrize("kd_weight", [-0.1, 1.1, math.nan])
def test_kd_weight_outside_0_to_1(kd_weight: float) -> None:
    with pytest.raises(ValueError, match="kd_weight") as error:
        distillation_loss(GOOD, GOOD, LABELS, kd_weight=kd_weight)
    assert sentence(error) == f"kd_weight is {kd_weight}; give a number from 0 to 1."


def test_beta_outside_0_to_1() -> None:
    with pytest.raises(ValueError, match="beta") as error:
        js_divergence_loss(GOOD, GOOD, beta=1.5)
    assert sentence(error) == "beta is 1.5; give a number from 0 to 1."


@pytest.mark.parametrize("wrong", [4, -1])
def test_labels_out_of_range(wrong: int) -> None:
    with pytest.raises(ValueError, match="out of range") as error:
        distillation_loss(GOOD, GOOD, torch.tensor([-100, wrong, wrong]))
    assert sentence(error) == (
        f"labels row 1 is {wrong}, out of range for 4 classes (2 such rows): use 0 to 3, "
        "or -100 for a row without a label."
    )


@pytest.mark.parametrize("wrong", [4, -1])
def test_one_label_too_far_is_found_where_all_have_one(wrong: int) -> None:
    with pytest.raises(ValueError, match=f"labels row 2 is {wrong}, out of range for 4 classes"):
        distillation_loss(GOOD, GOOD, torch.tensor([0, 3, wrong]))


def test_labels_of_a_sequence_name_the_place() -> None:
    with pytest.raises(ValueError, match=r"labels row \(1, 2\) is 9"):
        distillation_loss(torch.zeros(2, 3, 4), torch.zeros(2, 3, 4), torch.tensor([[0, 1, 2], [3, 0, 9]]))


def test_another_ignore_index_is_taken_and_named() -> None:
    student, labels = logits(3, 4), torch.tensor([-1, 2, -1])
    for kd_weight in (0.0, 0.5):
        rows = distillation_loss(
            student, student, labels, kd_weight=kd_weight, ignore_index=-1, reduction="none"
        )
        expected = (1 - kd_weight) * -student[1].log_softmax(0)[2]
        torch.testing.assert_close(rows, torch.stack([expected * 0, expected, expected * 0]))
    assert distillation_loss(GOOD, GOOD, torch.tensor([-1, -1, -1]), ignore_index=-1) == 0
    with pytest.raises(ValueError, match="or -1 for a row without a label"):
        distillation_loss(GOOD, GOOD, torch.tensor([-100, -1, 0]), ignore_index=-1)


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (torch.zeros(3), "labels are torch.float32; give class numbers as a torch.int64 tensor."),
        (
            torch.zeros(3, dtype=torch.bool),
            "labels are torch.bool; give class numbers as a torch.int64 tensor.",
        ),
        ([0, 1, 2], "labels are list; give class numbers as a torch.int64 tensor."),
        (
            torch.tensor([0, 1]),
            "labels have shape (2,), but the logits have rows of shape (3,); give one label a row.",
        ),
    ],
)
def test_labels_of_the_wrong_kind(labels: Any, words: str) -> None:
    with pytest.raises(ValueError, match="labels") as error:
        distillation_loss(GOOD, GOOD, labels)
    assert sentence(error) == words


def test_int32_labels_are_fine() -> None:
    student = logits(3, 4)
    expected = distillation_loss(student, student, LABELS)
    assert torch.equal(distillation_loss(student, student, LABELS.int()), expected)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("whose", ["student_logits", "teacher_logits"])
@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_nan_logits_are_found_and_named(name: str, whose: str, reduction: str) -> None:
    spoilt = logits(5, 4)
    spoilt[2, 1] = spoilt[4, 0] = math.nan
    both = {"student_logits": logits(5, 4), "teacher_logits": logits(5, 4)} | {whose: spoilt}
    with pytest.raises(ValueError, match="NaN") as error:
        LOSSES[name](**both, reduction=reduction)
    assert sentence(error).startswith(f"{whose} hold NaN in 2 of 5 rows, first in row 2: look at the inputs")


def test_nan_in_the_mixture_in_a_sequence_and_beside_a_mask() -> None:
    spoilt = logits(2, 3, 4)
    spoilt[1, 0, 2] = math.nan
    with pytest.raises(ValueError, match=r"student_logits hold NaN in 1 of 6 rows, first in row \(1, 0\)"):
        distillation_loss(spoilt, logits(2, 3, 4), torch.zeros(2, 3, dtype=torch.int64))
    mask = torch.ones(2, 3, dtype=torch.bool)
    with pytest.raises(ValueError, match=r"teacher_logits hold NaN in 1 of 6 rows, first in row \(1, 0\)"):
        kd_loss(logits(2, 3, 4), spoilt, mask=mask)
    # Padding that is NaN too is not to blame.
    spoilt[0], mask[0] = math.nan, False
    with pytest.raises(ValueError, match=r"teacher_logits hold NaN in 1 of 6 rows, first in row \(1, 0\)"):
        kd_loss(logits(2, 3, 4), spoilt, mask=mask)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ([0.0, math.inf], "teacher_logits hold \\+inf in 1"),
        ([-math.inf] * 2, "teacher_logits hold nothing but -inf"),
    ],
)
def test_infinities_that_leave_no_probabilities(row: list[float], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        kd_loss(torch.zeros(1, 2), torch.tensor([row]))
    with pytest.raises(ValueError, match=f"{words.removesuffix(' in 1')} in 1 of 3 rows, first in row 1: "):
        kd_loss(torch.zeros(3, 2), torch.tensor([[0.0, 1.0], row, [1.0, -1.0]]))


def test_nan_that_no_logit_explains() -> None:
    with pytest.raises(ValueError, match="although no logit is") as error:
        kd_loss(torch.tensor([[1.0, 2.0]]), torch.tensor([[2.0, 1.0]]), temperature=1e-45)
    assert "temperature is too small" in sentence(error)


def test_mask_of_the_wrong_kind() -> None:
    with pytest.raises(ValueError, match="mask") as error:
        kd_loss(GOOD, GOOD, mask=torch.ones(3))
    assert sentence(error) == "mask is torch.float32; give a torch.bool tensor, True where a row counts."
    with pytest.raises(ValueError, match=r"mask is list; give a torch\.bool tensor"):
        kd_loss(GOOD, GOOD, mask=[True, False, True])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="mask") as error:
        kd_loss(GOOD, GOOD, mask=torch.ones(3, 4, dtype=torch.bool))
    assert sentence(error) == (
        "mask has shape (3, 4), but the logits have rows of shape (3,); give one entry a row."
    )


def test_reduction_unknown() -> None:
    with pytest.raises(ValueError, match="reduction") as error:
        kd_loss(GOOD, GOOD, reduction="batchmean")
    assert sentence(error) == ("reduction is 'batchmean'; choose 'mean' (over valid rows), 'sum' or 'none'.")


def test_logits_that_are_not_logits() -> None:
    with pytest.raises(TypeError, match=r"teacher_logits is a list; give a torch\.Tensor\."):
        kd_loss(GOOD, [[0.0]])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"student_logits has dtype torch\.int64; logits are floating-point"):
        kd_loss(GOOD.long(), GOOD)
    for empty in (torch.tensor(1.0), torch.zeros(3, 0)):
        with pytest.raises(ValueError, match="its last dimension must hold the classes"):
            kd_loss(empty, empty)


def test_values_are_looked_at_only_where_they_can_be() -> None:
    seen = []
    torch.func.vmap(lambda x: seen.append(is_traced(x)) or x)(GOOD)
    assert seen == [True]
    assert is_traced(GOOD, torch.zeros(2, device="meta"))
    assert not is_traced(GOOD, LABELS)
