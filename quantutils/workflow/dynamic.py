"""Dynamic quantization of a whole model: integer weights, activations quantized at every call, float in between."""

from torch import nn

from quantutils.checks import instance
from quantutils.kernels import NAMES
from quantutils.nn import ActivationScheme, WeightScheme
from quantutils.workflow.replacing import DYNAMIC_TWINS, dynamic_twin, need_module, origin, recipe_of, replaced


def quantize_dynamic(model, weights=None, activations=None, rule=None, layers=None):
    """A copy of `model` whose Linear, LSTM, GRU and Embedding layers hold integers.

    weights: a WeightScheme. activations: an ActivationScheme. Without either, the copy computes by rule "fbgemm",
    bit for bit what torch.ao.quantization.quantize_dynamic computes on x86: weights per-tensor, activations in 7 bits.
    rule: a production kernel's order of rounding (quantutils.kernels); it fixes how activations are quantized, so it
    excludes `activations`, and its weights have 8 bits per tensor or per channel.
    layers: the layer types to replace, some of Linear, LSTM, GRU, Embedding; by default all four.

    The given model is left as it was. Raises TypeError for what is no module or scheme, ValueError for an unknown
    rule or layer type, for choices that exclude each other, and for a model with nothing to replace.
    """
    need_module(model)
    weights, activations, rule = _choices(weights, activations, rule)
    types = _types(layers)
    embeddings = WeightScheme(weights.bits, "channel", None, weights.full_range) if weights.per == "tensor" else weights

    def make(name, layer):
        if type(layer) not in types or belongs_to_attention(name, model):
            return None
        scheme = embeddings if isinstance(layer, nn.Embedding) else weights
        return dynamic_twin(layer, recipe_of(scheme, activations, rule))

    new, made = replaced(model, make)
    if not made:
        kinds = sorted({type(module).__name__ for module in model.modules()})
        wanted = ", ".join(kind.__name__ for kind in types)
        raise ValueError(f"model holds only {', '.join(kinds)}; accepted: a model with {wanted} somewhere in it")
    # Kept out of the module tree: it is neither saved, moved nor trained with the copy.
    object.__setattr__(new, "float_model", origin(model))
    return new


def belongs_to_attention(name, model):
    """nn.MultiheadAttention reads its projection's float weight directly, so its layers must stay as they are."""
    parent = name.rpartition(".")[0]
    return isinstance(model.get_submodule(parent), nn.MultiheadAttention) if parent else False


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


def _types(layers):
    if layers is None:
        return tuple(DYNAMIC_TWINS)
    types = tuple(instance(layers, (tuple, list, set), "layers"))
    wrong = [layer for layer in types if not isinstance(layer, type) or layer not in DYNAMIC_TWINS]
    if wrong or not types:
        names = ", ".join(f"nn.{kind.__name__}" for kind in DYNAMIC_TWINS)
        raise ValueError(f"layers holds {wrong or 'nothing'}; accepted: some of {names}")
    return types
