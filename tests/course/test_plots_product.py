"""Figures of the quantized product: its terms, its noise, its accumulator, and the explorer at its corners."""

import math

import matplotlib.pyplot as plt
import numpy as np
import pytest
from figure_checks import assert_says, at_every_corner, faults, figure_of, lesson_explorer, lesson_figures, trouble_of
from matplotlib.figure import Figure

from quantutils import QParams
from quantutils.course.plots import ProductDrawing, budget_bars, four_terms, noise_against_k
from quantutils.matmul import product_terms

QA, QB, ZA, ZB = np.array([[3, 7], [0, 5], [15, 4]]), np.array([[-2, 1, 4], [6, -7, 0]]), 8, 1
A, B = np.random.default_rng(5).normal(size=(6, 32)), np.random.default_rng(6).normal(size=(32, 4))
GOOD = {"bits_a": 8, "bits_b": 4, "mode": "asymmetric", "k": 16}
ROWS = {"8 and 4": (45.9, 15.0, 14.9), "4 and 4": (21.3, 15.0, 14.0)}


def terms():
    return product_terms(QA, QParams(0.5, ZA, 0, 15), QB, QParams(0.25, ZB, -8, 7))


def decibels(x, x_hat):
    return 10 * math.log10(np.sum(np.square(x)) / np.sum(np.square(x - x_hat)))


def expected(a, b, bits_a, bits_b, mode, k):
    """By hand in float64: noise of A, of B, predicted, measured (dB), bits possible, bits used; both products."""
    a, b, half = a[:, :k], b[:k], 2 ** (bits_a - 1)
    low, high = min(a.min(), 0), max(a.max(), 0)
    if mode == "symmetric":
        scale_a, zero_point, qmin, qmax = np.abs(a).max() / (half - 1), 0, 1 - half, half - 1
    else:
        scale_a, qmin, qmax = (high - low) / (2 * half - 1), -half, half - 1
        zero_point = round(qmin - low / scale_a)
    top = 2 ** (bits_b - 1) - 1
    scale_b = np.abs(b).max() / top
    qa = np.clip(np.round(a / scale_a) + zero_point, qmin, qmax)
    qb = np.clip(np.round(b / scale_b), -top, top)
    noise_a, noise_b = decibels(a, (qa - zero_point) * scale_a), decibels(b, qb * scale_b)
    predicted = -10 * math.log10(10 ** (-noise_a / 10) + 10 ** (-noise_b / 10))
    product = (qa - zero_point) @ qb * scale_a * scale_b
    possible, used = math.log2(k * max(-qmin, qmax) * top), math.log2(np.abs(qa @ qb).max())
    return (noise_a, noise_b, predicted, decibels(a @ b, product), possible, used), a @ b, product


def test_figures_are_figures_and_stay_out_of_pyplot():
    for figure in (
        four_terms(terms()),
        noise_against_k([16, 64], {"a": [30.0, 31.0]}),
        budget_bars(ROWS),
        ProductDrawing(A, B).draw(**GOOD),
    ):
        assert type(figure) is Figure
    assert plt.get_fignums() == []


def test_figures_of_the_lesson_have_no_faults():
    figures = lesson_figures("04")
    assert len(figures) == 3
    assert [faults(figure) for figure in figures] == [[], [], []]


# four_terms


def test_four_matrices_are_written_out_and_add_up_to_the_fifth():
    axes = four_terms(terms()).axes
    matrices = []
    for axis in axes:
        written = np.zeros((3, 3), int)
        for text in axis.texts:
            column, row = text.get_position()
            written[row, column] = int(text.get_text())
        assert axis.images[0].get_array().tolist() == written.tolist()
        matrices.append(written)
    ones = np.ones((3, 3), int)
    assert matrices[0].tolist() == (QA @ QB).tolist()
    assert matrices[1].tolist() == (-ZB * QA.sum(1, keepdims=True) * ones).tolist()
    assert matrices[2].tolist() == (-ZA * QB.sum(0, keepdims=True) * ones).tolist()
    assert matrices[3].tolist() == (2 * ZA * ZB * ones).tolist()
    assert matrices[4].tolist() == sum(matrices[:4]).tolist() == ((QA - ZA) @ (QB - ZB)).tolist()
    assert len({axis.images[0].get_clim() for axis in axes}) == 1, "one colour is one number in all five"


# noise_against_k


def test_lines_hold_the_decibels_at_their_k():
    curves = {"a": [30.0, 31.0, 30.5], "b": [20.0, 25.0, 40.0]}
    (axis,) = noise_against_k([16, 64, 1024], curves).axes
    for line, (name, values) in zip(axis.lines, curves.items(), strict=True):
        assert line.get_label() == name
        assert line.get_xdata().tolist() == [16, 64, 1024]
        assert line.get_ydata().tolist() == values
    assert [label.get_text() for label in axis.get_xticklabels()] == ["16", "64", "1024"]


# budget_bars


def test_stacked_noise_of_both_factors_stands_beside_the_measured_noise():
    (axis,) = budget_bars(ROWS).axes
    bars = [(bar.get_y(), bar.get_height()) for bar in axis.patches]
    for row, (a, b, measured) in enumerate(ROWS.values()):
        share_a, share_b, share = (10 ** (-db / 10) for db in (a, b, measured))
        assert np.array(bars[3 * row : 3 * row + 3]) == pytest.approx(
            np.array([(0, share_a), (share_a, share_b), (0, share)])
        )
        said_measured, said_predicted = axis.texts[2 * row : 2 * row + 2]
        assert_says(said_measured.get_text(), measured)
        assert_says(said_predicted.get_text(), -10 * math.log10(share_a + share_b))
    assert [label.get_text() for label in axis.get_xticklabels()] == list(ROWS)


