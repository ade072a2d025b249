"""A teacher that does not read a reader's language is worse than none: found on the labelled texts alone."""

from __future__ import annotations

import hashlib

import numpy as np
import torch
from torch import Tensor, nn

from ..data import Split
from ..evaluation import predict_logits
from ..losses import ensemble_logits
from ..seeding import seeded
from ..teacher_outputs.fingerprints import teacher_fingerprint
from ..text import NgramStudent, TransformerTeacher
from ..text.logistic import fit_logistic
from .students import Recipe, learn, one_thread
from .teaching import embedded
from .workplace import Workplace

# How much the transformer counts. The first is taken unless another does better.
SHARES = (1.0, 0.5, 0.0)
FOLDS = 4
_UNSURE = 0.05


class MixedTeacher(nn.Module):
    """The mean of the probabilities of a transformer and of n-grams, as logits (B, C) of B texts.

    Args:
        transformer: Fitted to the labelled texts.
        ngrams: Trained on the same.
        share: How much the transformer counts, 0 to 1.

    Example:
        >>> transformer, ngrams = (NgramStudent(["a", "b"], dim=2) for _ in range(2))
        >>> MixedTeacher(transformer, ngrams, share=0.5)(["help"]).exp().sum().round(decimals=3)
        tensor(1., grad_fn=<RoundBackward1>)
    """

    def __init__(self, transformer: nn.Module, ngrams: NgramStudent, share: float) -> None:
        super().__init__()
        self.transformer, self.ngrams, self.share = transformer, ngrams, share
        self.classes = ngrams.classes

    def forward(self, texts: list[str]) -> Tensor:
        """Logits (B, C): the logarithm of the mean.

        Example:
            >>> one, other = (NgramStudent(["a", "b"], dim=2).eval() for _ in range(2))
            >>> mixed = MixedTeacher(one, other, share=0.0)
            >>> bool(torch.allclose(mixed(["help"]), other(["help"]).log_softmax(1)))
            True
        """
        if self.share == 0:  # which need not be read twice
            return torch.log_softmax(self.ngrams(texts), 1)
        both = torch.stack([self.transformer(texts).double(), self.ngrams(texts).double()])
        return ensemble_logits(both, torch.tensor([self.share, 1 - self.share])).float()

    def fingerprint(self) -> str:
        """A sha256 over all that decides the answers.

        Example:
            >>> one = NgramStudent(["a", "b"], dim=2)
            >>> MixedTeacher(one, one, 0.5).fingerprint() == MixedTeacher(one, one, 0.0).fingerprint()
            False
        """
        parts = [teacher_fingerprint(self.transformer), teacher_fingerprint(self.ngrams), str(self.share)]
        return hashlib.sha256(" ".join(parts).encode()).hexdigest()


def mixed_teacher(
    transformer: TransformerTeacher, labelled: Split, place: Workplace
) -> TransformerTeacher | MixedTeacher:
    """The transformer, or what does better on the labelled texts: n-grams beside it, or alone.

    Args:
        transformer: Fitted to the labelled texts.
        labelled: n texts with their labels.
        place: Where the choice and the n-grams are kept.

    Example:
        >>> import tempfile
        >>> teacher = TransformerTeacher(["billing", "delivery"])
        >>> texts = ["paid twice", "wrong bill", "debited", "a fee?", "late", "lost it", "where", "when"]
        >>> split = Split(range(8), texts, torch.tensor([0] * 4 + [1] * 4))
        >>> mixed_teacher(teacher.fit(split), split, Workplace(tempfile.mkdtemp(), {}))(["help"]).shape
        torch.Size([1, 2])
    """

    def chosen() -> dict[str, object]:
        return {"share": best_share(labelled, embedded(transformer, labelled, place), transformer.classes)}

    share = float(str(place.facts("teacher-share", chosen)["share"]))
    if share == 1:
        return transformer
    ngrams = NgramStudent(transformer.classes)
    made = place.tensors("teacher-ngrams", lambda: ngrams_of(transformer.classes, labelled).state_dict())
    ngrams.load_state_dict(made)
    return MixedTeacher(transformer, ngrams.eval(), share).eval()


