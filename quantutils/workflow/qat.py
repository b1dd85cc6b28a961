"""Quantization-aware training: a copy of the model that rounds while it learns, converted to integers afterwards."""

from torch import nn
from torch.ao.quantization import DeQuantStub, QuantStub

from quantutils.affine import QParams
from quantutils.checks import checked_momentum
from quantutils.nn import Dequantize
from quantutils.nn.fake import METHODS, FakeQuantized, OffGrid, off_grid
from quantutils.workflow.folding import fold
from quantutils.workflow.replacing import finished, need_module, recipe_of, replaced, static_twin
from quantutils.workflow.static import checked_schemes, need_convertible


def prepare_qat(model, weights=None, activations=None, method="ste", rule="fbgemm", momentum=0.1):
    """A copy of `model` to train: Linear and Conv2d simulate the codes of their weights and activations.

    weights, activations: as for `prepare`. method: "ste", ranges from the data and the straight-through estimator; or
    "lsq", scales trained like weights (learned step size, Esser et al. 2020), the choice for 4 bits and fewer.
    momentum: how far an activation's range moves towards that of each training batch, above 0, at most 1.
    BatchNorm is folded with its stored statistics first, so start from a trained model. The copy is in training mode;
    train it as any model, then `convert` it. The given model is left as it was.
    Raises TypeError or ValueError, naming the argument, for what does not fit.
    """
    need_module(model)
    if not isinstance(method, str) or method not in METHODS:
        watches = hasattr(method, "observe")
        reason = "an observer, which watches and simulates nothing" if watches else repr(method)
        raise ValueError(f"method is {reason}; accepted: {', '.join(map(repr, METHODS))}")
    checked_momentum(momentum)
    weights, activations = checked_schemes(weights, activations, rule)
    copy, _ = replaced(model, lambda name, layer: None)
    stands_for = fold(copy.eval())

    def make(name, layer):
        if type(layer) in (nn.Linear, nn.Conv2d):
            need_convertible(name, layer)
            last = stands_for.get(name, name)
            relu = type(model.get_submodule(last)) is nn.ReLU
            return FakeQuantized(layer, name, weights, activations, method, last, relu, momentum)
        if type(layer) is DeQuantStub:
            return OffGrid()
        return nn.Identity() if type(layer) is QuantStub else None

    prepared, made = replaced(copy, make)
    if not any(isinstance(layer, FakeQuantized) for layer in made.values()):
        kinds = sorted({type(module).__name__ for module in model.modules()})
        raise ValueError(f"model holds only {', '.join(kinds)}; accepted: a model with Linear or Conv2d in it")
    object.__setattr__(prepared, "float_model", model)
    object.__setattr__(prepared, "choices", (weights, activations, rule))
    prepared.register_forward_hook(lambda _model, _given, result: off_grid(result))
    return prepared.train()


def trained_twin(fake, activations, rule):
    """The static layer of one FakeQuantized, with the scales that training left. ValueError if it never trained."""
    if int(fake.output.seen) == 0:
        raise ValueError(
            f"layer {fake.name!r} was never run in training mode, so it has no ranges; call model.train() and train it,"
            " at least for one batch, before convert"
        )
    out = _qparams(fake.output)
    given = _qparams(fake.input) if int(fake.input.seen) else out
    # The fake layer's own scheme, so that one layer may have been given more bits than the rest.
    recipe = recipe_of(fake.weight.scheme, activations, rule) | {"relu": fake.relu, "stands_for": fake.stands_for}
    return static_twin(fake.layer, recipe, given, out, fake.weight.scales(fake.layer.weight).detach())


def _qparams(fake):
    scale, zero_point = fake.parameters_in_force()
    return QParams(float(scale.detach()), int(zero_point), fake.qmin, fake.qmax)


def convert_qat(prepared):
    """The integer form of a model that `prepare_qat` made and training changed; `convert` calls this."""

    def make(_name, layer):
        if isinstance(layer, FakeQuantized):
            return trained_twin(layer, *prepared.choices[1:])
        return Dequantize() if isinstance(layer, OffGrid) else None

    new, _ = replaced(prepared, make)
    new._forward_hooks.clear()
    return finished(new, prepared.float_model)
