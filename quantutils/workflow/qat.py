"""Quantization-aware training: a copy of the model that rounds while it learns, converted to integers afterwards."""

from torch import nn

from quantutils.affine import QParams
from quantutils.checks import checked_momentum
from quantutils.nn.fake import METHODS, FakeQuantized
from quantutils.workflow.graph import Site, aten, path_of
from quantutils.workflow.recipe import Recipe
from quantutils.workflow.replacing import need_module
from quantutils.workflow.static import checked_schemes, prepared_graph


class Trained(FakeQuantized):
    """A FakeQuantized in its place in the graph. stands_for: name of the last module that it stands for."""

    def __init__(self, site, *arguments):
        super().__init__(site.layer, site.name, *arguments)
        self.stands_for = site.stands_for


def prepare_qat(
    model, example, weights=None, activations=None, method="ste", rule="fbgemm", momentum=0.1, exclude=(), check=True
):
    """A copy of `model`, as its graph, to train: Linear and Conv2d simulate the codes of their weights and activations.

    example, weights, activations, rule, exclude, check: as for `prepare`. method: "ste", ranges from the data and the
    straight-through estimator; or "lsq", scales trained like weights (learned step size, Esser et al. 2020), the choice
    for 4 bits and fewer. momentum: how far an activation's range moves towards that of each training batch, above 0, at
    most 1. What BatchNorm means here: one that follows a layer is folded into it with its stored statistics, once,
    before training, and no batch changes them; so start from a trained model. Others keep their stored statistics too.
    nn.Dropout drops in training mode as before. The copy is in training mode and needs a batch in it before eval; train
    it as any model, then `convert` it. The given model is left as it was.
    Raises TypeError or ValueError, naming the argument or the layer, for what does not fit.
    """
    need_module(model)
    if not isinstance(method, str) or method not in METHODS:
        watches = hasattr(method, "observe")
        reason = "an observer, which watches and simulates nothing" if watches else repr(method)
        raise ValueError(f"method is {reason}; accepted: {', '.join(map(repr, METHODS))}")
    checked_momentum(momentum)
    weights, activations = checked_schemes(weights, activations, rule)

    def make(graph, site, name):
        carried = graph._on_grid(Site)
        on_grid = any(node.op == "call_module" and node.target == name and node.args[0] in carried for node in carried)
        return Trained(site, weights, activations, method, site.relu, on_grid, momentum)

    recipe = Recipe("StaticLinear", weights, activations, rule)
    graph = prepared_graph(model, example, exclude, check, recipe, make)
    for node in list(graph._graph.nodes):
        name = path_of(node)
        source = model.get_submodule(name) if name else None
        if node.target is aten.clone.default and isinstance(source, nn.Dropout):  # what export makes of it in eval
            graph.set_submodule(f"{name}@dropout", nn.Dropout(source.p))
            node.op, node.target, node.args, node.kwargs = "call_module", f"{name}@dropout", node.args[:1], {}
    graph._recompile()
    return graph.train()


def trained_qparams(fake):
    """(QParams of the input, of the output) that training left; ValueError for a layer that never trained."""
    if int(fake.output.seen) == 0:
        raise ValueError(
            f"layer {fake.name!r} was never run in training mode, so it has no ranges; call model.train() and train it,"
            " at least for one batch, before convert"
        )
    out = _qparams(fake.output)
    return (out if fake.input is None else _qparams(fake.input)), out


def _qparams(fake):
    scale, zero_point = fake.parameters_in_force()
    return QParams(float(scale.detach()), int(zero_point), fake.qmin, fake.qmax)
