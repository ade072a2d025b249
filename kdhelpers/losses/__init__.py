"""Distillation losses: pure functions on tensors, summed over classes, averaged over rows."""

from kdhelpers.losses.logits import (
    distillation_loss,
    js_divergence_loss,
    kd_loss,
    logit_mse_loss,
    reverse_kl_loss,
    soft_cross_entropy,
)

__all__ = [
    "distillation_loss",
    "js_divergence_loss",
    "kd_loss",
    "logit_mse_loss",
    "reverse_kl_loss",
    "soft_cross_entropy",
]
