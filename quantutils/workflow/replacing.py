"""Replacing layers inside a copy of a model, and what a layer remembers of how it was made."""

import copy
from dataclasses import asdict

from torch import nn

from quantutils.nn import (
    ActivationScheme,
    DynamicGRU,
    DynamicLinear,
    DynamicLSTM,
    QuantizedEmbedding,
    QuantizedWeight,
    StaticConv2d,
    StaticLinear,
    WeightOnlyLinear,
    WeightScheme,
    as_float,
)
from quantutils.workflow.folding import hooked
from quantutils.workflow.progress import with_progress

# Exact types: a subclass may compute something else, so it is left as it is and named in the report.
DYNAMIC_TWINS = {
    nn.Linear: DynamicLinear,
    nn.LSTM: DynamicLSTM,
    nn.GRU: DynamicGRU,
    nn.Embedding: QuantizedEmbedding,
}


def need_module(model, name="model"):
    """Raise TypeError unless `model` is an nn.Module."""
    if not isinstance(model, nn.Module):
        raise TypeError(f"{name} is a {type(model).__name__}; accepted: a torch.nn.Module")


def origin(model):
    """The float model that `model` was made from; itself if it was not made by a workflow."""
    return getattr(model, "float_model", model)


def dynamic_twin(layer, recipe):
    """The quantized twin of one float layer, made as `recipe` says; the recipe stays with the twin.

    recipe: {"weights": {…}, "activations": {…} or None, "rule": name or None}, plain values that a file can hold;
    with neither activations nor rule, a Linear keeps float activations.
    """
    weights = WeightScheme(**recipe["weights"])
    activations = ActivationScheme(**recipe["activations"]) if recipe["activations"] else None
    made = DYNAMIC_TWINS[type(layer)]
    if made is QuantizedEmbedding:
        twin = made.from_float(layer, weights)
    elif made is DynamicLinear and activations is None and recipe["rule"] is None:
        twin = WeightOnlyLinear.from_float(layer, weights)
    else:
        twin = made.from_float(layer, weights, activations, recipe["rule"])
    return made_as(twin, recipe).train(layer.training)


def static_twin(layer, recipe, given, out, scale=None):
    """The static twin of a Linear or Conv2d, from codes of QParams `given` to codes of `out`; the recipe stays with it.

    recipe: as for `dynamic_twin`, and "relu", whether a ReLU is fused, and "stands_for" (see workflow.static.Observed).
    """
    weight = QuantizedWeight.from_float(layer.weight, WeightScheme(**recipe["weights"]), scale)
    arguments = (weight, layer.bias, given, out, recipe["relu"], recipe["rule"])
    if isinstance(layer, nn.Linear):
        return made_as(StaticLinear(*arguments), recipe)
    geometry = {key: getattr(layer, key) for key in ("stride", "padding", "dilation", "groups")}
    return made_as(StaticConv2d(*arguments, **geometry), recipe)


def made_as(layer, recipe):
    """The layer, with the recipe and its own kind kept on it as plain values."""
    layer.recipe = {"kind": type(layer).__name__, **recipe}
    return layer


def finished(model, float_model):
    """The static model as it is handed out: what it returns is float, and it remembers the float model."""
    model.register_forward_hook(lambda _model, _given, result: as_float(result))
    object.__setattr__(model, "float_model", float_model)
    return model.eval()


def recipe_of(weights, activations, rule):
    """The plain values from which `dynamic_twin` makes a layer again."""
    return {"weights": asdict(weights), "activations": asdict(activations) if activations else None, "rule": rule}


def replaced(model, make):
    """A copy of `model` in which every layer that `make(name, layer)` answers with a module is that module.

    make: called once for each distinct layer below (or at) the model; None leaves the layer. A layer that is used in
    two places is made once and stays shared. A layer of torch with forward hooks (weight_norm of old has one) stays:
    its twin would not run them. Returns (new model, {name: made}).
    """
    new = copy.deepcopy(model)
    made, answers = {}, {}

    def answer(name, layer):
        if id(layer) not in answers:
            kept = type(layer).__module__.startswith("torch.nn") and hooked(layer)
            answers[id(layer)] = None if kept else make(name, layer)
        twin = answers[id(layer)]
        if twin is not None:
            made[name] = twin
        return twin

    root = answer("", new)
    if root is not None:
        return root, {"": root}
    for name, parent in with_progress(new.named_modules(remove_duplicate=False), "going through the layers"):
        for child_name, child in list(parent._modules.items()):
            if child is None:
                continue
            twin = answer(f"{name}.{child_name}".lstrip("."), child)
            if twin is not None:
                setattr(parent, child_name, twin)
    for module in new.modules():
        if isinstance(module, nn.TransformerEncoderLayer):
            # Its fast path reads linear1.weight as a float tensor; this flag is what it checks first.
            module.activation_relu_or_gelu = 0
        if isinstance(module, nn.TransformerEncoder):
            module.use_nested_tensor = False  # the fast path's own form, which no other layer takes
    return new, made
