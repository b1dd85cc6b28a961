"""Figures of why networks tolerate an error: noise through activations, margins, and decisions that change."""

import numpy as np

from quantutils.checks import by_label, one_of, values_1d, whole_number
from quantutils.course.decisions import changed, logit_error, margins, with_noise
from quantutils.course.plots.drawing import Drawing
from quantutils.course.plots.style import BLACK, BLUE, GREEN, GREY, MARKS, ORANGE, RED, in_style, log_ticks, new_figure

SOURCES = ("quantization", "random noise of its size")


@in_style
def decision_bars(rows):
    """Logits before and after an error, one panel an image: bars before, dots after, the winners named.

    rows: {title: (logits, disturbed)}, both (classes,), at most 4. Returns the Figure.
    """
    by_label(rows, "rows", "(logits, disturbed)", most=4)
    figure, axes = new_figure(columns=len(rows), sharey=True, height=3.6)
    for axis, (title, (before, after)) in zip(np.atleast_1d(axes), rows.items(), strict=True):
        before = values_1d(before, f"logits of {title!r}")
        after = values_1d(after, f"disturbed of {title!r}", before.size)
        axis.bar(range(before.size), before, color=GREY, label="float")
        axis.plot(range(after.size), after, "o", color=BLUE, label="quantized")
        axis.set_title(f"{title}\nsays {int(before.argmax())}, then {int(after.argmax())}")
        axis.set_xticks(range(before.size))
        axis.set_xlabel("class")
    np.atleast_1d(axes)[0].set_ylabel("logit")
    np.atleast_1d(axes)[-1].legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


@in_style
def noise_through_activations(spreads, gain_by_name):
    """What an activation does to the SQNR of its input, in decibels, against how far that input spreads.

    spreads: standard deviations of the input, (spreads,), real units, above 0. gain_by_name: {activation: (spreads,)
    decibels, SQNR behind minus SQNR in front}, at most 4. Returns the Figure.
    """
    spreads = values_1d(spreads, "spreads")
    if not (spreads > 0).all():
        raise ValueError(f"spreads is {spreads}; accepted: numbers above 0")
    figure, axis = new_figure(height=3.6)
    for (name, gains), (marker, line, color) in zip(
        by_label(gain_by_name, "gain_by_name", "decibels", most=4).items(), MARKS, strict=False
    ):
        gains = values_1d(gains, f"gain_by_name[{name!r}]", spreads.size)
        axis.plot(spreads, gains, marker=marker, linestyle=line, color=color, label=name)
    axis.axhspan(0, 2, color=GREEN, alpha=0.12, hatch="//", linewidth=0)
    axis.text(spreads[0], 1.0, "noise would be smoothed here", va="center", color=BLACK)
    axis.set_xscale("log")
    log_ticks(axis.xaxis, spreads.tolist())
    axis.set_ylim(min(-8.0, *(min(gains) for gains in gain_by_name.values())) - 0.5, 2)
    axis.set_xlabel("spread of the activation's input (standard deviation, real units)")
    axis.set_ylabel("SQNR behind − in front (dB)")
    axis.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


@in_style
def margin_histograms(margins_by_title, most=40.0):
    """Margins in units of the logit error, one panel a network: how far a decision is from changing.

    margins_by_title: {title: (images,)}, each a margin over the root mean square error of a logit, at most 3;
    values above `most` are counted in the last bar. Returns the Figure.
    """
    by_label(margins_by_title, "margins_by_title", "margins", most=3)
    figure, axes = new_figure(columns=len(margins_by_title), sharey=True, height=3.4)
    for axis, (title, values) in zip(np.atleast_1d(axes), margins_by_title.items(), strict=True):
        values = values_1d(values, f"margins_by_title[{title!r}]")
        axis.hist(np.minimum(values, most), bins=40, range=(0, most), color=BLUE)
        middle = float(np.median(values))
        axis.axvline(middle, color=RED, linestyle="--", label=f"half lie below {middle:.1f}")
        axis.axvspan(0, 2, color=ORANGE, alpha=0.35, hatch="//", linewidth=0, label="two errors or less", zorder=0)
        axis.set_title(title)
        axis.set_xlim(0, most)
        axis.set_xlabel("margin / root mean square error")
        axis.legend(loc="upper right")
    np.atleast_1d(axes)[0].set_ylabel("images")
    return figure


