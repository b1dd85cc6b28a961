"""Dynamic quantization of a whole model: integer weights, activations quantized at every call, float in between."""

from dataclasses import replace

from torch import nn

from quantutils.checks import instance
from quantutils.kernels import NAMES
from quantutils.nn import ActivationScheme, DynamicLinear, WeightScheme
from quantutils.workflow.progress import with_progress
from quantutils.workflow.recipe import Recipe, dynamic_twin, nothing_to_convert, row_of, shared_weights
from quantutils.workflow.replacing import need_module, replaceable, with_twins

TYPES = (nn.Linear, nn.LSTM, nn.GRU, nn.Embedding)


def quantize_dynamic(model, weights=None, activations=None, rule=None, layers=None, exclude=()):
    """A copy of `model` whose Linear, LSTM, GRU and Embedding layers hold integers.

    weights: a WeightScheme. activations: an ActivationScheme. Without either, the copy computes by rule "fbgemm",
    bit for bit what torch.ao.quantization.quantize_dynamic computes on x86: weights per-tensor, activations in 7 bits.
    rule: a production kernel's order of rounding (quantutils.kernels); it fixes how activations are quantized, so it
    excludes `activations`, and its weights have 8 bits per tensor or per channel. An Embedding has one scale a row at
    least, unless its weight is tied to a Linear's, whose codes then serve both.
    layers: the layer types to replace, some of Linear, LSTM, GRU, Embedding; by default all four, and transformers'
    Conv1D as a Linear. exclude: names or patterns of modules that stay in float.

    The given model is left as it was. Raises TypeError for what is no module or scheme, ValueError for an unknown
    rule, layer type or name, for choices that exclude each other, for a model with nothing to replace, and, by name,
    for a layer whose hooks or rewritten weight a replacement would lose.
    """
    need_module(model)
    weights, activations, rule = _choices(weights, activations, rule)
    wanted = replaceable(model, "dynamic", exclude, checked_types(layers, TYPES))
    if not wanted:
        raise nothing_to_convert(model, ", ".join(kind.__name__ for kind in layers or TYPES))
    recipe = Recipe(DynamicLinear.__name__, weights, activations, rule)
    rowwise = WeightScheme(weights.bits, "channel", None, weights.full_range) if weights.per == "tensor" else weights
    tied, twins = shared_weights(wanted, weights, rowwise), {}
    for _, layer in with_progress(wanted, "quantizing layers"):
        own = replace(recipe, kind=row_of(type(layer)).dynamic.__name__)
        if isinstance(layer, nn.Embedding):
            own = replace(recipe, kind=own.kind, weights=rowwise)
        twins[layer] = dynamic_twin(layer, own, tied.get(id(getattr(layer, "weight", None))))
    return with_twins(model, twins)


def checked_types(layers, accepted):
    """The layer types to replace, or None for all; TypeError or ValueError for others than the accepted ones."""
    if layers is None:
        return None
    types = tuple(instance(layers, (tuple, list, set), "layers"))
    wrong = [layer for layer in types if layer not in accepted]
    if wrong or not types:
        names = ", ".join(f"nn.{kind.__name__}" for kind in accepted)
        raise ValueError(f"layers holds {wrong or 'nothing'}; accepted: some of {names}")
    return types


def _choices(weights, activations, rule):
    for name, value, kind in (("weights", weights, WeightScheme), ("activations", activations, ActivationScheme)):
        if value is not None and not isinstance(value, kind):
            raise TypeError(f"{name} is {value!r}; accepted: a {kind.__name__}")
    if rule is None and weights is None and activations is None:
        rule = "fbgemm"
    if rule is None:
        return weights or WeightScheme(), activations or ActivationScheme(), None
    if not isinstance(rule, str) or rule not in NAMES:
        raise ValueError(f"rule is {rule!r}; accepted: {', '.join(NAMES)}, or None")
    if activations is not None:
        raise ValueError(f"activations is {activations} with rule={rule!r}; accepted: one of the two")
    weights = weights or WeightScheme(per="tensor", full_range=True)
    if weights.bits != 8 or weights.per == "group":
        raise ValueError(f"weights is {weights} with rule={rule!r}; accepted: 8 bits per tensor or per channel")
    return weights, None, rule
