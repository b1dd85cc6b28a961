"""Colours, sizes and the display of every figure: readable on a projector, in print and without colour vision."""

import io

import matplotlib
from IPython.display import display
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

# Okabe & Ito 2008, "Color Universal Design": told apart with every common form of colour blindness.
BLUE, ORANGE, GREEN, PINK = "#0072B2", "#E69F00", "#009E73", "#CC79A7"
SKY, RED, YELLOW, BLACK, GREY = "#56B4E9", "#D55E00", "#F0E442", "#000000", "#767676"

# One look for each of up to four curves, and for each bar of a row; never colour alone.
MARKS = (("o", "-", BLUE), ("s", "--", RED), ("^", ":", GREEN), ("D", "-.", ORANGE))
HATCHES = ("", "//", "..", "xx", "\\\\")
# The two parts of an error, and their sum
PARTS = {
    "rounding + clipping": {"color": BLACK, "linestyle": "-"},
    "rounding": {"color": BLUE, "linestyle": "--"},
    "clipping": {"color": ORANGE, "linestyle": ":", "linewidth": 3},
}
MODES = ("symmetric", "asymmetric")

STYLE = {
    "font.size": 12,
    "axes.titlesize": 12,
    "axes.labelsize": 12,
    "xtick.labelsize": 11,
    "ytick.labelsize": 11,
    "legend.fontsize": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.alpha": 0.3,
    "legend.frameon": True,
    "legend.framealpha": 0.9,
    "lines.linewidth": 2,
    "hatch.linewidth": 0.7,
}
# Decorates a function that draws: a text or legend made outside it has matplotlib's 10 pt.
in_style = matplotlib.rc_context(STYLE)
WIDTH = 9.6  # inches; at 100 dpi as wide as a lesson's column and three quarters of a slide


def new_figure(columns=1, rows=1, height=3.8, sharex=False, sharey=False, widths=None):
    """An empty Figure of the course's width and its axes, (Figure, array of Axes, rows × columns squeezed).

    height: inches. Not made through pyplot, so nothing is kept open or shown twice.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, height), dpi=100, layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots(rows, columns, sharex=sharex, sharey=sharey, width_ratios=widths)
    return figure, axes


def log_ticks(axis, ticks):
    """Put `ticks` on a logarithmic XAxis or YAxis, written out: the exponent of a 10⁻¹ would be smaller than 11 pt."""
    axis.set_ticks(ticks, [f"{tick:,.10g}" for tick in ticks])
    axis.set_minor_locator(NullLocator())


def png_bytes(figure):
    """The figure as a PNG file's bytes, the same on every run: no date, no version. TypeError unless a Figure."""
    if not isinstance(figure, Figure):
        raise TypeError(f"figure is {figure!r}; accepted: a matplotlib Figure")
    with matplotlib.rc_context(STYLE), io.BytesIO() as file:
        figure.savefig(file, format="png", dpi=figure.dpi, metadata={"Software": None})
        return file.getvalue()


def show(figure, alt):
    """Display `figure` with `alt`, the text that states its message with its numbers.

    The text is stored beside the picture, where nbval compares it and a screen reader finds it.
    Raises TypeError unless figure is a Figure, ValueError for a text shorter than a sentence.
    """
    png = png_bytes(figure)
    if not isinstance(alt, str) or len(alt.split()) < 5:
        raise ValueError(f"alt is {alt!r}; accepted: a sentence that states what the figure shows")
    bundle = {"image/png": png, "text/plain": alt}
    display(bundle, metadata={"image/png": {"alt": alt}}, raw=True)
