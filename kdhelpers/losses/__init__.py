"""Distillation losses: pure functions on tensors, summed over classes, averaged over rows."""

from kdhelpers.losses.contrastive import EmbeddingMemory, contrastive_loss
from kdhelpers.losses.ensembles import ensemble_logits
from kdhelpers.losses.features import attention_transfer_loss, hint_loss
from kdhelpers.losses.linear import linear_kd_loss
from kdhelpers.losses.logits import (
    distillation_loss,
    js_divergence_loss,
    kd_loss,
    logit_mse_loss,
    reverse_kl_loss,
    soft_cross_entropy,
)
from kdhelpers.losses.projectors import Projector, WithProjectors
from kdhelpers.losses.ranking import listwise_ranking_loss, pairwise_ranking_loss
from kdhelpers.losses.relations import rkd_loss, similarity_loss
from kdhelpers.losses.sequences import answer_mask, token_kd_loss
from kdhelpers.losses.standardized import dist_loss, standardized_kd_loss
from kdhelpers.losses.taps import tap_layers
from kdhelpers.losses.targets import dkd_loss, nkd_loss
from kdhelpers.losses.topk import topk_kd_loss
from kdhelpers.losses.with_features import WithFeatures

__all__ = [
    "EmbeddingMemory",
    "Projector",
    "WithFeatures",
    "WithProjectors",
    "answer_mask",
    "attention_transfer_loss",
    "contrastive_loss",
    "dist_loss",
    "distillation_loss",
    "dkd_loss",
    "ensemble_logits",
    "hint_loss",
    "js_divergence_loss",
    "kd_loss",
    "linear_kd_loss",
    "listwise_ranking_loss",
    "logit_mse_loss",
    "nkd_loss",
    "pairwise_ranking_loss",
    "reverse_kl_loss",
    "rkd_loss",
    "similarity_loss",
    "soft_cross_entropy",
    "standardized_kd_loss",
    "tap_layers",
    "token_kd_loss",
    "topk_kd_loss",
]
