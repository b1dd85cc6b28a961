"""An explorer without a kernel: its pictures drawn beforehand, and plain inputs that choose among them."""

import base64
import html
import io
import json
from collections.abc import Iterator

from publish.grid import every_setting, grid
from quantutils.course.controls import Choice, Line

COLORS = 128  # of a layer: flat colours with their soft edges; more only makes the page larger


def player(explorer, name, wanted=None) -> str:
    """The HTML of an Explorer's stand-in: controls, picture, read-out, and what of it this page holds.

    name: its id in the page. wanted: as in `grid`. The picture is what never moves, with one layer over it a frame:
    a layer is a tenth of a picture, so that a page holds hundreds.
    """
    held = grid(explorer, wanted)
    frames, layers, words = [], Numbered(), Numbered()
    for settings in every_setting(held):
        layer, readout = explorer.layer(settings)
        frames.append([layers.number(packed(layer)), words.number(readout)])
    still = explorer.still()
    data = {"sizes": [len(held[setting]) for setting in held], "frames": frames, "layers": [*layers], "words": [*words]}
    moving = [setting for setting in held if len(held[setting]) > 1]
    start = {setting: _start(held[setting], explorer.given[setting].value) for setting in held}
    controls = "".join(
        _control(f"{name}-{setting}", explorer.given[setting], held[setting], start[setting], place)
        for place, setting in enumerate(held)
        if setting in moving
    )
    width, height = still.size
    return (
        f'<div class="explorer" id="{name}" role="group" aria-label="Explorer" data-prevent-swipe>'
        f'<div class="settings">{controls}<button type="button" class="reset">Reset</button></div>'
        '<div class="pane" tabindex="0">'
        f'<div class="picture" style="aspect-ratio: {width} / {height}; max-width: {width}px">'
        f'<img class="still" src="{_uri(_still_bytes(still))}" width="{width}" height="{height}"'
        f' alt="{html.escape(explorer.readout)}">{_layer(explorer, width, height)}</div></div>'
        f'<p class="readout" role="status" aria-live="polite">{html.escape(explorer.readout)}</p>'
        f'<p class="held">{html.escape(_held(explorer, held))}</p>'
        f'<script type="application/json">{_json(data)}</script></div>'
    )


class Numbered:
    """Things that may come again: each gets a number once, in the order of their first coming."""

    def __init__(self):
        self._numbers = {}

    def number(self, thing):
        """The number of a hashable thing."""
        return self._numbers.setdefault(thing, len(self._numbers))

    def __iter__(self) -> Iterator:
        return iter(self._numbers)


def packed(layer):
    """A layer as (left, top, width, height, base64 of a WebP), cut to what is not empty."""
    box = layer.getbbox() or (0, 0, 1, 1)
    with io.BytesIO() as file:
        few = layer.crop(box).quantize(COLORS, method=2)  # 2: the one method that keeps what shines through
        few.save(file, "WEBP", lossless=True, method=4)
        return (box[0], box[1], box[2] - box[0], box[3] - box[1], base64.b64encode(file.getvalue()).decode())


def _still_bytes(still):
    with io.BytesIO() as file:
        still.save(file, "WEBP", lossless=True)
        return file.getvalue()


def _uri(webp):
    return f"data:image/webp;base64,{base64.b64encode(webp).decode()}"


def _layer(explorer, width, height):
    """The first layer, so that a page shows the whole picture before its script runs, and on paper."""
    left, top, wide, high, webp = packed(explorer.layer(explorer.settings)[0])
    place = ((left / width, "left"), (top / height, "top"), (wide / width, "width"), (high / height, "height"))
    style = "; ".join(f"{name}: {100 * share:.4f}%" for share, name in place)
    return f'<img class="layer" src="data:image/webp;base64,{webp}" alt="" style="{style}">'


def _json(data):
    return json.dumps(data, separators=(",", ":"), ensure_ascii=False).replace("</", "<\\/")


def _start(positions, value):
    return next(place for place, position in enumerate(positions) if position[1] == value)


def _label(control):
    return html.escape(f"{control.label} ({control.unit})" if control.unit else control.label)


def _control(name, control, positions, start, place):
    texts = [text for text, _ in positions]
    if isinstance(control, Choice):
        buttons = "".join(
            f'<label><input type="radio" name="{name}" value="{number}"{" checked" if number == start else ""}>'
            f" {html.escape(text)}</label>"
            for number, text in enumerate(texts)
        )
        legend = f"<legend>{_label(control)}</legend>"
        return f'<fieldset data-place="{place}" data-start="{start}">{legend}{buttons}</fieldset>'
    listed = html.escape(json.dumps(texts, ensure_ascii=False))
    return (
        f'<div class="slider" data-place="{place}" data-start="{start}"><label for="{name}">{_label(control)}</label>'
        f'<input type="range" id="{name}" min="0" max="{len(texts) - 1}" value="{start}" step="1"'
        f' aria-valuetext="{html.escape(texts[start])}" data-texts="{listed}">'
        f'<output for="{name}">{html.escape(texts[start])}</output></div>'
    )


def _held(explorer, held):
    """What of the explorer the page holds, in words: a reader must not take the grid for all there is."""
    total, here = 1, 1
    parts = []
    for setting, control in explorer.given.items():
        every, chosen = control.positions(), held[setting]
        total, here = total * len(every), here * len(chosen)
        if len(chosen) == 1:
            parts.append(f"{control.label} stays at {chosen[0][0]}")
    if total == here:
        typed = " JupyterLab takes any other text." if any(isinstance(c, Line) for c in explorer.given.values()) else ""
        return f"All {total:,} positions of this explorer were drawn beforehand; no kernel is needed.{typed}"
    fixed = f" Here {'; '.join(parts)}." if parts else ""
    return (
        f"Drawn beforehand: {here:,} of {total:,} positions.{fixed} In between, nothing is drawn here:"
        " open the lesson in JupyterLab for every position."
    )
