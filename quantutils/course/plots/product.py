"""Figures of the quantized matrix product: its four terms, its noise, and how full the accumulator is."""

import math

import numpy as np

from quantutils.arrays import real_numbers
from quantutils.checks import by_label, one_of, values_1d, whole_number
from quantutils.course.plots.drawing import Drawing
from quantutils.course.plots.style import BLACK, BLUE, GREEN, GREY, ORANGE, RED, in_style, new_figure
from quantutils.errors import product_sqnr_db, sqnr_db
from quantutils.matmul import ProductTerms, product_terms, quantized_matmul
from quantutils.observers import MinMax

ACCUMULATOR_BITS = 31  # of an int32, without its sign


@in_style
def four_terms(terms):
    """The four terms of a small quantized product and their sum, as matrices with their integers written in.

    terms: a ProductTerms of (rows, columns) integers, at most about 4 × 4. Returns the Figure.
    """
    if not isinstance(terms, ProductTerms):
        raise TypeError(f"terms is {terms!r}; accepted: a ProductTerms, as product_terms returns it")
    shape = np.shape(terms.product)
    parts = [np.broadcast_to(np.asarray(term), shape) for term in terms]
    titles = ("Σ qa·qb", "− zb·Σ qa\n(one per row)", "− za·Σ qb\n(one per column)", "+ K·za·zb\n(one number)")
    figure, axes = new_figure(columns=5, height=2.9)
    peak = max(1, *(int(np.abs(part).max()) for part in parts))
    for place, (axis, part) in enumerate(zip(axes, [*parts, sum(parts)], strict=True)):
        axis.imshow(part, cmap="PuOr_r", vmin=-1.6 * peak, vmax=1.6 * peak)
        for (row, column), value in np.ndenumerate(part):
            axis.text(column, row, f"{value}", ha="center", va="center", fontsize=11, color=BLACK)
        axis.set_title(titles[place] if place < 4 else "= Σ(qa−za)(qb−zb)", fontsize=12)
        axis.set_xticks([])
        axis.set_yticks([])
        axis.grid(visible=False)
    return figure


@in_style
def noise_against_k(ks, sqnr_by_name):
    """SQNR of a product against the length K of its sums, one line for each kind of data.

    ks: (lengths,). sqnr_by_name: {label: (lengths,) in dB}, at most 4 lines. Returns the Figure.
    """
    values_1d(ks, "ks")
    ks = [whole_number(k, "every one of ks", 1) for k in ks]
    for label, values in by_label(sqnr_by_name, "sqnr_by_name", "decibels", most=4).items():
        values_1d(values, f"sqnr_by_name[{label!r}]", len(ks))
    figure, axis = new_figure(height=3.6)
    styles = (("o", "-", BLUE), ("s", "--", RED), ("^", ":", GREEN), ("D", "-.", ORANGE))
    for (label, values), (marker, line, color) in zip(sqnr_by_name.items(), styles, strict=False):
        axis.plot(ks, values, marker=marker, linestyle=line, color=color, label=label)
    axis.set_xscale("log", base=2)
    axis.set_xticks(ks, [str(k) for k in ks])
    axis.set_xlabel("K, products in one sum")
    axis.set_ylabel("SQNR of the product (dB)")
    axis.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


@in_style
def budget_bars(rows):
    """Noise of a product, in shares of its signal: that of A, that of B, stacked, beside the measured noise.

    rows: {label: (sqnr_a_db, sqnr_b_db, measured_db)}. Returns the Figure.
    """
    by_label(rows, "rows", "(sqnr_a_db, sqnr_b_db, measured_db)")
    figure, axis = new_figure(height=3.4)
    for place, (label, values) in enumerate(rows.items()):
        a, b, measured = values_1d(values, f"rows[{label!r}]", 3).tolist()
        share_a, share_b, share = (10 ** (-db / 10) for db in (a, b, measured))
        first = place == 0
        axis.bar(
            place - 0.2, share_a, 0.36, color=BLUE, hatch="//", edgecolor="white", label="noise of A" if first else None
        )
        axis.bar(
            place - 0.2,
            share_b,
            0.36,
            bottom=share_a,
            color=ORANGE,
            hatch="..",
            edgecolor="white",
            label="noise of B" if first else None,
        )
        axis.bar(place + 0.2, share, 0.36, color=GREY, label="measured in A·B" if first else None)
        axis.text(place + 0.2, share, f"{measured:.1f} dB", ha="center", va="bottom")
        axis.text(place - 0.2, share_a + share_b, f"{product_sqnr_db(a, b):.1f} dB", ha="center", va="bottom")
    axis.set_xticks(range(len(rows)), list(rows))
    axis.margins(y=0.15)
    axis.set_ylabel("noise power / signal power")
    axis.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


