"""A layer stepped through in integers: the numbers in the panels are those of the layer, at every slider corner."""

import re

import numpy as np
import pytest
from figure_checks import at_every_corner, faults, figure_of, lesson_explorer, lesson_figures, trouble_of

from quantutils import sqnr_db
from quantutils.course.plots import LayerStepsDrawing

X = np.array([[0.0, 1.0, -1.0], [6.0, -6.0, 3.0]])
WEIGHT = np.array([[0.5, -1.0, 0.25], [1.0, 1.0, 1.0]])
BIAS = np.array([0.1, -0.2])


def numbers(labels):
    return np.array([[float(label.get_text()) for label in row] for row in labels])


@pytest.mark.parametrize("per", ["tensor", "token"])
@pytest.mark.parametrize(("weight_bits", "activation_bits"), [(8, 8), (3, 5), (2, 2)])
def test_panels_hold_the_numbers_of_the_layer(weight_bits, activation_bits, per):
    drawing = LayerStepsDrawing(X, WEIGHT, BIAS)
    drawing.draw(weight_bits=weight_bits, activation_bits=activation_bits, per=per)
    weights, activations, sums, out, error = map(numbers, drawing.texts)
    top, steps = 2 ** (weight_bits - 1) - 1, 2**activation_bits - 1
    scale_w = np.abs(WEIGHT).max(1) / top
    low, high = (X.min(1), X.max(1)) if per == "token" else (np.full(2, X.min()), np.full(2, X.max()))
    scale_x = (np.maximum(high, 0) - np.minimum(low, 0)) / steps
    zero = np.clip(np.round(-np.minimum(low, 0) / scale_x), 0, steps)
    np.testing.assert_array_equal(weights, np.round(WEIGHT / scale_w[:, None]))
    codes = np.clip(np.round(X / scale_x[:, None]) + zero[:, None], 0, steps)
    np.testing.assert_array_equal(activations, codes)
    exact = (codes - zero[:, None]) @ weights.T
    np.testing.assert_array_equal(sums, exact)
    wanted = X @ WEIGHT.T + BIAS
    found = exact * scale_x[:, None] * scale_w + BIAS
    np.testing.assert_allclose(out, found, atol=0.0051)
    np.testing.assert_allclose(error, found - wanted, atol=0.0051)
    said = float(re.search(r"SQNR ([\d.-]+) dB", drawing.readout)[1])
    assert said == pytest.approx(sqnr_db(wanted, found), abs=0.06)


def test_unknown_granularity_is_named():
    with pytest.raises(ValueError, match="per is 'row'"):
        LayerStepsDrawing(X, WEIGHT, BIAS).draw(weight_bits=8, activation_bits=8, per="row")


def test_figures_of_the_lesson_have_no_faults():
    for figure in lesson_figures("06"):
        assert not faults(figure)


def test_explorer_of_the_lesson_has_no_faults_and_comes_back():
    explorer = lesson_explorer("06")
    first = explorer.picture.value
    for settings in at_every_corner(explorer):
        assert trouble_of(explorer) == "", settings
        assert faults(figure_of(explorer)) == [], settings
    explorer.reset()
    assert explorer.picture.value == first
