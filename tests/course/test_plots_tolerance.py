"""Figures of tolerance: bars and dots, noise through activations, margins, changes, and the explorer at its corners."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from figure_checks import assert_says, at_every_corner, faults, figure_of, lesson_explorer, lesson_figures, trouble_of
from matplotlib.figure import Figure

from quantutils.course import zoo
from quantutils.course.plots import (
    ToleranceDrawing,
    changed_against_error,
    decision_bars,
    margin_histograms,
    noise_through_activations,
)
from quantutils.course.plots.tolerance import SOURCES

RNG = np.random.default_rng(5)
BEFORE = 5 * RNG.normal(size=(60, 4))
LOGITS = {
    "a": {"float": BEFORE, 2: BEFORE + 4 * RNG.normal(size=(60, 4)), 3: BEFORE + RNG.normal(size=(60, 4))},
    "b": {"float": 2 * BEFORE, 2: 2 * BEFORE + 1, 3: 2 * BEFORE + RNG.normal(size=(60, 4))},
}
LABELS = RNG.integers(0, 4, 60)
GOOD = {"network": "a", "bits": 2, "source": "quantization", "image": 3}
CURVES = {"x": ([8, 4], [1.0, 10.0], [0.2, 3.0]), "y": ([8, 4], [2.0, 20.0], [0.5, 9.0])}


def centered(logits):
    return logits - logits.mean(axis=1, keepdims=True)


def percent(before, after):
    """The relative error of the logits, in percent."""
    return 100 * np.sqrt((centered(after - before) ** 2).mean() / (centered(before) ** 2).mean())


def margin(logits, winner):
    return logits[winner] - np.delete(logits, winner).max()


def test_figures_are_figures_and_stay_out_of_pyplot():
    for figure in (
        decision_bars({"one": (BEFORE[0], BEFORE[1])}),
        noise_through_activations([0.1, 1.0], {"tanh": [0.0, -1.0]}),
        margin_histograms({"one": [1.0, 2.0]}),
        changed_against_error(CURVES),
        ToleranceDrawing(LOGITS, LABELS).draw(**GOOD),
    ):
        assert type(figure) is Figure
        assert faults(figure) == []
    assert plt.get_fignums() == []


def test_figures_of_the_lesson_have_no_faults():
    figures = lesson_figures("05")
    assert [faults(figure) for figure in figures] == [[]] * 5


def test_bars_are_the_logits_before_and_dots_those_after():
    axes = decision_bars({"one": (BEFORE[0], BEFORE[1]), "two": (BEFORE[2], BEFORE[3])}).axes
    for axis, before, after in zip(axes, BEFORE[[0, 2]], BEFORE[[1, 3]], strict=True):
        assert [bar.get_height() for bar in axis.patches] == pytest.approx(before.tolist())
        assert axis.lines[0].get_ydata().tolist() == pytest.approx(after.tolist())
        assert_says(axis.get_title().partition("\n")[2], before.argmax(), after.argmax())


def test_every_activation_has_a_line_and_the_side_that_gains_is_marked():
    (axis,) = noise_through_activations([0.1, 1.0, 10.0], {"tanh": [0.0, -1.0, -9.5], "ReLU": [-1.6] * 3}).axes
    assert [line.get_label() for line in axis.lines] == ["tanh", "ReLU"]
    assert axis.lines[0].get_xydata().tolist() == [[0.1, 0.0], [1.0, -1.0], [10.0, -9.5]]
    assert axis.get_ylim()[0] < -9.5
    assert len({(line.get_linestyle(), line.get_marker()) for line in axis.lines}) == 2
    assert axis.patches[0].get_y() == 0


def test_histograms_count_every_margin_and_name_the_middle():
    values = np.array([0.5, 1.5, 3.5, 9.0, 99.0])
    (axis,) = margin_histograms({"one": values}, most=10).axes
    bars = [bar for bar in axis.patches if bar.get_width() < 1]
    assert sum(bar.get_height() for bar in bars) == 5
    assert bars[-1].get_height() == 1, "what lies above the axis is counted in the last bar"
    assert axis.lines[0].get_xdata()[0] == 3.5
    assert_says(axis.lines[0].get_label(), 3.5)


def test_curves_hold_their_points_and_the_first_names_its_bits():
    (axis,) = changed_against_error(CURVES).axes
    for line, (_, errors, changes) in zip(axis.lines, CURVES.values(), strict=True):
        assert line.get_xdata().tolist() == errors
        assert line.get_ydata().tolist() == changes
    assert [text.get_text() for text in axis.texts] == ["8 bits", "4 bits"]


def test_the_drawing_shows_one_images_logits_and_every_images_margins():
    left, middle, right = ToleranceDrawing(LOGITS, LABELS).draw(**GOOD).axes
    after = LOGITS["a"][2]
    assert [bar.get_height() for bar in left.patches] == pytest.approx(BEFORE[3].tolist())
    every = np.concatenate([BEFORE, 2 * BEFORE])
    dots = np.clip(after[3], 1.1 * every.min(), 1.1 * every.max())
    assert left.lines[0].get_ydata().tolist() == pytest.approx(dots.tolist())
    kept, lost, here = middle.lines[1:]
    winners = BEFORE.argmax(axis=1)
    flipped = winners != after.argmax(axis=1)
    assert (len(kept.get_xdata()), len(lost.get_xdata())) == (60 - flipped.sum(), flipped.sum())
    assert (np.asarray(lost.get_ydata()) < 0).all()
    assert here.get_xydata()[0] == pytest.approx([margin(BEFORE[3], winners[3]), margin(after[3], winners[3])])
    line, now = right.lines
    assert line.get_xdata()[0] == pytest.approx(percent(BEFORE, after))
    assert now.get_xydata()[0] == pytest.approx([percent(BEFORE, after), 100 * flipped.mean()])


def test_random_noise_has_the_size_of_the_quantization_error():
    drawing = ToleranceDrawing(LOGITS, LABELS)
    for network, bits in (("a", 2), ("a", 3), ("b", 3)):
        sizes = [percent(LOGITS[network]["float"], drawing.after[network, bits, source][0]) for source in SOURCES]
        assert sizes[0] == pytest.approx(sizes[1], rel=1e-9)
    assert (drawing.after["a", 2, SOURCES[0]][0] != drawing.after["a", 2, SOURCES[1]][0]).all()


def test_every_corner_of_the_sliders_is_drawn_and_said_right():
    explorer, data = lesson_explorer("05"), zoo.digits()
    first, labels = explorer.picture.value, data.test_labels.numpy()
    runs = {name: zoo.runs_by_bits(zoo.digits_mlp(**kind), data.test_images) for name, kind in zoo.MLP_KINDS.items()}
    for settings in at_every_corner(explorer):
        network, bits, source, image = settings.values()
        before, after = (runs[network][key].detach().numpy().astype(float) for key in ("float", bits))
        readout = explorer.readout
        assert readout.startswith(f"{network}, {bits} bits, {source}: ")
        assert trouble_of(explorer) == ""
        assert faults(figure_of(explorer)) == []
        if source == SOURCES[0]:
            right = [int((logits.argmax(axis=1) == labels).sum()) for logits in (before, after)]
            winner, other = before[image].argmax(), after[image].argmax()
            flips = int((before.argmax(axis=1) != after.argmax(axis=1)).sum())
            expected = [bits, percent(before, after), flips, 500, *right, image, labels[image], winner, other]
            assert_says(readout, *expected, margin(before[image], winner), margin(after[image], winner))
    explorer.reset()
    assert explorer.picture.value == first


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: ToleranceDrawing([], LABELS), TypeError, "logits is"),
        (lambda: ToleranceDrawing(LOGITS, LABELS[:5]), ValueError, r"logits of 'a' has shape \(60, 4\); accepted: \(5"),
        (lambda: ToleranceDrawing(LOGITS, LABELS / 2), ValueError, "labels has shape"),
        (lambda: ToleranceDrawing(LOGITS, LABELS).draw(**GOOD | {"bits": 9}), ValueError, "bits is 9; accepted"),
        (lambda: ToleranceDrawing(LOGITS, LABELS).draw(**GOOD | {"image": 60}), ValueError, "image is 60; accepted"),
        (lambda: ToleranceDrawing(LOGITS, LABELS).draw(**GOOD | {"source": "x"}), ValueError, "source is 'x'"),
        (lambda: noise_through_activations([0.0, 1.0], {"a": [0, 0]}), ValueError, "above 0"),
        (lambda: decision_bars({"one": ([1.0, 2.0], [1.0])}), ValueError, "disturbed of 'one' has shape"),
        (lambda: changed_against_error({}), ValueError, "curves has 0 entries"),
    ],
)
def test_what_cannot_be_drawn_is_refused(call, error, words):
    with pytest.raises(error, match=words):
        call()
