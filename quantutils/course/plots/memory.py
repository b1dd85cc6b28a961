"""Figures of memory and traffic: what weights weigh, what groups buy, how fast a memory lets a model speak."""

import numpy as np

from quantutils.checks import by_label, number, rows_of
from quantutils.course.plots.drawing import Drawing
from quantutils.course.plots.style import BLUE, GREEN, GREY, HATCHES, ORANGE, in_style, log_ticks, new_figure
from quantutils.packing import weight_bytes

DEVICES = {"phone, 8 GB": 8, "laptop, 16 GB": 16, "GPU, 24 GB": 24, "GPU, 80 GB": 80}
FORMATS = {"FP32": 32, "FP16": 16, "INT8": 8, "INT4": 4}
LABEL_BOX = {"fc": "white", "ec": "none", "pad": 0.5}


@in_style
def size_bars(gigabytes, unit="GB"):
    """Sizes as horizontal bars with their numbers, and, in GB, the memory of four devices as lines.

    gigabytes: {label: size}, largest first. unit: of the sizes. Returns the Figure.
    """
    for label, size in by_label(gigabytes, "gigabytes", "sizes").items():
        number(size, f"gigabytes[{label!r}]", above=0)
    figure, axis = new_figure(height=1.4 + 0.5 * len(gigabytes))
    places = np.arange(len(gigabytes))
    for place, size in enumerate(gigabytes.values()):
        axis.barh(place, size, color=BLUE if place else GREY, hatch=HATCHES[place % 5], edgecolor="white")
        axis.text(size, place, f"  {size:.2f} {unit}", va="center", bbox=LABEL_BOX)
    axis.set(yticks=places, yticklabels=list(gigabytes), xlabel=f"size ({unit})")
    axis.invert_yaxis()
    axis.margins(x=0.14)
    if unit == "GB":
        for (name, size), line in zip(DEVICES.items(), (":", "--", "-.", "-"), strict=True):
            if size < 1.1 * max(gigabytes.values()):
                axis.axvline(size, color=ORANGE, linestyle=line, label=name)
        if axis.lines:
            axis.legend(loc="lower right", title="memory of a")
    return figure


@in_style
def quality_against_size(points):
    """SQNR of weights against the bits that each weight really takes, group scales included.

    points: {line: [(bits per weight, SQNR in dB, label of the point), …]}, at most 3 lines. Returns the Figure.
    """
    for line, values in by_label(points, "points", "points", most=3).items():
        for x, y, _ in rows_of(values, f"points[{line!r}]", 3, "bits per weight, SQNR in dB, label"):
            number(x, f"bits per weight of {line!r}", above=0)
            number(y, f"SQNR of {line!r}")
    figure, axis = new_figure(height=3.8)
    styles = (("o", "-", BLUE), ("s", "--", ORANGE), ("^", ":", GREEN))
    for (line, values), (marker, dash, color) in zip(points.items(), styles, strict=False):
        bits, db = [point[0] for point in values], [point[1] for point in values]
        axis.plot(bits, db, marker=marker, linestyle=dash, color=color, label=line, markersize=8)
        for x, y, label in values:
            axis.annotate(label, (x, y), (0, 9), textcoords="offset points", ha="center", fontsize=11)
    axis.set(xlabel="bits per weight, scales included", ylabel="SQNR of the weights (dB)")
    axis.margins(x=0.08, y=0.16)
    axis.legend(loc="lower right")
    return figure


class MemoryDrawing(Drawing):
    """Size of the weights and the most tokens a second, for a format of your choice beside four usual ones.

    Modelled: size = parameters · bits / 8 plus one 16-bit scale a group; every token reads all weights once, so
    tokens a second = bandwidth / size. Settings of `update`: parameters (billions), bits, group_size (0 for none),
    bandwidth (GB/s).
    """

    START = 1e-3  # GB and tokens / s: where the bars begin, left of both logarithmic axes

    def build(self):
        """Make the figure and its artists; return the Figure."""
        figure, (left, right) = new_figure(columns=2, height=4.0)
        places = np.arange(len(FORMATS) + 1)
        names = [*FORMATS, "yours"]
        colors = (GREY, GREY, GREY, GREY, BLUE)
        sizes, speeds = (
            axis.barh(places, np.ones(places.size), color=colors, left=self.START) for axis in (left, right)
        )
        for bars in (sizes, speeds):
            for bar, hatch in zip(bars, (*HATCHES[:4], ""), strict=True):
                bar.set(hatch=hatch, edgecolor="white")
        left.set(title="size of the weights", xlabel="GB (log)", xscale="log")
        right.set(title="tokens a second, at most", xlabel="tokens / s (log)", xscale="log")
        log_ticks(left.xaxis, (0.1, 1, 10, 100, 1000))
        log_ticks(right.xaxis, (0.1, 10, 1000, 100_000))
        left.set_xlim(0.02, 20_000)
        right.set_xlim(0.01, 1e7)
        for axis in (left, right):
            axis.set(yticks=places, yticklabels=names)
            axis.invert_yaxis()
        for (name, size), line in zip(DEVICES.items(), (":", "--", "-.", "-"), strict=True):
            left.axvline(size, color=ORANGE, linestyle=line, label=name)
        figure.legend(*left.get_legend_handles_labels(), loc="outside lower left", ncols=4)
        labels = [
            [axis.text(1, place, "", va="center", fontsize=11, bbox=LABEL_BOX) for place in places]
            for axis in (left, right)
        ]
        self._artists = sizes, speeds, labels
        self.moving = (*sizes, *speeds, *labels[0], *labels[1])
        return figure

    def update(self, parameters, bits, group_size, bandwidth):
        """Move the artists to the settings; return the read-out."""
        sizes, speeds, labels = self._artists
        number(bandwidth, "bandwidth", above=0)
        billions = round(number(parameters, "parameters", above=0) * 10**9)
        gigabytes = [weight_bytes(billions, width) / 1e9 for width in FORMATS.values()]
        gigabytes.append(weight_bytes(billions, bits, group_size or None) / 1e9)
        tokens = [bandwidth / size for size in gigabytes]
        for bars, texts, values in ((sizes, labels[0], gigabytes), (speeds, labels[1], tokens)):
            for bar, text, value in zip(bars, texts, values, strict=True):
                bar.set_width(value - self.START)  # so that it ends at value
                text.set(x=value * 1.25, text=_short(value))
        each = 8 * gigabytes[-1] / parameters
        fits = [name for name, memory in DEVICES.items() if gigabytes[-1] <= memory]
        return (
            f"{parameters:g} billion parameters at {bits} bits"
            + (f" with a 16-bit scale for every {group_size} ({each:.2f} bits each)" if group_size else "")
            + f": {_short(gigabytes[-1])} GB; at {bandwidth} GB/s at most {_short(tokens[-1])} tokens a second"
            " (modelled);" + (f" fits {fits[0]}." if fits else " fits none of the four devices.")
        )


def _short(value):
    """Three significant digits without an exponent."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
