"""Figures of the lessons: data and parameters in, one matplotlib Figure out."""

from quantutils.plots.drawing import Drawing
from quantutils.plots.style import new_figure, png_bytes, show

__all__ = ["Drawing", "new_figure", "png_bytes", "show"]
