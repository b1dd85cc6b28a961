"""What an entry of the fuzz table holds, and what its result is asked."""

from typing import NamedTuple

import numpy as np
import torch


class Call(NamedTuple):
    """One public function of quantutils.

    arguments: from a Given, {name: value}, valid unless it is hard. holds: asserts something of the result, or returns
    whether it holds, from the result and the arguments. fixed: arguments that are never replaced by junk. changes_self:
    whether the call is meant to change its own object. also: what an error may name besides, state of the object.
    refusals: the exceptions it may raise.
    """

    function: object
    arguments: object
    holds: object
    fixed: tuple = ()
    changes_self: bool = False
    also: tuple = ()
    refusals: tuple = (TypeError, ValueError)


def finite(values):
    """Whether all numbers are finite."""
    return bool(np.isfinite(as_numpy(values)).all())


def as_numpy(values):
    """Any array or number as a NumPy array; bfloat16 as float32."""
    if isinstance(values, torch.Tensor):
        values = values.detach()
        values = values.float() if values.dtype == torch.bfloat16 else values
    return np.asarray(values)


def within(codes, low, high, shape):
    """Assert codes of a shape from low to high."""
    codes = as_numpy(codes)
    assert codes.dtype.kind in "iu"
    assert codes.shape == tuple(shape)
    assert codes.size == 0 or (low <= codes.min() and codes.max() <= high)


def shape_of(values):
    """The shape of an array, a tensor, a list or a number."""
    return tuple(np.shape(as_numpy(values)))
