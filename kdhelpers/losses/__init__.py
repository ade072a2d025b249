"""Distillation losses: pure functions on tensors, summed over classes, averaged over rows."""

from kdhelpers.losses.logits import (
    distillation_loss,
    js_divergence_loss,
    kd_loss,
    logit_mse_loss,
    reverse_kl_loss,
    soft_cross_entropy,
)
from kdhelpers.losses.standardized import dist_loss, standardized_kd_loss
from kdhelpers.losses.targets import dkd_loss, nkd_loss
from kdhelpers.losses.topk import topk_kd_loss

__all__ = [
    "dist_loss",
    "distillation_loss",
    "dkd_loss",
    "js_divergence_loss",
    "kd_loss",
    "logit_mse_loss",
    "nkd_loss",
    "reverse_kl_loss",
    "soft_cross_entropy",
    "standardized_kd_loss",
    "topk_kd_loss",
]
