"""Figures of the mapping: ticks where codes are, stairs where they round, and the explorer at its corners."""

import math

import matplotlib.pyplot as plt
import numpy as np
import pytest
from figure_checks import assert_says, at_every_corner, faults, figure_of, lesson_explorer, lesson_figures, trouble_of
from matplotlib.figure import Figure

from quantutils import QParams, choose_qparams
from quantutils.course.plots import MappingDrawing, number_lines, round_trip_errors, staircases

QUARTERS = QParams(0.25, 1, -4, 3)  # codes −4 … 3 stand for −1.25 … 0.5
PER_CHANNEL = QParams(np.array([1.0, 2.0]), np.array([0, 0]), -4, 3, axis=0)
VALUES = np.array([-1.4, -0.6, 0.0, 0.3, 0.9])
BACK = np.array([-1.25, -0.5, 0.0, 0.25, 0.5])


def by_hand(bits, low, high, mode):
    """(scale, zero point, qmin, qmax) of signed codes."""
    half = 2 ** (bits - 1)
    if mode == "symmetric":
        return max(-low, high) / (half - 1), 0, 1 - half, half - 1
    scale = (high - low) / (2 * half - 1)
    return scale, round(-half - low / scale), -half, half - 1


def restored(x, scale, zero_point, qmin, qmax):
    return (np.clip(np.round(x / scale) + zero_point, qmin, qmax) - zero_point) * scale


def test_figures_are_figures_and_stay_out_of_pyplot():
    figures = (
        number_lines({"a": QUARTERS}),
        staircases({"a": QUARTERS}, -2, 2),
        round_trip_errors(VALUES, QUARTERS),
        MappingDrawing(VALUES, reach=2).draw(bits=4, low=-1, high=1, mode="symmetric"),
    )
    assert {type(figure) for figure in figures} == {Figure}
    assert plt.get_fignums() == []


def test_figures_of_the_lesson_have_no_faults():
    figures = lesson_figures("02")
    assert len(figures) == 3
    assert [faults(figure) for figure in figures] == [[], [], []]


# number_lines


def test_a_number_line_has_a_tick_for_every_code_and_names_three_of_them():
    (axis,) = number_lines({"quarters": QUARTERS}, VALUES).axes
    _, ticks, crosses, dots = axis.lines
    assert axis.get_title(loc="left") == "quarters"
    assert ticks.get_xdata().tolist() == [-1.25, -1.0, -0.75, -0.5, -0.25, 0.0, 0.25, 0.5]
    assert {text.get_text(): text.xy[0] for text in axis.texts} == {
        "code -4": -1.25,
        "code 1 = 0.0": 0.0,
        "code 3": 0.5,
    }
    assert crosses.get_xdata().tolist() == VALUES.tolist()
    assert dots.get_xdata().tolist() == BACK.tolist()


def test_lines_share_one_axis_and_zero_at_the_end_is_named_once():
    figure = number_lines({"a": QUARTERS, "b": QParams(1.0, 0, 0, 7)})
    assert [axis.get_xlim() for axis in figure.axes] == [figure.axes[0].get_xlim()] * 2
    assert [text.get_text() for text in figure.axes[1].texts] == ["code 0 = 0.0", "code 7"]
    assert len(figure.axes[1].lines) == 2, "no crosses and dots without values"


# staircases


def test_stairs_are_flat_on_each_step_and_outside_the_range():
    (axis,) = staircases({"quarters": QUARTERS}, -2, 2).axes
    diagonal, stairs = axis.lines
    x = stairs.get_xdata()
    assert (x[0], x[-1]) == (-2, 2)
    assert diagonal.get_ydata().tolist() == x.tolist()
    assert stairs.get_ydata() == pytest.approx(restored(x, 0.25, 1, -4, 3))
    assert axis.get_title() == "quarters"


# round_trip_errors


def test_errors_bound_and_ends_are_where_they_belong():
    (axis,) = round_trip_errors(VALUES, QUARTERS).axes
    points, lower, upper, first, last = axis.lines
    assert points.get_xdata().tolist() == VALUES.tolist()
    assert points.get_ydata() == pytest.approx(BACK - VALUES)
    assert (lower.get_ydata()[0], upper.get_ydata()[0]) == (-0.125, 0.125)
    assert (first.get_xdata()[0], last.get_xdata()[0]) == (-1.25, 0.5)


# MappingDrawing


@pytest.mark.parametrize("mode", ["symmetric", "asymmetric"])
def test_the_drawing_shows_range_codes_stairs_and_errors(mode):
    drawing = MappingDrawing(VALUES, reach=2)
    left, middle, right = drawing.draw(bits=3, low=-1.25, high=0.5, mode=mode).axes
    scale, zero_point, qmin, qmax = by_hand(3, -1.25, 0.5, mode)
    first, last = scale * (qmin - zero_point), scale * (qmax - zero_point)
    counts = [bar.get_height() for bar in left.patches[:60]]
    assert counts == np.histogram(VALUES, 60, (-2, 2))[0].tolist()
    spans = [(span.get_x(), span.get_x() + span.get_width()) for span in left.patches[60:]]
    assert np.array(spans) == pytest.approx(np.array([(-2, first), (last, 2)]))
    assert left.lines[0].get_xdata() == pytest.approx(scale * np.arange(qmin - zero_point, qmax - zero_point + 1))
    x = middle.lines[1].get_xdata()
    back = restored(x, scale, zero_point, qmin, qmax)
    assert middle.lines[1].get_ydata() == pytest.approx(back)
    assert right.lines[0].get_ydata() == pytest.approx(np.maximum(np.abs(back - x), 1e-4))
    assert right.lines[1].get_ydata() == pytest.approx([scale / 2] * 2)
    assert right.texts[0].get_text() == f"scale / 2 = {scale / 2:.4f}"


