"""Figures of lesson 00: the map of the course, and ten numbers with what comes back of them."""

import numpy as np
from matplotlib.patches import FancyBboxPatch

from quantutils.affine import choose_qparams
from quantutils.checks import by_label, number, rows_of, values_1d
from quantutils.course.plots.drawing import Drawing
from quantutils.course.plots.style import BLUE, GREEN, GREY, ORANGE, PINK, RED, SKY, in_style, new_figure
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
        axis.plot(places, x, "x", color=GREY, markersize=9, markeredgewidth=2, label="x")
        axis.plot(places, x_hat, "o", color=BLUE, markersize=6, label="x̂")
        axis.axhline(0, color=GREY, linewidth=0.8)
        axis.set(title=title, xlabel="number", xticks=places)
    np.atleast_1d(axes)[0].set_ylabel("real units")
    np.atleast_1d(axes)[-1].legend(loc="lower right")
    return figure


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
        left.set(title="ten numbers and what comes back", xlabel="number", ylabel="real units", xticks=places)
        left.set(xlim=(-1.4, self.x.size - 0.5), ylim=(-limit, limit))
        figure.legend(*left.get_legend_handles_labels(), loc="outside lower left", ncols=3)
        bars = right.bar(places, np.ones(places.size), color=RED, hatch="//", edgecolor="white")
        (bound,) = right.plot([-0.5, places.size - 0.5], [1, 1], color=BLUE, linestyle="--")
        right.set(title="error |x̂ − x| (dashed: half a step)", xlabel="number", ylabel="real units", xticks=places)
        right.set(ylim=(0, 0.8 * limit))
        self._artists = dots, rungs, bars, bound
        self.moving = (rungs, dots, *bars, bound)
        return figure

    def update(self, bits, reach):
        """Move the artists to the settings; return the read-out."""
        number(reach, "reach", above=0)
        qparams = choose_qparams(-reach, reach, bits, symmetric=True)
        dots, rungs, bars, bound = self._artists
        x_hat = qparams.fake_quantize(self.x)
        ruler = qparams.dequantize(np.arange(qparams.qmin, qparams.qmax + 1), "float64")
        dots.set_ydata(x_hat)
        rungs.set_data(np.full(ruler.size, -1.0), ruler)
        for bar, error in zip(bars, np.abs(x_hat - self.x), strict=True):
            bar.set_height(error)
        bound.set_ydata([qparams.scale / 2] * 2)
        clipped = int((np.abs(self.x) > reach + qparams.scale / 2).sum())
        return (
            f"{bits} bits up to {reach:.1f}: {ruler.size} codes, one step is {qparams.scale:.4f}; largest error"
            f" {max_abs_error(self.x, x_hat):.4f}; {clipped} of {self.x.size} numbers clipped;"
            f" SQNR {sqnr_db(self.x, x_hat):.1f} dB."
        )
