"""Figures of training through a staircase: its slope, the slope that is used instead, and what training recovers."""

import numpy as np

from quantutils.affine import choose_qparams, per_tensor
from quantutils.checks import by_label, number, rows_of
from quantutils.course.plots.drawing import Drawing
from quantutils.course.plots.style import BLACK, BLUE, GREEN, GREY, ORANGE, PINK, RED, in_style, new_figure
from quantutils.course.slopes import scale_slope, straight_through

LOOKS = ((GREY, "s", ":"), (ORANGE, "^", "--"), (GREEN, "D", "-."), (BLUE, "o", "-"))


@in_style
def staircase_slopes(qparams_by_name, low, high):
    """Above, the staircase x → x̂ of each QParams; below, its slope and the slope of the straight-through estimator.

    qparams_by_name: {title: QParams}, per-tensor. low, high: the part of the real axis shown. Returns the Figure.
    """
    by_label(qparams_by_name, "qparams_by_name", "QParams", most=4)
    x = np.linspace(number(low, "low"), number(high, "high", above=low), 1201)
    figure, axes = new_figure(len(qparams_by_name), 2, height=4.8, sharex=True, sharey="row")
    axes = np.reshape(axes, (2, -1))  # (above and below, mappings)
    for (top, bottom), (title, qparams) in zip(axes.T, qparams_by_name.items(), strict=True):
        per_tensor(qparams, f"qparams_by_name[{title!r}]")
        top.plot(x, x, color=GREY, linewidth=1, linestyle="--", label="x")
        top.plot(x, qparams.fake_quantize(x), color=BLUE, label="x̂")
        bottom.plot(x, straight_through(x, qparams), color=RED, linestyle="--", label="estimator")
        bottom.plot(x, np.zeros(x.size), color=BLUE, label="staircase")
        top.set_title(title)
        bottom.set(xlabel="x (real units)", ylim=(-0.15, 2.1), yticks=(0, 1))
    axes[0, 0].set_ylabel("x̂ (real units)")
    axes[1, 0].set_ylabel("slope dx̂/dx")
    axes[0, 0].legend(loc="upper left")
    axes[1, 0].legend(loc="upper left", ncols=2, columnspacing=1, handlelength=1.5)
    return figure


@in_style
def slopes_at(x, qparams_by_name, low, high):
    """What EstimatorDrawing shows, a column for each mapping: x̂, the estimator's slope, and the slope for the scale.

    x: the place of the point (real units). qparams_by_name: {title: QParams}, per-tensor, at most four. low, high: the
    part of the real axis shown. Shaded is where numbers are clipped. Returns the Figure.
    """
    by_label(qparams_by_name, "qparams_by_name", "QParams", most=4)
    line = np.linspace(number(low, "low"), number(high, "high", above=low), 1201)
    place = np.array([number(x, "x")])
    figure, axes = new_figure(len(qparams_by_name), 3, height=5.6, sharex=True, sharey="row")
    axes = np.reshape(axes, (3, -1))  # (x̂ and two slopes, mappings)
    for column, (title, qparams) in zip(axes.T, qparams_by_name.items(), strict=True):
        per_tensor(qparams, f"qparams_by_name[{title!r}]")
        ends = [qparams.scale * (code - qparams.zero_point) for code in (qparams.qmin - 0.5, qparams.qmax + 0.5)]
        rows = zip(column, _curves(line, qparams), _curves(place, qparams), (BLUE, RED, PINK), strict=True)
        for axis, heights, here, color in rows:
            axis.axvspan(low, max(low, ends[0]), color=ORANGE, alpha=0.25, hatch="//", linewidth=0)
            axis.axvspan(min(high, ends[1]), high, color=ORANGE, alpha=0.25, hatch="//", linewidth=0, label="clipped")
            axis.plot(line, heights, color=color)
            axis.plot(place, here, "o", color=BLACK, markersize=8, markerfacecolor="white", label=f"x = {x:g}")
        column[0].set_title(title)
        column[1].set(ylim=(-0.15, 1.3), yticks=(0, 1))
        column[2].set(xlabel="x (real units)", xlim=(low, high))
    for axis, label in zip(
        axes[:, 0], ("x̂\n(real units)", "estimator's\nslope dx̂/dx", "slope dx̂/ds\n(steps)"), strict=True
    ):
        axis.set_ylabel(label)
    handles = axes[0, 0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=2, frameon=False)
    return figure


