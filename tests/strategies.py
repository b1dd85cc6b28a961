"""Hypothesis strategies the tests share: ways to quantize, and numbers that make rounding hard."""

import numpy as np
import torch
from hypothesis import strategies as st

from quantutils import QParams, code_limits

DTYPES = ("float16", "float32", "float64")
LIMITS = [
    (bits, symmetric, signed, full_range)
    for bits in range(2, 17)
    for symmetric, signed, full_range in [
        (False, True, False),
        (False, False, False),
        (True, True, False),
        (True, True, True),
        (True, False, False),
    ]
]


def scales(low=1e-6, high=1e3):
    """Scales of every kind: arbitrary, round in decimal, powers of two (for which ties are exact)."""
    return st.one_of(
        st.floats(low, high),
        st.sampled_from([0.1, 0.05, 1 / 3, 3.0, 100 / 255]),
        st.integers(-8, 6).map(lambda power: 2.0**power),
    )


@st.composite
def mappings(draw):
    """Per-tensor QParams of any width, sign and symmetry."""
    bits, symmetric, signed, full_range = draw(st.sampled_from(LIMITS))
    qmin, qmax = code_limits(bits, symmetric, signed, full_range)
    return QParams(draw(scales()), 0 if symmetric else draw(st.integers(qmin, qmax)), qmin, qmax)


@st.composite
def mappings_and_shapes(draw):
    """QParams of any granularity and the shape of an array they fit."""
    granularity = draw(st.sampled_from(["tensor", "channel", "group"]))
    if granularity == "tensor":
        return draw(mappings()), tuple(draw(st.lists(st.integers(1, 5), min_size=1, max_size=3)))
    bits, symmetric, signed, full_range = draw(st.sampled_from(LIMITS))
    qmin, qmax = code_limits(bits, symmetric, signed, full_range)
    shape = [draw(st.integers(1, 4)) for _ in range(draw(st.integers(1, 3)))]
    axis = draw(st.integers(-len(shape), len(shape) - 1))
    group_size = draw(st.integers(1, 4)) if granularity == "group" else None
    layout = tuple(shape) if group_size else (shape[axis],)
    count = int(np.prod(layout))
    zeros = [0] * count if symmetric else draw(st.lists(st.integers(qmin, qmax), min_size=count, max_size=count))
    some = draw(st.lists(scales(), min_size=count, max_size=count))
    if group_size:
        shape[axis] *= group_size
    qparams = QParams(np.reshape(some, layout), np.reshape(zeros, layout), qmin, qmax, axis, group_size)
    return qparams, tuple(shape)


def spread(values, qparams, shape):
    """scale or zero_point of any granularity, one for each element of an array of `shape` (written with loops)."""
    values = np.asarray(values)
    full = np.empty(shape, values.dtype)
    for place in np.ndindex(*shape):
        if qparams.axis is None:
            full[place] = values
        elif qparams.group_size is None:
            full[place] = values[place[qparams.axis]]
        else:
            group = list(place)
            group[qparams.axis] //= qparams.group_size
            full[place] = values[tuple(group)]
    return full


def hard_numbers(qparams, shape, kind, seed, dtype):
    """An array for `qparams`: "random" over one and a half times the range, or "ties", (k + 0.5) · scale."""
    rng = np.random.default_rng(seed)
    scale = spread(qparams.scale, qparams, shape)
    zero_point = spread(qparams.zero_point, qparams, shape)
    span = qparams.qmax - qparams.qmin
    if kind == "ties":
        steps = rng.integers(qparams.qmin - 3, qparams.qmax + 3, shape) - zero_point + 0.5
    else:
        steps = rng.uniform(qparams.qmin - span / 4, qparams.qmax + span / 4, shape) - zero_point
    largest = np.finfo(dtype).max
    return np.clip(steps * scale, -largest, largest).astype(dtype)


def kinds():
    """The kinds that `hard_numbers` makes."""
    return st.sampled_from(["random", "ties"])


def seeds():
    """Seeds of NumPy's generator."""
    return st.integers(0, 2**32 - 1)


def as_library(x, library):
    """`x` as an array of "numpy" or "torch"."""
    return torch.from_numpy(np.array(x)) if library == "torch" else np.array(x)
