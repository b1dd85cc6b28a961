"""Figures of the lessons: data and parameters in, one matplotlib Figure out."""

from quantutils.plots.drawing import Drawing
from quantutils.plots.mapping import MappingDrawing, number_lines, round_trip_errors, staircases
from quantutils.plots.product import ProductDrawing, budget_bars, four_terms, noise_against_k
from quantutils.plots.style import new_figure, png_bytes, show

__all__ = [
    "Drawing",
    "MappingDrawing",
    "ProductDrawing",
    "budget_bars",
    "four_terms",
    "new_figure",
    "noise_against_k",
    "number_lines",
    "png_bytes",
    "round_trip_errors",
    "show",
    "staircases",
]
