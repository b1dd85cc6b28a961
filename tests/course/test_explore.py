"""Explorers: the frame shown is that of the settings, errors are seen, and nothing piles up."""

import asyncio
import base64
import gc
import io
import random
import tracemalloc

import ipywidgets
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from quantutils.course.explore import Choice, Explorer, Slider, Steps, explore
from quantutils.course.plots import Drawing, new_figure


class Line(Drawing):
    """A line of some height under a name: three settings, of every kind of control."""

    updates = 0

    def build(self):
        figure, axes = new_figure(height=2)
        axes.set(xlim=(0, 1), ylim=(0, 100))
        self.line = axes.plot([0, 1], [0, 0])[0]
        self.title = axes.set_title("")
        self.moving = [self.line, self.title]
        return figure

    def update(self, height, width=2, name="flat"):
        self.updates += 1
        if height > 90:
            raise ValueError(f"height is <{height}>")
        self.line.set_ydata([height, height])
        self.line.set_linewidth(width)
        self.title.set_text(name)
        return f"A line at {height} & {width} points wide, {name}."


def controls():
    return {
        "height": Slider("Height", 0, 100, 20, unit="mm"),
        "width": Steps("Width", (1, 2, 4, 2048), 2),
        "name": Choice("Name", ("flat", "high"), "flat"),
    }


def explorer():
    return explore(Line(), **controls())


def pixels(png):
    return np.asarray(Image.open(io.BytesIO(png)))


def trouble(widget):
    return widget.children[1].value


# Frames


def test_the_first_frame_is_shown_with_its_read_out():
    widget = explorer()
    assert widget.settings == {"height": 20, "width": 2, "name": "flat"}
    assert widget.readout == "A line at 20 & 2 points wide, flat."
    assert "A line at 20 &amp; 2 points wide, flat." in widget.children[3].value
    assert 'role="status"' in widget.children[3].value
    assert trouble(widget) == ""


def test_after_many_moves_the_picture_is_a_fresh_frame_at_the_last_settings():
    widget = explorer()
    first = widget.picture.value
    for height in (30, 80, 5, 70):
        widget.controls["height"].value = height
    widget.controls["width"].value = 4
    widget.controls["name"].value = "high"
    fresh = explore(
        Line(),
        height=Slider("Height", 0, 100, 70),
        width=Steps("Width", (1, 2, 4), 4),
        name=Choice("Name", ("flat", "high"), "high"),
    )
    assert widget.picture.value == fresh.picture.value != first
    assert widget.readout == fresh.readout == "A line at 70 & 4 points wide, high."


def test_a_frame_is_the_whole_figure_drawn_at_these_settings():
    widget = explorer()
    widget.controls["height"].value = 60
    whole = Line().draw(height=60)
    whole.canvas.draw()
    drawn, frame = np.asarray(whole.canvas.buffer_rgba())[..., :3].astype(int), pixels(widget.picture.value).astype(int)
    # The layout is fixed before the title has its last text, so only the artists' own pixels are compared.
    assert frame.shape == drawn.shape
    blue = [np.argwhere((image[..., 2] > 150) & (image[..., 0] < 60)) for image in (drawn, frame)]
    assert len(blue[1]) > 100
    assert np.array_equal(np.unique(blue[0][:, 0]), np.unique(blue[1][:, 0]))


def test_two_explorers_may_share_one_drawing():
    drawing = Line()
    one, other = explore(drawing, **controls()), explore(drawing, **controls())
    for widget in (one, other, one):
        widget.controls["height"].value = 70
        alone = explore(Line(), **controls() | {"height": Slider("Height", 0, 100, 70)})
        assert widget.picture.value == alone.picture.value
        widget.controls["height"].value = 20


def test_a_static_figure_of_the_drawing_may_be_saved_between_frames():
    drawing = Line()
    widget = explore(drawing, **controls())
    drawing.draw(height=50).savefig(io.BytesIO(), dpi=40)
    widget.controls["height"].value = 70
    alone = explore(Line(), **controls() | {"height": Slider("Height", 0, 100, 70)})
    assert widget.picture.value == alone.picture.value


def test_a_thousand_random_moves_leave_memory_and_figures_as_they_were():
    widget, rng = explorer(), random.Random(0)

    def moves(number):
        for _ in range(number):
            widget.controls["height"].value = rng.randint(1, 80)
        gc.collect()
        return tracemalloc.get_traced_memory()[0], sum(type(thing) is Figure for thing in gc.get_objects())

    tracemalloc.start()
    try:
        memory, figures = moves(100)  # what is kept for later, the glyphs of a font say, is kept by now
        memory_after, figures_after = moves(1000)
    finally:
        tracemalloc.stop()
    assert figures_after == figures
    assert memory_after - memory < 100_000  # bytes; one picture has more


