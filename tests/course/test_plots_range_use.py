"""The figures of a range and its codes show what the package measures, at every corner of their sliders."""

import itertools
import re

import numpy as np
import pytest
from figure_checks import faults

from quantutils import MinMax, choose_qparams, code_usage, error_parts, mse, sqnr_db
from quantutils.course.explore import Choice, Slider, explore
from quantutils.course.plots import (
    RangeDrawing,
    code_budget,
    png_bytes,
    range_funnels,
    u_curves,
)

NORMAL = np.random.default_rng(3).normal(size=2000).astype(np.float32)
DATA = {"normal": NORMAL, "ReLU": np.maximum(NORMAL, 0), "wide": 2 * NORMAL}
START = {"values": "normal", "bits": 8, "low": -0.2, "high": 4.0, "mode": "symmetric"}
CORNERS = [
    dict(zip(START, corner, strict=True))
    for corner in itertools.product(DATA, (2, 8), (-8.0, 0.0), (0.2, 8.0), ("symmetric", "asymmetric"))
]


@pytest.fixture(scope="module")
def drawing():
    """Drawn once, its layout then fixed, as an explorer does."""
    drawing = RangeDrawing(DATA, reach=8.0)
    png_bytes(drawing.draw(**START))
    drawing.figure.set_layout_engine("none")
    return drawing


def by_label(axis):
    return {line.get_label(): line for line in axis.get_lines()}


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("bits", [8, 3])
def test_parts_add_up_to_the_mean_squared_error(bits, symmetric):
    qparams = choose_qparams(-1.5, 1.5, bits, symmetric)
    rounding, clipping, share = error_parts(NORMAL, qparams)
    assert rounding + clipping == pytest.approx(mse(NORMAL, qparams.fake_quantize(NORMAL)))
    steps = np.round(NORMAL / qparams.scale) + qparams.zero_point
    assert share == np.mean((steps < qparams.qmin) | (steps > qparams.qmax))
    assert rounding <= qparams.scale**2 / 4


def test_nothing_is_clipped_inside_the_range():
    assert error_parts(NORMAL, MinMax().observe(NORMAL).qparams(symmetric=True))[1:] == (0.0, 0.0)


def test_many_ranges_at_once_are_the_same_as_one_by_one():
    ends = np.array([0.5, 2.0, 8.0])
    rows = error_parts(np.stack([NORMAL] * 3), choose_qparams(-ends, ends, 4, True, axis=0))
    single = [error_parts(NORMAL, choose_qparams(-end, end, 4, True)) for end in ends]
    np.testing.assert_allclose(np.transpose(rows), single, rtol=1e-6)


def test_budget_bars_are_the_counts():
    usages = {
        "few": code_usage(DATA["ReLU"], choose_qparams(-4.0, 4.0, symmetric=True)),
        "all": code_usage([-1.0, 1.0], choose_qparams(-1.0, 1.0)),
    }
    axis = code_budget(usages).axes[0]
    used, never_used, wasted = ([bar.get_width() for bar in bars] for bars in axis.containers)
    for place, usage in enumerate(usages.values()):
        assert (used[place], wasted[place]) == (usage.used, usage.wasted)
        assert used[place] + never_used[place] + wasted[place] == usage.total
    assert [label.get_text() for label in axis.get_yticklabels()] == ["few", "all"]


