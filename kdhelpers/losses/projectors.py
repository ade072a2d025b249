"""Bring a student's features to its teacher's width, by layers that learn along with the student."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from kdhelpers.losses.checks import check_count


class Projector(nn.Module):
    """A linear layer over one dimension of features; over channels it is a 1×1 convolution.

    FitNets' regressor: Romero et al. 2014, arXiv:1412.6550.

    Args:
        student_width: Of the student's features.
        teacher_width: Of the teacher's.
        dim: Which dimension: -1 for (B, D) and (B, L, D), 1 for the channels of (B, C, H, W).

    Raises:
        ValueError: A width below 1; in a pass, features of another width.

    Example:
        >>> import torch
        >>> Projector(16, 64)(torch.zeros(8, 16)).shape
        torch.Size([8, 64])
        >>> Projector(16, 64, dim=1)(torch.zeros(8, 16, 5, 5)).shape
        torch.Size([8, 64, 5, 5])
    """

    def __init__(self, student_width: int, teacher_width: int, dim: int = -1) -> None:
        check_count("student_width", student_width)
        check_count("teacher_width", teacher_width)
        super().__init__()
        self.dim = dim
        self.linear = nn.Linear(student_width, teacher_width)

    def forward(self, features: Tensor) -> Tensor:
        """Features with ``student_width`` in the dimension, to ``teacher_width`` there."""
        if features.shape[self.dim] != self.linear.in_features:
            raise ValueError(
                f"The features have shape {tuple(features.shape)}; dimension {self.dim} must be "
                f"{self.linear.in_features}, the projector's student_width."
            )
        projected: Tensor = self.linear(features.movedim(self.dim, -1)).movedim(-1, self.dim)
        return projected


class WithProjectors(nn.Module):
    """A student to train together with its projectors: called, it gives what the student gives.

    Parameters that are not the model's never reach the optimiser, and a projector that stays random asks
    the student for noise. Train this instead of the student, and keep the student.

    Args:
        student: The student.
        **projectors: Modules, found again as ``projectors["name"]``.

    Raises:
        ValueError: There is no projector.

    Example:
        >>> import torch
        >>> import torch.nn.functional as F
        >>> from kdhelpers.data import Split
        >>> from kdhelpers.losses import hint_loss, tap_layers
        >>> from kdhelpers.training import train
        >>> teacher = nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 2)).eval()
        >>> student = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 2))
        >>> both = WithProjectors(student, hidden=Projector(4, 32))
        >>> split = Split(range(16), torch.randn(16, 2), torch.arange(16) % 2)
        >>> with tap_layers(student, "1") as learnt, tap_layers(teacher, "1") as taught:
        ...     def loss(logits, batch):
        ...         with torch.no_grad():
        ...             teacher(batch.inputs)
        ...         hint = hint_loss(both.projectors["hidden"](learnt["1"]), taught["1"])
        ...         return F.cross_entropy(logits, batch.labels) + hint
        ...     history = train(both, split, loss, epochs=20, learning_rate=0.01, progress=False)
        >>> history.loss[-1] < history.loss[0]
        True
    """

    def __init__(self, student: nn.Module, **projectors: nn.Module) -> None:
        if not projectors:
            raise ValueError("There are no projectors; give one or more, such as hidden=Projector(64, 256).")
        super().__init__()
        self.student = student
        self.projectors = nn.ModuleDict(projectors)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the student gives."""
        return self.student(*args, **kwargs)
