"""Figures of the estimator: slopes against autograd, what training recovers, and the explorer at its corners."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from figure_checks import at_every_corner, faults, figure_of, lesson_explorer, lesson_figures, trouble_of
from matplotlib.figure import Figure

from quantutils import QParams, choose_qparams
from quantutils.course.plots import (
    EstimatorDrawing,
    png_bytes,
    recovered,
    slopes_at,
    staircase_slopes,
)
from quantutils.course.slopes import scale_slope, straight_through
from quantutils.nn.fake import fake_quantize_lsq, fake_quantize_ste

THREE_BITS = QParams(0.5, 0, -3, 3)
COUNTS = {"a": [(8, 496), (2, 64)], "b": [(2, 492), (8, 495)]}


def test_figures_are_figures_without_faults_and_stay_out_of_pyplot():
    for figure in (
        staircase_slopes({"3 bits": THREE_BITS, "x": QParams(0.25, 3, 0, 15)}, -2, 2),
        slopes_at(0.4, {"3 bits": THREE_BITS, "x": QParams(0.25, 3, 0, 15)}, -2, 2),
        slopes_at(0.4, {"3 bits": THREE_BITS}, -1, 1),
        recovered(COUNTS, 500),
        EstimatorDrawing().draw(bits=3, reach=1.5, x=0.4),
    ):
        assert type(figure) is Figure
        assert faults(figure) == []
    assert plt.get_fignums() == []


@pytest.mark.parametrize("qparams", [THREE_BITS, QParams(0.25, 3, 0, 15), choose_qparams(-1, 1, 2, symmetric=True)])
def test_slopes_are_those_of_autograd(qparams):
    x = np.linspace(-4, 4, 997)
    limits = qparams.zero_point, qparams.qmin, qparams.qmax
    given = torch.tensor(x, requires_grad=True)
    fake_quantize_ste(given, qparams.scale, *limits).sum().backward()
    assert np.array_equal(straight_through(x, qparams), given.grad.numpy())
    scales = torch.full((x.size,), qparams.scale, dtype=torch.float64, requires_grad=True)
    fake_quantize_lsq(torch.tensor(x), scales, *limits).sum().backward()
    assert np.allclose(scale_slope(x, qparams), scales.grad.numpy() * np.sqrt(qparams.qmax), atol=1e-9)


def test_lines_hold_the_share_of_right_answers_in_order_of_bits():
    left, right = recovered(COUNTS, 500).axes
    for axis in (left, right):
        first, second = axis.lines
        assert np.allclose(first.get_ydata(), [99.2, 12.8])
        assert np.allclose(second.get_ydata(), [99.0, 98.4])


def test_staircase_lines():
    top, bottom = staircase_slopes({"3 bits": THREE_BITS}, -2, 2).axes
    assert set(np.round(top.lines[1].get_ydata(), 6)) == {-1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5}
    assert set(bottom.lines[0].get_ydata()) == {0.0, 1.0}
    assert not bottom.lines[1].get_ydata().any()


def test_columns_of_slopes_at_hold_what_the_explorer_shows():
    above, middle, below = slopes_at(1.6, {"3 bits": THREE_BITS}, -3, 3).axes
    x = above.lines[0].get_xdata()
    for axis, heights in zip(
        (above, middle, below),
        (THREE_BITS.fake_quantize(x), straight_through(x, THREE_BITS), scale_slope(x, THREE_BITS)),
        strict=True,
    ):
        assert np.array_equal(axis.lines[0].get_ydata(), heights)
    assert [axis.lines[1].get_ydata()[0] for axis in (above, middle, below)] == [1.5, 1.0, 3.0]
    shaded = [(span.get_x(), span.get_x() + span.get_width()) for span in above.patches]
    assert shaded == [(-3.0, -1.75), (1.75, 3.0)]


@pytest.mark.parametrize(
    ("x", "said"),
    [
        (0.4, "comes back as 0.500 (inside). The estimator has slope 1, and the slope for the scale is 0.20."),
        (1.6, "comes back as 1.500 (inside). The estimator has slope 1, and the slope for the scale is 3.00."),
        (-2.5, "comes back as -1.500 (clipped). The estimator has slope 0, and the slope for the scale is -3.00."),
        (0.0, "comes back as 0.000 (inside). The estimator has slope 1, and the slope for the scale is 0.00."),
    ],
)
def test_read_out(x, said):
    drawing = EstimatorDrawing()
    drawing.draw(bits=3, reach=1.5, x=x)
    assert drawing.readout == f"3 bits, a step of 0.500: x = {x:.2f} {said}"


def test_coming_back_gives_the_first_picture():
    drawing = EstimatorDrawing()
    first = png_bytes(drawing.draw(bits=3, reach=1.5, x=0.4))
    drawing.draw(bits=4, reach=3.0, x=-3.0)
    assert png_bytes(drawing.draw(bits=3, reach=1.5, x=0.4)) == first


def test_explorer_of_the_lesson_draws_at_every_corner_and_comes_back():
    explorer = lesson_explorer("08")
    first = explorer.picture.value
    for settings in at_every_corner(explorer):
        assert trouble_of(explorer) == ""
        assert f"{settings['bits']} bits" in explorer.readout
        assert faults(figure_of(explorer)) == []
    explorer.reset()
    assert explorer.picture.value == first


def test_figures_of_the_lesson_have_no_faults():
    assert [faults(figure) for figure in lesson_figures("08")] == [[], [], []]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: staircase_slopes({}, -1, 1), "qparams_by_name has 0 entries"),
        (lambda: staircase_slopes({"a": 3}, -1, 1), "qparams_by_name"),
        (lambda: staircase_slopes({"a": THREE_BITS}, 1, -1), "high is -1"),
        (lambda: slopes_at(0.4, {"a": THREE_BITS}, 1, -1), "high is -1"),
        (lambda: slopes_at("b", {"a": THREE_BITS}, -1, 1), "x is 'b'"),
        (lambda: slopes_at(0.4, {"a": 3}, -1, 1), "qparams_by_name"),
        (lambda: recovered({"a": [(8,)]}, 500), "bits, right answers"),
        (lambda: recovered(COUNTS, 0), "total is 0"),
        (lambda: recovered({way: [(8, 1)] for way in "abcde"}, 500), "5 entries"),
    ],
)
def test_errors_name_the_argument(call, message):
    with pytest.raises((ValueError, TypeError), match=message):
        call()
