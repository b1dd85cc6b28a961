"""Observers watch data go by and choose the real range that its codes should cover.

Each has `observe(x)`, which may be called batch by batch and returns the observer, and
`qparams(bits, symmetric, signed)`, which returns QParams. Observers never keep the data itself.
"""

import numpy as np

from quantutils.affine import FLOAT32, choose_qparams, code_limits
from quantutils.arrays import real_array, real_range
from quantutils.checks import checked_momentum, real_number, whole_number
from quantutils.histogram import Histogram


class MinMax:
    """The smallest and largest value seen: nothing is ever clipped.

    axis: None for one range, or the axis whose every index gets its own (per-channel).
    group_size: with axis, one range for every `group_size` neighbours along it (group-wise).
    low, high: the range seen, in real units; float64 numbers or arrays; None before the first batch.

    >>> MinMax().observe([-12.0, 3.0]).observe([0.5, 13.5]).qparams(bits=8, signed=False)
    QParams(scale=0.1, zero_point=120, qmin=0, qmax=255, axis=None, group_size=None)
    """

    def __init__(self, axis=None, group_size=None):
        if axis is None and group_size is not None:
            raise ValueError(f"group_size is {group_size} but axis is None; accepted: give axis as well")
        self.axis = None if axis is None else whole_number(axis, "axis", -64, 63)
        self.group_size = None if group_size is None else whole_number(group_size, "group_size", 1)
        self.low = self.high = None

    def observe(self, x):
        """Take a batch in and return the observer.

        x: finite real numbers, at least one; with axis, the same number of channels or groups in every batch.
        Raises TypeError or ValueError otherwise.
        """
        low, high = self._range_of(x)
        if self.low is not None and np.shape(low) != np.shape(self.low):
            raise ValueError(f"x gives ranges of shape {np.shape(low)}; accepted: {np.shape(self.low)}, as before")
        self.low, self.high = self._combined(low, high)
        return self

    def _combined(self, low, high):
        if self.low is None:
            return low, high
        return np.minimum(self.low, low), np.maximum(self.high, high)

    def _range_of(self, x):
        if self.axis is None:
            return real_range(x, "x")[2:]
        x, xp = real_array(x, "x", allow_empty=False)
        if not -x.ndim <= self.axis < x.ndim:
            raise ValueError(f"x has shape {tuple(x.shape)}; accepted: one that has axis {self.axis}")
        axis = self.axis % x.ndim
        if self.group_size is None:
            others = tuple(other for other in range(x.ndim) if other != axis)
        else:
            length = x.shape[axis]
            if length % self.group_size:
                raise ValueError(
                    f"x has {length} elements along axis {self.axis};"
                    f" accepted: a multiple of group_size {self.group_size}"
                )
            split = (length // self.group_size, self.group_size)
            x, others = xp.reshape(x, tuple(x.shape[:axis]) + split + tuple(x.shape[axis + 1 :])), (axis + 1,)
        ends = (xp.min(x, axis=others), xp.max(x, axis=others)) if others else (x, x)
        # Copied: with nothing to reduce over these are the caller's own numbers.
        return tuple(np.asarray(xp.astype(end, xp.float64)).copy() for end in ends)

    def qparams(self, bits=8, symmetric=False, signed=True, *, full_range=False, if_all_zero=None):
        """QParams for the range seen so far; arguments and errors as `choose_qparams`.

        Raises ValueError before the first batch.
        """
        _need_data(self.low is not None, self)
        return choose_qparams(
            self.low,
            self.high,
            bits,
            symmetric,
            signed,
            axis=self.axis,
            group_size=self.group_size,
            full_range=full_range,
            if_all_zero=if_all_zero,
        )


class MovingAverageMinMax(MinMax):
    """An exponential average of every batch's smallest and largest value: low ← low + momentum·(batch low − low).

    One odd batch moves the range little. momentum: above 0, at most 1 (1 forgets all but the last batch).
    Source: Jacob et al. 2018, section 3.1; torch.ao's MovingAverageMinMaxObserver.

    >>> MovingAverageMinMax(0.5).observe([0.0, 1.0]).observe([0.0, 3.0]).high
    2.0
    """

    def __init__(self, momentum=0.01, axis=None, group_size=None):
        super().__init__(axis, group_size)
        self.momentum = checked_momentum(momentum)

    def _combined(self, low, high):
        if self.low is None:
            return low, high
        return self.low + self.momentum * (low - self.low), self.high + self.momentum * (high - self.high)


class _HistogramObserver:
    """What Percentile and MSE share: batches go into one histogram whose range doubles when it must."""

    def __init__(self, bins):
        self.histogram = Histogram(bins)

    def observe(self, x):
        """Take a batch in and return the observer.

        x: finite real numbers, at least one, any shape. Raises TypeError or ValueError otherwise.
        """
        self.histogram.add(x)
        return self

    def qparams(self, bits=8, symmetric=False, signed=True, *, full_range=False, if_all_zero=None):
        """QParams for the chosen range; arguments and errors as `choose_qparams`; ValueError before the first batch."""
        code_limits(bits, symmetric, signed, full_range)
        _need_data(self.histogram.total > 0, self)
        low, high = self._chosen_range(bits, symmetric, signed, full_range)
        return choose_qparams(low, high, bits, symmetric, signed, full_range=full_range, if_all_zero=if_all_zero)


class Percentile(_HistogramObserver):
    """The range that leaves (100 − percentile) % of the values out at either end.

    percentile: above 50, at most 100, in percent. bins: resolution; each end is exact to one
    bin, at most 4·max|x| / bins wide. Symmetric parameters take the larger of the two ends.

    >>> wide = np.append(np.linspace(0.0, 1.0, 10_000), 1000.0)
    >>> Percentile(99.0, bins=65536).observe(wide).qparams(signed=False).scale < 1.1 / 255
    True
    """

    def __init__(self, percentile=99.9, bins=8192):
        super().__init__(bins)
        accepted = "a number above 50, at most 100"
        self.percentile = real_number(percentile, "percentile", accepted, lambda x: 50 < x <= 100)

    def _chosen_range(self, bits, symmetric, signed, full_range):
        share = self.percentile / 100
        return self.histogram.quantile(1 - share), self.histogram.quantile(share)


class MSE(_HistogramObserver):
    """The range with the least mean squared error, searched over clipped ranges on a histogram.

    Each candidate shrinks the observed range: one factor for symmetric parameters, one for each end otherwise.
    A bin's error is that of its centre, rounded and clipped by the candidate, weighted with its count; where a
    code is finer than four bins, rounding is taken as scale²/12. candidates: factors tried per end. bins: resolution.
    Source: Banner et al. 2019 ("Post training 4-bit quantization"), section 3; searched here, not solved.
    """

    def __init__(self, bins=2048, candidates=64):
        super().__init__(bins)
        self.candidates = whole_number(candidates, "candidates", 1, 1024)

    def _chosen_range(self, bits, symmetric, signed, full_range):
        low, high = min(self.histogram.low, 0.0), max(self.histogram.high, 0.0)
        if low == high:
            return low, high
        factors = np.arange(1, self.candidates + 1) / self.candidates
        if symmetric:
            pairs = [(low * factor, high * factor) for factor in factors]
            if signed:
                reach = max(-low, high)
                pairs = [(-reach * factor, reach * factor) for factor in factors]
        else:
            lows = low * factors if low < 0 else [0.0]
            highs = high * factors if high > 0 else [0.0]
            pairs = [(some_low, some_high) for some_low in lows for some_high in highs]
        qmin, qmax = code_limits(bits, symmetric, signed, full_range)
        # Where even the whole range is hardly wide enough for a float32 scale, a part of it may not be.
        pairs = [pair for pair in pairs if pair[1] - pair[0] >= FLOAT32.tiny * (qmax - qmin)] or [(low, high)]
        errors = [self._error(*pair, bits, symmetric, signed, full_range) for pair in pairs]
        # The last of the equals: of ranges that cost the same, the widest clips least.
        return pairs[len(errors) - 1 - int(np.argmin(errors[::-1]))]

    def _error(self, low, high, bits, symmetric, signed, full_range):
        """Expected squared error of one candidate range, in real units squared."""
        centres, counts = self.histogram.centres, self.histogram.counts
        qparams = choose_qparams(low, high, bits, symmetric, signed, full_range=full_range)
        first, last = qparams.real_range
        if qparams.scale >= 4 * self.histogram.width:
            errors = (centres - qparams.fake_quantize(centres)) ** 2
        else:
            errors = (centres - np.clip(centres, first, last)) ** 2 + qparams.scale**2 / 12
        return float(np.sum(counts * errors) / self.histogram.total)


def _need_data(seen, observer):
    if not seen:
        raise ValueError(f"{type(observer).__name__} has observed no data; call observe(x) at least once first")
