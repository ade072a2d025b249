"""Slow references for the losses: numpy and loops, written from the formulas, sharing no code with them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kdhelpers.losses import (
    dkd_loss,
    js_divergence_loss,
    kd_loss,
    logit_mse_loss,
    nkd_loss,
    reverse_kl_loss,
    soft_cross_entropy,
    standardized_kd_loss,
    topk_kd_loss,
)


def labelled(loss: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """A loss that takes labels, with those that the teacher would give."""

    def with_labels(student_logits: Tensor, teacher_logits: Tensor, **settings: Any) -> Tensor:
        return loss(student_logits, teacher_logits, teacher_logits.argmax(-1), **settings)

    return with_labels


centred_mse_loss = partial(logit_mse_loss, centred=True)

# All take (student_logits, teacher_logits, mask=..., reduction=...).
LOSSES = {
    "kd": kd_loss,
    "soft": soft_cross_entropy,
    "reverse": reverse_kl_loss,
    "js": js_divergence_loss,
    "js 0.1": partial(js_divergence_loss, beta=0.1),
    "mse": logit_mse_loss,
    "centred mse": centred_mse_loss,
    "standardized": partial(standardized_kd_loss, temperature=4.0),
    "top 2": partial(topk_kd_loss, k=2),
    "dkd": labelled(dkd_loss),
    "nkd": labelled(partial(nkd_loss, temperature=4.0)),
}
SOFTENED = {name: loss for name, loss in LOSSES.items() if "mse" not in name}
DIVERGENCES = {name: loss for name, loss in SOFTENED.items() if name not in ("soft", "nkd")}


def logits(*shape: int, seed: int = 0, scale: float = 2.0, dtype: torch.dtype = torch.float64) -> Tensor:
    noise = torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return (noise * scale).to(dtype)


def probabilities(row: np.ndarray, temperature: float) -> np.ndarray:
    powers = np.exp((row - row.max()) / temperature)
    return powers / powers.sum()


def kl(p: np.ndarray, q: np.ndarray) -> float:
    return sum(float(a * np.log(a / b)) for a, b in zip(p, q, strict=True) if a > 0)


def standardized(row: np.ndarray) -> np.ndarray:
    return (row - row.mean()) / (row.std(ddof=1) + 1e-7)


def bucketed(p: np.ndarray, order: np.ndarray, k: int) -> np.ndarray:
    return np.append(p[order[:k]], p[order[k:]].sum())


def reference_decoupled(s: np.ndarray, t: np.ndarray, temperature: float) -> float:
    p, q, label = probabilities(t, temperature), probabilities(s, temperature), int(t.argmax())
    target = kl(np.array([p[label], 1 - p[label]]), np.array([q[label], 1 - q[label]]))
    p, q = np.delete(p, label), np.delete(q, label)
    return temperature**2 * (target + 8 * kl(p / p.sum(), q / q.sum()))


def reference_normalised(s: np.ndarray, t: np.ndarray, temperature: float) -> float:
    label = int(t.argmax())
    first = -probabilities(t, 1.0)[label] * np.log(probabilities(s, 1.0)[label])
    p, q = (probabilities(np.delete(row, label), temperature) for row in (t, s))
    return float(first - 1.5 * temperature**2 * (p * np.log(q)).sum())


def reference_row(name: str, s: np.ndarray, t: np.ndarray, temperature: float = 4.0) -> float:
    p, q = probabilities(t, temperature), probabilities(s, temperature)
    beta = 0.1 if name == "js 0.1" else 0.5
    m = beta * p + (1 - beta) * q
    squared = temperature**2
    formulas = {
        "kd": lambda: squared * kl(p, q),
        "soft": lambda: -squared * float((p * np.log(q)).sum()),
        "reverse": lambda: squared * kl(q, p),
        "js": lambda: squared * (beta * kl(p, m) + (1 - beta) * kl(q, m)),
        "mse": lambda: float(((s - t) ** 2).mean()),
        "centred mse": lambda: float(np.var(s - t)),
        "standardized": lambda: reference_row("kd", standardized(s), standardized(t), temperature),
        "top 2": lambda: squared * kl(*(bucketed(x, np.argsort(-t), 2) for x in (p, q))),
        "dkd": lambda: reference_decoupled(s, t, temperature),
        "nkd": lambda: reference_normalised(s, t, temperature),
    }
    return formulas[name.split(" 0.")[0]]()


def reference_rows(name: str, student: Tensor, teacher: Tensor, temperature: float = 4.0) -> Tensor:
    rows = zip(student.numpy(), teacher.numpy(), strict=True)
    return torch.tensor([reference_row(name, s, t, temperature) for s, t in rows], dtype=torch.float64)
