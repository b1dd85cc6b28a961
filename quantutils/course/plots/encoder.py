"""Figures of a whole transformer: where its parameters are, what each choice costs, which channels are loud."""

import numpy as np

from quantutils.checks import by_label, number, values_1d
from quantutils.course.plots.style import BLUE, GREEN, GREY, HATCHES, ORANGE, RED, in_style, log_ticks, new_figure

BOX = {"fc": "white", "ec": "none", "pad": 0.5}


@in_style
def parameter_bars(millions):
    """Parameters of each kind of layer as horizontal bars with their shares.

    millions: {kind: million parameters}, at most 5 kinds. Returns the Figure.
    """
    for kind, count in by_label(millions, "millions", "counts", most=5).items():
        number(count, f"millions[{kind!r}]", above=0)
    figure, axis = new_figure(height=1.2 + 0.5 * len(millions))
    total = sum(millions.values())
    for place, (count, hatch) in enumerate(zip(millions.values(), HATCHES, strict=False)):
        axis.barh(place, count, color=GREY if place else BLUE, hatch=hatch, edgecolor="white")
        axis.text(count, place, f"  {count:.2f} million, {count / total:.1%}", va="center")
    axis.set(yticks=range(len(millions)), yticklabels=list(millions), xlabel="parameters (millions)")
    axis.invert_yaxis()
    axis.margins(x=0.3)
    return figure


@in_style
def cosine_losses(losses, aim=None):
    """1 − cosine to the float vectors for each choice, on a logarithmic axis: further left is better.

    losses: {choice: loss}. aim: a loss to draw as a line, or None. Returns the Figure.
    """
    for choice, loss in by_label(losses, "losses", "losses").items():
        number(loss, f"losses[{choice!r}]", above=0)
    figure, axis = new_figure(height=1.3 + 0.42 * len(losses))
    places = np.arange(len(losses))
    axis.hlines(places, 1e-5, list(losses.values()), color=GREY, linewidth=1.5)
    axis.plot(list(losses.values()), places, "o", color=BLUE, markersize=9)
    for place, loss in enumerate(losses.values()):
        axis.annotate(f"{loss:.4f}", (loss, place), (10, 0), textcoords="offset points", va="center", bbox=BOX)
    if aim is not None:
        axis.axvline(aim, color=ORANGE, linestyle="--", label=f"aim: {aim:g}")
        axis.legend(loc="lower right")
    axis.set(xscale="log", yticks=places, yticklabels=list(losses), xlabel="1 − cosine to the float vectors (log)")
    log_ticks(axis.xaxis, [0.0001, 0.001, 0.01, 0.1])
    axis.set_xlim(0.3 * min(losses.values()), 4 * max(losses.values()))
    axis.set_ylim(len(losses) - 0.5, -0.5)
    return figure


@in_style
def loud_tokens(peaks, first, others):
    """Largest magnitude in each channel of a layer's input, and in each token: first ones of a sentence and others.

    peaks: (channels,). first, others: (tokens,), the largest magnitude of each. All in real units. Returns the Figure.
    """
    peaks, first, others = values_1d(peaks, "peaks"), values_1d(first, "first"), values_1d(others, "others")
    figure, (left, right) = new_figure(columns=2, height=3.8)
    loudest = int(np.argmax(peaks))
    left.vlines(np.arange(len(peaks)), 0, peaks, color=GREY, linewidth=1)
    left.plot([loudest], [peaks[loudest]], "^", color=RED, markersize=10, label=f"channel {loudest}")
    left.axhline(float(np.median(peaks)), color=GREEN, linestyle="--", label="median channel")
    left.set(title="channels", xlabel="channel", ylabel="largest magnitude (real units)")
    left.set_ylim(0, 1.25 * float(np.max(peaks)))
    left.legend(loc="upper right")
    edges = np.linspace(0, 1.05 * max(float(np.max(first)), float(np.max(others))), 43)
    right.hist(others, edges, color=GREY, label="other tokens")
    right.hist(first, edges, color=RED, hatch="//", edgecolor="white", label="first tokens")
    right.set(title="tokens", xlabel="largest magnitude (real units)", ylabel="tokens (log)", yscale="log")
    log_ticks(right.yaxis, [1, 10, 100, 1000])
    right.set_ylim(0.6, 5 * len(others))
    right.legend(loc="upper center")
    return figure