# ProductDrawing


@pytest.mark.parametrize("mode", ["symmetric", "asymmetric"])
def test_the_drawing_shows_products_noise_and_accumulator(mode):
    left, middle, right = ProductDrawing(A, B).draw(**GOOD | {"mode": mode}).axes
    (*noise, possible, used), exact, product = expected(A, B, 8, 4, mode, 16)
    dots = left.lines[1].get_xydata()
    assert dots == pytest.approx(np.stack([exact.ravel(), product.ravel()], axis=1) / exact.std(), abs=1e-3)
    assert [bar.get_y() + bar.get_height() for bar in middle.patches] == pytest.approx([-db for db in noise], abs=0.01)
    for text, db in zip(middle.texts, noise, strict=True):
        assert_says(text.get_text(), -db)
    assert [bar.get_height() for bar in right.patches] == pytest.approx([possible, used], abs=1e-3)
    assert right.lines[0].get_ydata()[0] == 31


def test_the_drawing_on_its_own_has_no_faults():
    assert faults(ProductDrawing(A, B).draw(**GOOD)) == []


def test_every_corner_of_the_sliders_is_drawn_and_said_right():
    explorer = lesson_explorer("04")
    first = explorer.picture.value
    rng = np.random.default_rng(4)
    a = np.maximum(rng.normal(size=(256, 1024)), 0).astype(np.float32)[:48].astype(np.float64)
    b = (0.05 * rng.normal(size=(1024, 256))).astype(np.float32)[:, :48].astype(np.float64)
    for settings in at_every_corner(explorer):
        (*noise, possible, used), _, _ = expected(a, b, **settings)
        bits_a, bits_b, k = (settings[name] for name in ("bits_a", "bits_b", "k"))
        assert_says(explorer.readout, bits_a, bits_b, k, *noise, possible, used, 31)
        assert f"bits {settings['mode']}, B" in explorer.readout
        assert trouble_of(explorer) == ""
        assert faults(figure_of(explorer)) == []
    explorer.reset()
    assert explorer.picture.value == first


def test_a_product_without_spread_or_noise_is_drawn():
    drawing = ProductDrawing(np.ones((2, 16)), np.ones((16, 2)))
    left, middle, _ = drawing.draw(**GOOD | {"mode": "symmetric"}).axes
    assert left.lines[1].get_ydata() == pytest.approx([16.0] * 4)
    assert [bar.get_height() for bar in middle.patches] == [0.0] * 4
    assert "SQNR of A inf dB" in drawing.readout


# What is refused


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: four_terms(None), TypeError, "terms is None; accepted: a ProductTerms"),
        (lambda: four_terms((1, 2, 3, 4)), TypeError, "terms is .*; accepted: a ProductTerms"),
        (lambda: noise_against_k([], {"a": []}), ValueError, "ks is empty"),
        (lambda: noise_against_k([0.5], {"a": [1.0]}), TypeError, "every one of ks is 0.5"),
        (lambda: noise_against_k([0], {"a": [1.0]}), ValueError, "every one of ks is 0"),
        (lambda: noise_against_k([16], [1.0]), TypeError, r"sqnr_by_name is \[1.0\]"),
        (lambda: noise_against_k([16], {}), ValueError, "sqnr_by_name has 0 entries"),
        (lambda: noise_against_k([16], {name: [1.0] for name in "abcde"}), ValueError, "sqnr_by_name has 5 .* 1 to 4"),
        (lambda: noise_against_k([16], {"a": [1.0, 2.0]}), ValueError, r"sqnr_by_name\['a'\] has shape \(2,\)"),
        (lambda: noise_against_k([16], {"a": [np.nan]}), ValueError, r"sqnr_by_name\['a'\] holds 1 NaN"),
        (lambda: budget_bars([]), TypeError, r"rows is \[\]"),
        (lambda: budget_bars({}), ValueError, "rows has 0 entries"),
        (lambda: budget_bars({"a": (1.0, 2.0)}), ValueError, r"rows\['a'\] has shape \(2,\); accepted: \(3,\)"),
        (lambda: budget_bars({"a": (1.0, 2.0, np.nan)}), ValueError, r"rows\['a'\] holds 1 NaN"),
        (lambda: ProductDrawing(None, B), TypeError, "activations is None"),
        (lambda: ProductDrawing(A[0], B), ValueError, r"activations has shape \(32,\); accepted: two dimensions"),
        (lambda: ProductDrawing(A, B[:0]), ValueError, "weights is empty"),
        (lambda: ProductDrawing(A, B * np.nan), ValueError, "weights holds 128 NaN"),
        (lambda: ProductDrawing(A, B[1:]), ValueError, "weights has 31 rows; accepted: 32, K of both"),
        (lambda: ProductDrawing(A, B).draw(**GOOD | {"mode": "both"}), ValueError, "mode is 'both'"),
        (lambda: ProductDrawing(A, B).draw(**GOOD | {"k": 33}), ValueError, "k is 33; accepted"),
        (lambda: ProductDrawing(A, B).draw(**GOOD | {"k": 16.0}), TypeError, "k is 16.0"),
        (lambda: ProductDrawing(A, B).draw(**GOOD | {"bits_b": 1}), ValueError, "bits_?b? is 1"),
    ],
)
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error, match=f"^{message}"):
        call()
