"""From a trained model to one that answers: export, shrink, serve, score files, ask a teacher if unsure."""

from .answers import Prediction
from .batch import BatchResult, predict_file, predict_lines
from .cascade import Cascade, CascadeCounts, CascadePrediction
from .edge import export_edge
from .export import export_onnx
from .predictor import OnnxPredictor
from .quantize import quantize_onnx
from .threshold import CascadePoint, Threshold, cascade_curve, choose_threshold

__all__ = [
    "BatchResult",
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
    "predict_file",
    "predict_lines",
    "quantize_onnx",
]
