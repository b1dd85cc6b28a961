"""The display of figures, and the checks that hold every figure to its form: they find the faults they are for."""

import io
from unittest import mock

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from figure_checks import assert_says, faults
from matplotlib.figure import Figure
from PIL import Image

from quantutils import checks
from quantutils.course.plots import new_figure, png_bytes, show, style

ALT = "A line that rises from 1 to 2."


def shown(figure, alt):
    """The bundle and the metadata that `show` displays."""
    with mock.patch.object(style, "display") as display:
        show(figure, alt)
    ((bundle,), options) = display.call_args
    assert options["raw"] is True
    return bundle, options["metadata"]


# new_figure, png_bytes, show


def test_a_new_figure_has_the_course_s_width_and_stays_out_of_pyplot():
    figure, axes = new_figure(columns=3, rows=2, height=2.5)
    assert type(figure) is Figure
    assert axes.shape == (2, 3)
    assert figure.get_size_inches().tolist() == [9.6, 2.5]
    assert plt.get_fignums() == []


def test_a_figure_is_drawn_in_the_course_s_style_and_leaves_matplotlib_s_settings_alone():
    before = dict(matplotlib.rcParams)
    figure, axes = new_figure()
    png_bytes(figure)
    assert axes.xaxis.label.get_fontsize() == 12
    assert dict(matplotlib.rcParams) == before


def test_a_figure_gives_the_same_bytes_every_time():
    figure, axes = new_figure(height=2)
    axes.plot([1, 2])
    png = png_bytes(figure)
    assert png_bytes(figure) == png
    picture = Image.open(io.BytesIO(png))
    assert picture.size == (960, 200)
    assert picture.info.keys() <= {"dpi"}, "no date and no version, which change from machine to machine"


def test_show_gives_a_picture_and_its_text_twice():
    figure, axes = new_figure(height=2)
    axes.plot([1, 2])
    bundle, metadata = shown(figure, ALT)
    assert bundle == {"image/png": png_bytes(figure), "text/plain": ALT}
    assert metadata == {"image/png": {"alt": ALT}}


@pytest.mark.parametrize("figure", [None, plt, "figure", new_figure()[1]])
def test_what_is_no_figure_is_not_shown(figure):
    with pytest.raises(TypeError, match=r"^figure is .*; accepted: a matplotlib Figure"):
        show(figure, ALT)
    with pytest.raises(TypeError, match=r"^figure is .*; accepted: a matplotlib Figure"):
        png_bytes(figure)


@pytest.mark.parametrize("alt", ["", "A line", "one two three four", "      ", None, 5, ["a", "b", "c", "d", "e"]])
def test_a_text_too_short_to_say_anything_is_refused(alt):
    with pytest.raises(ValueError, match=r"^alt is .*; accepted: a sentence"):
        show(new_figure()[0], alt)


@pytest.mark.parametrize("side", ["xaxis", "yaxis"])
def test_log_ticks_are_written_out(side):
    figure, axes = new_figure()
    axes.set(xscale="log", yscale="log", xlabel="x", ylabel="y", xticks=[], yticks=[])
    for axis in (axes.xaxis, axes.yaxis):
        style.log_ticks(axis, ())
    style.log_ticks(getattr(axes, side), (0.001, 1, 10_000, 1_000_000))
    labels = [label.get_text() for label in getattr(axes, side).get_ticklabels()]
    assert labels == ["0.001", "1", "10,000", "1,000,000"]
    assert faults(figure) == []


