"""From a trained model to one that answers: export, predict without torch, ask the teacher when unsure."""

from .answers import Prediction
from .cascade import Cascade, CascadePrediction
from .export import export_onnx
from .predictor import OnnxPredictor
from .threshold import CascadePoint, Threshold, cascade_curve, choose_threshold

__all__ = [
    "Cascade",
    "CascadePoint",
    "CascadePrediction",
    "OnnxPredictor",
    "Prediction",
    "Threshold",
    "cascade_curve",
    "choose_threshold",
    "export_onnx",
]