def test_reset_restores_the_first_settings_and_draws_once():
    widget = explorer()
    first = widget.picture.value
    widget.controls["height"].value = 70
    widget.controls["width"].value = 4
    widget.controls["name"].value = "high"
    drawing = widget._frames.drawing
    before = drawing.updates
    widget.children[0].children[-1].click()
    assert drawing.updates == before + 1
    assert widget.settings == {"height": 20, "width": 2, "name": "flat"}
    assert widget.picture.value == first


# Errors of a drawing


def test_an_error_is_shown_and_the_next_good_move_recovers():
    widget = explorer()
    good = widget.picture.value
    widget.controls["height"].value = 95
    assert "ValueError: height is &lt;95&gt;" in trouble(widget)
    assert 'role="alert"' in trouble(widget)
    assert widget.picture.value == good
    widget.controls["height"].value = 96
    widget.controls["height"].value = 20
    assert trouble(widget) == ""
    assert widget.picture.value == good
    assert widget.readout.startswith("A line at 20")


def test_an_update_without_a_read_out_is_shown_as_an_error():
    class Silent(Line):
        def update(self, height):
            words = super().update(height)
            return words if height < 50 else None

    widget = explore(Silent(), height=Slider("Height", 0, 100, 20))
    widget.controls["height"].value = 60
    assert "TypeError: update returned None; accepted: the read-out, as text" in trouble(widget)
    widget.controls["height"].value = 30
    assert trouble(widget) == ""


def test_first_settings_that_cannot_be_drawn_are_raised():
    with pytest.raises(ValueError, match="height is <95>"):
        explore(Line(), height=Slider("Height", 0, 100, 95))


# What stands in where there is no kernel


def test_the_bundle_holds_words_a_picture_and_its_alternative_text():
    widget = explorer()
    widget.controls["height"].value = 70
    data, metadata = widget._repr_mimebundle_()
    words = "A line at 20 & 2 points wide, flat."
    assert repr(widget) == data["text/plain"] == f"Explorer: {words}"
    assert "application/vnd.jupyter.widget-view+json" in data
    assert metadata == {"image/png": {"alt": words}}
    picture = data["image/png"]
    png = base64.b64decode(picture) if isinstance(picture, str) else picture
    assert np.array_equal(pixels(png), pixels(explorer().picture.value))
    assert len(png) <= len(explorer().picture.value)


# Controls


def test_controls_become_widgets_with_labels_and_units():
    widget = explorer()
    assert isinstance(widget, Explorer)
    kinds = [ipywidgets.IntSlider, ipywidgets.SelectionSlider, ipywidgets.ToggleButtons]
    assert all(isinstance(control, kind) for control, kind in zip(widget.controls.values(), kinds, strict=True))
    assert [control.description for control in widget.controls.values()] == ["Height (mm)", "Width", "Name"]
    fine = Slider("Clip", 0, 1, 0.25, step=0.05).widget()
    assert isinstance(fine, ipywidgets.FloatSlider)
    assert fine.readout_format == ".2f"


def test_moves_from_the_browser_are_drawn_after_the_event_together_and_the_last_one_counts():
    widget, draws = explorer(), []
    frame = widget._frames.frame
    widget._frames.frame = lambda settings: draws.append(settings) or frame(settings)

    async def by_hand():
        for height in (30, 40, 50):
            widget.controls["height"].set_state({"value": height})
        assert draws == []  # the browser is answered first
        await asyncio.sleep(0)
        assert [settings["height"] for settings in draws] == [50]
        widget.controls["height"].value = 60  # by code: at once
        assert draws[-1]["height"] == 60
        assert "60" in widget.readout

    asyncio.run(by_hand())


def test_a_move_is_not_sent_back_to_the_browser_it_came_from():
    control = explorer().controls["height"]
    sent = []
    control.comm.send = lambda data=None, **_: sent.append(data["method"])
    control.set_state({"value": 30})
    assert (control.value, sent) == (30, [])
    control.value = 40  # but what the kernel changes, as a reset does, is
    assert sent == ["update"]


@pytest.mark.parametrize(
    "control", [Slider("a", 0, 10, 4), Slider("a", -0.5, 0.7, 0.1, step=0.2), Steps("a", (1, 8), 8)]
)
def test_every_position_is_a_value_that_the_widget_takes(control):
    widget, positions = control.widget(), control.positions()
    assert control.value in [value for _, value in positions]
    for _, value in positions:
        widget.value = value
        assert widget.value == value