def test_the_drawing_on_its_own_has_no_faults():
    assert faults(MappingDrawing(VALUES, 2).draw(bits=4, low=-1, high=1, mode="symmetric")) == []


def test_every_corner_of_the_sliders_is_drawn_and_said_right():
    explorer = lesson_explorer("02")
    first = explorer.picture.value
    normal = np.random.default_rng(2).normal(size=10_000).astype(np.float32)
    x = np.where(normal > 0, normal, 0.1 * normal).astype(np.float32).astype(np.float64)
    for settings in at_every_corner(explorer):
        scale, zero_point, qmin, qmax = by_hand(**settings)
        lowest, highest = scale * (qmin - zero_point), scale * (qmax - zero_point)
        clipped = 100 * np.mean((x < lowest - scale / 2) | (x > highest + scale / 2))
        noise = 10 * math.log10(np.sum(x**2) / np.sum((x - restored(x, scale, zero_point, qmin, qmax)) ** 2))
        numbers = (scale, zero_point, qmin, qmax, lowest, highest, scale / 2, clipped, noise)
        assert_says(explorer.readout, settings["bits"], *numbers)
        assert f"{settings['mode']}: scale" in explorer.readout
        assert trouble_of(explorer) == ""
        assert faults(figure_of(explorer)) == []
    explorer.reset()
    assert explorer.picture.value == first


# What is refused

GOOD = {"bits": 4, "low": -1.0, "high": 1.0, "mode": "symmetric"}


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: number_lines(QUARTERS), TypeError, "qparams_by_name is QParams"),
        (lambda: number_lines({}), ValueError, "qparams_by_name has 0 entries"),
        (lambda: number_lines({"a": 0.25}), TypeError, r"qparams_by_name\['a'\] is 0.25; accepted: a QParams"),
        (lambda: number_lines({"a": PER_CHANNEL}), ValueError, r"qparams_by_name\['a'\] has axis 0"),
        (lambda: number_lines({"a": QUARTERS}, "12"), TypeError, "values is '12'"),
        (lambda: number_lines({"a": QUARTERS}, [np.nan]), ValueError, "values holds 1 NaN"),
        (lambda: number_lines({"a": QUARTERS}, [[1.0]]), ValueError, r"values has shape \(1, 1\)"),
        (lambda: staircases([], -1, 1), TypeError, r"qparams_by_name is \[\]"),
        (lambda: staircases({}, -1, 1), ValueError, "qparams_by_name has 0 entries"),
        (lambda: staircases({"a": PER_CHANNEL}, -1, 1), ValueError, r"qparams_by_name\['a'\] has axis 0"),
        (lambda: staircases({"a": QUARTERS}, np.nan, 1), ValueError, "low holds 1 NaN"),
        (lambda: staircases({"a": QUARTERS}, 1, 1), ValueError, "high is 1; accepted: a number above 1"),
        (lambda: round_trip_errors(None, QUARTERS), TypeError, "x is None"),
        (lambda: round_trip_errors([], QUARTERS), ValueError, "x is empty"),
        (lambda: round_trip_errors([np.nan], QUARTERS), ValueError, "x holds 1 NaN"),
        (lambda: round_trip_errors(VALUES, PER_CHANNEL), ValueError, "qparams has axis 0"),
        (lambda: round_trip_errors(VALUES, None), TypeError, "qparams is None"),
        (lambda: MappingDrawing([], 1), ValueError, "values is empty"),
        (lambda: MappingDrawing([np.nan], 1), ValueError, "values holds 1 NaN"),
        (lambda: MappingDrawing(VALUES, 0), ValueError, "reach is 0; accepted: a number above 0"),
        (lambda: MappingDrawing(VALUES, "far"), TypeError, "reach is 'far'"),
        (lambda: MappingDrawing(VALUES, 2).draw(**GOOD | {"mode": "symetric"}), ValueError, "mode is 'symetric'"),
        (lambda: MappingDrawing(VALUES, 2).draw(**GOOD | {"mode": None}), ValueError, "mode is None"),
        (lambda: MappingDrawing(VALUES, 2).draw(**GOOD | {"bits": 4.5}), TypeError, "bits is 4.5"),
        (lambda: MappingDrawing(VALUES, 2).draw(**GOOD | {"low": np.nan}), ValueError, "low holds 1 NaN"),
        (lambda: MappingDrawing(VALUES, 2).draw(**GOOD | {"high": None}), TypeError, "high is None"),
    ],
)
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error, match=f"^{message}"):
        call()


def test_values_that_are_whole_numbers_are_drawn_as_well():
    (axis,) = number_lines({"a": choose_qparams(-4, 4, 4)}, [1, 2]).axes
    assert axis.lines[2].get_xdata().tolist() == [1.0, 2.0]
