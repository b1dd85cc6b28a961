"""Which settings of an explorer a page holds: all of them where they are few, an even choice where they are many."""

import itertools
import math

from publish.lessons import BuildError
from quantutils.course.controls import Choice

FRAMES = 280  # as many pictures of about 5 kB as fit, with the lesson around them, into a page of 3 MB
FEWEST = 3  # positions of a slider: with two, nobody sees whether a curve bends


def grid(explorer, wanted=None):
    """{setting: [(text, value), …]}, the positions that a page holds for each control of an Explorer.

    wanted: {setting: values, or how many of them}, for controls where the even choice does not serve; from the
    metadata of the lesson's cell, whose author answers for the number of frames. Raises BuildError for a setting or
    a value that the explorer does not have.
    """
    wanted = wanted or {}
    unknown = sorted(set(wanted) - set(explorer.given))
    if unknown:
        raise BuildError(f"the grid names {unknown}; accepted: the explorer's settings, {list(explorer.given)}.")
    held = {
        name: _wanted(name, control, wanted[name]) if name in wanted else control.positions()
        for name, control in explorer.given.items()
    }
    free = [name for name in held if name not in wanted and not isinstance(explorer.given[name], Choice)]
    whole, counts = held, {name: len(positions) for name, positions in held.items()}
    while free and math.prod(counts.values()) > FRAMES:
        longest = max(free, key=counts.get)
        if counts[longest] > FEWEST:
            counts[longest] -= 1
        else:  # the last slider stays where it starts, which the page says, and the others have its room
            counts[free.pop()] = 1
            counts |= {name: len(whole[name]) for name in free}
    return {
        name: evenly(whole[name], count, explorer.given[name].value) if count < len(whole[name]) else whole[name]
        for name, count in counts.items()
    }


def every_setting(held):
    """The settings of every frame of a grid, last control fastest: [{setting: value}, …]."""
    values = [[value for _, value in positions] for positions in held.values()]
    return [dict(zip(held, combination, strict=True)) for combination in itertools.product(*values)]


def evenly(positions, count, start):
    """`count` of the positions, evenly apart from first to last, the start value always among them."""
    begin = [value for _, value in positions].index(start)
    last = len(positions) - 1
    places = {round(index * last / (count - 1)) for index in range(count)} if count > 1 else {begin}
    if begin not in places:
        places.remove(min(places - {0, last} or places, key=lambda place: abs(place - begin)))
        places.add(begin)
    return [positions[place] for place in sorted(places)]


def _wanted(name, control, values):
    positions = control.positions()
    if isinstance(values, int) and 1 <= values <= len(positions):
        return evenly(positions, values, control.value)
    values = values if isinstance(values, list) else [values]
    chosen = [position for position in positions if position[1] in values]
    if len(chosen) != len(values) or control.value not in values:
        raise BuildError(
            f"the grid wants {name} at {values}; accepted: positions of the control, its first value"
            f" {control.value!r} among them."
        )
    return chosen
