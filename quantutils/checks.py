"""What arguments are refused with: one wording names the argument, what was given and what is accepted.

Functions that a user calls ask these first; what only this package calls does not ask again.
"""

import math
import operator

import numpy as np

from quantutils.arrays import real_numbers


def whole_number(value, name, low, high=None):
    """`value` as an int from `low` to `high`; TypeError for a non-integer, ValueError outside.

    >>> whole_number(8, "bits", 2, 16)
    8
    """
    accepted = f"a whole number from {low} to {high}" if high is not None else f"a whole number of at least {low}"
    try:
        if isinstance(value, (bool, np.bool_)):
            raise TypeError
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} is {value!r}; accepted: {accepted}") from None
    if number < low or (high is not None and number > high):
        raise ValueError(f"{name} is {number}; accepted: {accepted}")
    return number


def whole_numbers(values, name, count, low):
    """`values`, a tuple or list of `count` whole numbers from `low` on, as a tuple; TypeError or ValueError else."""
    if not isinstance(values, (tuple, list)):
        raise TypeError(f"{name} is {values!r}; accepted: {count} whole numbers")
    if len(values) != count:
        raise ValueError(f"{name} is {values!r}; accepted: {count} whole numbers")
    return tuple(whole_number(value, name, low) for value in values)


def real_number(value, name, accepted="a number", holds=math.isfinite):
    """`value` if it is a number (bool is none) for which `holds`; `accepted` says in words which those are.

    TypeError for what is no number, ValueError for one that does not hold: NaN and infinity unless `holds` takes them.

    >>> real_number(0.5, "share", "a number from 0 to 1", lambda share: 0 <= share <= 1)
    0.5
    """
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, np.floating, np.integer)):
        raise TypeError(f"{name} is {value!r:.40}; accepted: {accepted}")
    if not holds(value):
        raise ValueError(f"{name} is {value!s:.40}; accepted: {accepted}")
    return value


def checked_momentum(momentum):
    """`momentum`; TypeError unless it is a number, ValueError unless it is above 0 and at most 1."""
    return real_number(momentum, "momentum", "a number above 0, at most 1", lambda value: 0 < value <= 1)


def flag(value, name):
    """`value` if it is True or False; TypeError otherwise, so that `symmetric="no"` is not taken for yes."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} is {value!r}; accepted: True or False")
    return bool(value)


def instance(value, kind, name):
    """`value` if it is a `kind` (a class or several); TypeError otherwise."""
    if not isinstance(value, kind):
        kinds = kind if isinstance(kind, tuple) else (kind,)
        short = value is None or isinstance(value, (str, bool, int, float, complex))
        given = repr(value) if short else f"a {type(value).__name__}"
        raise TypeError(f"{name} is {given}; accepted: {', '.join(each.__name__ for each in kinds)}")
    return value


def number(value, name, above=-math.inf):
    """`value` as a float above `above`; TypeError for what is not a number, ValueError for NaN or another number.

    >>> number(3, "reach", above=0)
    3.0
    """
    array = real_numbers(value, name)
    if array.ndim or not array > above:
        accepted = "a number" if above == -math.inf else f"a number above {above}"
        raise ValueError(f"{name} is {value!r}; accepted: {accepted}")
    return float(array)


def values_1d(values, name, size=None):
    """`values` as an array of finite real numbers of shape (values,), at least one; `size` of them where given.

    Keeps the floating dtype that it has. Raises TypeError or ValueError otherwise.
    """
    array = real_numbers(values, name, allow_empty=False)
    if array.ndim != 1 or size not in (None, array.size):
        raise ValueError(f"{name} has shape {array.shape}; accepted: ({'values' if size is None else size},)")
    given = np.asarray(values)
    return given if given.dtype.kind == "f" else array


def one_of(value, name, accepted):
    """`value` if it is one of the words `accepted`; ValueError otherwise.

    >>> one_of("low", "end", ("low", "high"))
    'low'
    """
    if not isinstance(value, str) or value not in accepted:
        raise ValueError(f"{name} is {value!r}; accepted: one of {', '.join(map(repr, accepted))}")
    return value


def by_label(value, name, of, most=None):
    """`value` if it is a dict with an entry, at most `most`; `of` says what of. TypeError or ValueError otherwise."""
    if not isinstance(value, dict):
        raise TypeError(f"{name} is {value!r}; accepted: a dict of {of}")
    if not value or (most is not None and len(value) > most):
        limit = "at least one entry" if most is None else f"1 to {most}"
        raise ValueError(f"{name} has {len(value)} entries; accepted: a dict of {of}, {limit}")
    return value


def rows_of(value, name, width, row):
    """`value` as a list of at least one row of `width` entries; `row` says of what. TypeError or ValueError."""
    accepted = f"a list of ({row})"
    if isinstance(value, (str, bytes)) or not hasattr(value, "__len__") or not hasattr(value, "__iter__"):
        raise TypeError(f"{name} is {value!r}; accepted: {accepted}")
    for entry in value:
        if isinstance(entry, (str, bytes)) or not hasattr(entry, "__len__") or len(entry) != width:
            raise ValueError(f"{name} holds {entry!r}; accepted: {accepted}")
    if not len(value):
        raise ValueError(f"{name} is empty; accepted: {accepted}, at least one")
    return list(value)
