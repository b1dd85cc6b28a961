"""Figures of the mapping itself: which real numbers have a code, the staircase, and the error of the round trip."""

import numpy as np

from quantutils.affine import choose_qparams, per_tensor
from quantutils.checks import by_label, number, one_of, values_1d
from quantutils.course.plots.drawing import Drawing
from quantutils.course.plots.style import BLACK, BLUE, GREEN, GREY, MODES, ORANGE, RED, in_style, log_ticks, new_figure
from quantutils.errors import sqnr_db


@in_style
def number_lines(qparams_by_name, values=()):
    """One number line for each QParams: a tick for every real number that has a code, the codes of three of them.

    qparams_by_name: {label: QParams}, per-tensor, at most 6 bits so that ticks can be told apart.
    values: real numbers marked with a cross on every line, and with a dot where they come back. Returns the Figure.
    """
    by_label(qparams_by_name, "qparams_by_name", "QParams")
    values = values_1d(values, "values").astype(np.float64) if np.size(values) else np.zeros(0)
    figure, axes = new_figure(rows=len(qparams_by_name), height=0.8 + 1.25 * len(qparams_by_name), sharex=True)
    for axis, (label, qparams) in zip(np.atleast_1d(axes), qparams_by_name.items(), strict=True):
        per_tensor(qparams, f"qparams_by_name[{label!r}]")
        codes = np.arange(qparams.qmin, qparams.qmax + 1)
        points = qparams.dequantize(codes, "float64")
        axis.axhline(0, color=GREY, linewidth=1)
        axis.plot(points, np.zeros(len(codes)), "|", color=BLUE, markersize=18, markeredgewidth=2)
        for code in sorted({qparams.qmin, qparams.zero_point, qparams.qmax}):
            name = f"code {code}" + (" = 0.0" if code == qparams.zero_point else "")
            axis.annotate(name, (points[code - qparams.qmin], 0), (0, 17), textcoords="offset points", ha="center")
        if values.size:
            axis.plot(values, np.full(values.size, -0.5), "x", color=RED, markersize=8, markeredgewidth=2)
            axis.plot(
                qparams.fake_quantize(values), np.full(values.size, -0.5), "o", color=GREEN, markersize=6, alpha=0.8
            )
        axis.set_title(label, loc="left")
        axis.set_ylim(-0.9, 1.1)
        axis.set_yticks([])
        axis.grid(visible=False)
        axis.spines["left"].set_visible(False)
    np.atleast_1d(axes)[-1].set_xlabel("real units" + (" (× a value, ● what comes back)" if values.size else ""))
    return figure


@in_style
def staircases(qparams_by_name, low, high):
    """The staircase x → x̂ of each QParams beside the diagonal, small multiples on one scale.

    qparams_by_name: {title: QParams}, per-tensor. low, high: the part of the real axis shown. Returns the Figure.
    """
    by_label(qparams_by_name, "qparams_by_name", "QParams")
    x = np.linspace(number(low, "low"), number(high, "high", above=low), 1601)
    figure, axes = new_figure(columns=len(qparams_by_name), sharey=True, height=3.6)
    for axis, (title, qparams) in zip(np.atleast_1d(axes), qparams_by_name.items(), strict=True):
        per_tensor(qparams, f"qparams_by_name[{title!r}]")
        axis.plot(x, x, color=GREY, linewidth=1, linestyle="--", label="x")
        axis.plot(x, qparams.fake_quantize(x), color=BLUE, label="x̂")
        axis.set_title(title)
        axis.set_xlabel("x (real units)")
    np.atleast_1d(axes)[0].set_ylabel("x̂ (real units)")
    np.atleast_1d(axes)[0].legend(loc="upper left")
    return figure


@in_style
def round_trip_errors(x, qparams):
    """The error x̂ − x of every value, with the bound ± scale / 2 and the ends of the range.

    x: real numbers, (values,). qparams: per-tensor. Returns the Figure.
    """
    x = values_1d(x, "x")
    per_tensor(qparams, "qparams")
    figure, axis = new_figure(height=3.4)
    errors = qparams.fake_quantize(x) - x
    axis.plot(x, errors, ".", color=BLUE, markersize=3, alpha=0.5, label="x̂ − x")
    for side in (-1, 1):
        axis.axhline(side * qparams.scale / 2, color=RED, linestyle="--", label="± scale / 2" if side > 0 else None)
    for place, end in enumerate(qparams.real_range):
        axis.axvline(end, color=ORANGE, linestyle=":", label="ends of the range" if place == 0 else None)
    axis.set_xlabel("x (real units)")
    axis.set_ylabel("error (real units)")
    axis.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3)
    return figure