def test_curves_are_the_error_and_marks_lie_on_it():
    marks = {"chosen": {8: 3.0, 3: 1.5}}
    for axis, bits in zip(u_curves(NORMAL, (8, 3), marks).axes, (8, 3), strict=True):
        lines = by_label(axis)
        ends, total = lines["rounding + clipping"].get_data()
        for place in (0, len(ends) // 2, -1):
            x_hat = choose_qparams(-ends[place], ends[place], bits, symmetric=True).fake_quantize(NORMAL)
            assert total[place] == pytest.approx(mse(NORMAL, x_hat), rel=1e-4)
        parts = lines["rounding"].get_ydata() + np.nan_to_num(lines["clipping"].get_ydata())
        np.testing.assert_allclose(parts, total)
        (c,), (error,) = lines["chosen"].get_data()
        assert c == marks["chosen"][bits]
        assert error == pytest.approx(np.interp(c, ends, total), rel=0.05)


def test_linear_axis_ends_where_it_is_told_and_takes_several_marks():
    axis = u_curves(NORMAL, [4], marks={"tried": {4: (3.0, 2.0)}}, top=0.05).axes[0]
    assert axis.get_yscale() == "linear"
    assert axis.get_ylim() == (0, 0.05)
    assert by_label(axis)["tried"].get_xdata().tolist() == [3.0, 2.0]


def test_funnel_counts_every_value_and_hatches_what_is_wasted():
    x = np.linspace(-0.92, 1.27, 1000)
    qparams = choose_qparams(-0.92, 1.27, symmetric=True)
    figure = range_funnels({"one": (x, qparams)}, low=-1.4, high=1.4)
    top, _, bottom = figure.axes
    counts, edges, _ = bottom.patches[0].get_data()
    assert len(counts) == 255
    assert np.sum(counts[counts >= 1]) == x.size
    left, right = (patch for patch in bottom.patches[1:])
    assert left.get_width() * 255 == pytest.approx(35)
    assert not right.get_visible()
    assert edges[35] == pytest.approx(left.get_width())
    assert not any(patch.get_visible() for patch in top.patches[1:])
    assert "−127" in [text.get_text() for text in bottom.texts]


def test_funnel_hatches_the_clipped_values_from_half_a_step_beyond_the_range():
    qparams = choose_qparams(-1.0, 1.0, 4, symmetric=True)
    top = range_funnels({"cut": (NORMAL, qparams)}, low=-5.0, high=5.0).axes[0]
    left, right = top.patches[1:]
    half = qparams.scale / 2
    assert (left.get_x(), left.get_x() + left.get_width()) == pytest.approx((NORMAL.min(), -1 - half))
    assert (right.get_x(), right.get_x() + right.get_width()) == pytest.approx((1 + half, NORMAL.max()))


@pytest.mark.parametrize("settings", CORNERS, ids=lambda settings: "-".join(map(str, settings.values())))
def test_readout_has_the_right_numbers_at_every_corner(drawing, settings):
    assert faults(drawing.draw(**settings)) == []
    x, symmetric = DATA[settings["values"]], settings["mode"] == "symmetric"
    low = -settings["high"] if symmetric else settings["low"]
    qparams = choose_qparams(low, settings["high"], settings["bits"], symmetric)
    usage = code_usage(x, qparams)
    assert f"of {usage.total} codes {usage.wasted} wasted" in drawing.readout
    assert f"{usage.reachable} reachable, {usage.used} used" in drawing.readout
    found = float(re.search(r"SQNR (-?[\d.]+) dB", drawing.readout)[1])
    assert found == pytest.approx(sqnr_db(x, qparams.fake_quantize(x)), abs=0.051)
    share = float(re.search(r"([\d.]+) % of the values clipped", drawing.readout)[1])
    assert share == pytest.approx(100 * error_parts(x, qparams)[2], abs=0.0051)


def test_point_of_now_lies_on_the_curve(drawing):
    right = drawing.draw(**{**START, "bits": 3, "high": 2.3}).axes[-1]
    lines = by_label(right)
    (c,), (error,) = lines["now"].get_data()
    ends, total = lines["rounding + clipping"].get_data()
    assert c == 2.3
    assert error == pytest.approx(np.interp(c, ends, total), rel=0.1)


def test_same_settings_same_picture_byte_for_byte(drawing):
    first = png_bytes(drawing.draw(**START))
    for settings in CORNERS[::5]:
        drawing.draw(**settings)
    assert png_bytes(drawing.draw(**START)) == first


def test_explorer_moves_and_comes_back():
    explorer = explore(
        RangeDrawing(DATA, reach=8.0),
        values=Choice("data", tuple(DATA), "normal"),
        bits=Slider("bits", 2, 8, 8),
        low=Slider("low end", -8.0, 0.0, -0.2, step=0.1),
        high=Slider("high end", 0.2, 8.0, 4.0, step=0.1),
        mode=Choice("mapping", ("symmetric", "asymmetric"), "symmetric"),
    )
    first = explorer.picture.value
    for settings in CORNERS[::7]:
        for name, value in settings.items():
            explorer.controls[name].value = value
        assert explorer.picture.value != first
    explorer.reset()
    assert explorer.picture.value == first


def test_figures_can_be_read():
    pair = [MinMax().observe(NORMAL).qparams(4, symmetric) for symmetric in (True, False)]
    usage = code_usage(NORMAL, pair[0])
    marks = {"by hand": {8: (3.0, 2.0), 3: 1.5}, "other": {8: 3.5, 3: 3.5}}
    assert faults(range_funnels({"one": (NORMAL, pair[0]), "other": (NORMAL, pair[1])}, -5.0, 5.0)) == []
    assert faults(range_funnels({f"range {c}": (NORMAL, choose_qparams(-c, c)) for c in (1, 2, 3)}, -5.0, 5.0)) == []
    assert faults(code_budget({f"kind {row}, asymmetric": usage for row in range(12)})) == []
    assert faults(u_curves(NORMAL, (8, 3), marks)) == []
    assert faults(u_curves(NORMAL, (8,), top=0.05)) == []


@pytest.mark.parametrize(
    ("call", "phrase"),
    [
        (lambda: error_parts([], choose_qparams(-1.0, 1.0)), "x is empty"),
        (lambda: error_parts([[1.0]], choose_qparams(-1.0, 1.0)), "x has shape"),
        (lambda: error_parts([1.0], 3), "qparams is 3"),
        (lambda: range_funnels({}, -1.0, 1.0), "examples has 0 entries"),
        (lambda: range_funnels({"a": (NORMAL, choose_qparams(-1.0, 1.0))}, 1.0, -1.0), "high is -1.0"),
        (lambda: range_funnels({"a": (NORMAL, choose_qparams([-1.0], [1.0], axis=0))}, -1.0, 1.0), "axis 0"),
        (lambda: code_budget([]), "usage_by_row is"),
        (lambda: u_curves(NORMAL, [4], {str(name): {4: 1.0} for name in range(5)}), "marks has 5 entries"),
        (lambda: u_curves(NORMAL, [4], top=0.0), "top is 0.0"),
        (lambda: RangeDrawing(DATA, reach=-1), "reach is -1"),
        (lambda: RangeDrawing({"a": [[1.0]]}, reach=1), "values of 'a'"),
        (lambda: RangeDrawing(DATA, 8.0).draw(**{**START, "values": "none"}), "values is 'none'"),
        (lambda: RangeDrawing(DATA, 8.0).draw(**{**START, "mode": "odd"}), "mode is 'odd'"),
    ],
)
def test_bad_input_is_named(call, phrase):
    with pytest.raises((TypeError, ValueError), match=phrase):
        call()
