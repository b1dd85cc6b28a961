"""How a layer was made, and the one table of which layer becomes which."""

from dataclasses import asdict, dataclass, replace

from torch import nn

from quantutils import nn as qnn
from quantutils.kernels import NAMES
from quantutils.nn import ActivationScheme, QuantizedWeight, WeightScheme
from quantutils.nn.layers import float_parts


@dataclass(frozen=True)
class Recipe:
    """How one layer was made. kind: name of its class. weights, activations: its schemes, None for float activations.
    rule: of a production kernel, or None for our own order. relu: whether a ReLU is fused. stands_for: name of the last
    module that is folded or fused into it, in the float model.
    """

    kind: str
    weights: WeightScheme
    activations: ActivationScheme | None = None
    rule: str | None = None
    relu: bool = False
    stands_for: str = ""

    def plain(self):
        """Plain values that a file can hold, without what only static layers have."""
        static = self.kind in ("StaticLinear", "StaticConv2d")
        return {key: value for key, value in asdict(self).items() if static or key not in ("relu", "stands_for")}

    @classmethod
    def of(cls, plain):
        """The Recipe of plain values. Raises TypeError, KeyError or ValueError for what `plain` never gave."""
        weights, activations, rule = WeightScheme(**plain["weights"]), plain["activations"], plain["rule"]
        activations = ActivationScheme(**activations) if activations is not None else None
        made = cls(**{**plain, "weights": weights, "activations": activations})
        given = {
            "WeightOnlyLinear": rule is None and activations is None,
            "DynamicLinear": rule is not None or activations is not None,
            "StaticLinear": rule not in (None, "torchao"),
            "StaticConv2d": rule not in (None, "torchao"),
        }
        if rule not in (None, *NAMES) or made.kind not in KINDS or not isinstance(made.relu, bool):
            raise ValueError(f"kind {made.kind!r}, rule {rule!r}, relu {made.relu!r}")
        if not given.get(made.kind, True):
            raise ValueError(f"rule {rule!r} and activations {activations} for a {made.kind}")
        return made


@dataclass(frozen=True)
class Row:
    """What one type of float layer becomes: classes of quantutils.nn, None where there is no such form."""

    dynamic: type | None = None
    weights_only: type | None = None
    static: type | None = None


# Exact types by full name: a subclass may compute something else, so it is left as it is and named in the report.
# The transformers library's Conv1D, in GPT-2, is a Linear whose weight has the inputs first.
LINEAR = Row(qnn.DynamicLinear, qnn.WeightOnlyLinear, qnn.StaticLinear)
EMBEDDING = Row(qnn.QuantizedEmbedding, qnn.QuantizedEmbedding)
TABLE = {
    "torch.nn.modules.linear.Linear": LINEAR,
    "transformers.pytorch_utils.Conv1D": LINEAR,
    "torch.nn.modules.rnn.LSTM": Row(dynamic=qnn.DynamicLSTM),
    "torch.nn.modules.rnn.GRU": Row(dynamic=qnn.DynamicGRU),
    "torch.nn.modules.sparse.Embedding": EMBEDDING,
    "torch.nn.modules.conv.Conv2d": Row(static=qnn.StaticConv2d),
}
KINDS = {made.__name__ for row in TABLE.values() for made in vars(row).values() if made} | {"Quantize"}


def row_of(kind):
    """The Row of a type of layer; one of Nones where it has no quantized form."""
    # BartScaledWordEmbedding and its copies: an Embedding whose rows are multiplied by embed_scale.
    scaled = kind.__module__.startswith("transformers.") and kind.__name__.endswith("ScaledWordEmbedding")
    return EMBEDDING if scaled else TABLE.get(f"{kind.__module__}.{kind.__qualname__}", Row())


def is_linear(layer):
    """Whether it multiplies by one matrix: the layers that schemes and GPTQ are for, an Embedding's rows aside."""
    return row_of(type(layer)) is LINEAR


def made_as(layer, recipe):
    """The layer, with the recipe on it, and its own kind in the recipe."""
    layer.recipe = replace(recipe, kind=type(layer).__name__)
    return layer


def dynamic_twin(layer, recipe, held=None):
    """The quantized twin of one float layer, made as `recipe` says; the recipe stays with the twin.

    held: the QuantizedWeight of a layer with one weight, where it is there already. With neither activations nor
    rule a Linear keeps float activations.
    """
    kind = getattr(qnn, recipe.kind)
    recipe = recipe if held is None else replace(recipe, weights=held.scheme)
    if recipe.kind in ("DynamicLSTM", "DynamicGRU"):
        twin = kind.from_float(layer, recipe.weights, recipe.activations, recipe.rule)
    elif recipe.kind == "QuantizedEmbedding":
        held = held or QuantizedWeight.from_float(layer.weight, recipe.weights)
        twin = kind(held, layer.padding_idx, float(getattr(layer, "embed_scale", 1.0)))
    else:
        weight, bias = float_parts(layer)
        held = held or QuantizedWeight.from_float(weight, recipe.weights)
        own = (recipe.activations, recipe.rule) if recipe.kind == "DynamicLinear" else ()
        twin = kind(held, bias, *own)
    return made_as(twin, recipe).train(layer.training)


def shared_weights(layers, linear, rowwise, make=QuantizedWeight.from_float):
    """{id of a float weight: its QuantizedWeight} where one weight serves several of these layers: its codes are held
    once, by the scheme `linear` where a Linear is among them, else by `rowwise`.

    layers: [(name, layer)]. make(weight, scheme): the QuantizedWeight.
    """
    users = {}
    for _, layer in layers:
        if type(layer) is nn.Linear or row_of(type(layer)) is EMBEDDING:
            users.setdefault(id(layer.weight), []).append(layer)
    return {
        key: make(own[0].weight, linear if any(map(is_linear, own)) else rowwise)
        for key, own in users.items()
        if len(own) > 1
    }


def static_twin(layer, recipe, given, out, held):
    """The static twin of a Linear or Conv2d, from codes of QParams `given` to codes of `out`."""
    arguments = (held, layer.bias, given, out, recipe.relu, recipe.rule)
    if isinstance(layer, nn.Linear):
        return made_as(qnn.StaticLinear(*arguments), recipe)
    geometry = {key: getattr(layer, key) for key in ("stride", "padding", "dilation", "groups")}
    return made_as(qnn.StaticConv2d(*arguments, **geometry), recipe)


def nothing_to_convert(model, wanted):
    """The ValueError of a model that holds no layer to replace."""
    kinds = sorted({type(module).__name__ for module in model.modules()})
    return ValueError(f"model holds only {', '.join(kinds)}; accepted: a model with {wanted} somewhere in it")