@in_style
def changed_against_error(curves):
    """The share of decisions that change against the relative error of the logits, both logarithmic.

    curves: {label: (bits, errors, changes)}, each (settings,); errors and changes in percent, above 0; the first
    curve's points are labelled with their bits. At most 4 curves. Returns the Figure.
    """
    by_label(curves, "curves", "(bits, errors, changes)", most=4)
    figure, axis = new_figure(height=4.0)
    for place, ((label, (bits, errors, changes)), (marker, line, color)) in enumerate(
        zip(curves.items(), MARKS, strict=False)
    ):
        errors = values_1d(errors, f"errors of {label!r}", len(bits))
        changes = values_1d(changes, f"changes of {label!r}", len(bits))
        axis.plot(errors, changes, marker=marker, linestyle=line, color=color, label=label)
        if place == 0:
            for width, x, y in zip(bits, errors, changes, strict=True):
                axis.annotate(f"{width} bits", (x, y), (8, -14), textcoords="offset points")
    axis.set(xscale="log", yscale="log", xlim=(0.5, 120), ylim=(0.07, 100))
    log_ticks(axis.xaxis, (1, 2, 5, 10, 20, 50, 100))
    log_ticks(axis.yaxis, (0.1, 1, 10, 100))
    axis.set_xlabel("relative error of the logits (%)")
    axis.set_ylabel("changed decisions (%)")
    axis.legend(loc="upper left")
    return figure


