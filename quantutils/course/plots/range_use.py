"""Figures of a range and its codes: which codes are wasted, which values are clipped, and what either costs."""

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Polygon

from quantutils.affine import choose_qparams, per_tensor
from quantutils.checks import by_label, number, one_of, values_1d
from quantutils.course.plots.drawing import Drawing
from quantutils.course.plots.style import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    MODES,
    ORANGE,
    PARTS,
    PINK,
    RED,
    SKY,
    in_style,
    log_ticks,
    new_figure,
)
from quantutils.errors import code_usage, error_parts, sqnr_db

WASTED = {"facecolor": PINK, "alpha": 0.45, "hatch": "xx", "edgecolor": BLACK, "linewidth": 0}
CLIPPED = {"facecolor": ORANGE, "alpha": 0.45, "hatch": "//", "edgecolor": BLACK, "linewidth": 0}
IN_USE = {"facecolor": SKY, "alpha": 0.4, "linewidth": 0}
NO_COUNT = 0.6  # what a logarithmic count axis shows as none
TOP_COUNT = 30_000
MARKERS = (("o", GREEN), ("s", PINK), ("^", SKY), ("D", GREY))


@in_style
def range_funnels(examples, low, high):
    """For each range the histogram of its values, the funnel that maps them to codes, and the count of every code.

    examples: {title: (values, QParams)}, per-tensor. low, high: the part of the real axis shown. Returns the Figure.
    """
    columns = len(by_label(examples, "examples", "(values, QParams)"))
    low, high = number(low, "low"), number(high, "high", above=low)
    figure, axes = new_figure(columns=columns, rows=3, height=4.6, sharey="row")
    for column, (title, (values, qparams)) in zip(np.reshape(axes, (3, columns)).T, examples.items(), strict=True):
        funnel = _Funnel(column, low, high)
        values = values_1d(values, f"values of {title!r}")
        funnel.move(values, funnel.counts_of(values), per_tensor(qparams, f"qparams of {title!r}"))
        column[0].set_title(title)
    for axis in np.reshape(axes, (3, columns))[:, 1:].ravel():
        axis.set_ylabel("")
    _legend(figure, _funnel_handles())
    return figure


@in_style
def code_budget(usage_by_row):
    """One bar of codes for each row: used, reachable but never used, wasted.

    usage_by_row: {label: CodeUsage}; rows are drawn from the top. Returns the Figure.
    """
    by_label(usage_by_row, "usage_by_row", "CodeUsage")
    figure, axis = new_figure(height=1.1 + 0.27 * len(usage_by_row))
    rows = np.arange(len(usage_by_row))
    usages = list(usage_by_row.values())
    parts = {
        "used": ([usage.used for usage in usages], {"facecolor": BLUE}),
        "reachable, never used": (
            [usage.reachable - usage.used for usage in usages],
            {"facecolor": "white", "edgecolor": GREY, "hatch": "..", "linewidth": 0.5},
        ),
        "wasted": ([usage.wasted for usage in usages], WASTED),
    }
    start = np.zeros(len(rows))
    for label, (widths, look) in parts.items():
        axis.barh(rows, widths, left=start, height=0.72, label=label, **look)
        start = start + widths
    axis.set_yticks(rows, list(usage_by_row))
    axis.set_ylim(len(rows) - 0.5, -0.5)
    axis.set_xlabel("codes")
    axis.set_xlim(0, 1.01 * max(usage.total for usage in usages))
    axis.grid(visible=False, axis="y")
    axis.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, frameon=False)
    return figure


@in_style
def u_curves(values, bits, marks=None, top=None):
    """The mean squared error over the symmetric clipping range ± c, and its two parts, for each bit-width.

    values: real numbers, (values,). bits: bit-widths, one panel each. marks: {name: {bit-width: c or several c}},
    ranges that somebody chose, drawn on the curve of the total. top: where the error axis ends, in real units²,
    which is then linear; None for a logarithmic axis that shows everything. Returns the Figure.
    """
    values = values_1d(values, "values")
    marks = {} if marks is None else by_label(marks, "marks", "clipping ranges", most=len(MARKERS))
    figure, axes = new_figure(columns=len(bits), height=4.0, sharey=True)
    reach = float(np.abs(values).max())
    ends = np.linspace(reach / 50, 1.1 * reach, 55)
    for axis, width in zip(np.atleast_1d(axes), bits, strict=True):
        rounding, clipping = _parts_over(values, ends, width)
        for (part, look), heights in zip(PARTS.items(), (rounding + clipping, rounding, clipping), strict=True):
            axis.plot(ends, np.where(heights > 0, heights, np.nan), label=part, **look)
        for (marker, color), (name, chosen) in zip(MARKERS, marks.items(), strict=False):
            places = np.atleast_1d(chosen[width])
            total = sum(_parts_over(values, places, width))
            axis.plot(places, total, marker, color=color, markersize=10, markeredgecolor=BLACK, label=name)
        axis.set(title=f"{width} bits", xlabel="clipping range c (real units)")
    first = np.atleast_1d(axes)[0]
    first.set_ylabel("mean squared error\n(real units²" + (", log)" if top is None else ")"))
    if top is None:
        # Where everything is clipped, the error is the power of the values; nothing above it is of interest.
        power = float(np.mean(np.square(values, dtype=np.float64)))
        for axis in np.atleast_1d(axes):
            _log_axis(axis, 1e-6 * power, 4 * power)
    else:
        first.set_ylim(0, number(top, "top", above=0))
    _legend(figure, first.get_legend_handles_labels()[0])
    return figure


