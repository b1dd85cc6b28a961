"""Figures of the lessons: data and parameters in, one matplotlib Figure out."""

from quantutils.plots.drawing import Drawing
from quantutils.plots.mapping import MappingDrawing, number_lines, round_trip_errors, staircases
from quantutils.plots.style import new_figure, png_bytes, show

__all__ = [
    "Drawing",
    "MappingDrawing",
    "new_figure",
    "number_lines",
    "png_bytes",
    "round_trip_errors",
    "show",
    "staircases",
]
