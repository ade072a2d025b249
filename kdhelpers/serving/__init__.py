"""From a trained model to one that answers: export, shrink, serve without torch, ask a teacher if unsure."""

from .answers import Prediction
from .cascade import Cascade, CascadeCounts, CascadePrediction
from .edge import export_edge
from .export import export_onnx
from .predictor import OnnxPredictor
from .quantize import quantize_onnx
from .threshold import CascadePoint, Threshold, cascade_curve, choose_threshold

__all__ = [
    "Cascade",
    "CascadeCounts",
    "CascadePoint",
    "CascadePrediction",
    "OnnxPredictor",
    "Prediction",
    "Threshold",
    "cascade_curve",
    "choose_threshold",
    "export_edge",
    "export_onnx",
    "quantize_onnx",
]