class RangeDrawing(Drawing):
    """A range under the hand: the funnel from values to codes, and the U-curve of its error with the present point.

    data: {name: real numbers, (values,)}. reach: how far the real axis shows. Settings of `update`: values (a name),
    bits, low, high (real units) and mode, "symmetric" (the range is −high … high) or "asymmetric".
    """

    def __init__(self, data, reach):
        by_label(data, "data", "values")
        self.data = {name: values_1d(values, f"values of {name!r}") for name, values in data.items()}
        self.reach = number(reach, "reach", above=0)
        self.ends = np.linspace(self.reach / 40, self.reach, 27)
        self._curves = {}

    def build(self):
        """Make the figure and its artists; return the Figure."""
        figure, axes = new_figure(columns=2, rows=3, height=4.7, widths=(1.55, 1))
        for axis in axes[:, 1]:
            axis.remove()
        right = figure.add_subplot(axes[0, 0].get_gridspec()[:, 1])
        self._funnel = _Funnel(axes[:, 0], -self.reach, self.reach)
        self._counts = {name: self._funnel.counts_of(values) for name, values in self.data.items()}
        right.set(title="error over the high end", xlabel="high end of the range (real units)")
        right.set_ylabel("mean squared error (real units², log)")
        right.set_xlim(0, 1.04 * self.reach)
        _log_axis(right, 1e-6, 10)
        self._parts = [right.plot([], [], label=part, **look)[0] for part, look in PARTS.items()]
        (self._point,) = right.plot([], [], "o", color=RED, markersize=11, markeredgecolor=BLACK, label="now")
        handles = zip(_funnel_handles(), (*self._parts, self._point), strict=True)
        _legend(figure, [handle for pair in handles for handle in pair], columns=4)
        self.moving = (*self._funnel.moving, *self._parts, self._point)
        return figure

    def update(self, values, bits, low, high, mode):
        """Move the artists to the settings; return the read-out."""
        x = self.data[one_of(values, "values", tuple(self.data))]
        symmetric = one_of(mode, "mode", MODES) == "symmetric"
        low = -high if symmetric else low
        qparams = choose_qparams(low, high, bits, symmetric)
        usage = self._funnel.move(x, self._counts[values], qparams)
        rounding, clipping = self._curve(values, bits, None if symmetric else low)
        for line, heights in zip(self._parts, (rounding + clipping, rounding, clipping), strict=True):
            line.set_data(self.ends, np.where(heights > 0, heights, np.nan))
        now = error_parts(x, qparams)
        self._point.set_data([high], [now[0] + now[1]])
        first, last = qparams.real_range
        return (
            f"{values}, {bits} bits, {mode}: range {first:.2f} to {last:.2f}; of {usage.total} codes {usage.wasted}"
            f" wasted ({usage.bits_wasted:.2f} bits), {usage.reachable} reachable, {usage.used} used;"
            f" {100 * now[2]:.2f} % of the values clipped; clipping is {100 * now[1] / (now[0] + now[1]):.0f} % of the"
            f" squared error; SQNR {sqnr_db(x, qparams.fake_quantize(x)):.1f} dB."
        )

    def _curve(self, values, bits, low):
        """Both parts of the error at every high end; low None is symmetric. Kept, since one drag asks many times."""
        key = values, bits, low
        if key not in self._curves:
            if len(self._curves) >= 64:
                self._curves.clear()
            self._curves[key] = _parts_over(self.data[values], self.ends, bits, low)
        return self._curves[key]


