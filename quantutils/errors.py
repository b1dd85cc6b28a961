"""What quantization costs: error in real units, noise in decibels, and codes that are never used."""

import math
from dataclasses import dataclass

import numpy as np
from array_api_compat import array_namespace

from quantutils.affine import need_qparams
from quantutils.arrays import dtype_name, real_array, same_shape
from quantutils.checks import real_number


def _pair_as_float64(x, x_hat):
    x, xp = real_array(x, "x", allow_empty=False)
    x_hat, _ = real_array(x_hat, "x_hat", allow_empty=False)
    same_shape(x, x_hat, "x", "x_hat")
    return xp.astype(x, xp.float64), xp.astype(x_hat, xp.float64), xp


def _representable(error):
    if not math.isfinite(error):
        raise ValueError(
            "x and x_hat are too far apart for float64; accepted: an error, and its square in mse, below 1e308"
        )
    return error


def mse(x, x_hat):
    """Mean squared error, mean((x − x̂)²), in real units squared.

    x, x_hat: finite real arrays of one shape. Raises TypeError or ValueError otherwise.

    >>> mse([1.0, 2.0], [1.0, 2.5])
    0.125
    """
    x, x_hat, xp = _pair_as_float64(x, x_hat)
    with np.errstate(over="ignore"):
        return _representable(float(xp.mean((x - x_hat) ** 2)))


def max_abs_error(x, x_hat):
    """Largest |x − x̂|, in real units: at most scale/2 where nothing is clipped.

    x, x_hat: finite real arrays of one shape. Raises TypeError or ValueError otherwise.

    >>> max_abs_error([1.0, 2.0], [1.25, 2.0])
    0.25
    """
    x, x_hat, xp = _pair_as_float64(x, x_hat)
    with np.errstate(over="ignore"):
        return _representable(float(xp.max(xp.abs(x - x_hat))))


def sqnr_db(x, x_hat):
    """Signal to quantization noise ratio, 10·log10(Σx² / Σ(x − x̂)²), in decibels; inf where x̂ = x.

    Six decibels more are one bit more (Widrow & Kollár 2008, chapter 1: 6.02 dB a bit).
    x, x_hat: finite real arrays of one shape. Raises ValueError for a signal that is zero throughout.

    >>> round(sqnr_db([3.0, 4.0], [3.0, 4.5]), 3)
    20.0
    """
    x, x_hat, xp = _pair_as_float64(x, x_hat)
    with np.errstate(over="ignore"):
        error = x - x_hat
    _representable(float(xp.max(xp.abs(error))))
    signal, noise = _energy_db(x, xp), _energy_db(error, xp)
    if signal == -math.inf:
        raise ValueError("x is zero throughout; accepted: a signal with some power, or the ratio has no meaning")
    return signal - noise


def _energy_db(x, xp):
    """Σx² in decibels; −inf where x is zero throughout."""
    peak = float(xp.max(xp.abs(x)))
    if peak == 0.0:
        return -math.inf
    # Scaled by the largest value first, so that squares of tiny or huge numbers stay in float64.
    return 20 * math.log10(peak) + 10 * math.log10(float(xp.sum((x / peak) ** 2)))


def product_sqnr_db(sqnr_a_db, sqnr_b_db):
    """SQNR of a product A·B predicted from those of A and B: 1/SQNR = 1/SQNR_a + 1/SQNR_b, in decibels.

    Holds to first order for independent zero-mean factors whose errors are independent of them
    (Lin, Talathi & Annapureddy 2016, equation 3). Raises TypeError unless both are numbers, ValueError for NaN.

    >>> round(product_sqnr_db(40.0, 40.0), 2)
    36.99
    """
    for name, value in (("sqnr_a_db", sqnr_a_db), ("sqnr_b_db", sqnr_b_db)):
        # A whole number may be larger than any float.
        real_number(
            value, name, "a number of decibels, or inf for no noise", lambda x: abs(x) <= 1e300 or x == math.inf
        )
    worse, better = sorted((float(sqnr_a_db), float(sqnr_b_db)))
    if worse == math.inf:
        return math.inf
    # The better ratio as a share of the worse one, so that no number of decibels overflows.
    return worse - 10 * math.log10(1 + 10 ** ((worse - better) / 10))


