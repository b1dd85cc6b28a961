"""Figures of lesson 00: boxes in order, numbers beside what comes back, and the explorer at its corners."""

import math

import matplotlib.pyplot as plt
import numpy as np
import pytest
from figure_checks import assert_says, at_every_corner, faults, figure_of, lesson_explorer, lesson_figures, trouble_of
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from quantutils import choose_qparams
from quantutils.course.plots import (
    TenNumbersDrawing,
    bit_fields,
    course_map,
    gain_of_each_bit,
    nearest_codes,
    restored_numbers,
)

LESSONS = [("00", "Start here", "How?"), ("01", "Why quantize", "What for?"), ("02", "Mapping", "Which zero?")]
X = np.array([-0.9, -0.3, 0.0, 0.24, 1.0])


def round_trip(x, bits, reach):
    """Symmetric codes by hand: (x̂, scale, largest code)."""
    top = 2 ** (bits - 1) - 1
    scale = reach / top
    return np.clip(np.round(x / scale), -top, top) * scale, scale, top


def test_figures_are_figures_and_stay_out_of_pyplot():
    for figure in (course_map(LESSONS), restored_numbers(X, {"a": X}), TenNumbersDrawing(X).draw(bits=4, reach=1.0)):
        assert type(figure) is Figure
    assert plt.get_fignums() == []


def test_figures_of_the_lesson_have_no_faults():
    figures = lesson_figures("00")
    assert len(figures) == 5
    assert [faults(figure) for figure in figures] == [[]] * 5


# course_map


def test_the_map_names_every_lesson_from_top_to_bottom():
    (axis,) = course_map(LESSONS).axes
    texts = sorted((text for text in axis.texts if text.get_text()), key=lambda text: -text.get_position()[1])
    rows = [tuple(text.get_text() for text in texts[start : start + 3]) for start in (0, 3, 6)]
    assert rows == LESSONS
    assert sum(isinstance(patch, FancyBboxPatch) for patch in axis.patches) == 3


def test_the_map_of_ten_lessons_has_no_faults():
    titles = ["Why networks tolerate it", "Quantization-aware training", "Symmetric and asymmetric mapping"]
    assert faults(course_map([(f"{n:02}", titles[n % 3], "What does a fast kernel do?") for n in range(10)])) == []


# restored_numbers


def test_each_panel_holds_the_numbers_what_comes_back_and_the_errors_between():
    x_hats = {f"{bits} bits": round_trip(X, bits, 1.0)[0] for bits in (2, 4)}
    figure = restored_numbers(X, x_hats)
    assert [axis.get_title() for axis in figure.axes] == list(x_hats)
    for axis, x_hat in zip(figure.axes, x_hats.values(), strict=True):
        crosses, dots = axis.lines[:2]
        assert crosses.get_ydata().tolist() == X.tolist()
        assert dots.get_ydata().tolist() == x_hat.tolist()
        ends = [segment[:, 1].tolist() for segment in axis.collections[0].get_segments()]
        assert ends == np.stack([X, x_hat], axis=1).tolist()


# TenNumbersDrawing


@pytest.mark.parametrize(("bits", "reach"), [(4, 1.0), (2, 1.0), (8, 0.5)])
def test_the_drawing_shows_the_ruler_the_numbers_that_come_back_and_their_errors(bits, reach):
    left, right = TenNumbersDrawing(X).draw(bits=bits, reach=reach).axes
    x_hat, scale, top = round_trip(X, bits, reach)
    crosses, dots, rungs = left.lines
    assert crosses.get_ydata().tolist() == X.tolist()
    assert dots.get_ydata() == pytest.approx(x_hat)
    assert rungs.get_ydata() == pytest.approx(scale * np.arange(-top, top + 1))
    errors, bound = right.lines
    assert errors.get_ydata() == pytest.approx(np.maximum(np.abs(x_hat - X), 0.0002))  # the least that is shown
    assert bound.get_ydata() == pytest.approx([scale / 2] * 2)


def test_the_drawing_on_its_own_has_no_faults():
    assert faults(TenNumbersDrawing(X).draw(bits=4, reach=1.0)) == []


