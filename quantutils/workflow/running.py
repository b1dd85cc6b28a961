"""Running any model on one input, however it takes its arguments, and finding the tensor in what it returns."""

from collections.abc import Mapping

from quantutils.nn import as_float


def run(model, given):
    """What the model returns for one input: a tensor, a tuple of positional or a dict of keyword arguments."""
    if isinstance(given, Mapping):
        return model(**given)
    return model(*given) if isinstance(given, tuple) else model(given)


def first_tensor(result):
    """The first tensor of a tuple, a list or a mapping (what models of the transformers library return), as floats."""
    while isinstance(result, (tuple, list, Mapping)):
        result = next(iter(result.values())) if isinstance(result, Mapping) else result[0]
    return as_float(result)
