"""Figures of lesson 00: the map of the course, the bits of a float, ten numbers and what comes back, a bit's worth."""

from itertools import pairwise

import numpy as np
from matplotlib.patches import FancyBboxPatch

from quantutils.affine import choose_qparams, per_tensor
from quantutils.checks import by_label, number, one_of, rows_of, values_1d
from quantutils.course.plots.drawing import Drawing
from quantutils.course.plots.style import BLACK, BLUE, GREEN, GREY, ORANGE, PINK, RED, SKY, in_style, new_figure
from quantutils.errors import max_abs_error, sqnr_db

BOX_COLORS = (SKY, GREEN, BLUE, ORANGE, PINK, RED)


@in_style
def course_map(lessons):
    """The lessons as boxes along a path, each with its number, title and question.

    lessons: a list of (number, title, question), in reading order. Returns the Figure.
    """
    lessons = rows_of(lessons, "lessons", 3, "number, title, question")
    figure, axis = new_figure(height=0.35 + 0.55 * len(lessons))
    axis.set(xlim=(0, 10), ylim=(-len(lessons) + 0.45, 0.55))
    axis.axis("off")
    for place, (lesson, title, question) in enumerate(lessons):
        color = BOX_COLORS[place % len(BOX_COLORS)]
        axis.add_patch(
            FancyBboxPatch((0.15, -place - 0.32), 5.0, 0.64, "round,pad=0.02,rounding_size=0.12", fc=color, alpha=0.25)
        )
        axis.text(0.35, -place, lesson, va="center", fontsize=17, weight="bold")
        axis.text(1.0, -place, title, va="center", fontsize=13)
        axis.text(5.45, -place, question, va="center", fontsize=12.5)
        if place:
            axis.annotate(
                "", (0.55, -place + 0.33), (0.55, -place + 0.67), arrowprops={"arrowstyle": "-|>", "color": GREY}
            )
    return figure


FIELDS = {"sign": (RED, "xx"), "exponent": (ORANGE, "//"), "mantissa": (SKY, ""), "whole number": (GREEN, "..")}


@in_style
def bit_fields(formats):
    """Number formats as rows of boxes, a box a bit, coloured by what the bit is for; in each field how many it has.

    formats: a list of (name, {field: bits}, what it can hold); the fields are those of FIELDS. Returns the Figure.
    """
    formats = rows_of(formats, "formats", 3, "name, fields, note")
    figure, axis = new_figure(height=0.9 + 0.75 * len(formats))
    axis.axis("off")
    widest = max(sum(by_label(fields, "fields", "bits").values()) for _, fields, _ in formats)
    for place, (name, fields, note) in enumerate(formats):
        start = 0
        axis.text(-0.6, -place, name, ha="right", va="center", fontsize=14, weight="bold")
        for field, bits in fields.items():
            color, hatch = FIELDS[one_of(field, "field", FIELDS)]
            axis.bar(start + bits / 2, 0.46, bits, -place - 0.23, color=color, alpha=0.5, hatch=hatch)
            axis.vlines(np.arange(start, start + bits + 1), -place - 0.23, -place + 0.23, color=BLACK, linewidth=0.8)
            box = {"fc": "white", "ec": "none", "pad": 1.5}
            axis.text(start + bits / 2, -place, bits, ha="center", va="center", fontsize=12, bbox=box)
            start += bits
        axis.text(start + 0.4, -place, f"{start} bits", va="center", fontsize=12)
        axis.text(widest + 6, -place, note, va="center", fontsize=12)
    axis.set(xlim=(-5, widest + 22), ylim=(-len(formats) + 0.55, 0.95))
    for place, (label, (color, hatch)) in enumerate(FIELDS.items()):
        axis.bar(9 * place + 0.5, 0.3, 0.94, 0.5, color=color, alpha=0.5, hatch=hatch)
        axis.text(9 * place + 1.4, 0.65, label, va="center", fontsize=12)
    return figure


@in_style
def nearest_codes(x, qparams):
    """Each number above, every code below at the real number that it stands for, and an arrow from one to the other.

    x: real numbers, (values,). qparams: QParams, per-tensor, few enough codes to be told apart. Returns the Figure.
    """
    x, qparams = values_1d(x, "x").astype(np.float64), per_tensor(qparams, "qparams")
    figure, axis = new_figure(height=2.6)
    codes = np.arange(qparams.qmin, qparams.qmax + 1)
    for code, place in zip(codes, qparams.dequantize(codes, "float64"), strict=True):
        axis.plot([place] * 2, [-0.12, 0.12], color=BLUE, linewidth=2)
        axis.text(place, -0.22, code, ha="center", va="top", fontsize=12)
    for number_here, x_hat in zip(x, qparams.fake_quantize(x), strict=True):
        axis.annotate("", (x_hat, 0.14), (number_here, 0.94), arrowprops={"arrowstyle": "-|>", "color": RED})
    axis.plot(x, np.ones(x.size), "x", color=BLACK, markersize=9, markeredgewidth=2)
    axis.set(ylim=(-0.75, 1.2), yticks=[0, 1], yticklabels=["codes q", "numbers x"], xlabel="real units")
    axis.grid(visible=False)
    return figure


