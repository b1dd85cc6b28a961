"""Figures of calibration: how much data a range needs, and what a clipping range costs in error and in answers."""

import numpy as np

from quantutils.checks import by_label, one_of, values_1d
from quantutils.course.plots.drawing import Drawing
from quantutils.course.plots.style import (
    BLACK,
    GREEN,
    GREY,
    MARKS,
    ORANGE,
    PARTS,
    RED,
    in_style,
    log_ticks,
    new_figure,
)

TOP_COUNT = 1e6


@in_style
def sqnr_against_images(db_by_bits):
    """SQNR of the output against the number of calibration images: a dot a draw, a line through the means.

    db_by_bits: {label: {number of images: SQNRs in decibels}}, at most 4. Returns the Figure.
    """
    figure, axis = new_figure(height=3.6)
    by_label(db_by_bits, "db_by_bits", "SQNRs by number of images", most=len(MARKS))
    for (label, rows), (marker, line, color) in zip(db_by_bits.items(), MARKS, strict=False):
        for images, found in rows.items():
            found = values_1d(found, f"SQNRs of {label!r}")
            axis.plot(np.full(found.size, images), found, marker, color=color, alpha=0.45, linestyle="none")
        means = [np.mean(found) for found in rows.values()]
        axis.plot(list(rows), means, marker=marker, linestyle=line, color=color, label=label)
    axis.set_xscale("log")
    log_ticks(axis.xaxis, sorted({images for rows in db_by_bits.values() for images in rows}))
    axis.set(xlabel="calibration images (log)", ylabel="SQNR of the output (dB)", ylim=(0, None))
    axis.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


@in_style
def clipping_curves(grid):
    """Mean squared error (above) and right answers (below) over the high end of the range, one column a bit-width.

    grid: a ClippingGrid. Returns the Figure.
    """
    figure, axes = new_figure(columns=len(grid.right), rows=2, height=4.8, sharex=True, sharey="row")
    for (above, below), bits in zip(np.reshape(axes, (2, -1)).T, grid.right, strict=True):
        for (part, look), heights in zip(PARTS.items(), _parts(grid, bits), strict=True):
            above.plot(grid.percents, heights, label=part, **look)
        below.plot(grid.percents, grid.right[bits], "o-", color=GREEN, markersize=4)
        above.set_title(f"{bits} bits")
        above.set_yscale("log")
        below.set_xlabel("high end\n(% of the largest)")
    first_above, first_below = np.reshape(axes, (2, -1))[:, 0]
    _error_axis(first_above, [grid])
    first_above.set_ylabel("mean squared error\n(real units², log)")
    first_below.set_ylabel("right answers")
    figure.legend(handles=first_above.get_lines(), loc="outside lower center", ncols=3, frameon=False)
    return figure


class CalibrationDrawing(Drawing):
    """The high end of a layer's range under the hand: what it clips, the error, and the answers that stay right.

    grids: {layer: ClippingGrid}, all with the same percents and bit-widths. Settings of `update`: layer (a name),
    bits, percent (one of the grid's).
    """

    def __init__(self, grids):
        self.grids = by_label(grids, "grids", "ClippingGrid")

    def build(self):
        """Make the figure and its artists; return the Figure."""
        figure, (left, middle, right) = new_figure(columns=3, height=4.0)
        left.set(title="activations", xlabel="% of the largest", ylabel="count (log)", yscale="log", xlim=(0, 100))
        left.set_ylim(0.6, TOP_COUNT)
        log_ticks(left.yaxis, [1, 100, 10_000])
        edges = np.linspace(0, 100, 51)
        self._edges = edges
        self._counts = {
            name: np.histogram(100 * grid.values / grid.values.max(), edges)[0] for name, grid in self.grids.items()
        }
        self._stairs = left.stairs([0.6], [0, 100], fill=True, color=GREY, baseline=0.6)
        self._cut = left.axvspan(100, 100, facecolor=ORANGE, alpha=0.45, hatch="//", edgecolor=BLACK, linewidth=0)
        middle.set(title="squared error", xlabel="high end (% of the largest)", yscale="log", xlim=(0, 104))
        middle.set_ylabel("mean (real units², log)")
        _error_axis(middle, self.grids.values())
        self._lines = [middle.plot([], [], label=part, **look)[0] for part, look in PARTS.items()]
        (self._point,) = middle.plot([], [], "o", color=RED, markersize=10, markeredgecolor=BLACK, label="now")
        right.set(title="right answers", xlabel="high end (% of the largest)", ylabel="images", xlim=(0, 104))
        every = [found for grid in self.grids.values() for row in grid.right.values() for found in row]
        right.set_ylim(0.9 * min(every), 1.02 * max(every) + 1)
        (self._right,) = right.plot([], [], "s-", color=GREEN, markersize=4)
        (self._now,) = right.plot([], [], "o", color=RED, markersize=10, markeredgecolor=BLACK)
        handles = [*self._lines, self._point, self._cut]
        self._cut.set_label("clipped")
        figure.legend(handles=handles, loc="outside lower center", ncols=5, frameon=False)
        self.moving = (self._stairs, self._cut, *self._lines, self._point, self._right, self._now)
        return figure

    def update(self, layer, bits, percent):
        """Move the artists to the settings; return the read-out."""
        grid = self.grids[one_of(layer, "layer", tuple(self.grids))]
        place = int(np.argmin(np.abs(grid.percents - percent)))
        percent, total = int(grid.percents[place]), grid.rounding[bits] + grid.clipping[bits]
        self._stairs.set_data(np.maximum(self._counts[layer], 0.6), self._edges, 0.6)
        self._cut.set_x(percent)
        self._cut.set_width(100 - percent)
        self._cut.set_visible(percent < 100)
        for line, heights in zip(self._lines, _parts(grid, bits), strict=True):
            line.set_data(grid.percents, heights)
        self._point.set_data([percent], [total[place]])
        self._right.set_data(grid.percents, grid.right[bits])
        self._now.set_data([percent], [grid.right[bits][place]])
        best = int(np.argmin(total))
        return (
            f"{layer}, {bits} bits, range 0 to {percent} % of the largest: clipping is"
            f" {100 * grid.clipping[bits][place] / total[place]:.0f} % of the squared error,"
            f" {total[place] / total[best]:.2f} times the least, which is at {int(grid.percents[best])} %;"
            f" {int(grid.right[bits][place])} answers right, at most {int(grid.right[bits].max())} for any range."
        )


def _parts(grid, bits):
    rounding, clipping = grid.rounding[bits], grid.clipping[bits]
    return [np.where(part > 0, part, np.nan) for part in (rounding + clipping, rounding, clipping)]


def _error_axis(axis, grids):
    """One logarithmic axis that shows the totals of all grids, with a power of ten in every second place."""
    totals = [grid.rounding[bits] + grid.clipping[bits] for grid in grids for bits in grid.rounding]
    low, high = 0.3 * min(map(np.min, totals)), 3 * max(map(np.max, totals))
    axis.set_ylim(low, high)
    powers = range(int(np.ceil(np.log10(low))), int(np.floor(np.log10(high))) + 1)
    log_ticks(axis.yaxis, [10.0**power for power in powers if power % 2 == 0])
