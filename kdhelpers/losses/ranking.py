"""Losses for students that put things in order: search results, recommendations, candidate answers.

Scores are (..., n), one row a query and one score an item. An item that is -inf for both models (padding of a
short list) takes no part.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from kdhelpers.losses.row_losses import soft_label_rows
from kdhelpers.losses.rows import RowLoss, over_rows


def pairwise_ranking_loss(
    student_scores: Tensor,
    teacher_scores: Tensor,
    method: str = "logistic",
    mask: Tensor | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Learn the teacher's order, or its margins, pair by pair; each query's loss is the mean over its pairs.

    Args:
        student_scores: (..., n).
        teacher_scores: (..., n); receives no gradient.
        method: "logistic", log(1 + exp(-(s_i - s_j))) over pairs with t_i > t_j: the order alone counts, and
            pairs that the teacher ties do not. "margin", ((s_i - s_j) - (t_i - t_j))² over all pairs i < j:
            the teacher's margins count, those of 0 too.
        mask: (...) of bool, True where a query counts.
        reduction: "mean" over queries that count, "sum", or "none" for one loss a query.

    Returns:
        A scalar, or (...) for "none"; 0 with zero gradients if no query counts. A query without a pair has
        loss 0, and counts.

    Raises:
        ValueError: Shapes differ, an unknown method, NaN scores, or another bad argument.

    Burges et al. 2005 (RankNet), doi:10.1145/1102351.1102363; Hofstätter et al. 2020 (MarginMSE),
    arXiv:2010.02666.

    Example:
        >>> student, teacher = torch.tensor([[0.0, 1.0, 3.0]]), torch.tensor([[1.0, 1.0, 2.0]])
        >>> round(pairwise_ranking_loss(student, teacher).item(), 3)  # 2 before 0, 2 before 1; 0 and 1 tie
        0.088
        >>> pairwise_ranking_loss(student, teacher, "margin")  # margins off by 1, 2 and 1
        tensor(2.)
    """
    rows = _chosen({"logistic": _logistic_rows, "margin": _margin_rows}, method)
    return over_rows(rows, student_scores, teacher_scores, mask, reduction, what="scores")


def listwise_ranking_loss(
    student_scores: Tensor,
    teacher_scores: Tensor,
    method: str = "listnet",
    mask: Tensor | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Learn the teacher's list as a whole.

    Args:
        student_scores: (..., n).
        teacher_scores: (..., n); receives no gradient.
        method: "listnet", -Σ p log q with p and q the softmax of the scores: who comes first, and how surely.
            "listmle", minus the log-probability of the teacher's order if the student drew item after item by
            its softmax: the order alone counts. Items that the teacher ties are taken in the order given.
        mask: (...) of bool, True where a query counts.
        reduction: "mean" over queries that count, "sum", or "none" for one loss a query.

    Returns:
        A scalar, or (...) for "none"; 0 with zero gradients if no query counts. Neither method is 0 where
        both models agree.

    Raises:
        ValueError: Shapes differ, an unknown method, NaN scores, or another bad argument.

    Cao et al. 2007 (ListNet), doi:10.1145/1273496.1273513; Xia et al. 2008 (ListMLE),
    doi:10.1145/1390156.1390306.

    Example:
        >>> even, teacher = torch.zeros(1, 3), torch.tensor([[3.0, 1.0, 2.0]])
        >>> round(listwise_ranking_loss(even, teacher, "listmle").item(), 3)  # one order of six: log 6
        1.792
    """
    rows = _chosen({"listnet": _listnet_rows, "listmle": _listmle_rows}, method)
    return over_rows(rows, student_scores, teacher_scores, mask, reduction, what="scores")


def _chosen(methods: dict[str, RowLoss], method: str) -> RowLoss:
    if method not in methods:
        first, second = methods
        raise ValueError(f"method is {method!r}; choose {first!r} or {second!r}.")
    return methods[method]


def _logistic_rows(student: Tensor, teacher: Tensor) -> Tensor:
    student, teacher, pairs = _pairs(student, teacher)
    return _mean_over(pairs & (teacher > 0), F.softplus(-student))


def _margin_rows(student: Tensor, teacher: Tensor) -> Tensor:
    student, teacher, pairs = _pairs(student, teacher)
    return _mean_over(pairs.triu(1), (student - teacher).square())


def _pairs(student: Tensor, teacher: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Margins of both (..., n, n), of item i over item j, and which pairs have both items."""
    present = ~(student.isneginf() & teacher.isneginf())
    filled = (scores.masked_fill(~present, 0) for scores in (student, teacher))
    s, t = (scores.unsqueeze(-1) - scores.unsqueeze(-2) for scores in filled)
    return s, t, present.unsqueeze(-1) & present.unsqueeze(-2)


def _mean_over(pairs: Tensor, losses: Tensor) -> Tensor:
    count = pairs.sum((-2, -1)).clamp(min=1)
    return losses.masked_fill(~pairs, 0).sum((-2, -1)) / count


def _listnet_rows(student: Tensor, teacher: Tensor) -> Tensor:
    return soft_label_rows(student, teacher, temperature=1.0)


def _listmle_rows(student: Tensor, teacher: Tensor) -> Tensor:
    absent = student.isneginf() & teacher.isneginf()
    order = teacher.argsort(dim=-1, descending=True, stable=True)
    absent = absent.gather(-1, order)
    # Absent items come last. A very low number, as the gradient of a sum of -inf is NaN.
    scores = student.gather(-1, order).masked_fill(absent, torch.finfo(student.dtype).min)
    left = scores.flip(-1).logcumsumexp(-1).flip(-1)  # of each item and all behind it
    return (left - scores).masked_fill(absent, 0).sum(-1)