@in_style
def gain_of_each_bit(found):
    """How many decibels each bit more wins, with symmetric codes: measured, computed from their steps, and 6.02 dB.

    found: {bits: SQNRs in decibels, (draws,)}, the same draws for every width. Returns the Figure.
    """
    by_label(found, "found", "SQNRs by bits")
    steps = list(pairwise(sorted(found)))
    figure, axis = new_figure(height=3.2)
    for place, (before, after) in enumerate(steps):
        gains = values_1d(found[after], f"found[{after}]") - values_1d(found[before], f"found[{before}]")
        label = "measured, a dot for each draw" if place == 0 else None
        axis.plot(np.full(gains.size, place), gains, "o", color=BLUE, markersize=7, alpha=0.6, label=label)
    codes = [2 ** (bits - 1) - 1 for bits in sorted(found)]
    exact = [20 * np.log10(after / before) for before, after in pairwise(codes)]
    axis.plot(range(len(steps)), exact, color=GREY, zorder=1, label="computed from the steps")
    axis.axhline(6.02, color=ORANGE, linestyle="--", label="half the step: 6.02 dB")
    axis.set(xticks=range(len(steps)), xticklabels=[f"{before} to {after}" for before, after in steps])
    axis.set(xlabel="from how many bits to how many", ylabel="gain (dB)")
    axis.legend(loc="upper right")
    return figure


@in_style
def restored_numbers(x, x_hats):
    """Ten or so numbers as they are and as they come back, small multiples.

    x: real numbers, (values,). x_hats: {title: what comes back, (values,)}. Returns the Figure.
    """
    x, x_hats = values_1d(x, "x"), by_label(x_hats, "x_hats", "real numbers")
    figure, axes = new_figure(columns=len(x_hats), sharey=True, height=3.4)
    places = np.arange(len(x))
    for axis, (title, x_hat) in zip(np.atleast_1d(axes), x_hats.items(), strict=True):
        x_hat = values_1d(x_hat, f"x_hats[{title!r}]", x.size)
        axis.vlines(places, x, x_hat, color=RED, linewidth=3, label="error")
        axis.plot(places, x, ".", color=BLACK, markersize=5, label="x")
        axis.plot(places, x_hat, "o", color=BLUE, markersize=9, markerfacecolor="none", label="x̂")
        axis.axhline(0, color=GREY, linewidth=0.8)
        axis.set(title=title, xlabel="which number", xticks=places)
    np.atleast_1d(axes)[0].set_ylabel("real units")
    np.atleast_1d(axes)[-1].legend(loc="lower right")
    return figure


LEAST_ERROR = 0.0002  # real units: what the logarithmic axis shows of an error that is less, or none


class TenNumbersDrawing(Drawing):
    """A few numbers on their codes' ruler, and the error of each against half a step.

    x: real numbers, (values,); settings of `update`: bits, and reach, the largest magnitude that gets a code.
    """

    def __init__(self, x):
        self.x = values_1d(x, "x").astype(np.float64)

    def build(self):
        """Make the figure and its artists; return the Figure."""
        figure, (left, right) = new_figure(columns=2, height=3.8, widths=(1.5, 1))
        places = np.arange(self.x.size)
        limit = (float(np.abs(self.x).max()) or 1.0) * 1.25  # a reach a little beyond x is seen as well
        left.plot(places, self.x, "x", color=GREY, markersize=10, markeredgewidth=2, label="x")
        (dots,) = left.plot(places, self.x, "o", color=BLUE, markersize=6, label="x̂")
        (rungs,) = left.plot([], [], "_", color=ORANGE, markersize=14, markeredgewidth=2, label="numbers with a code")
        left.set(title="ten numbers and what comes back", xlabel="which number", ylabel="real units", xticks=places)
        left.set(xlim=(-1.4, self.x.size - 0.5), ylim=(-limit, limit))
        figure.legend(*left.get_legend_handles_labels(), loc="outside lower left", ncols=3)
        (errors,) = right.plot(places, np.ones(places.size), "s", color=RED, markersize=7)
        (bound,) = right.plot([-0.5, places.size - 0.5], [1, 1], color=BLUE, linestyle="--")
        right.set(
            title="error |x̂ − x| (dashed: half a step)", xlabel="which number", ylabel="real units", xticks=places
        )
        right.set(yscale="log", ylim=(LEAST_ERROR / 1.5, limit))
        ticks = [LEAST_ERROR, 0.001, 0.01, 0.1, 1]
        right.set_yticks(ticks, ["less", *(f"{tick:g}" for tick in ticks[1:])])
        right.minorticks_off()
        self._artists = dots, rungs, errors, bound
        self.moving = (rungs, dots, errors, bound)
        return figure

    def update(self, bits, reach):
        """Move the artists to the settings; return the read-out."""
        number(reach, "reach", above=0)
        qparams = choose_qparams(-reach, reach, bits, symmetric=True)
        dots, rungs, errors, bound = self._artists
        x_hat = qparams.fake_quantize(self.x)
        ruler = qparams.dequantize(np.arange(qparams.qmin, qparams.qmax + 1), "float64")
        dots.set_ydata(x_hat)
        rungs.set_data(np.full(ruler.size, -1.0), ruler)
        errors.set_ydata(np.maximum(np.abs(x_hat - self.x), LEAST_ERROR))
        bound.set_ydata([qparams.scale / 2] * 2)
        clipped = int((np.abs(self.x) > reach * (1 + 1e-9)).sum())
        return (
            f"{bits} bits up to {reach:.1f}: {ruler.size} codes, one step is {qparams.scale:.4f}; largest error"
            f" {max_abs_error(self.x, x_hat):.4f}; {clipped} of {self.x.size} numbers clipped;"
            f" SQNR {sqnr_db(self.x, x_hat):.1f} dB."
        )
