"""Logistic regression on embeddings: a problem with one best solution, so no seed and no schedule."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..data import Split

# Half of it times the squared weights is added to the mean loss: little, but enough for one best solution.
WEIGHT_DECAY = 1e-4


def labelled_texts(split: Split, classes: Sequence[str]) -> tuple[list[str], Tensor]:
    """The texts that have a label, and their labels.

    Raises:
        ValueError: No texts, no labels, a label beyond the classes, or one class only.

    Example:
        >>> split = Split(ids=[0, 1, 2], inputs=["x", "y", "z"], labels=torch.tensor([1, -100, 0]))
        >>> labelled_texts(split, ["a", "b"])
        (['x', 'z'], tensor([1, 0]))
    """
    if isinstance(split.inputs, Tensor):
        raise ValueError("The split holds tensors, not texts: pass one whose inputs are a list of str.")
    if split.labels is None or not split.labelled.any():
        raise ValueError("The split has no labels to learn from: label some rows first.")
    labels = split.labels[split.labelled]
    if int(labels.max()) >= len(classes):
        raise ValueError(f"The labels go up to {int(labels.max())}, but there are {len(classes)} classes.")
    if len(labels.unique()) < 2:
        raise ValueError(
            f"All labelled rows are of the class {classes[int(labels[0])]!r}: a teacher needs two or more "
            "to tell apart."
        )
    rows = split.labelled.nonzero().flatten().tolist()
    return [split.inputs[row] for row in rows], labels


def fit_logistic(head: nn.Linear, inputs: Tensor, labels: Tensor, weight_decay: float = WEIGHT_DECAY) -> None:
    """Fit a linear layer in place: mean cross-entropy plus half of weight_decay times the squared weights.

    Args:
        head: Gives logits (n, C).
        inputs: (n, D).
        labels: (n,) class numbers.
        weight_decay: Above 0, so that there is one solution.

    Raises:
        ValueError: weight_decay is not above 0.

    Example:
        >>> head = nn.Linear(1, 2)
        >>> fit_logistic(head, torch.tensor([[-1.0], [1.0]]), torch.tensor([0, 1]), weight_decay=0.01)
        >>> head(torch.tensor([[3.0]])).argmax().item()
        1
    """
    if not weight_decay > 0:
        raise ValueError(f"weight_decay is {weight_decay}: without any, the best weights are infinite.")
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    optimiser = torch.optim.LBFGS(head.parameters(), max_iter=300, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        value = F.cross_entropy(head(inputs), labels) + weight_decay * head.weight.square().sum() / 2
        value.backward()
        return value

    with torch.enable_grad():
        optimiser.step(loss)