# The checks of arguments


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: checks.number("3", "reach"), TypeError, "reach is '3'; accepted"),
        (lambda: checks.number(True, "reach"), TypeError, "reach has dtype bool; accepted: a real number"),
        (lambda: checks.number(float("nan"), "reach"), ValueError, "reach holds 1 NaN"),
        (lambda: checks.number([1.0], "reach"), ValueError, r"reach is \[1.0\]; accepted: a number"),
        (lambda: checks.number(2, "reach", above=2), ValueError, "reach is 2; accepted: a number above 2"),
        (lambda: checks.values_1d([], "x"), ValueError, "x is empty"),
        (lambda: checks.values_1d([[1.0]], "x"), ValueError, r"x has shape \(1, 1\); accepted: \(values,\)"),
        (lambda: checks.values_1d([1.0], "x", 2), ValueError, r"x has shape \(1,\); accepted: \(2,\)"),
        (lambda: checks.one_of("best", "mode", ("a", "b")), ValueError, "mode is 'best'; accepted: one of 'a', 'b'"),
        (lambda: checks.one_of(None, "mode", ("a", "b")), ValueError, "mode is None; accepted: one of 'a', 'b'"),
        (lambda: checks.by_label([1], "rows", "sizes"), TypeError, r"rows is \[1\]; accepted: a dict of sizes"),
        (lambda: checks.by_label({}, "rows", "sizes"), ValueError, "rows has 0 entries; accepted: .* at least one"),
        (lambda: checks.by_label({1: 1, 2: 2}, "rows", "sizes", 1), ValueError, "rows has 2 entries; .* 1 to 1"),
        (lambda: checks.rows_of("ab", "rows", 2, "a, b"), TypeError, r"rows is 'ab'; accepted: a list of \(a, b\)"),
        (lambda: checks.rows_of([], "rows", 2, "a, b"), ValueError, "rows is empty; accepted"),
        (lambda: checks.rows_of([(1,)], "rows", 2, "a, b"), ValueError, r"rows holds \(1,\); accepted"),
        (lambda: checks.rows_of(["ab"], "rows", 2, "a, b"), ValueError, "rows holds 'ab'; accepted"),
    ],
)
def test_arguments_that_no_figure_accepts_are_named(call, error, message):
    with pytest.raises(error, match=f"^{message}"):
        call()


def test_values_keep_their_floating_dtype_and_whole_numbers_become_real():
    assert checks.values_1d(np.ones(3, np.float32), "x").dtype == np.float32
    assert checks.values_1d([1, 2], "x").dtype == np.float64


# The checks of figures find what they are for


def good_figure():
    figure, axes = new_figure()
    axes.plot([1, 2])
    axes.set(xlabel="place", ylabel="height (m)")
    return figure, axes


def test_a_good_figure_has_no_faults():
    assert faults(good_figure()[0]) == []


@pytest.mark.parametrize(
    ("spoil", "fault"),
    [
        (lambda axes: axes.text(0.5, 1.5, "tiny", fontsize=10), "'tiny' is smaller than 11 pt"),
        (lambda axes: axes.text(0.5, 1.5, "$10^3$", fontsize=12), "'$10^3$' is smaller than 11 pt"),
        (lambda axes: axes.text(0.9, 1.5, "far out to the right" * 3, fontsize=12, in_layout=False), "is cut off"),
        (lambda axes: [axes.text(0.5, 1.5, word, fontsize=12) for word in "AB"], "'A' lies over 'B'"),
        (lambda axes: axes.set_ylabel(""), "the yaxis with"),
    ],
)
def test_each_fault_of_a_figure_is_found(spoil, fault):
    figure, axes = good_figure()
    spoil(axes)
    (found,) = faults(figure)
    assert fault in found


def test_turned_texts_side_by_side_do_not_count_as_overlap():
    figure, axes = good_figure()
    for place in (0.4, 0.44):
        axes.text(place, 1.3, "a longer word", fontsize=12, rotation=45)
    assert faults(figure) == []


def test_a_number_is_held_to_the_digits_that_it_is_given_with():
    assert_says("4 bits, -1.50 to 1,234.5 dB.", 4, -1.504, 1234.46)
    with pytest.raises(AssertionError, match=r"1\.50, not 1\.51"):
        assert_says("at 1.50", 1.51)
