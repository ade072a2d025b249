"""Losses on hidden layers: what the teacher computes on the way, and where it looks.

``tap_layers`` gets at such layers, and a ``Projector`` brings the student's to the teacher's width.
"""

from __future__ import annotations

from torch import Tensor

from kdhelpers.losses.examples import check_examples, check_widths, over_examples, unit

MODES = ("code", "paper")


def hint_loss(
    student_features: Tensor,
    teacher_features: Tensor,
    mask: Tensor | None = None,
    reduction: str = "mean",
) -> Tensor:
    """FitNets' hint, the mean of (student - teacher)² over the features of each example.

    Romero et al. 2014, arXiv:1412.6550.

    Args:
        student_features: (B, ...), brought to the teacher's width by a ``Projector`` if they differ. Its
            parameters must reach the optimiser: see ``WithProjectors``.
        teacher_features: The same shape; receives no gradient.
        mask: True where an example counts; (B,), or more leading dimensions, such as (B, L) for a sequence's
            positions.
        reduction: "mean" over examples that count, "sum", or "none" for one loss an example.

    Returns:
        A scalar, or (B,) (with a mask, its shape) for "none"; 0 with zero gradients if no example counts.

    Raises:
        ValueError: Shapes differ, NaN features, or another bad argument.

    Example:
        >>> import torch
        >>> hint_loss(torch.tensor([[1.0, 3.0], [0.0, 0.0]]), torch.zeros(2, 2), reduction="none")
        tensor([5., 0.])
    """
    check_examples(student_features, teacher_features, "features")
    check_widths(student_features, teacher_features, "features")

    def squares(student: Tensor, teacher: Tensor) -> Tensor:
        return (student - teacher).square().flatten(1).mean(1)

    return over_examples(squares, student_features, teacher_features, mask, reduction, "features")


def attention_transfer_loss(
    student_features: Tensor,
    teacher_features: Tensor,
    mode: str = "code",
    mask: Tensor | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Learn where the teacher looks: its map of activity a = f² averaged over channels, brought to length 1.

    The paper's loss is the distance ‖a_s - a_t‖; its authors' code takes the mean of (a_s - a_t)² over the
    places, which is far smaller and what published weights around 1000 belong to. Zagoruyko and Komodakis
    2016, arXiv:1612.03928.

    Args:
        student_features: (B, channels, ...), such as (B, C, H, W); channels may differ from the teacher's.
        teacher_features: (B, channels, ...) over the same places; receives no gradient.
        mode: "code" or "paper".
        mask: (B,) of bool, True where an example counts.
        reduction: "mean" over examples that count, "sum", or "none" for one loss an example.

    Returns:
        A scalar, or (B,) for "none"; 0 with zero gradients if no example counts. An example whose features
        are all 0 looks nowhere: its map is 0, and it gives no gradient.

    Raises:
        ValueError: The places differ, an unknown mode, NaN features, or another bad argument.

    Example:
        >>> import torch
        >>> left, right = torch.zeros(1, 3, 1, 2), torch.zeros(1, 8, 1, 2)
        >>> left[..., 0], right[..., 1] = 1.0, 2.0
        >>> [round(attention_transfer_loss(left, right, mode).item(), 3) for mode in ("code", "paper")]
        [1.0, 1.414]
    """
    if mode not in MODES:
        raise ValueError(f"mode is {mode!r}; choose 'code' (mean of squares) or 'paper' (a distance).")
    check_examples(student_features, teacher_features, "features")
    _check_places(student_features, teacher_features)

    def distances(student: Tensor, teacher: Tensor) -> Tensor:
        difference = _attention(student) - _attention(teacher)
        return difference.square().mean(1) if mode == "code" else difference.norm(dim=1)

    return over_examples(distances, student_features, teacher_features, mask, reduction, "features")


def _attention(features: Tensor) -> Tensor:
    """(n, channels, ...) to maps (n, places) of length 1."""
    return unit(features.square().mean(1).flatten(1))


def _check_places(student_features: Tensor, teacher_features: Tensor) -> None:
    for name, features in (("student_features", student_features), ("teacher_features", teacher_features)):
        if features.dim() < 3:
            raise ValueError(
                f"{name} has shape {tuple(features.shape)}; attention takes (B, channels, places)."
            )
    if student_features.shape[2:] != teacher_features.shape[2:]:
        raise ValueError(
            f"student_features has places {tuple(student_features.shape[2:])} and teacher_features "
            f"{tuple(teacher_features.shape[2:])}; bring them to one size, as with F.adaptive_avg_pool2d."
        )
