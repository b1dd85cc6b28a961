"""Explorers: sliders under the reader's hand, a picture that follows, and a read-out in words.

A frame is a saved background plus the artists that moved (blitting on an Agg canvas), sent as a lightly
compressed PNG to an Image widget: a quarter of the time that a full redraw takes.
"""

import asyncio
import html
import inspect
import io
import struct

import ipywidgets
import matplotlib
import numpy as np
from isal import isal_zlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from quantutils.course.controls import Choice, Line, Slider, Steps
from quantutils.course.plots.style import STYLE

__all__ = ["Choice", "Explorer", "Line", "Slider", "Steps", "explore"]


# Room for three lines, whatever is said, and laid out apart: the page below neither jumps nor is measured again.
WIDE = "660px"  # a question of a dozen words, whole
WORDS = "line-height: 1.5; min-height: 4.5em; contain: content"


class _Frames:
    """Draws frames of one drawing: the background once, then only what moves."""

    def __init__(self, drawing, settings):
        self.drawing = drawing
        with matplotlib.rc_context(STYLE):
            self.figure = drawing.draw(**settings)
            if not getattr(drawing, "moving", ()):  # else the words would change and the picture stand still
                raise TypeError(
                    f"drawing is {drawing!r}, which has no list of moving artists; accepted: a Drawing whose build()"
                    " sets self.moving"
                )
            self.canvas = FigureCanvasAgg(self.figure)
            self.canvas.draw()
            # Fixed from here on: a layout that followed the artists would make the picture jump.
            self.figure.set_layout_engine("none")
            for artist in drawing.moving:
                artist.set_animated(True)
            self.canvas.draw()
            for artist in drawing.moving:  # the same drawing may still be shown whole
                artist.set_animated(False)
        self.background = self.canvas.copy_from_bbox(self.figure.bbox)

    def frame(self, settings):
        """The picture at these settings as the bytes of a PNG file, and its read-out."""
        readout = self._draw(settings, lambda: self.canvas.restore_region(self.background))
        return fast_png(np.asarray(self.canvas.buffer_rgba())[..., :3]), readout

    def still(self):
        """What never moves, as an RGB picture."""
        self.canvas.restore_region(self.background)
        return self._pixels().convert("RGB")

    def layer(self, settings):
        """What moves, at these settings, as an RGBA picture with nothing behind it, and the read-out."""
        readout = self._draw(settings, self.canvas.get_renderer().clear)
        return self._pixels().copy(), readout

    def _draw(self, settings, prepare):
        with matplotlib.rc_context(STYLE):
            readout = self.drawing.update(**settings)
            if not isinstance(readout, str):
                raise TypeError(f"update returned {readout!r}; accepted: the read-out, as text")
            prepare()
            # On this canvas, not the figure's: two explorers may share one drawing.
            renderer = self.canvas.get_renderer()
            for artist in self.drawing.moving:
                artist.draw(renderer)
        return readout

    def _pixels(self):
        size = self.canvas.get_width_height()
        return Image.frombuffer("RGBA", size, self.canvas.buffer_rgba(), "raw", "RGBA", 0, 1)


