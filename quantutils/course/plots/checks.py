"""What figures accept: one wording names the argument, what was given and what is accepted."""

import math

import numpy as np

from quantutils.affine import need_qparams
from quantutils.arrays import real_numbers


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
    """`value` if it is one of the words `accepted`; ValueError otherwise."""
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


def per_tensor(qparams, name):
    """`qparams` if it is a QParams with one scale; TypeError or ValueError otherwise."""
    need_qparams(qparams, name)
    if qparams.axis is not None:
        raise ValueError(f"{name} has axis {qparams.axis}; accepted: per-tensor qparams")
    return qparams


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
