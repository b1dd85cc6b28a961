"""Controls of an explorer: a slider over numbers, a slider over given values, a row of buttons, a line to type in."""

from dataclasses import dataclass
from typing import Any

import ipywidgets

from quantutils.checks import real_number


class _WithoutEcho:
    """A control whose moves the kernel does not send back to the browser they came from: a tenth of a frame's time.

    by_hand: whether the change that is being told now came from the browser.
    """

    by_hand = False

    def set_state(self, sync_data):
        self.by_hand = True
        try:
            super().set_state(sync_data)
        finally:
            self.by_hand = False

    def trait_metadata(self, traitname, key, default=None):
        return False if key == "echo_update" else super().trait_metadata(traitname, key, default)


class _IntSlider(_WithoutEcho, ipywidgets.IntSlider):
    pass


class _FloatSlider(_WithoutEcho, ipywidgets.FloatSlider):
    pass


class _SelectionSlider(_WithoutEcho, ipywidgets.SelectionSlider):
    pass


class _Combobox(_WithoutEcho, ipywidgets.Combobox):
    pass


@dataclass(frozen=True)
class Slider:
    """A slider over evenly spaced numbers, low … high by step. Whole numbers give a whole-number slider.

    Raises TypeError for limits that are not numbers, ValueError for a reversed range, a step that is not
    positive or a value outside.
    """

    label: str
    low: float
    high: float
    value: float
    step: float = 1
    unit: str = ""

    def __post_init__(self):
        for name in ("low", "high", "value", "step"):
            real_number(getattr(self, name), f"{name} of slider {self.label!r}")
        if not self.low < self.high:
            raise ValueError(f"slider {self.label!r} runs from {self.low} to {self.high}; accepted: low below high")
        if not self.step > 0:
            raise ValueError(f"step of slider {self.label!r} is {self.step}; accepted: above 0")
        if not self.low <= self.value <= self.high:
            raise ValueError(f"value of slider {self.label!r} is {self.value}; accepted: {self.low} to {self.high}")

    @property
    def _whole(self):
        return all(isinstance(number, int) for number in (self.low, self.high, self.value, self.step))

    def widget(self):
        """The ipywidgets slider."""
        kind = _IntSlider if self._whole else _FloatSlider
        shown = {} if self._whole else {"readout_format": f".{_decimals(self.step)}f"}
        return kind(value=self.value, min=self.low, max=self.high, step=self.step, **shown)

    def positions(self):
        """Every position the slider can take, low to high: [(its text, its value), …].

        >>> Slider("clip", 0.5, 1.5, 1.0, step=0.5).positions()
        [('0.5', 0.5), ('1.0', 1.0), ('1.5', 1.5)]
        """
        decimals = 0 if self._whole else _decimals(self.step)
        steps = int((self.high - self.low) / self.step + 1e-9)
        # Rounded, because 0.1 · 3 is not the 0.3 that the widget hands on.
        values = [round(self.low + step * self.step, 10) for step in range(steps + 1)]
        return [(f"{value:.{decimals}f}".replace("-", "−"), value) for value in values]


@dataclass(frozen=True)
class Steps:
    """A slider over given values (powers of two, say), each shown as itself or, with `names`, by name.

    Raises ValueError for fewer than two values, a value that is not among them or names of another number.
    """

    label: str
    values: tuple
    value: Any
    unit: str = ""
    names: tuple = ()

    def __post_init__(self):
        if len(self.values) < 2 or self.value not in self.values:
            raise ValueError(f"value of {self.label!r} is {self.value!r}; accepted: one of at least two: {self.values}")
        if self.names and len(self.names) != len(self.values):
            raise ValueError(f"names of {self.label!r} are {len(self.names)}; accepted: {len(self.values)}, as values")

    def positions(self):
        """Every position, in the order given: [(its text, its value), …]."""
        return list(zip(self.names or map(_shown, self.values), self.values, strict=True))

    def widget(self):
        """The ipywidgets slider."""
        return _SelectionSlider(options=self.positions(), value=self.value)


class Choice(Steps):
    """A row of buttons, one of which is pressed; arguments and errors as Steps."""

    def widget(self):
        """The ipywidgets buttons."""
        return ipywidgets.ToggleButtons(options=self.positions(), value=self.value, style={"button_width": "auto"})


class Line(Steps):
    """A line of text to type in, with `values` as suggestions; a page without a kernel offers these alone.

    Raises ValueError as Steps.
    """

    def widget(self):
        """The ipywidgets line."""
        return _Combobox(options=[text for text, _ in self.positions()], value=self.value, continuous_update=False)


def _shown(value):
    return f"{value:,}" if type(value) in (int, float) else str(value)


def _decimals(step):
    return len(f"{step:.6f}".rstrip("0").split(".")[1])
