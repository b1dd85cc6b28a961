"""Weight-only quantization of a whole model: rounding to nearest, or GPTQ with some data; activations stay float."""

from collections.abc import Mapping

import torch
from torch import nn

from quantutils.checks import flag, instance
from quantutils.gptq import gptq, gram_matrix, searched_scale
from quantutils.nn import QuantizedEmbedding, QuantizedWeight, WeightOnlyLinear, WeightScheme
from quantutils.workflow.dynamic import belongs_to_attention
from quantutils.workflow.folding import hooked
from quantutils.workflow.progress import with_progress
from quantutils.workflow.replacing import made_as, need_module, origin, recipe_of, replaced
from quantutils.workflow.running import run

TYPES = (nn.Linear, nn.Embedding)
METHODS = ("nearest", "gptq")


def quantize_weights(model, weights=None, method="nearest", data=None, search=False, layers=None):
    """A copy of `model` whose Linear and Embedding layers keep integer weights; activations are left in float.

    weights: WeightScheme, by default 4 bits in groups of 32, all 16 codes.
    method: "nearest", or "gptq" (see `gptq`) for the Linear layers; the rows of an Embedding are rounded to nearest.
    data: an iterable of inputs of the model, each a tensor, a tuple of positional or a dict of keyword arguments;
    "gptq" and `search` need them, and look at what reaches each layer of the float model. A Linear layer that they
    do not reach is rounded to nearest. search: choose the scales that cost a layer's output least (`searched_scale`),
    and for an Embedding, whose inputs are not numbers, those with the least squared error of its rows.
    layers: some of nn.Linear and nn.Embedding; by default both.

    The given model is left as it was. Raises TypeError for what is no module or scheme; ValueError for weights per
    tensor, a group size that does not divide a layer's inputs, another method, data that are missing or empty, a
    model in training mode, whose dropout would change what is seen, or one with nothing to replace.
    """
    need_module(model)
    weights = WeightScheme(4, "group", 32, True) if weights is None else instance(weights, WeightScheme, "weights")
    types = _types(layers)
    if weights.per == "tensor":
        raise ValueError(f"weights is {weights}; accepted: per channel or per group")
    if not isinstance(method, str) or method not in METHODS:
        raise ValueError(f"method is {method!r}; accepted: {' or '.join(METHODS)}")
    needed = (flag(search, "search") or method == "gptq") and nn.Linear in types
    if needed and data is None:
        raise ValueError(f"data is None with method={method!r}, search={search}; accepted: inputs of the model")
    grams = _grams(model, data) if needed else {}
    recipe = recipe_of(weights, None, None)
    wanted = [
        (name, layer)
        for name, layer in model.named_modules()
        if type(layer) in types and not hooked(layer) and not belongs_to_attention(name, model)
    ]
    made = {}
    for name, layer in with_progress(wanted, "rounding weights"):
        if isinstance(layer, nn.Embedding):
            scale = searched_scale(layer.weight, weights, torch.ones(layer.embedding_dim)) if search else None
            twin = QuantizedEmbedding(QuantizedWeight.from_float(layer.weight, weights, scale), layer.padding_idx)
        else:
            twin = WeightOnlyLinear(_rounded(layer, weights, method, grams.get(name), search), layer.bias)
        made[name] = made_as(twin, recipe).train(layer.training)
    if not made:
        kinds = sorted({type(module).__name__ for module in model.modules()})
        raise ValueError(
            f"model holds only {', '.join(kinds)}; accepted: a model with"
            f" {' or '.join(kind.__name__ for kind in types)} somewhere in it"
        )
    new, _ = replaced(model, lambda name, layer: made.get(name))
    object.__setattr__(new, "float_model", origin(model))
    return new


def _rounded(layer, scheme, method, gram, search):
    if method == "gptq" and gram is not None:
        return gptq(layer.weight, gram, scheme, search)
    scale = searched_scale(layer.weight, scheme, gram.diagonal()) if search and gram is not None else None
    return QuantizedWeight.from_float(layer.weight, scheme, scale)


def _types(layers):
    types = TYPES if layers is None else tuple(instance(layers, (tuple, list, set), "layers"))
    if not types or not all(kind in TYPES for kind in types):
        raise ValueError(f"layers holds {list(types)}; accepted: some of nn.Linear and nn.Embedding")
    return types


def _grams(model, data):
    """{name: Gram matrix of its inputs} of every Linear layer that the data reach."""
    grams, hooks = {}, []

    def watch(name):
        def hook(_layer, given):
            grams[name] = grams.get(name, 0) + gram_matrix(given[0])

        return hook

    if isinstance(data, (torch.Tensor, Mapping, str)):
        raise TypeError(f"data is a {type(data).__name__}; accepted: an iterable of inputs, such as [inputs]")
    if model.training:
        raise ValueError("model is in training mode; accepted: model.eval(), since dropout would change what is seen")
    inputs = list(data)
    if not inputs:
        raise ValueError("data holds no input; accepted: at least one")
    for name, layer in model.named_modules():
        if type(layer) is nn.Linear:
            hooks.append(layer.register_forward_pre_hook(watch(name)))
    try:
        with torch.no_grad():
            for given in with_progress(inputs, "looking at inputs"):
                run(model, given)
    finally:
        for hook in hooks:
            hook.remove()
    return grams
