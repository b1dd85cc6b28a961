"""From a prepared model to integers, whichever way it was prepared."""

import copy
from dataclasses import replace

import torch

from quantutils.checks import flag
from quantutils.nn import QuantizedWeight
from quantutils.nn.fake import FakeQuantized
from quantutils.nn.static import _StaticLayer
from quantutils.workflow.checking import check_integers
from quantutils.workflow.graph import Graph, aten
from quantutils.workflow.qat import trained_qparams
from quantutils.workflow.recipe import static_twin
from quantutils.workflow.replacing import need_module
from quantutils.workflow.static import Observed


def convert(prepared, check=True):
    """The integer form of what `prepare` or `prepare_qat` returned, after data went through it or it was trained.

    The prepared model is left as it was. Between converted layers integers travel: uint8 tensors, along every edge
    whose both ends take codes (ReLU, max pooling and moves between); every other edge is float, as is what the model
    returns. check: run the integers and their simulation in plain tensors on the example, and compare.
    Raises ValueError for a model that `prepare` did not make, and, by name, for a layer that saw no data or only
    zeros, whose bias a rule cannot hold, or whose integers are not their simulation.
    """
    need_module(prepared, "prepared")
    if not isinstance(prepared, Graph) or not prepared.called_layers((Observed, FakeQuantized)):
        raise ValueError(
            "prepared was not made by prepare(model, example); accepted: what it returned, with data run through it"
        )
    kind = (Observed, FakeQuantized)
    twins, held = {}, {}
    carried = prepared._on_grid(kind)
    for node in [node for node in prepared._graph.nodes if node.op == "call_module" and node in carried]:
        giver = carried.get(node.args[0])
        twins[node.target] = _twin(prepared, node.target, twins.get(giver), held)
    new = with_integers(prepared, twins)
    if flag(check, "check") and prepared._example is not None:
        check_integers(prepared, twins, new, kind)
    return new


def _twin(prepared, name, giver, held):
    """The static layer of one prepared layer. giver: the static layer whose codes come in, if codes do."""
    layer, recipe = prepared.get_submodule(name), prepared._recipe
    if isinstance(layer, FakeQuantized):
        given, out = trained_qparams(layer)
        scheme, scale = layer.weight.scheme, layer.weight.scales(layer.layer.weight).detach()
    else:
        given, out = (layer.qparams(end, recipe.activations) for end in ("input", "output"))
        scheme, scale = recipe.weights, None
    given = giver.output_qparams if giver is not None else given
    recipe = replace(recipe, weights=scheme, relu=layer.relu, stands_for=layer.stands_for)
    key = (id(layer.layer.weight), scheme, None if scale is None else scale.numpy().tobytes())
    if key not in held:  # one weight that serves in two places has its codes once
        held[key] = QuantizedWeight.from_float(layer.layer.weight, scheme, scale)
    try:
        return static_twin(layer.layer, recipe, given, out, held[key])
    except ValueError as error:
        raise ValueError(f"layer {name!r}: {error}, or exclude=[{name!r}]") from None


def with_integers(graph, twins):
    """A copy of a Graph with static layers in the place of its own, and integers on the edges between them.

    twins: {name: static layer}, their QParams filled in, since the clamp of a ReLU on codes is one of them.
    """
    memo = {id(graph.get_submodule(name)): twin for name, twin in twins.items()}
    new = copy.deepcopy(graph, memo)
    new.__dict__.pop("_function", None)
    new._example = None
    nodes, carried, floats = new._graph, new._on_grid(_StaticLayer), {}
    for node in list(nodes.nodes):
        if node in carried:
            if node.op == "call_function":
                _act_on_codes(nodes, node, new.get_submodule(carried[node]).output_qparams)
            continue
        for given in [each for each in node.all_input_nodes if each in carried]:
            if given not in floats:
                with nodes.inserting_before(node):
                    floats[given] = nodes.call_module(f"{carried[given]}.output", (given,))
            node.replace_input_with(given, floats[given])
    for module in new.modules():
        module.requires_grad_(False)
    new._recompile()
    return new.eval()


def _act_on_codes(nodes, node, qparams):
    """Turn ReLU and max pooling into what they are on codes; moves are the same."""
    if node.target is aten.relu.default:  # codes below the zero point become the zero point
        node.target, node.args = aten.clamp.default, (node.args[0], qparams.zero_point)
    elif node.target is aten.max_pool2d.default:  # torch pools no bytes
        with nodes.inserting_before(node):
            wide = nodes.call_function(aten._to_copy.default, (node.args[0],), {"dtype": torch.float32})
        node.args = (wide, *node.args[1:])
        with nodes.inserting_after(node):
            narrow = nodes.call_function(aten._to_copy.default, (node,), {"dtype": torch.uint8})
        node.replace_all_uses_with(narrow, lambda user: user is not narrow)
