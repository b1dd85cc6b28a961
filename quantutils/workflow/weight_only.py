"""Weight-only quantization of a whole model: rounding to nearest, or GPTQ with some data; activations stay float."""

from collections.abc import Mapping

import torch
from torch import nn

from quantutils.checks import flag, instance
from quantutils.nn import QuantizedWeight, WeightScheme
from quantutils.nn.gptq import gptq, gram_matrix, searched_scale
from quantutils.nn.layers import float_parts
from quantutils.workflow.dynamic import checked_types
from quantutils.workflow.nested import copied, run
from quantutils.workflow.progress import with_progress
from quantutils.workflow.recipe import Recipe, dynamic_twin, is_linear, nothing_to_convert, row_of
from quantutils.workflow.replacing import need_module, replaceable, with_twins

TYPES = (nn.Linear, nn.Embedding)
METHODS = ("nearest", "gptq")


def quantize_weights(model, weights=None, method="nearest", data=None, search=False, layers=None, exclude=()):
    """A copy of `model` whose Linear and Embedding layers keep integer weights; activations are left in float.

    weights: WeightScheme, by default 4 bits in groups of 32, all 16 codes.
    method: "nearest", or "gptq" (see `gptq`) for the Linear layers; the rows of an Embedding are rounded to nearest.
    data: an iterable of inputs of the model, each a tensor, a tuple of positional or a dict of keyword arguments;
    "gptq" and `search` need them, and look at what reaches each layer of the float model. A Linear layer that they
    do not reach is rounded to nearest. search: choose the scales that cost a layer's output least (`searched_scale`),
    and for an Embedding, whose inputs are not numbers, those with the least squared error of its rows.
    layers: some of nn.Linear and nn.Embedding; by default both, and transformers' Conv1D as a Linear. exclude: names
    or patterns of modules that stay in float. A weight that several layers share is rounded once, for the Linear.

    The given model is left as it was. Raises TypeError for what is no module or scheme; ValueError for weights per
    tensor, a group size that does not divide a layer's inputs, another method, data that are missing or empty, a
    model in training mode, whose dropout would change what is seen, or one with nothing to replace, and, by name, for
    a layer whose hooks or rewritten weight a replacement would lose.
    """
    need_module(model)
    weights = WeightScheme(4, "group", 32, True) if weights is None else instance(weights, WeightScheme, "weights")
    types = checked_types(layers, TYPES)
    if weights.per == "tensor":
        raise ValueError(f"weights is {weights}; accepted: per channel or per group")
    if not isinstance(method, str) or method not in METHODS:
        raise ValueError(f"method is {method!r}; accepted: {' or '.join(METHODS)}")
    needed = (flag(search, "search") or method == "gptq") and nn.Linear in (types or TYPES)
    if needed and data is None:
        raise ValueError(f"data is None with method={method!r}, search={search}; accepted: inputs of the model")
    wanted = replaceable(model, "weights_only", exclude, types)
    if not wanted:
        raise nothing_to_convert(model, " or ".join(kind.__name__ for kind in types or TYPES))
    grams = _grams(model, data, [layer for _, layer in wanted if is_linear(layer)]) if needed else {}
    held, twins = {}, {}
    # Linear layers first: a weight that an embedding shares with one is rounded for the Linear.
    for name, layer in with_progress(sorted(wanted, key=lambda pair: not is_linear(pair[1])), "rounding weights"):
        key = id(layer.weight)
        try:
            if key not in held:
                held[key] = _rounded(layer, weights, method, grams.get(layer), search)
        except ValueError as error:
            raise ValueError(f"layer {name!r}: {error}, or exclude=[{name!r}]") from None
        kind = row_of(type(layer)).weights_only.__name__
        twins[layer] = dynamic_twin(layer, Recipe(kind, weights), held[key])
    return with_twins(model, twins)


def _rounded(layer, scheme, method, gram, search):
    weight = float_parts(layer)[0] if is_linear(layer) else layer.weight
    if is_linear(layer) and method == "gptq" and gram is not None:
        made = gptq(weight, gram, scheme, search)
        made.dtype = weight.dtype
        return made
    importance = None if gram is None else gram.diagonal()
    if search and isinstance(layer, nn.Embedding):
        importance = torch.ones(layer.embedding_dim, device=weight.device)
    scale = searched_scale(weight, scheme, importance) if search and importance is not None else None
    return QuantizedWeight.from_float(weight, scheme, scale)


def _grams(model, data, layers):
    """{layer: Gram matrix of its inputs} of every linear layer that the data reach."""
    grams, hooks = {}, []

    def hook(layer, args, kwargs):
        (x,) = (*args, *kwargs.values())
        grams[layer] = grams.get(layer, 0) + gram_matrix(x)

    if isinstance(data, (torch.Tensor, Mapping, str)):
        raise TypeError(f"data is a {type(data).__name__}; accepted: an iterable of inputs, such as [inputs]")
    if model.training:
        raise ValueError("model is in training mode; accepted: model.eval(), since dropout would change what is seen")
    inputs = list(data)
    if not inputs:
        raise ValueError("data holds no input; accepted: at least one")
    for layer in layers:
        hooks.append(layer.register_forward_pre_hook(hook, with_kwargs=True))
    try:
        with torch.no_grad():
            for given in with_progress(inputs, "looking at inputs"):
                run(model, copied(given))
    finally:
        for each in hooks:
            each.remove()
    return grams