@in_style
def recovered(counts, total):
    """Right answers against bits, a line for each way to quantize, and the same enlarged near the top.

    counts: {way: [(bits, right answers), …]}, at most four ways. total: of how many. Returns the Figure.
    """
    by_label(counts, "counts", "lists of (bits, right answers)", most=len(LOOKS))
    total = number(total, "total", above=0)
    figure, (left, right) = new_figure(columns=2, height=3.8)
    for (way, points), (color, marker, line) in zip(counts.items(), LOOKS, strict=False):
        rows = rows_of(points, f"counts[{way!r}]", 2, "bits, right answers")
        bits, answers = np.array(sorted(rows, reverse=True), np.float64).T
        for axis in (left, right):
            places = np.arange(bits.size)
            axis.plot(places, 100 * answers / total, color=color, marker=marker, linestyle=line, label=way)
            axis.set_xticks(places, [f"{width:.0f}" for width in bits])
            axis.set_xlabel("bits of weights and activations")
    left.set(ylabel="right answers (%)", ylim=(0, 104), title="all")
    right.set(ylabel="right answers (%)", ylim=(90, 100.5), title="enlarged: the top 10 %")
    left.legend(loc="lower left")
    return figure


class EstimatorDrawing(Drawing):
    """A staircase with a point on it, the two slopes there, and the slope for the scale.

    Settings of `update`: bits, 2 to 4; reach, the end of the symmetric range; x, the place of the point (real units).
    """

    REACH = 3.0

    def __init__(self):
        self.x = np.linspace(-self.REACH, self.REACH, 1201)

    @in_style
    def build(self):
        """Make the figure and its artists; return the Figure."""
        figure, (left, middle, right) = new_figure(columns=3, height=4.0)
        left.plot(self.x, self.x, color=GREY, linewidth=1, linestyle="--")
        left.set(title="staircase x̂", ylabel="x̂ (real units)", ylim=(-3.3, 3.3))
        middle.set(title="slope dx̂/dx", ylabel="real units per real unit", ylim=(-0.15, 1.6), yticks=(0, 1))
        right.set(title="slope for the scale, dx̂/ds", ylabel="steps", ylim=(-8, 8))
        spans = []
        for axis in (left, middle, right):
            axis.set(xlabel="x (real units)", xlim=(-self.REACH, self.REACH))
            spans += [axis.axvspan(0, 1, color=ORANGE, alpha=0.25, hatch="//", linewidth=0) for _ in range(2)]
        (stairs,) = left.plot(self.x, self.x, color=BLUE)
        (estimated,) = middle.plot(self.x, self.x, color=RED, linestyle="--", label="estimator")
        (true,) = middle.plot(self.x, np.zeros(self.x.size), color=BLUE, label="staircase")
        (scaled,) = right.plot(self.x, self.x, color=PINK)
        points = [
            axis.plot([0], [0], "o", color=BLACK, markersize=9, markerfacecolor="white", clip_on=False)[0]
            for axis in (left, middle, right)
        ]
        middle.legend(loc="upper center", ncols=2, columnspacing=1, handlelength=1.5)
        self._artists = spans, stairs, estimated, scaled, points
        self.moving = (*spans, stairs, estimated, true, scaled, *points, middle.get_legend())
        return figure

    def update(self, bits, reach, x):
        """Move the artists to the settings; return the read-out."""
        qparams = choose_qparams(-reach, reach, bits, symmetric=True)
        spans, stairs, estimated, scaled, points = self._artists
        end = qparams.scale * (qparams.qmax + 0.5)  # where rounding still gives the last code
        for span, start in zip(spans, (-self.REACH, min(end, self.REACH)) * 3, strict=True):
            span.set_x(start)
            span.set_width(max(self.REACH - end, 0.0))
        for line, values in zip((stairs, estimated, scaled), _curves(self.x, qparams), strict=True):
            line.set_ydata(values)
        place = np.array([x], np.float64)
        here = _curves(place, qparams)
        for point, value in zip(points, here, strict=True):
            point.set_data(place, value)
        back, slope, for_scale = (round(float(value[0]), 6) + 0.0 for value in here)  # no −0.0
        where = "inside" if slope else "clipped"
        return (
            f"{bits} bits, a step of {qparams.scale:.3f}: x = {x:.2f} comes back as {back:.3f} ({where}). The"
            f" estimator has slope {slope:.0f}, and the slope for the scale is {for_scale:.2f}."
        )


def _curves(x, qparams):
    """x̂, the estimator's slope and the slope for the scale, at every x."""
    return qparams.fake_quantize(x), straight_through(x, qparams), scale_slope(x, qparams)
