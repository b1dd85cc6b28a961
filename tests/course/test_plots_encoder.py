"""Figures of the real model: bars and points where the numbers are, two searches side by side, no faults."""

import numpy as np
import pytest
import torch
from figure_checks import at_every_corner, faults, figure_of, trouble_of

from quantutils.course.explore import Choice, Line, explore
from quantutils.course.plots import SearchDrawing, cosine_losses, loud_tokens, parameter_bars

PASSAGES = tuple(
    ("source", f"Passage {place} has a few more words than fit on one line of a panel, so it is wrapped.")
    for place in range(8)
)


class Ranked:
    """Stands for zoo.Search: ranks the passages in a given order, and counts how often it was asked."""

    passages = PASSAGES

    def __init__(self, *order):
        self.order, self.asked = order, []

    def ranked(self, questions, count):
        self.asked += questions
        return torch.tensor([self.order[:count]]), torch.linspace(0.9, 0.5, count)[None]


def drawing():
    searches = {"float32": Ranked(0, 1, 2, 3, 4), "int8": Ranked(0, 2, 1, 3, 7), "4 bits": Ranked(5, 6, 7, 4, 3)}
    return SearchDrawing(searches, {"float32": 90.9, "int8": 23.0, "4 bits": 18.9}, ("Why?", "What?"))


def test_parameter_bars_are_as_long_as_the_counts_and_say_their_share():
    figure = parameter_bars({"embedding": 3.0, "attention": 1.0})
    (axis,) = figure.axes
    assert [bar.get_width() for bar in axis.patches] == [3.0, 1.0]
    assert [text.get_text().strip() for text in axis.texts] == ["3.00 million, 75.0%", "1.00 million, 25.0%"]
    assert faults(figure) == []


def test_losses_lie_where_they_are_on_a_logarithmic_axis():
    figure = cosine_losses({"a": 0.04, "b": 0.0011}, 0.0015)
    (axis,) = figure.axes
    assert axis.get_xscale() == "log"
    assert axis.lines[0].get_xdata().tolist() == [0.04, 0.0011]
    assert axis.lines[1].get_xdata()[0] == 0.0015
    assert [text.get_text() for text in axis.texts] == ["0.0400", "0.0011"]
    assert faults(figure) == []


def test_the_loudest_channel_is_marked_and_tokens_are_counted():
    peaks = np.ones(20)
    peaks[7] = 28.0
    figure = loud_tokens(peaks, np.full(4, 28.0), np.linspace(5, 7, 90))
    left, right = figure.axes
    assert left.lines[0].get_xdata()[0] == 7
    assert [sum(bar.get_height() for bar in bars) for bars in right.containers] == [90, 4]
    assert faults(figure) == []


def test_bars_are_the_cosines_and_what_moved_says_where_it_was():
    one = drawing()
    one.draw(question="Why?", model="int8")
    (left, bars, texts), (right, other, words) = one._panels
    assert [round(bar.get_width(), 1) for bar in bars] == [0.9, 0.8, 0.7, 0.6, 0.5]
    assert left.get_text() == "float32, 90.9 MB"
    assert right.get_text() == "int8, 23.0 MB"
    assert [text.get_text()[:2] for text in texts] == ["1.", "2.", "3.", "4.", "5."]
    starts = [text.get_text().split(" Passage")[0] for text in words]
    assert starts == ["1.", "2. (was 3.)", "3. (was 2.)", "4.", "5. (new)"]
    assert [bool(bar.get_hatch()) for bar in other] == [False, True, True, False, True]
    assert "int8 finds the same first (0.90) and 4 of the same five." in one.readout
    assert "Measured" not in one.readout


def test_a_typed_question_is_asked_once_and_its_times_are_told():
    one = drawing()
    one.draw(question="Why?", model="4 bits")
    assert "another first" in one.readout
    said = one.update(question=" Something new? ", model="4 bits")
    assert "Measured here: float32 " in said
    assert one.update(question="Something new?", model="4 bits") == said
    assert one.searches["float32"].asked == ["Why?", "Something new?"]


def test_explorer_has_no_faults_at_its_corners_and_says_what_an_empty_question_lacks():
    explorer = explore(
        drawing(),
        question=Line("your question", ("Why?", "What?"), "Why?"),
        model=Choice("model", ("int8", "4 bits"), "int8"),
    )
    for _ in at_every_corner(explorer):
        assert faults(figure_of(explorer)) == []
    explorer.reset()
    first = explorer.picture.value
    explorer.controls["question"].value = "A question that nobody suggested?"
    assert explorer.picture.value != b""
    explorer.controls["question"].value = " "
    assert "accepted: a question of at least one word" in trouble_of(explorer)
    explorer.reset()
    assert trouble_of(explorer) == ""
    assert explorer.picture.value == first


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="megabytes names"):
        SearchDrawing({"a": Ranked(0), "b": Ranked(0)}, {"a": 1.0})
    with pytest.raises(ValueError, match="model is 'int4'"):
        drawing().draw(question="Why?", model="int4")
    with pytest.raises(ValueError, match="above 0"):
        cosine_losses({"a": 0.0})
    with pytest.raises(ValueError, match="5"):
        parameter_bars({str(place): 1.0 for place in range(6)})