@pytest.mark.parametrize("kind", [Steps, Choice])
@pytest.mark.parametrize(
    ("values", "names", "shown"),
    [
        ((512, 2048), (), ["512", "2,048"]),
        (("int8", "int4"), (), ["int8", "int4"]),
        ((True, False), (), ["True", "False"]),
        ((0, 1), ("none", "all"), ["none", "all"]),
    ],
)
def test_values_are_shown_as_they_are_or_by_name(kind, values, names, shown):
    widget = kind("Size", values, values[0], names=names).widget()
    assert [name for name, _ in widget.options] == shown
    assert widget.value == values[0]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"low": 5, "high": 1, "value": 3}, ValueError, "slider 'Bits' runs from 5 to 1; accepted: low below high"),
        ({"low": 1, "high": 1, "value": 1}, ValueError, "slider 'Bits' runs from 1 to 1; accepted: low below high"),
        ({"low": float("nan")}, ValueError, "low of slider 'Bits' is nan; accepted: a number"),
        ({"high": "8"}, TypeError, "high of slider 'Bits' is '8'; accepted: a number"),
        ({"low": True}, TypeError, "low of slider 'Bits' is True; accepted: a number"),
        ({"value": None}, TypeError, "value of slider 'Bits' is None; accepted: a number"),
        ({"value": 9}, ValueError, "value of slider 'Bits' is 9; accepted: 2 to 8"),
        ({"step": 0}, ValueError, "step of slider 'Bits' is 0; accepted: above 0"),
        ({"step": -1}, ValueError, "step of slider 'Bits' is -1; accepted: above 0"),
    ],
)
def test_sliders_refuse(arguments, error, message):
    with pytest.raises(error, match=f"^{message}"):
        Slider(**{"label": "Bits", "low": 2, "high": 8, "value": 4} | arguments)


@pytest.mark.parametrize("kind", [Steps, Choice])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"values": (4,)}, "value of 'Bits' is 4; accepted: one of at least two"),
        ({"value": 5}, r"value of 'Bits' is 5; accepted: one of at least two: \(2, 4\)"),
        ({"names": ("two",)}, "names of 'Bits' are 1; accepted: 2, as values"),
    ],
)
def test_steps_and_choices_refuse(kind, arguments, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        kind(**{"label": "Bits", "values": (2, 4), "value": 4} | arguments)


# What explore refuses


class WithoutUpdate:
    def draw(self, **settings):
        return Figure()


class WithoutDraw:
    def update(self, height):
        return ""


class WithoutMoving(WithoutUpdate, WithoutDraw):
    pass


class NothingMoves(WithoutMoving):
    moving = ()


@pytest.mark.parametrize(
    ("drawing", "message"),
    [
        (WithoutUpdate(), r"has no update\(\*\*settings\); accepted: a Drawing"),
        (WithoutDraw(), r"has no draw\(\*\*settings\); accepted: a Drawing"),
        (WithoutMoving(), r"has no list of moving artists; accepted: a Drawing whose build\(\) sets self.moving"),
        (NothingMoves(), "has no list of moving artists"),
        (None, r"has no draw\(\*\*settings\); accepted: a Drawing"),
    ],
)
def test_what_is_no_drawing_is_refused(drawing, message):
    with pytest.raises(TypeError, match=f"^drawing is .*{message}"):
        explore(drawing, height=Slider("Height", 0, 100, 20))


@pytest.mark.parametrize("control", [20, (0, 100), None, ipywidgets.IntSlider()])
def test_controls_of_another_kind_are_refused(control):
    with pytest.raises(
        TypeError, match=r"^control 'height' is .*; accepted: Slider\(…\), Steps\(…\), Choice\(…\) or Line\(…\)"
    ):
        explore(Line(), height=control)


def test_unknown_and_missing_settings_are_named():
    with pytest.raises(ValueError, match=r"without a setting: \['depth'\]; settings without a control: \['height'\]"):
        explore(Line(), depth=Slider("Depth", 0, 1, 0))
    with pytest.raises(ValueError, match=r"without a setting: \['depth'\]; settings without a control: none"):
        explore(Line(), height=Slider("Height", 0, 100, 20), depth=Slider("Depth", 0, 1, 0))
    with pytest.raises(ValueError, match=r"without a setting: none; .*accepted: one control for each of \['height'"):
        explore(Line())
