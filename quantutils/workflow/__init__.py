"""Quantize any nn.Module: each function returns a new model and leaves the given one as it was."""

from quantutils.workflow.dynamic import quantize_dynamic
from quantutils.workflow.report import LayerReport, Report, report
from quantutils.workflow.static import convert, prepare

__all__ = ["LayerReport", "Report", "convert", "prepare", "quantize_dynamic", "report"]