class ProductDrawing(Drawing):
    """A quantized product against the float one, its noise budget, and how many accumulator bits it fills.

    activations: real, (rows, K); weights: real, (K, columns); settings of `update`: bits_a, bits_b, mode
    ("symmetric" or "asymmetric" activations; weights are symmetric) and k, how much of K is used.
    """

    QUIETEST = -80.0  # dB, the bottom of the noise bars

    def __init__(self, activations, weights):
        self.activations = _matrix(activations, "activations")
        self.weights = _matrix(weights, "weights")
        if len(self.weights) != self.activations.shape[1]:
            raise ValueError(f"weights has {len(self.weights)} rows; accepted: {self.activations.shape[1]}, K of both")

    def build(self):
        """Make the figure and its artists; return the Figure."""
        figure, (left, middle, right) = new_figure(columns=3, height=4.0, widths=(1.2, 1, 0.9))
        left.plot([-4, 4], [-4, 4], color=GREY, linewidth=1, linestyle="--")
        left.set(xlim=(-4, 4), ylim=(-4, 4), title="each element of A·B")
        left.set(xlabel="float product (standard deviations)", ylabel="quantized product (the same)")
        (dots,) = left.plot([], [], ".", color=BLUE, markersize=3, alpha=0.6)
        names = ("from A", "from B", "predicted", "measured")
        bars = middle.bar(names, [1] * 4, bottom=self.QUIETEST, color=(BLUE, ORANGE, GREY, BLACK))
        for bar, hatch in zip(bars, ("//", "..", "", ""), strict=True):
            bar.set(hatch=hatch, edgecolor="white")
        middle.set(ylim=(self.QUIETEST, 10), title="noise below signal", ylabel="dB")
        middle.tick_params(axis="x", rotation=30)
        labels = [middle.text(bar.get_x() + bar.get_width() / 2, 0, "", ha="center", va="bottom") for bar in bars]
        needed = right.bar(["Σ |qa|·|qb|\nlargest possible", "Σ qa·qb\nlargest here"], [1, 1], color=(ORANGE, BLUE))
        needed[0].set(hatch="//", edgecolor="white")
        right.axhline(ACCUMULATOR_BITS, color=RED, linestyle="--")
        right.text(0.5, ACCUMULATOR_BITS + 0.4, "int32 ends here", color=RED, ha="center", fontsize=11)
        right.set(ylim=(0, 36), title="accumulator", ylabel="bits, without sign")
        self._artists = dots, bars, labels, needed
        self.moving = (dots, *bars, *labels, *needed)
        return figure

    def update(self, bits_a, bits_b, mode, k):
        """Move the artists to the settings; return the read-out."""
        one_of(mode, "mode", ("symmetric", "asymmetric"))
        k = whole_number(k, "k", 1, len(self.weights))
        a, b = self.activations[:, :k], self.weights[:k]
        a_qparams = MinMax().observe(a).qparams(bits_a, symmetric=mode == "symmetric")
        b_qparams = MinMax().observe(b).qparams(bits_b, symmetric=True)
        qa, qb = a_qparams.quantize(a), b_qparams.quantize(b)
        exact, product = a @ b, quantized_matmul(qa, a_qparams, qb, b_qparams)
        noise_a = sqnr_db(a, a_qparams.dequantize(qa))
        noise_b = sqnr_db(b, b_qparams.dequantize(qb))
        predicted, measured = product_sqnr_db(noise_a, noise_b), sqnr_db(exact, product)
        possible = k * max(-a_qparams.qmin, a_qparams.qmax) * b_qparams.qmax
        largest = int(np.abs(np.asarray(product_terms(qa, a_qparams, qb, b_qparams).product)).max())
        dots, bars, labels, needed = self._artists
        spread = float(exact.std()) or 1.0
        dots.set_data(exact.ravel() / spread, product.ravel() / spread)
        for bar, label, noise in zip(bars, labels, (noise_a, noise_b, predicted, measured), strict=True):
            height = max(-noise - self.QUIETEST, 0.0)
            bar.set_height(height)
            label.set(y=self.QUIETEST + height + 1, text=f"{-noise:.0f}")
        for bar, value in zip(needed, (possible, largest), strict=True):
            bar.set_height(math.log2(max(value, 1)))
        return (
            f"A {bits_a} bits {mode}, B {bits_b} bits, K = {k}: SQNR of A {noise_a:.1f} dB, of B {noise_b:.1f} dB,"
            f" of the product {predicted:.1f} dB predicted and {measured:.1f} dB measured; the accumulator can need"
            f" {math.log2(possible):.1f} bits and used {math.log2(max(largest, 1)):.1f} of {ACCUMULATOR_BITS}."
        )


def _matrix(values, name):
    array = real_numbers(values, name, allow_empty=False)
    if array.ndim != 2:
        raise ValueError(f"{name} has shape {array.shape}; accepted: two dimensions")
    return array.astype(np.float32)