class MappingDrawing(Drawing):
    """A histogram under the range, the staircase x → x̂, and the error on a logarithmic scale.

    values: real numbers, (values,), drawn as they are; settings of `update`: bits, low, high (real units) and
    mode, "symmetric" or "asymmetric".
    """

    FLOOR = 1e-4  # real units: what the logarithmic axis shows as no error

    def __init__(self, values, reach):
        self.values = values_1d(values, "values")
        self.reach = number(reach, "reach", above=0)
        self.x = np.linspace(-self.reach, self.reach, 1001)

    def build(self):
        """Make the figure and its artists; return the Figure."""
        figure, (left, middle, right) = new_figure(columns=3, height=4.0)
        left.hist(self.values, bins=60, range=(-self.reach, self.reach), color=GREY)
        left.set(title="values and range", xlabel="x (real units)", ylabel="count")
        top = left.get_ylim()[1]
        spans = [left.axvspan(-self.reach, 0, color=ORANGE, alpha=0.35, hatch="//", linewidth=0) for _ in range(2)]
        (marks,) = left.plot([], [], "|", color=BLUE, markersize=14, markeredgewidth=1.5)
        self._mark_height = top * 0.03
        middle.plot(self.x, self.x, color=GREY, linewidth=1, linestyle="--")
        middle.set(title="staircase: x̂ of x", xlabel="x (real units)", ylabel="x̂ (real units)")
        (stairs,) = middle.plot(self.x, self.x, color=BLUE)
        right.set(title="error |x̂ − x|", xlabel="x (real units)", ylabel="real units (log)", yscale="log")
        log_ticks(right.yaxis, (0.0001, 0.001, 0.01, 0.1, 1, 10))
        right.set_ylim(self.FLOOR, 3 * self.reach)
        (error,) = right.plot(self.x, np.full(self.x.size, self.FLOOR), color=BLUE, linewidth=1)
        (bound,) = right.plot([-self.reach, self.reach], [1, 1], color=RED, linestyle="--")
        label = right.text(0.5, 0.97, "", transform=right.transAxes, va="top", ha="center", color=BLACK, fontsize=11)
        for axis in (left, middle, right):
            axis.set_xlim(-self.reach, self.reach)
        middle.set_ylim(-self.reach, self.reach)
        self._artists = spans, marks, stairs, error, bound, label
        self.moving = (*spans, marks, stairs, error, bound, label)
        return figure

    def update(self, bits, low, high, mode):
        """Move the artists to the settings; return the read-out."""
        symmetric = one_of(mode, "mode", MODES) == "symmetric"
        qparams = choose_qparams(low, high, bits, symmetric)
        spans, marks, stairs, error, bound, label = self._artists
        first, last = qparams.real_range
        for span, start, end in ((spans[0], -self.reach, first), (spans[1], last, self.reach)):
            span.set_x(start)
            span.set_width(max(end - start, 0.0))
        points = qparams.dequantize(np.arange(qparams.qmin, qparams.qmax + 1))
        marks.set_data(points, np.full(points.size, self._mark_height))
        restored = qparams.fake_quantize(self.x)
        stairs.set_ydata(restored)
        error.set_ydata(np.maximum(np.abs(restored - self.x), self.FLOOR))
        bound.set_ydata([qparams.scale / 2] * 2)
        label.set_text(f"scale / 2 = {qparams.scale / 2:.4f}")
        clipped = 100 * float(
            np.mean((self.values < first - qparams.scale / 2) | (self.values > last + qparams.scale / 2))
        )
        noise = sqnr_db(self.values, qparams.fake_quantize(self.values))
        return (
            f"{bits} bits, {mode}: scale {qparams.scale:.4f}, zero_point {qparams.zero_point}, codes {qparams.qmin}"
            f" to {qparams.qmax} for {first:.2f} to {last:.2f}; rounding error at most {qparams.scale / 2:.4f};"
            f" {clipped:.1f} % of the values are clipped; SQNR {noise:.1f} dB."
        )