class _Funnel:
    """The artists of three stacked axes: values on the real axis, the funnel, and the codes they get."""

    BINS = 96

    def __init__(self, axes, low, high):
        top, middle, bottom = axes
        self.low, self.high = low, high
        top.get_gridspec().set_height_ratios((1.0, 0.75, 0.8))
        self._edges = np.linspace(low, high, self.BINS + 1)
        for axis in (top, bottom):
            axis.set_ylabel("count (log)")
            _log_axis(axis, NO_COUNT, TOP_COUNT)
        top.set_xlim(low, high)
        top.set_xlabel("values: x (real units)")
        top.xaxis.set_label_position("top")
        top.xaxis.tick_top()
        for axis in (middle, bottom):
            axis.set_xlim(0, 1)
            axis.set_xticks([])
        middle.set_ylim(0, 1)
        middle.set_axis_off()
        self._values = top.stairs([NO_COUNT], [low, high], fill=True, color=GREY, baseline=NO_COUNT)
        self._codes = bottom.stairs([NO_COUNT], [0, 1], fill=True, color=BLUE, baseline=NO_COUNT)
        self._cut = [top.axvspan(low, low, **CLIPPED) for _ in range(2)]
        self._idle = [bottom.axvspan(0, 0, **WASTED) for _ in range(2)]
        nothing = np.zeros((4, 2))
        looks = {"use": IN_USE, "left": CLIPPED, "right": CLIPPED, "below": WASTED, "above": WASTED}
        self._flows = {name: middle.add_patch(Polygon(nothing, **look)) for name, look in looks.items()}
        self._zero = middle.plot([], [], color=BLACK, linewidth=1.5)[0]
        self._names = [
            bottom.text(place, -0.06, "", transform=bottom.transAxes, ha=side, va="top", fontsize=11)
            for place, side in ((0, "left"), (0.5, "center"), (1, "right"))
        ]
        bottom.set_xlabel(" ")  # keeps the room below the axis in which the names of the codes stand
        self.moving = (
            *(self._values, self._codes, *self._cut, *self._idle),
            *(*self._flows.values(), self._zero, *self._names),
        )

    def counts_of(self, values):
        """How many values fall into each bin of the real axis shown."""
        return np.histogram(values, self._edges)[0]

    def move(self, values, counts, qparams):
        """Move the artists to these values (counted by `counts_of`) and their QParams; return the CodeUsage."""
        usage = code_usage(values, qparams)
        codes = qparams.quantize(values).astype(np.int64) - qparams.qmin
        self._values.set_data(np.maximum(counts, NO_COUNT), self._edges, NO_COUNT)
        per_code = np.bincount(codes, minlength=usage.total)
        self._codes.set_data(np.maximum(per_code, NO_COUNT), np.arange(usage.total + 1) / usage.total, NO_COUNT)
        # Every code stands for one step, so the range ends half a step beyond its outermost codes.
        first, last = (end + side * qparams.scale / 2 for side, end in zip((-1, 1), qparams.real_range, strict=True))
        smallest, largest = float(values.min()), float(values.max())
        used_from, used_to = codes.min() / usage.total, (codes.max() + 1) / usage.total
        _place(self._cut[0], smallest, max(first, smallest))
        _place(self._cut[1], min(last, largest), largest)
        _place(self._idle[0], 0, used_from)
        _place(self._idle[1], used_to, 1)
        seen_from, seen_to = max(smallest, first), min(largest, last)
        self._flow("use", seen_from, seen_to, used_from, used_to)
        self._flow("below", first, max(first, seen_from), 0, used_from)
        self._flow("above", min(last, seen_to), last, used_to, 1)
        self._flow("left", min(smallest, first), first, 0, 0)  # however far out, all get the last code
        self._flow("right", last, max(largest, last), 1, 1)
        self._flows["left"].set_visible(smallest < first)
        self._flows["right"].set_visible(largest > last)
        self._flows["below"].set_visible(used_from > 0)
        self._flows["above"].set_visible(used_to < 1)
        self._zero.set_data([self._share(0.0), (qparams.zero_point - qparams.qmin + 0.5) / usage.total], [1, 0])
        for text, words in zip(
            self._names,
            (f"{qparams.qmin}", f"codes · 0.0 is code {qparams.zero_point}", f"{qparams.qmax}"),
            strict=True,
        ):
            text.set_text(words.replace("-", "−"))
        return usage

    def _share(self, x):
        return (x - self.low) / (self.high - self.low)

    def _flow(self, name, real_from, real_to, code_from, code_to):
        top = [(self._share(real_from), 1), (self._share(real_to), 1)]
        self._flows[name].set_xy([*top, (code_to, 0), (code_from, 0)])


def _place(span, start, end):
    span.set_x(start)
    span.set_width(max(end - start, 0.0))
    span.set_visible(end > start)


def _parts_over(values, ends, bits, low=None):
    """Rounding and clipping error for every high end in `ends`; low None is symmetric, −end … end."""
    lows = -ends if low is None else np.full(ends.shape, low)
    qparams = choose_qparams(lows, ends, bits, symmetric=low is None, axis=0)
    return error_parts(np.broadcast_to(values, (ends.size, values.size)), qparams)[:2]


def _log_axis(axis, low, high):
    """A logarithmic y-axis from low to high, with every second power of ten written on it."""
    axis.set_yscale("log")
    axis.set_ylim(low, high)
    powers = range(int(np.ceil(np.log10(low))), int(np.floor(np.log10(high))) + 1)
    log_ticks(axis.yaxis, [10.0**power for power in powers if power % 2 == 0 and power >= -4])


def _funnel_handles():
    return [
        Patch(label="wasted codes", **WASTED),
        Patch(label="clipped values", **CLIPPED),
        Patch(label="in use", **IN_USE),
        Line2D([], [], color=BLACK, linewidth=1.5, label="0.0"),
    ]


def _legend(figure, handles, columns=None):
    """Below all axes, where it covers no data; filled column by column."""
    columns = columns or len(handles)
    figure.legend(handles=handles, loc="outside lower center", ncols=columns, frameon=False)
