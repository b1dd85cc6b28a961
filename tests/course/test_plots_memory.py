"""Figures of memory: bars as long as the sizes, points at their true bits, and the explorer at its corners."""

import matplotlib.pyplot as plt
import pytest
from figure_checks import assert_says, at_every_corner, faults, figure_of, lesson_explorer, lesson_figures, trouble_of
from matplotlib.figure import Figure

from quantutils.course.plots import MemoryDrawing, quality_against_size, size_bars

POINTS = {"one scale": [(3.0, 9.5, "3 bits"), (4.0, 15.5, "4 bits")], "groups": [(4.5, 20.25, "4 bits")]}
GOOD = {"parameters": 7, "bits": 4, "group_size": 32, "bandwidth": 50}


def test_figures_are_figures_and_stay_out_of_pyplot():
    for figure in (size_bars({"a": 1.0}), quality_against_size(POINTS), MemoryDrawing().draw(**GOOD)):
        assert type(figure) is Figure
    assert plt.get_fignums() == []


def test_figures_of_the_lesson_have_no_faults():
    figures = lesson_figures("01")
    assert len(figures) == 2
    assert [faults(figure) for figure in figures] == [[], []]


# size_bars


def test_bars_are_as_long_as_the_sizes_and_say_them():
    (axis,) = size_bars({"FP32": 28.0, "INT4": 3.9375}).axes
    assert [bar.get_width() for bar in axis.patches] == [28.0, 3.9375]
    assert [text.get_text().strip() for text in axis.texts] == ["28.00 GB", "3.94 GB"]
    assert [label.get_text() for label in axis.get_yticklabels()] == ["FP32", "INT4"]
    assert axis.get_ylim()[0] > axis.get_ylim()[1], "the first one is on top"


def test_devices_are_marked_where_their_memory_ends_and_only_beside_gigabytes():
    (axis,) = size_bars({"FP32": 28.0}).axes
    assert {line.get_label(): line.get_xdata()[0] for line in axis.lines} == {
        "phone, 8 GB": 8,
        "laptop, 16 GB": 16,
        "GPU, 24 GB": 24,
    }
    figure = size_bars({"weights": 2.1}, unit="MB")
    assert figure.axes[0].lines[:] == []
    assert figure.axes[0].get_legend() is None
    assert figure.axes[0].get_xlabel() == "size (MB)"
    assert faults(figure) == []


# quality_against_size


def test_points_stand_at_their_bits_and_decibels_with_their_names():
    (axis,) = quality_against_size(POINTS).axes
    for line, (name, points) in zip(axis.lines, POINTS.items(), strict=True):
        assert line.get_label() == name
        assert line.get_xydata().tolist() == [[bits, db] for bits, db, _ in points]
    labels = [(*text.xy, text.get_text()) for text in axis.texts]
    assert labels == [point for points in POINTS.values() for point in points]


# MemoryDrawing


@pytest.mark.parametrize("settings", [GOOD, GOOD | {"group_size": 0, "parameters": 0.1, "bits": 2}])
def test_every_bar_ends_at_its_size_or_speed(settings):
    left, right = MemoryDrawing().draw(**settings).axes
    each = settings["bits"] + (16 / 32 if settings["group_size"] else 0)
    sizes = [settings["parameters"] * bits / 8 for bits in (32, 16, 8, 4, each)]
    assert [bar.get_x() + bar.get_width() for bar in left.patches] == pytest.approx(sizes)
    assert [bar.get_x() + bar.get_width() for bar in right.patches] == pytest.approx([50 / size for size in sizes])
    assert [label.get_text() for label in left.get_yticklabels()] == ["FP32", "FP16", "INT8", "INT4", "yours"]
    for text, size in zip(left.texts, sizes, strict=True):
        assert_says(text.get_text(), size)


def test_a_model_that_just_fills_a_device_fits_it():
    drawing = MemoryDrawing()
    for parameters, words in ((8, "fits phone, 8 GB."), (8.01, "fits laptop, 16 GB."), (80.1, "fits none of the four")):
        drawing.draw(parameters=parameters, bits=8, group_size=0, bandwidth=50)
        assert words in drawing.readout


def test_the_drawing_on_its_own_has_no_faults():
    assert faults(MemoryDrawing().draw(**GOOD)) == []


def test_every_corner_of_the_sliders_is_drawn_and_said_right():
    explorer = lesson_explorer("01")
    first = explorer.picture.value
    for settings in at_every_corner(explorer):
        parameters, bits, group_size, bandwidth = (settings[name] for name in GOOD)
        each = bits + (16 / group_size if group_size else 0)
        size = parameters * each / 8
        words = [parameters, bits, *([16, group_size, each] if group_size else []), size, bandwidth, bandwidth / size]
        device = next((memory for memory in (8, 16, 24, 80) if size <= memory), None)
        assert_says(explorer.readout, *words, *([device] if device else []))
        assert ("none of the four devices" in explorer.readout) == (device is None)
        assert trouble_of(explorer) == ""
        assert faults(figure_of(explorer)) == []
        for axis in figure_of(explorer).axes:
            ends = [bar.get_x() + bar.get_width() for bar in axis.patches]
            assert axis.get_xlim()[0] < min(ends) <= max(ends) < axis.get_xlim()[1]
    explorer.reset()
    assert explorer.picture.value == first


# What is refused


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: size_bars([1.0]), TypeError, r"gigabytes is \[1.0\]; accepted: a dict of sizes"),
        (lambda: size_bars({}), ValueError, "gigabytes has 0 entries"),
        (lambda: size_bars({"a": "1"}), TypeError, r"gigabytes\['a'\] is '1'"),
        (lambda: size_bars({"a": 0}), ValueError, r"gigabytes\['a'\] is 0; accepted: a number above 0"),
        (lambda: size_bars({"a": float("nan")}), ValueError, r"gigabytes\['a'\] holds 1 NaN"),
        (lambda: quality_against_size(None), TypeError, "points is None"),
        (lambda: quality_against_size({}), ValueError, "points has 0 entries"),
        (
            lambda: quality_against_size({line: [(1, 2, "")] for line in "abcd"}),
            ValueError,
            "points has 4 entries; .* 1 to 3",
        ),
        (lambda: quality_against_size({"a": []}), ValueError, r"points\['a'\] is empty"),
        (lambda: quality_against_size({"a": [(1, 2)]}), ValueError, r"points\['a'\] holds \(1, 2\)"),
        (lambda: quality_against_size({"a": [(0, 2, "")]}), ValueError, "bits per weight of 'a' is 0"),
        (lambda: quality_against_size({"a": [(1, float("inf"), "")]}), ValueError, "SQNR of 'a' holds 0 NaN and 1 inf"),
        (lambda: MemoryDrawing().draw(**GOOD | {"parameters": 0}), ValueError, "parameters is 0; accepted"),
        (lambda: MemoryDrawing().draw(**GOOD | {"parameters": float("nan")}), ValueError, "parameters holds 1 NaN"),
        (lambda: MemoryDrawing().draw(**GOOD | {"bits": 65}), ValueError, "bits is 65"),
        (lambda: MemoryDrawing().draw(**GOOD | {"group_size": -32}), ValueError, "group_size is -32"),
        (lambda: MemoryDrawing().draw(**GOOD | {"bandwidth": 0}), ValueError, "bandwidth is 0; accepted"),
        (lambda: MemoryDrawing().draw(**GOOD | {"bandwidth": "fast"}), TypeError, "bandwidth is 'fast'"),
    ],
)
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error, match=f"^{message}"):
        call()
