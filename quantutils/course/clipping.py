"""What clipping one tensor costs, in squared error and in right answers, over the end of the range and the bits."""

from typing import NamedTuple

import numpy as np

from quantutils.affine import choose_qparams
from quantutils.arrays import real_numbers
from quantutils.errors import error_parts


class ClippingGrid(NamedTuple):
    """What clipping one tensor costs. values: the tensor, flat. percents: high ends of the range, % of the largest.
    rounding, clipping: {bits: mean squared error at each end}. right: {bits: right answers at each end}.
    """

    values: np.ndarray
    percents: np.ndarray
    rounding: dict
    clipping: dict
    right: dict


def clipping_grid(values, rest, bits=(2, 3, 4, 8), percents=range(5, 101, 5)):
    """The ClippingGrid of `values`, activations after a ReLU: the range is 0 … percent of the largest.

    rest: takes the quantized and restored values, same shape, and returns how many answers are then right.
    Raises ValueError where a value is below 0 or all are 0.
    """
    values, percents = real_numbers(values, "values", allow_empty=False), np.asarray(list(percents))
    top = float(values.max())
    if values.min() < 0 or top == 0:
        raise ValueError(f"values run from {values.min()} to {top}; accepted: none below 0, and not only zeros")
    rounding, clipping, right = {}, {}, {}
    for width in bits:
        choices = [choose_qparams(0.0, top * percent / 100, width, signed=False) for percent in percents]
        parts = [error_parts(values.ravel(), qparams) for qparams in choices]
        rounding[width] = np.array([part[0] for part in parts])
        clipping[width] = np.array([part[1] for part in parts])
        right[width] = np.array([rest(qparams.fake_quantize(values)) for qparams in choices])
    return ClippingGrid(values.ravel(), percents, rounding, clipping, right)
