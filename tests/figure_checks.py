"""What every figure of the course keeps, and the figures and explorers of a lesson as its own cells make them."""

import ast
import itertools
import math
import re
from functools import cache
from unittest import mock

import ipywidgets
import numpy as np
import torch
from lesson_files import NOTEBOOKS, code_cells, read
from matplotlib.text import Text

from quantutils.course.plots.style import in_style

SMALLEST = 11  # points


# Faults that can be seen


@in_style
def drawn_texts(figure):
    """The Text artists that a picture of the figure really contains, in drawing order."""
    texts, draw = [], Text.draw

    def noted(text, *arguments, **options):
        if text.get_visible() and text.get_text().strip():
            texts.append(text)
        return draw(text, *arguments, **options)

    with mock.patch.object(Text, "draw", noted):
        figure.draw_without_rendering()
    return texts


def text_box(text, renderer):
    """The four corners of a text in pixels, (4, 2), turned as the text is."""
    angle, upright = text.get_rotation(), Text.get_window_extent(text, renderer)
    if angle == 0:
        return upright.corners()[[0, 2, 3, 1]]
    text.set_rotation(0)
    level = Text.get_window_extent(text, renderer)
    text.set_rotation(angle)
    turn = math.radians(angle)
    across = np.array([math.cos(turn), math.sin(turn)]) * level.width / 2
    up = np.array([-math.sin(turn), math.cos(turn)]) * level.height / 2
    middle = np.array([upright.x0 + upright.x1, upright.y0 + upright.y1]) / 2
    return middle + np.array([-across - up, across - up, across + up, up - across])


def overlap(one, other, by=1.0):
    """Whether two turned boxes share more than `by` pixels: no side of either separates them."""
    if (one.max(axis=0) <= other.min(axis=0) + by).any() or (other.max(axis=0) <= one.min(axis=0) + by).any():
        return False
    for box in (one, other):
        for side in (box[1] - box[0], box[2] - box[1]):
            normal = np.array([-side[1], side[0]]) / np.hypot(*side)
            a, b = one @ normal, other @ normal
            if min(a.max(), b.max()) - max(a.min(), b.min()) <= by:
                return False
    return True


def faults(figure):
    """Every text that is too small, cut off or written over another, every scale without a label; [] if good."""
    texts = drawn_texts(figure)
    boxes = [text_box(text, figure.canvas.get_renderer()) for text in texts]
    found = []
    for text, box in zip(texts, boxes, strict=True):
        words = text.get_text()
        if text.get_fontsize() < SMALLEST or re.search(r"\$.*[\^_]", words):  # an exponent is set at 70 %
            found.append(f"{words!r} is smaller than {SMALLEST} pt")
        if (box < -0.5).any() or (box > np.add(figure.bbox.size, 0.5)).any():
            found.append(f"{words!r} is cut off")
    for (a, p), (b, q) in itertools.combinations(zip(texts, boxes, strict=True), 2):
        if overlap(p, q):
            found.append(f"{a.get_text()!r} lies over {b.get_text()!r}")
    for axes in figure.axes:
        for side, siblings in (("xaxis", axes.get_shared_x_axes()), ("yaxis", axes.get_shared_y_axes())):
            scale = [tick.get_text() for tick in getattr(axes, side).get_ticklabels() if tick in texts]
            numbers = [words for words in scale if re.fullmatch(r"[−\d.,]+", words)]
            if numbers and not any(getattr(other, side).label in texts for other in siblings.get_siblings(axes)):
                found.append(f"the {side} with {numbers} has no label")
    return found


# Figures and explorers of a lesson


@cache
def _cells(lesson):
    """Names of a lesson's setup cell ("02", say), the sources of its other cells, and whether gradients are on.

    A lesson may switch gradients off for its kernel; in this process they go on as they were.
    """
    setup, *others = code_cells(read(next(NOTEBOOKS.glob(f"{lesson}_*.ipynb"))))
    names, before = {}, torch.is_grad_enabled()
    try:
        exec(setup.source, names)
        return names, [cell.source for cell in others], torch.is_grad_enabled()
    finally:
        torch.set_grad_enabled(before)


def lesson_figures(lesson):
    """The Figures that a lesson shows, in order."""
    names, sources, gradients = _cells(lesson)
    figures = []
    for source in sources:
        if re.search(r"^show\(", source, re.MULTILINE):
            with torch.set_grad_enabled(gradients):
                exec(source, names | {"show": lambda figure, alt: figures.append(figure)})
    return figures


def lesson_explorer(lesson):
    """The Explorer of a lesson, made anew."""
    names, sources, gradients = _cells(lesson)
    (source,) = (source for source in sources if re.search(r"^explore\(", source, re.MULTILINE))
    *before, last = ast.parse(source).body
    own = dict(names)
    with torch.set_grad_enabled(gradients):
        exec(compile(ast.Module(before, []), lesson, "exec"), own)
        return eval(compile(ast.Expression(last.value), lesson, "eval"), own)


def at_every_corner(explorer):
    """Put the explorer's controls to every combination of their ends; yield the settings."""
    for values in itertools.product(*map(_ends, explorer.controls.values())):
        for control, value in zip(explorer.controls.values(), values, strict=True):
            control.value = value
        yield explorer.settings


def _ends(control):
    if isinstance(control, ipywidgets.ToggleButtons):
        return [value for _, value in control.options]
    if isinstance(control, ipywidgets.Combobox):
        return [control.options[0], control.options[-1]]
    if hasattr(control, "options"):
        return [control.options[0][1], control.options[-1][1]]
    return [control.min, control.max]


def figure_of(explorer):
    """The figure under the explorer's hand, at its present settings."""
    return explorer._frames.figure


def trouble_of(explorer):
    """What the explorer shows where a setting cannot be drawn."""
    return explorer.children[1].value


# Numbers in words


def assert_says(sentence, *expected):
    """The numbers in the sentence are those expected, each to the last digit that it is given with."""
    said = re.findall(r"-?\d+(?:,\d{3})*(?:\.\d+)?", sentence)
    assert len(said) == len(expected), sentence
    for words, value in zip(said, expected, strict=True):
        decimals = len(words.partition(".")[2])
        assert abs(float(words.replace(",", "")) - value) <= 0.51 * 10**-decimals, f"{words}, not {value}: {sentence}"
