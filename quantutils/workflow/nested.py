"""Running any model on one input, however it takes its arguments, and going through whatever it returns."""

import copy
import dataclasses
from collections.abc import Mapping

import torch


def mapped(function, value, other=lambda value: value):
    """`value` with function(tensor) for every tensor in it; tuples, lists, dicts and dataclasses keep their type.

    A namedtuple, a dataclass and transformers' ModelOutput are such. other: for everything else, which stays as it is.

    >>> mapped(lambda x: x + 1, {"a": (torch.zeros(1), None)})
    {'a': (tensor([1.]), None)}
    """
    if isinstance(value, torch.Tensor):
        return function(value)
    if isinstance(value, (tuple, list)):
        parts = [mapped(function, part, other) for part in value]
        return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
    if isinstance(value, Mapping):
        made = copy.copy(value)
        for key in value:
            made[key] = mapped(function, value[key], other)
        return made
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        made = copy.copy(value)
        for name in [field.name for field in dataclasses.fields(value) if hasattr(value, field.name)]:
            object.__setattr__(made, name, mapped(function, getattr(value, name), other))  # frozen ones too
        return made
    return other(value)


def tensors(value):
    """The tensors in `value`, in the order of `mapped`."""
    found = []
    mapped(lambda tensor: found.append(tensor) or tensor, value)
    return found


def with_tensors(value, new):
    """`value` with its tensors replaced by `new`, one after another."""
    new = iter(new)
    return mapped(lambda _tensor: next(new), value)


def copied(value):
    """`value` with tensors of its own."""
    return mapped(lambda tensor: tensor.detach().clone(), value)


def run(model, given):
    """What the model returns for one input: a tensor, a tuple of positional or a dict of keyword arguments."""
    if isinstance(given, Mapping):
        return model(**given)
    return model(*given) if isinstance(given, tuple) and not hasattr(given, "_fields") else model(given)


def first_tensor(result):
    """The first tensor in whatever a model returns, or None."""
    return next(iter(tensors(result)), None)