class Explorer(ipywidgets.VBox):
    """The widget that `explore` returns: controls, a picture, a read-out, and a place for an error.

    given: the Slider, Steps or Choice of each setting. controls: their widgets. settings: their present values.
    readout: the text in words. still() and layer(settings) are the two parts of a picture, for pages without a kernel.
    In an output without a kernel (GitHub, an export) the picture of the first settings stands in.
    """

    def __init__(self, drawing, controls):
        self.given = dict(controls)
        self._frames = _Frames(drawing, {name: control.value for name, control in controls.items()})
        self._start = {name: control.value for name, control in controls.items()}
        self.controls = {}
        for name, control in controls.items():
            widget = control.widget()
            widget.description = f"{control.label} ({control.unit})" if control.unit else control.label
            widget.style.description_width = "initial"
            widget.layout = ipywidgets.Layout(
                width="auto" if isinstance(control, Choice) else WIDE if isinstance(control, Line) else "440px",
                max_width="100%",
            )
            widget.observe(self._moved, "value")
            self.controls[name] = widget
        reset = ipywidgets.Button(description="Reset", tooltip="Back to the first settings", icon="undo")
        reset.on_click(lambda _: self.reset())
        width, height = self._frames.canvas.get_width_height()
        self.picture = ipywidgets.Image(
            format="png",
            # The browser knows the size before it has the picture: nothing jumps, and nothing is laid out again.
            width=str(width),
            height=str(height),
            layout=ipywidgets.Layout(max_width="100%"),
        )
        self._words = ipywidgets.HTML()
        self._trouble = ipywidgets.HTML()
        self._holding, self._waiting = False, None
        rows = ipywidgets.HBox(
            [*self.controls.values(), reset], layout=ipywidgets.Layout(flex_flow="row wrap", align_items="center")
        )
        # Not through _redraw: settings that cannot be drawn at all are the author's error, to be raised.
        self._show(*self._frames.frame(self.settings))
        self._fallback = png_of(self.picture.value)
        self._first_readout = self.readout
        super().__init__([rows, self._trouble, self.picture, self._words])

    @property
    def settings(self):
        """The present value of every control, by setting name."""
        return {name: widget.value for name, widget in self.controls.items()}

    def still(self):
        """The part of the picture that never moves, as a PIL RGB image."""
        return self._frames.still()

    def layer(self, settings):
        """The part that moves, at these settings, as a PIL RGBA image to lay over still(), and its read-out."""
        return self._frames.layer(settings)

    def reset(self):
        """Put every control back to its first value and draw once."""
        self._holding = True
        try:
            for name, value in self._start.items():
                self.controls[name].value = value
        finally:
            self._holding = False
        self._redraw()

    def _moved(self, change):
        if self._holding:
            return
        if getattr(change.owner, "by_hand", False) and _loop_is_running():
            # After the event, not in it: the browser holds the next move back until this one is answered. Moves that
            # come while a frame is drawn wait for one frame together, at the newest settings, so nothing queues up.
            if self._waiting is None:
                self._waiting = asyncio.get_running_loop().call_soon(self._draw_waiting)
        else:
            self._redraw()

    def _draw_waiting(self):
        self._waiting = None
        self._redraw()

    def _redraw(self):
        try:
            self._show(*self._frames.frame(self.settings))
        except Exception as error:  # a callback's error would vanish in the kernel's log
            text = html.escape(f"{type(error).__name__}: {error}")
            self._trouble.value = f'<div role="alert"><b>This setting cannot be drawn.</b> {text}</div>'

    def _show(self, picture, readout):
        self.picture.value, self.readout = picture, readout
        self._trouble.value = ""
        self._words.value = f'<div role="status" aria-live="polite" style="{WORDS}">{html.escape(self.readout)}</div>'

    def __repr__(self):
        return f"Explorer: {self._first_readout}"

    def _repr_mimebundle_(self, **kwargs):
        data = super()._repr_mimebundle_(**kwargs) or {}
        data["text/plain"] = repr(self)
        data["image/png"] = self._fallback
        return data, {"image/png": {"alt": self._first_readout}}


def _loop_is_running():
    try:
        asyncio.get_running_loop()
    except RuntimeError:  # not in a kernel: in a script or a test
        return False
    return True


def fast_png(pixels):
    """A PNG file of RGB pixels, uint8 (height, width, 3), in a third of the time that zlib takes for one.

    Source: PNG specification (W3C 2003), 5.6: signature, IHDR, IDAT, IEND; every row with filter 0, none.
    """
    height, width, _ = pixels.shape
    rows = np.zeros((height, 1 + 3 * width), np.uint8)
    rows[:, 1:].reshape(height, width, 3)[:] = pixels
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)  # 8 bits, RGB
    chunks = ((b"IHDR", header), (b"IDAT", isal_zlib.compress(rows, 1)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", isal_zlib.crc32(kind + data))
        for kind, data in chunks
    )


def png_of(picture):
    """The bytes of a picture as a small PNG file: what notebooks, GitHub and nbval understand."""
    with io.BytesIO(picture) as given, io.BytesIO() as file:
        Image.open(given).save(file, "PNG", optimize=True)
        return file.getvalue()


def explore(drawing, **controls):
    """An Explorer of `drawing`: one control for each setting, a picture that follows, a read-out in words.

    drawing: has `draw(**settings)`, which builds and returns the Figure, `update(**settings)`, which moves its
        artists and returns the read-out, and `moving`, those artists (see quantutils.course.plots.Drawing).
    controls: a Slider, Steps, Choice or Line for each setting that `update` takes.
    Raises TypeError for a drawing without these, or a control of another kind; ValueError for a control
    whose setting `update` does not take, or a setting without a control.
    """
    for method in ("draw", "update"):
        if not callable(getattr(drawing, method, None)):
            raise TypeError(f"drawing is {drawing!r}, which has no {method}(**settings); accepted: a Drawing")
    for name, control in controls.items():
        if not isinstance(control, (Slider, Steps)):
            raise TypeError(f"control {name!r} is {control!r}; accepted: Slider(…), Steps(…), Choice(…) or Line(…)")
    takes = inspect.signature(drawing.update).parameters
    unknown = [name for name in controls if name not in takes]
    missing = [
        name for name, parameter in takes.items() if name not in controls and parameter.default is parameter.empty
    ]
    if unknown or missing:
        raise ValueError(
            f"controls without a setting: {unknown or 'none'}; settings without a control: {missing or 'none'};"
            f" accepted: one control for each of {list(takes)}"
        )
    return Explorer(drawing, controls)
