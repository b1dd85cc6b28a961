"""The figures of calibration show what they are given, and the explorer's numbers are those of its grid."""

import itertools

import numpy as np
import pytest
from figure_checks import faults

from quantutils import choose_qparams, mse
from quantutils.course.clipping import clipping_grid
from quantutils.course.plots import CalibrationDrawing, clipping_curves, png_bytes, sqnr_against_images

VALUES = np.maximum(np.random.default_rng(7).normal(size=(50, 40)), 0).astype(np.float32)
START = {"layer": "first", "bits": 2, "percent": 100}
CORNERS = [dict(zip(START, each, strict=True)) for each in itertools.product(("first", "second"), (2, 8), (5, 100))]


def close(restored):
    return int(np.sum(np.abs(restored - VALUES).max(axis=1) < 1))


@pytest.fixture(scope="module")
def grids():
    return {"first": clipping_grid(VALUES, close), "second": clipping_grid(VALUES**2, lambda _: 7)}


@pytest.fixture(scope="module")
def drawing(grids):
    """Drawn once, its layout then fixed, as an explorer does."""
    drawing = CalibrationDrawing(grids)
    png_bytes(drawing.draw(**START))
    drawing.figure.set_layout_engine("none")
    return drawing


def test_grid_is_the_error_and_the_score_at_every_end(grids):
    grid = grids["first"]
    assert grid.percents.tolist() == list(range(5, 101, 5))
    for bits, place in ((2, 0), (4, 9), (8, 19)):
        top = float(VALUES.max()) * grid.percents[place] / 100
        restored = choose_qparams(0.0, top, bits, signed=False).fake_quantize(VALUES)
        assert grid.rounding[bits][place] + grid.clipping[bits][place] == pytest.approx(mse(VALUES, restored))
        assert grid.right[bits][place] == close(restored)


@pytest.mark.parametrize("values", [[-1.0, 1.0], [0.0, 0.0]])
def test_grid_takes_only_what_a_relu_gives(values):
    with pytest.raises(ValueError, match="accepted: none below 0, and not only zeros"):
        clipping_grid(values, lambda _: 0)


def test_curves_are_the_grid(grids):
    figure = clipping_curves(grids["first"])
    assert faults(figure) == []
    above, below = figure.axes[0], figure.axes[len(grids["first"].right)]
    total = grids["first"].rounding[2] + grids["first"].clipping[2]
    np.testing.assert_array_equal(above.get_lines()[0].get_ydata(), total)
    np.testing.assert_array_equal(below.get_lines()[0].get_ydata(), grids["first"].right[2])


def test_means_go_through_the_draws():
    figure = sqnr_against_images({"8 bits": {1: [10.0, 20.0], 16: [30.0, 32.0]}})
    assert faults(figure) == []
    assert {line.get_label(): line for line in figure.axes[0].get_lines()}["8 bits"].get_ydata().tolist() == [15, 31]


@pytest.mark.parametrize("settings", CORNERS, ids=lambda settings: "-".join(map(str, settings.values())))
def test_every_corner_draws_and_says_the_right_numbers(drawing, grids, settings):
    assert faults(drawing.draw(**settings)) == []
    grid, bits = grids[settings["layer"]], settings["bits"]
    place = grid.percents.tolist().index(settings["percent"])
    total = grid.rounding[bits] + grid.clipping[bits]
    assert f"{grid.right[bits][place]} answers right, at most {grid.right[bits].max()}" in drawing.readout
    assert f"{total[place] / total.min():.2f} times the least" in drawing.readout
    assert f"which is at {grid.percents[total.argmin()]} %" in drawing.readout


def test_the_axis_of_right_answers_spans_what_is_found(drawing, grids):
    found = [count for grid in grids.values() for row in grid.right.values() for count in row]
    low, high = drawing.figure.axes[2].get_ylim()
    assert 0.8 * min(found) <= low <= min(found) < max(found) < high


def test_same_settings_same_picture_byte_for_byte(drawing):
    first = png_bytes(drawing.draw(**START))
    for settings in CORNERS:
        drawing.draw(**settings)
    assert png_bytes(drawing.draw(**START)) == first
