"""Contrastive distillation: tell which of many teacher's embeddings belongs to the same input."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from kdhelpers.losses.checks import check_count, check_share, check_temperature
from kdhelpers.losses.examples import check_examples, check_widths, over_examples, unit


def contrastive_loss(
    student_embeddings: Tensor,
    teacher_embeddings: Tensor,
    temperature: float = 0.07,
    student_negatives: Tensor | None = None,
    teacher_negatives: Tensor | None = None,
    mask: Tensor | None = None,
    reduction: str = "mean",
) -> Tensor:
    """CRD: a pair of one input scores high, pairs of different inputs low, seen from both sides.

    With embeddings of length 1, a score is u = (their product) / τ - log of the mean of exp over all
    scores. A side's loss is noise-contrastive: with h = e^u / (e^u + K), it is -log h of the pair minus
    Σ log(1 - h) of its K negatives. One side compares the student's embedding with the teacher's of other
    inputs, the other the teacher's with the student's; both are added. Tian et al. 2019, arXiv:1910.10699.

    The paper learns a layer behind the teacher too; here its embeddings stay as they are, and a
    ``Projector`` brings the student's to their width. It fixes the mean of exp after the first batch; here
    it is each batch's own, without gradient.

    Args:
        student_embeddings: (B, D), of any length.
        teacher_embeddings: (B, D), of any length; receives no gradient.
        temperature: τ above 0.
        student_negatives: The student's embeddings of other inputs, (K, D) for all or (B, K, D) for each, as
            of an ``EmbeddingMemory``; the paper has K = 16,384 and D = 128. None: the rest of the batch.
        teacher_negatives: The teacher's, likewise; both or neither. None of them gets a gradient.
        mask: (B,) of bool, True where an example counts; the others are nobody's negatives either.
        reduction: "mean" over examples that count, "sum", or "none" for one loss an example.

    Returns:
        A scalar, or (B,) for "none"; 0 with zero gradients if no example counts or there is no negative.

    Raises:
        ValueError: Shapes differ, temperature not above 0, one side's negatives alone, NaN embeddings.

    Example:
        >>> teacher = torch.eye(4)
        >>> [round(contrastive_loss(student, teacher).item(), 2) for student in (teacher, teacher.roll(1, 0))]
        [1.12, 29.69]
    """
    check_temperature(temperature)
    check_examples(student_embeddings, teacher_embeddings, "embeddings")
    check_widths(student_embeddings, teacher_embeddings, "embeddings")
    negatives = _checked_negatives(student_embeddings, student_negatives, teacher_negatives)

    def sides(student: Tensor, teacher: Tensor) -> Tensor:
        s, t = unit(student), unit(teacher)
        of_student, of_teacher = (_counted(given, mask, s.dtype) for given in negatives)
        pair = (s * t).sum(-1) / temperature
        student_side = _side(pair, _scores(s, t, of_teacher) / temperature, within=of_teacher is None)
        return student_side + _side(pair, _scores(t, s, of_student) / temperature, within=of_student is None)

    return over_examples(sides, student_embeddings, teacher_embeddings, mask, reduction, "embeddings")


class EmbeddingMemory:
    """The latest embedding of every row of a split, to draw many negatives from: (rows, D), of length 1.

    Args:
        rows: How many rows the split has.
        width: D.
        momentum: How much of the old embedding stays when a row is seen again, from 0 to 1.
        seed: Of the first embeddings, which are random, and of what is drawn.

    Raises:
        ValueError: rows or width below 1, or momentum outside 0 to 1.

    Tian et al. 2019, arXiv:1910.10699.

    Example:
        >>> memory = EmbeddingMemory(rows=10, width=3)
        >>> memory.remember(torch.tensor([7]), torch.tensor([[0.0, 0.0, 5.0]]))
        >>> memory.draw(torch.tensor([7, 2]), count=4).shape  # of other rows than 7, and than 2
        torch.Size([2, 4, 3])
    """

    def __init__(self, rows: int, width: int, *, momentum: float = 0.5, seed: int = 0) -> None:
        check_count("rows", rows)
        check_count("width", width)
        check_share("momentum", momentum)
        self.momentum = momentum
        self._generator = torch.Generator().manual_seed(seed)
        self.embeddings = unit(torch.randn(rows, width, generator=self._generator))

    def draw(self, rows: Tensor, count: int) -> Tensor:
        """Embeddings (B, count, D) of other rows, drawn with replacement, for each of the rows (B,).

        Raises:
            ValueError: count below 1, or a memory of one row.

        Example:
            >>> EmbeddingMemory(rows=5, width=2).draw(torch.tensor([0]), count=3).shape
            torch.Size([1, 3, 2])
        """
        check_count("count", count)
        if len(self.embeddings) < 2:
            raise ValueError("The memory has one row; negatives come from other rows.")
        steps = torch.randint(1, len(self.embeddings), (len(rows), count), generator=self._generator)
        drawn = self.embeddings[(rows.cpu().unsqueeze(1) + steps) % len(self.embeddings)]
        return drawn.to(rows.device)

    def remember(self, rows: Tensor, embeddings: Tensor) -> None:
        """Note what rows (B,) of the split look like now: (B, D), of any length, without gradient.

        Example:
            >>> memory = EmbeddingMemory(rows=2, width=2, momentum=0.0)
            >>> memory.remember(torch.tensor([1]), torch.tensor([[0.0, 2.0]]))
            >>> memory.embeddings[1]
            tensor([0., 1.])
        """
        places, seen = rows.cpu(), unit(embeddings.detach().float().cpu())
        mixed = self.momentum * self.embeddings[places] + (1 - self.momentum) * seen
        self.embeddings[places] = unit(mixed)


def _checked_negatives(
    student: Tensor, student_negatives: Tensor | None, teacher_negatives: Tensor | None
) -> tuple[Tensor | None, Tensor | None]:
    if (student_negatives is None) != (teacher_negatives is None):
        raise ValueError(
            "There are negatives of one model only; give student_negatives and teacher_negatives."
        )
    for name, given in (("student_negatives", student_negatives), ("teacher_negatives", teacher_negatives)):
        if given is None:
            continue
        width, shape = student.shape[-1], tuple(given.shape)
        if shape[-1] != width or given.dim() not in (2, 3) or (given.dim() == 3 and shape[0] != len(student)):
            raise ValueError(f"{name} has shape {shape}; give (K, {width}) or ({len(student)}, K, {width}).")
    return student_negatives, teacher_negatives


def _counted(negatives: Tensor | None, mask: Tensor | None, dtype: torch.dtype) -> Tensor | None:
    if negatives is None:
        return None
    kept = negatives[mask] if mask is not None and negatives.dim() == 3 else negatives
    return unit(kept.detach().to(dtype))


def _scores(anchors: Tensor, within: Tensor, negatives: Tensor | None) -> Tensor:
    """Products (n, K) of anchors (n, D) with their negatives, or (n, n) with all others' partners."""
    if negatives is None:
        return anchors @ within.mT
    return (negatives @ anchors.unsqueeze(-1)).squeeze(-1) if negatives.dim() == 3 else anchors @ negatives.mT


def _side(pair: Tensor, scores: Tensor, within: bool) -> Tensor:
    """The losses (n,) of one side: of each pair's score (n,) and its negatives' (n, K).

    Within a batch the scores (n, n) hold the pair's own on their diagonal, which is no negative.
    """
    own = (
        torch.eye(len(pair), dtype=torch.bool, device=pair.device)
        if within
        else torch.zeros_like(scores).bool()
    )
    count = scores.shape[1] - int(within)
    if count < 1 or not len(pair):
        return 0 * pair
    everything = scores.flatten() if within else torch.cat([pair.unsqueeze(1), scores], 1).flatten()
    # log(e^u / K): h is its sigmoid, and 1 - h that of its negative.
    shift = everything.detach().logsumexp(0) - math.log(len(everything)) + math.log(count)
    return F.softplus(shift - pair) + F.softplus(scores - shift).masked_fill(own, 0).sum(1)
