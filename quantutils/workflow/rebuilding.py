"""The shell of a quantized model, made again from the float model and the recipes that a checkpoint holds."""

from torch import nn
from torch.ao.quantization import DeQuantStub, QuantStub

from quantutils.affine import QParams
from quantutils.kernels import NAMES
from quantutils.nn import ActivationScheme, Dequantize, Quantize, WeightScheme
from quantutils.workflow.folding import fold
from quantutils.workflow.replacing import DYNAMIC_TWINS, dynamic_twin, finished, made_as, replaced, static_twin

STATIC_TWINS = {nn.Linear: "StaticLinear", nn.Conv2d: "StaticConv2d", QuantStub: "Quantize"}
DYNAMIC_KINDS = {source: twin.__name__ for source, twin in DYNAMIC_TWINS.items()}
KINDS = {*STATIC_TWINS.values(), *DYNAMIC_KINDS.values(), "WeightOnlyLinear"}
UNFILLED = QParams(1.0, 0, 0, 255)


def check_recipes(layers):
    """Raise ValueError unless `layers`, as a checkpoint's header gave it, is {name: recipe} with recipes of a layer."""
    if not isinstance(layers, dict) or not layers:
        raise ValueError(f"path holds {layers!r:.80} for its layers, a damaged header; accepted: what save wrote")
    for name, recipe in layers.items():
        try:
            WeightScheme(**recipe["weights"])
            if recipe["activations"] is not None:
                ActivationScheme(**recipe["activations"])
            known = recipe["rule"] in (None, *NAMES) and recipe["kind"] in KINDS
            if recipe["kind"] == "WeightOnlyLinear":
                known &= recipe["rule"] is None and recipe["activations"] is None
            if recipe["kind"] in ("StaticLinear", "StaticConv2d"):
                known &= recipe["rule"] not in (None, "torchao") and isinstance(recipe["relu"], bool)
        except (TypeError, KeyError, ValueError) as error:
            raise ValueError(
                f"path holds a damaged recipe of layer {name!r} ({error!r}); accepted: what save wrote"
            ) from None
        if not known:
            raise ValueError(f"path holds a damaged recipe of layer {name!r}: {recipe}; accepted: what save wrote")


def rebuilt(model, layers):
    """A copy of the float `model` with the layers of a checkpoint in place, not yet filled: (new model, names made).

    layers: {name: recipe}. Raises ValueError where a recipe is for another kind of layer than the model has there.
    """
    static = any(recipe["kind"] in STATIC_TWINS.values() for recipe in layers.values())
    copy, _ = replaced(model, lambda name, layer: None)
    if static:
        fold(copy.eval())

    def make(name, layer):
        if name not in layers:
            return Dequantize() if static and type(layer) is DeQuantStub else None
        recipe = {key: value for key, value in layers[name].items() if key != "kind"}
        kind = layers[name]["kind"]
        expected = STATIC_TWINS.get(type(layer)) if static else _dynamic_kind(layer, recipe)
        if kind != expected:
            raise ValueError(f"path holds a {kind} at {name!r}, where model has a {type(layer).__name__}")
        if kind == "Quantize":
            return made_as(Quantize(UNFILLED), recipe)
        return static_twin(layer, recipe, UNFILLED, UNFILLED) if static else dynamic_twin(layer, recipe)

    new, made = replaced(copy, make)
    if static:
        finished(new, model)
    object.__setattr__(new, "float_model", model)
    return new, set(made)


def _dynamic_kind(layer, recipe):
    """The name of the layer that `dynamic_twin` would make."""
    if type(layer) is nn.Linear and recipe["activations"] is None and recipe["rule"] is None:
        return "WeightOnlyLinear"
    return DYNAMIC_KINDS.get(type(layer))