@dataclass(frozen=True)
class CodeUsage:
    """How an array uses the codes of its QParams; all fields but the last are counts of codes.

    total: qmax − qmin + 1. reachable: codes from the one of min(x) to the one of max(x).
    used: distinct codes that occur. wasted: total − reachable.
    bits_wasted: log2(total / reachable), the share of the bit-width that buys nothing.
    """

    total: int
    reachable: int
    used: int
    wasted: int
    bits_wasted: float


def code_usage(x, qparams):
    """How many codes of per-tensor `qparams` the array `x` can reach, uses and wastes: a CodeUsage.

    x: finite real numbers, at least one. Raises TypeError or ValueError as `QParams.quantize`
    does, and ValueError for per-channel qparams, where each channel has its own answer.

    >>> from quantutils import QParams
    >>> code_usage([-92.0, 0.0, 127.0], QParams(1.0, 0, -127, 127))
    CodeUsage(total=255, reachable=220, used=3, wasted=35, bits_wasted=0.21299372333419844)
    """
    need_qparams(qparams, "qparams")
    if qparams.axis is not None:
        raise ValueError(f"qparams has axis {qparams.axis}; accepted: per-tensor qparams, one channel at a time")
    x, _ = real_array(x, "x", allow_empty=False)
    codes = qparams.quantize(x)
    xp = array_namespace(codes)
    total = qparams.qmax - qparams.qmin + 1
    reachable = int(xp.max(codes)) - int(xp.min(codes)) + 1
    used = int(xp.unique_values(codes).shape[0])
    return CodeUsage(total, reachable, used, total - reachable, math.log2(total / reachable))


def error_parts(x, qparams):
    """The mean squared error of a round trip in two parts, and how much was clipped: (rounding, clipping, share).

    x: real numbers, (values,), with per-tensor qparams; or (ranges, values) with one range for each row (axis 0),
    and then each part has one number a row. A value counts as clipped where it lies more than half a step outside
    the range, so that no code is near it. rounding + clipping is the mse, in real units squared; share is the part
    of the values that is clipped, 0 … 1. Raises TypeError or ValueError for other x or qparams.

    >>> from quantutils import choose_qparams
    >>> error_parts([0.25, 1.0, 1.5, 5.0], choose_qparams(-1.0, 1.0, bits=2, symmetric=True))
    (0.078125, 4.0, 0.25)
    """
    need_qparams(qparams, "qparams")
    x, xp = real_array(x, "x", allow_empty=False)
    x = np.asarray(xp.astype(x, xp.float32) if dtype_name(x) == "bfloat16" else x)
    if x.ndim != (1 if qparams.axis is None else 2) or qparams.axis not in (None, 0) or qparams.group_size:
        raise ValueError(
            f"x has shape {x.shape} and qparams axis {qparams.axis}; accepted: (values,) with per-tensor qparams,"
            " or (ranges, values) with axis 0"
        )
    half = np.reshape(qparams.scale, (-1, 1)) / 2
    first, last = (np.reshape(end, (-1, 1)) for end in qparams.real_range)
    with np.errstate(over="ignore"):  # an end beyond x's dtype clips nothing
        squares = np.square(qparams.fake_quantize(x) - x, dtype=np.float64)
        clipped = (x < (first - half).astype(x.dtype)) | (x > (last + half).astype(x.dtype))
    if not np.isfinite(squares.mean()):
        raise ValueError(f"x reaches {np.abs(x).max():g}; accepted: errors whose squares float64 holds")
    total, outside, share = squares.mean(-1), (squares * clipped).mean(-1), clipped.mean(-1)
    if qparams.axis is None:
        return float(total - outside[0]), float(outside[0]), float(share[0])
    return total - outside, outside, share
