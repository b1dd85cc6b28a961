"""Figures of the lessons: data and parameters in, one matplotlib Figure out."""

from quantutils.course.plots.calibration import (
    CalibrationDrawing,
    clipping_curves,
    sqnr_against_images,
)
from quantutils.course.plots.drawing import Drawing
from quantutils.course.plots.encoder import cosine_losses, loud_tokens, parameter_bars
from quantutils.course.plots.estimator import (
    EstimatorDrawing,
    recovered,
    slopes_at,
    staircase_slopes,
)
from quantutils.course.plots.first_steps import (
    TenNumbersDrawing,
    bit_fields,
    course_map,
    gain_of_each_bit,
    nearest_codes,
    restored_numbers,
)
from quantutils.course.plots.layer_steps import LayerStepsDrawing
from quantutils.course.plots.mapping import MappingDrawing, number_lines, round_trip_errors, staircases
from quantutils.course.plots.memory import MemoryDrawing, quality_against_size, size_bars
from quantutils.course.plots.product import ProductDrawing, budget_bars, four_terms, noise_against_k
from quantutils.course.plots.range_use import (
    RangeDrawing,
    code_budget,
    range_funnels,
    u_curves,
)
from quantutils.course.plots.search import SearchDrawing
from quantutils.course.plots.style import new_figure, png_bytes, show
from quantutils.course.plots.tolerance import (
    ToleranceDrawing,
    changed_against_error,
    decision_bars,
    margin_histograms,
    noise_through_activations,
)

__all__ = [
    "CalibrationDrawing",
    "Drawing",
    "EstimatorDrawing",
    "LayerStepsDrawing",
    "MappingDrawing",
    "MemoryDrawing",
    "ProductDrawing",
    "RangeDrawing",
    "SearchDrawing",
    "TenNumbersDrawing",
    "ToleranceDrawing",
    "bit_fields",
    "budget_bars",
    "changed_against_error",
    "clipping_curves",
    "code_budget",
    "cosine_losses",
    "course_map",
    "decision_bars",
    "four_terms",
    "gain_of_each_bit",
    "loud_tokens",
    "margin_histograms",
    "nearest_codes",
    "new_figure",
    "noise_against_k",
    "noise_through_activations",
    "number_lines",
    "parameter_bars",
    "png_bytes",
    "quality_against_size",
    "range_funnels",
    "recovered",
    "restored_numbers",
    "round_trip_errors",
    "show",
    "size_bars",
    "slopes_at",
    "sqnr_against_images",
    "staircase_slopes",
    "staircases",
    "u_curves",
]