def test_every_corner_of_the_sliders_is_drawn_and_said_right():
    explorer = lesson_explorer("00")
    first = explorer.picture.value
    x = np.array([-0.92, -0.51, -0.13, -0.02, 0.0, 0.04, 0.17, 0.35, 0.66, 1.0])
    for settings in at_every_corner(explorer):
        bits, reach = settings["bits"], settings["reach"]
        x_hat, scale, top = round_trip(x, bits, reach)
        noise = 10 * math.log10(np.sum(x**2) / np.sum((x - x_hat) ** 2))
        clipped = sum(abs(value) > reach + 1e-9 for value in x)
        worst = max(abs(x - x_hat))
        assert_says(explorer.readout, bits, reach, 2 * top + 1, scale, worst, clipped, 10, noise)
        assert trouble_of(explorer) == ""
        assert faults(figure_of(explorer)) == []
        left, right = figure_of(explorer).axes
        assert left.get_ylim()[1] > reach, "the outermost number with a code can be seen"
        assert right.get_ylim()[1] >= worst
    explorer.reset()
    assert explorer.picture.value == first


# What is refused


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: course_map(None), TypeError, "lessons is None"),
        (lambda: course_map([]), ValueError, "lessons is empty"),
        (lambda: course_map([("00", "Start here")]), ValueError, r"lessons holds \('00', 'Start here'\)"),
        (lambda: restored_numbers(None, {"a": X}), TypeError, "x is None"),
        (lambda: restored_numbers([], {"a": []}), ValueError, "x is empty"),
        (lambda: restored_numbers([np.nan], {"a": [0.0]}), ValueError, "x holds 1 NaN"),
        (lambda: restored_numbers(X, X), TypeError, "x_hats is "),
        (lambda: restored_numbers(X, {}), ValueError, "x_hats has 0 entries"),
        (lambda: restored_numbers(X, {"a": X[1:]}), ValueError, r"x_hats\['a'\] has shape \(4,\); accepted: \(5,\)"),
        (lambda: TenNumbersDrawing("ten"), TypeError, "x is 'ten'"),
        (lambda: TenNumbersDrawing([]), ValueError, "x is empty"),
        (lambda: TenNumbersDrawing([[1.0]]), ValueError, r"x has shape \(1, 1\)"),
        (lambda: TenNumbersDrawing([np.inf]), ValueError, "x holds 0 NaN and 1 infinite"),
        (lambda: TenNumbersDrawing(X).draw(bits=4, reach=0.0), ValueError, "reach is 0.0; accepted: a number above 0"),
        (lambda: TenNumbersDrawing(X).draw(bits=4, reach="1"), TypeError, "reach is '1'"),
        (lambda: TenNumbersDrawing(X).draw(bits=1, reach=1.0), ValueError, "bits is 1"),
    ],
)
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error, match=f"^{message}"):
        call()


# bit_fields, nearest_codes, gain_of_each_bit


def test_every_field_of_a_format_says_how_many_bits_it_has():
    (axis,) = bit_fields([("FP16", {"sign": 1, "exponent": 5, "mantissa": 10}, "a note")]).axes
    said = [text.get_text() for text in axis.texts]
    assert said[:6] == ["FP16", "1", "5", "10", "16 bits", "a note"]


def test_an_unknown_field_is_refused():
    with pytest.raises(ValueError, match="field is 'zero'; accepted: one of 'sign'"):
        bit_fields([("FP16", {"zero": 1}, "a note")])


def test_every_number_has_an_arrow_to_what_comes_back():
    qparams = choose_qparams(-1.0, 1.0, 3, symmetric=True)
    (axis,) = nearest_codes(X, qparams).axes
    arrows = [text for text in axis.texts if hasattr(text, "arrow_patch") and text.arrow_patch]
    assert np.allclose([arrow.xyann[0] for arrow in arrows], X)
    assert np.allclose([arrow.xy[0] for arrow in arrows], qparams.fake_quantize(X))
    assert [text.get_text() for text in axis.texts if text.get_text()] == [str(code) for code in range(-3, 4)]


def test_the_gain_of_a_bit_is_the_difference_of_the_same_draw():
    (axis,) = gain_of_each_bit({2: [6.0, 7.0], 3: [13.0, 15.0], 4: [20.0, 20.0]}).axes
    gains = [line.get_ydata() for line in axis.lines if line.get_marker() == "o"]
    assert np.array_equal(gains, [[7.0, 8.0], [7.0, 5.0]])
    assert [label.get_text() for label in axis.get_xticklabels()] == ["2 to 3", "3 to 4"]