class ToleranceDrawing(Drawing):
    """One image's logits, every image's margin before and after, and changed decisions against the logit error.

    logits: {network: {"float": (images, classes), bits: the same, …}}, the same bits for every network.
    labels: the right classes, (images,). Settings of `update`: network, bits, source ("quantization" or
    "random noise of its size") and image, which of the images the left panel shows.
    """

    REACH = 30.0  # the largest margin shown; larger ones stay at the edge

    def __init__(self, logits, labels):
        by_label(logits, "logits", "{bits: logits}", most=6)
        self.labels = np.asarray(labels)
        if self.labels.ndim != 1 or self.labels.dtype.kind not in "iu":
            raise ValueError(f"labels has shape {self.labels.shape}; accepted: whole numbers, (images,)")
        self.before, self.after = {}, {}
        for network, by_bits in logits.items():
            before = self.before[network] = self._checked(by_bits["float"], f"logits of {network!r}")
            self.bits = sorted(bits for bits in by_bits if bits != "float")
            for bits in self.bits:
                after = self._checked(by_bits[bits], f"logits of {network!r} at {bits} bits")
                noisy = with_noise(before, logit_error(before, after), seed=bits)
                for source, disturbed in zip(SOURCES, (after, noisy), strict=True):
                    self.after[network, bits, source] = disturbed, changed(before, disturbed)

    def _checked(self, logits, name):
        array = np.asarray(logits, dtype=np.float64)
        if array.ndim != 2 or len(array) != len(self.labels):
            raise ValueError(f"{name} has shape {array.shape}; accepted: ({len(self.labels)}, classes)")
        return array

    def build(self):
        """Make the figure and its artists; return the Figure."""
        figure, (left, middle, right) = new_figure(columns=3, height=4.2)
        classes = next(iter(self.before.values())).shape[1]
        bars = left.bar(range(classes), [0.0] * classes, color=GREY, label="float")
        (dots,) = left.plot(range(classes), [0.0] * classes, "o", color=BLUE, label="disturbed")
        low = 1.1 * min(logits.min() for logits in self.before.values())
        high = 1.1 * max(logits.max() for logits in self.before.values())
        left.set(title="logits of one image", xlabel="class", ylabel="logit")
        left.set_ylim(low, high + 0.2 * (high - low))  # room for the legend
        self._logit_range = low, high
        left.set_xticks(range(classes))
        left.legend(loc="upper right", ncols=2)
        middle.axhspan(-self.REACH, 0, color=ORANGE, alpha=0.25, hatch="//", linewidth=0)
        middle.plot([0, self.REACH], [0, self.REACH], color=GREY, linewidth=1, linestyle="--")
        (kept,) = middle.plot([], [], ".", color=BLUE, markersize=4, alpha=0.6)
        (lost,) = middle.plot([], [], "x", color=RED, markersize=7)
        (here,) = middle.plot([], [], "o", markersize=13, markerfacecolor="none", color=BLACK)
        middle.set(title="margin of every image", xlabel="margin in float", ylabel="margin disturbed")
        middle.set(xlim=(0, self.REACH), ylim=(-self.REACH / 2, self.REACH))
        middle.text(self.REACH * 0.97, -self.REACH * 0.44, "changed", ha="right", color=BLACK)
        (line,) = right.plot([1], [1], "o-", color=BLUE)
        (now,) = right.plot([1], [1], "o", markersize=13, markerfacecolor="none", color=BLACK)
        right.set(title="over all bit-widths", xlabel="logit error (%)", ylabel="changed decisions (%)")
        right.set(xscale="log", yscale="log", xlim=(0.3, 200), ylim=(0.1, 100))
        log_ticks(right.xaxis, (1, 10, 100))
        log_ticks(right.yaxis, (0.1, 1, 10, 100))
        self._artists = bars, dots, kept, lost, here, line, now
        self.moving = (*bars, dots, kept, lost, here, line, now)
        return figure

    def update(self, network, bits, source, image):
        """Move the artists to the settings; return the read-out."""
        one_of(network, "network", tuple(self.before))
        one_of(source, "source", SOURCES)
        bits = whole_number(bits, "bits", self.bits[0], self.bits[-1])
        image = whole_number(image, "image", 0, len(self.labels) - 1)
        before, (after, count) = self.before[network], self.after[network, bits, source]
        winners = before.argmax(axis=1)
        x, y = margins(before), margins(after, winners)
        bars, dots, kept, lost, here, line, now = self._artists
        for bar, value in zip(bars, before[image], strict=True):
            bar.set_height(value)
        dots.set_ydata(np.clip(after[image], *self._logit_range))  # larger ones stay at the edge
        shown_x = np.minimum(x, self.REACH)
        shown_y = np.clip(y, -self.REACH / 2, self.REACH)
        flipped = after.argmax(axis=1) != winners
        kept.set_data(shown_x[~flipped], shown_y[~flipped])
        lost.set_data(shown_x[flipped], shown_y[flipped])
        here.set_data([shown_x[image]], [shown_y[image]])
        errors, shares = zip(*(self._point(network, width, source) for width in self.bits), strict=True)
        line.set_data(errors, shares)
        error, share = self._point(network, bits, source)
        now.set_data([error], [share])
        right = [int((logits.argmax(axis=1) == self.labels).sum()) for logits in (before, after)]
        return (
            f"{network}, {bits} bits, {source}: logit error {error:.1f} %; {count} of {len(before)} decisions changed;"
            f" {right[0]} right before, {right[1]} after. Image {image}, labelled {self.labels[image]}: read as"
            f" {winners[image]}, then as {after[image].argmax()}; margin {x[image]:.1f}, then {y[image]:.1f}."
        )

    def _point(self, network, bits, source):
        """The logit error and the share of changed decisions, in percent; no change is drawn at the lowest edge."""
        after, count = self.after[network, bits, source]
        return 100 * logit_error(self.before[network], after), max(100 * count / len(after), 0.1)
