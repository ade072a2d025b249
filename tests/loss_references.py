"""Slow references for the losses: numpy and loops, written from the formulas, sharing no code with them."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from torch import Tensor

from kdhelpers.losses import (
    js_divergence_loss,
    kd_loss,
    logit_mse_loss,
    reverse_kl_loss,
    soft_cross_entropy,
)

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
}
SOFTENED = {name: LOSSES[name] for name in ("kd", "soft", "reverse", "js", "js 0.1")}
DIVERGENCES = {name: LOSSES[name] for name in ("kd", "reverse", "js", "js 0.1")}


def logits(*shape: int, seed: int = 0, scale: float = 2.0, dtype: torch.dtype = torch.float64) -> Tensor:
    noise = torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return (noise * scale).to(dtype)


def probabilities(row: np.ndarray, temperature: float) -> np.ndarray:
    powers = np.exp((row - row.max()) / temperature)
    return powers / powers.sum()


def kl(p: np.ndarray, q: np.ndarray) -> float:
    return sum(float(a * np.log(a / b)) for a, b in zip(p, q, strict=True) if a > 0)


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
    }
    return formulas[name.split(" 0.")[0]]()


def reference_rows(name: str, student: Tensor, teacher: Tensor, temperature: float = 4.0) -> Tensor:
    rows = zip(student.numpy(), teacher.numpy(), strict=True)
    return torch.tensor([reference_row(name, s, t, temperature) for s, t in rows], dtype=torch.float64)
