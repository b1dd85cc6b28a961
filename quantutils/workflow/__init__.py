"""Quantize an nn.Module: each function returns a new model and leaves the given one as it was."""

from quantutils.workflow import storage as storage
from quantutils.workflow.conversion import convert
from quantutils.workflow.dynamic import quantize_dynamic
from quantutils.workflow.qat import prepare_qat
from quantutils.workflow.report import LayerReport, Report, report
from quantutils.workflow.static import prepare
from quantutils.workflow.weight_only import quantize_weights

__all__ = [
    "LayerReport",
    "Report",
    "convert",
    "prepare",
    "prepare_qat",
    "quantize_dynamic",
    "quantize_weights",
    "report",
]