def share_notes(teacher: nn.Module) -> list[str]:
    """What to say of a teacher that is not the transformer alone.

    Example:
        >>> one = NgramStudent(["a", "b"], dim=2)
        >>> share_notes(one), share_notes(MixedTeacher(one, one, 0.0))[0][:49]
        ([], 'On the labelled texts, cross-validated, n-grams k')
    """
    if not isinstance(teacher, MixedTeacher):
        return []
    told = "On the labelled texts, cross-validated, n-grams know more than the transformer"
    if teacher.share:
        return [f"{told} alone: the teacher is the mean of both."]
    return [
        f"{told}: they are the teacher, so there is little to distil; a transformer that reads these texts "
        "better, with --teacher, would bring more."
    ]


def best_share(labelled: Split, embedded: Tensor, classes: tuple[str, ...]) -> float:
    """How much a transformer should count beside n-grams, by cross-validation on the labelled texts.

    Of four folds, each is answered by a head and by n-grams that learnt from the other three. The share
    with the lowest negative log-likelihood is taken, with probabilities bounded away from 0, so that one
    answer that was too sure does not decide.

    Args:
        labelled: n texts with their labels.
        embedded: The transformer's view of them, (n, D).
        classes: Their names.

    Example:
        >>> texts = ["paid twice", "wrong bill", "debited", "a fee?", "late", "lost it", "where", "when"]
        >>> split = Split(range(8), texts, torch.tensor([0] * 4 + [1] * 4))
        >>> best_share(split, torch.eye(2)[split.labels], ("billing", "delivery"))  # it knows the class
        1.0
    """
    assert labelled.labels is not None
    folds = fold_numbers(labelled.labels)
    found = torch.zeros(2, len(labelled), dtype=torch.float64)  # probability of the right class
    for fold in range(FOLDS):
        rows, others = (folds == fold).nonzero().flatten(), (folds != fold).nonzero().flatten()
        if not len(rows) or len(labelled.labels[others].unique()) < 2:
            continue
        head = nn.Linear(embedded.shape[1], len(classes))
        fit_logistic(head, embedded[others], labelled.labels[others])
        student = ngrams_of(classes, labelled.take(others))
        with torch.no_grad():
            answers = head(embedded[rows]), predict_logits(student, labelled.take(rows))
        for kind, logits in enumerate(answers):
            found[kind, rows] = logits.double().softmax(1)[range(len(rows)), labelled.labels[rows]]
    losses = [_loss(share * found[0] + (1 - share) * found[1], len(classes)) for share in SHARES]
    return SHARES[int(np.argmin(np.round(losses, 6)))]


def ngrams_of(classes: tuple[str, ...], labelled: Split) -> NgramStudent:
    """A student from the labels alone, as it is compared with the distilled ones.

    Example:
        >>> split = Split(["a", "b"], ["I paid twice", "it is late"], torch.tensor([0, 1]))
        >>> ngrams_of(("bill", "post"), split)(["it is late"]).argmax(1)
        tensor([1])
    """
    student = seeded(lambda: NgramStudent(classes), 0)
    with one_thread():
        learn(student, labelled, None, Recipe.for_labels(len(labelled)), seed=0)
    return student.eval()


def fold_numbers(labels: Tensor) -> Tensor:
    """The fold (n,) of each row: each class is spread evenly, always in the same way.

    Example:
        >>> fold_numbers(torch.tensor([0, 0, 0, 0, 1, 1])).bincount(minlength=4).tolist()
        [2, 2, 1, 1]
    """
    order = torch.from_numpy(np.random.RandomState(0).permutation(len(labels)))
    folds = torch.empty(len(labels), dtype=torch.long)
    for label in labels.unique():
        rows = order[labels[order] == label]
        folds[rows] = torch.arange(len(rows)) % FOLDS
    return folds


def _loss(right: Tensor, classes: int) -> float:
    return float(-((1 - _UNSURE) * right + _UNSURE / classes).log().mean())
