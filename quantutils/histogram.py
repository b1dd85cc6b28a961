"""A histogram that takes data batch by batch and widens itself without losing a count."""

import numpy as np

from quantutils.affine import FLOAT32
from quantutils.arrays import dtype_name, real_range
from quantutils.checks import real_number, whole_number

VALUES_AT_ONCE = 2**16  # values placed at a time, few enough to stay in the processor's cache from step to step


class Histogram:
    """Counts of values in equal bins over −reach … +reach; reach doubles when a value falls outside.

    Doubling merges neighbouring bins two by two, so no count is ever split or lost.
    bins: how many, a multiple of 4. counts: int64 (bins,); a value less than a thousandth of a bin away from an edge
    may count on its other side. low, high: smallest and largest value seen, real units, exact.

    >>> histogram = Histogram(4).add([0.1, 0.9]).add([-3.0])
    >>> histogram.total, histogram.reach, histogram.counts.tolist()
    (3, 3.6, [1, 0, 2, 0])
    """

    def __init__(self, bins=2048):
        bins = whole_number(bins, "bins", 4, 2**22)
        if bins % 4:
            raise ValueError(f"bins is {bins}; accepted: a multiple of 4, so that a half merges two by two")
        self.counts = np.zeros(bins, np.int64)
        self.reach = 0.0
        self.low, self.high = np.inf, -np.inf

    @property
    def total(self):
        """How many values have been counted."""
        return int(self.counts.sum())

    @property
    def width(self):
        """Width of one bin, in real units."""
        return 2 * self.reach / len(self.counts)

    @property
    def centres(self):
        """Middle of every bin, in real units, float64 (bins,)."""
        return (np.arange(len(self.counts)) + 0.5) * self.width - self.reach

    def add(self, x):
        """Count a batch and return the histogram.

        x: finite real numbers, at least one, any shape. Raises TypeError or ValueError otherwise.
        """
        x, xp, low, high = real_range(x, "x")
        if dtype_name(x) == "bfloat16":  # which NumPy does not know
            x = xp.astype(x, xp.float32)
        values = np.asarray(x).ravel()
        peak = max(-low, high)
        if peak > 1e300:
            raise ValueError(f"x reaches from {low} to {high}; accepted: magnitudes up to 1e300")
        if self.reach == 0.0 and peak > 0.0:
            # All that came before was exactly 0, and stays in the bin that begins at 0.
            self.reach = peak
        while self.reach < peak:
            self._double()
        self.counts += self._counted(values)
        self.low, self.high = min(self.low, low), max(self.high, high)
        return self

    def _counted(self, values):
        """How many values lie in each bin, int64 (bins,); all values within ±reach."""
        bins = len(self.counts)
        counts = np.zeros(bins + 2, np.int64)
        if self.reach == 0.0:
            counts[bins // 2 + 1] = values.size
        else:
            real, unit, times = self._steps(values.dtype)
            # Reused by every block: new memory for each step would cost more than the steps.
            size = min(VALUES_AT_ONCE, values.size)
            all_steps, all_places = np.empty(size, real), np.empty(size, np.int64)  # int64: what bincount counts itself
            for start in range(0, values.size, VALUES_AT_ONCE):
                part = values[start : start + VALUES_AT_ONCE]
                steps, places = all_steps[: part.size], all_places[: part.size]
                np.divide(part, real(unit), out=steps, dtype=real)
                if times > 1:
                    steps *= times
                steps += bins // 2 + 1  # now positive, so that cutting off the fraction rounds down
                places[:] = steps
                counts += np.bincount(places, minlength=bins + 2)
        # −reach and +reach themselves came to lie one place too far out.
        counts[1] += counts[0]
        counts[-2] += counts[-1]
        return counts[1:-1]

    def _steps(self, dtype):
        """How places are computed, value / unit · times: (dtype, unit, times).

        In float32, with one division, where that errs by less than a thousandth of a bin: half the time.
        """
        half, tiny, largest = len(self.counts) // 2, float(FLOAT32.tiny), float(FLOAT32.max)
        if dtype != np.float64 and half <= 2**12 and tiny * half <= self.reach <= largest:
            return np.float32, self.reach / half, 1
        return np.float64, self.reach, half

    def _double(self):
        bins = len(self.counts)
        merged = self.counts.reshape(-1, 2).sum(axis=1)
        self.counts = np.zeros(bins, np.int64)
        self.counts[bins // 4 : bins // 4 + bins // 2] = merged
        self.reach *= 2

    def quantile(self, share):
        """The value below which `share` of the counts lie, exact to one bin, within low … high.

        share: 0 … 1; 0 gives low and 1 gives high, both exact. Raises TypeError for what is not a number,
        ValueError outside or without data.
        """
        real_number(share, "share", "a number from 0 to 1", lambda x: 0 <= x <= 1)
        if self.total == 0:
            raise ValueError("the histogram is empty; call add(x) first")
        if share in (0, 1):
            return self.low if share == 0 else self.high
        below = np.cumsum(self.counts)
        place = int(np.searchsorted(below, share * self.total))
        inside = (share * self.total - (below[place] - self.counts[place])) / max(self.counts[place], 1)
        edge = place * self.width - self.reach + inside * self.width
        return float(np.clip(edge, self.low, self.high))
