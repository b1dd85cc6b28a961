"""The slopes that stand in for those of a staircase: of the straight-through estimator, and of a learned step."""

import numpy as np


def straight_through(x, qparams):
    """The estimator's slope at every x: 1 where the rounded code lies within qmin … qmax, 0 where it is clipped.

    >>> from quantutils import choose_qparams
    >>> straight_through(np.array([0.2, 9.0]), choose_qparams(-1, 1, bits=3, symmetric=True))
    array([1., 0.])
    """
    codes = np.round(np.asarray(x, np.float64) / qparams.scale) + qparams.zero_point
    return ((codes >= qparams.qmin) & (codes <= qparams.qmax)).astype(np.float64)


def scale_slope(x, qparams):
    """LSQ's slope dx̂/ds at every x: round(x/s) − x/s inside the range, the clipped code's steps outside.

    >>> from quantutils import choose_qparams
    >>> scale_slope(np.array([0.4, 9.0]), choose_qparams(-3, 3, bits=3, symmetric=True))
    array([-0.4,  3. ])
    """
    steps = np.asarray(x, np.float64) / qparams.scale
    ends = qparams.qmin - qparams.zero_point, qparams.qmax - qparams.zero_point
    clipped = np.clip(steps, *ends)
    return np.where(clipped == steps, np.round(steps) - steps, clipped)
