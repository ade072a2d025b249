"""Losses on how the examples of a batch lie to each other, whatever the width of the layers.

Every loss is the mean of one part for each example. As an example's part depends on all others that count,
the loss of a batch is not the mean of its halves' losses: gradient accumulation changes it, and a larger
batch says more.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from kdhelpers.losses.checks import check_weight
from kdhelpers.losses.examples import over_examples, unit


def rkd_loss(
    student_embeddings: Tensor,
    teacher_embeddings: Tensor,
    distance_weight: float = 25.0,
    angle_weight: float = 50.0,
    mask: Tensor | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Relational distillation: distances of pairs, over their mean, and cosines of the angles of triplets.

    The difference of student and teacher in each goes through smooth L1 and is averaged over all pairs
    (triplets), those of an example with itself included, as in the authors' code. Park et al. 2019,
    arXiv:1904.05068.

    Args:
        student_embeddings: (B, ...), of any width. Takes memory in proportion to B² (width + B).
        teacher_embeddings: (B, ...), of any width; receives no gradient.
        distance_weight: The weight of the distances, 0 or more.
        angle_weight: The weight of the angles, 0 or more.
        mask: (B,) of bool, True where an example counts.
        reduction: "mean" over examples that count, "sum", or "none" for each example's part.

    Returns:
        A scalar, or (B,) for "none"; 0 with zero gradients if fewer than two examples count. Two that
        coincide have distance 0 and no direction, and this gives no gradient.

    Raises:
        ValueError: Batches differ, a weight below 0, NaN embeddings, or another bad argument.

    Example:
        >>> import torch
        >>> teacher = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 2.0]])
        >>> wider = torch.cat([5 * teacher, torch.ones(3, 7)], dim=1)  # other size, width and place
        >>> rkd_loss(wider, teacher).item() < 1e-6, round(rkd_loss(teacher[[1, 0, 2]], teacher).item(), 2)
        (True, 0.84)
    """
    check_weight("distance_weight", distance_weight)
    check_weight("angle_weight", angle_weight)

    def parts(student: Tensor, teacher: Tensor) -> Tensor:
        s, t = _differences(student.flatten(1)), _differences(teacher.flatten(1))
        losses = student.new_zeros(len(student)) + 0 * student.flatten(1).sum(1)
        if distance_weight:
            apart = F.smooth_l1_loss(_distances(s), _distances(t), reduction="none")
            losses = losses + distance_weight * apart.mean(1)
        if angle_weight:
            turned = F.smooth_l1_loss(_cosines(s), _cosines(t), reduction="none")
            losses = losses + angle_weight * turned.mean((1, 2))
        return losses

    return over_examples(parts, student_embeddings, teacher_embeddings, mask, reduction, "embeddings")


def similarity_loss(
    student_features: Tensor,
    teacher_features: Tensor,
    mask: Tensor | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Similarity-preserving distillation, ‖G_s - G_t‖² / B²: which inputs the teacher finds alike.

    G is F Fᵀ, of features F (B, all the rest), with its rows brought to length 1. Tung and Mori 2019,
    arXiv:1907.09682.

    Args:
        student_features: (B, ...), of any width.
        teacher_features: (B, ...), of any width; receives no gradient.
        mask: (B,) of bool, True where an example counts.
        reduction: "mean" over examples that count, "sum", or "none" for each example's part.

    Returns:
        A scalar, or (B,) for "none"; 0 with zero gradients if no example counts. An example whose features
        are all 0 has a row of zeros.

    Raises:
        ValueError: Batches differ, NaN features, or another bad argument.

    Example:
        >>> import torch
        >>> teacher, student = torch.eye(2), torch.ones(2, 5)  # to the student, all are alike
        >>> round(similarity_loss(student, teacher).item(), 3)
        0.293
    """

    def parts(student: Tensor, teacher: Tensor) -> Tensor:
        difference = _similarities(student.flatten(1)) - _similarities(teacher.flatten(1))
        return difference.square().sum(1) / max(len(student), 1)

    return over_examples(parts, student_features, teacher_features, mask, reduction, "features")


def _similarities(features: Tensor) -> Tensor:
    return unit(features @ features.mT)


def _differences(embeddings: Tensor) -> Tensor:
    """(n, n, D): at [i, j] the way from example i to example j."""
    return embeddings.unsqueeze(0) - embeddings.unsqueeze(1)


def _distances(differences: Tensor) -> Tensor:
    """Distances (n, n), over the mean of those that are not 0."""
    squares = differences.square().sum(-1)
    none = squares == 0  # the root has no derivative there
    distances = squares.masked_fill(none, 1).sqrt().masked_fill(none, 0)
    mean = distances.sum() / (~none).sum().clamp(min=1)
    return distances / mean.masked_fill(mean == 0, 1)


def _cosines(differences: Tensor) -> Tensor:
    """(n, n, n): at [i, j, k] the cosine of the angle at i between j and k."""
    ways = unit(differences)
    return ways @ ways.mT
