"""Static quantization: prepare a copy that observes, run some data through it, convert it to integers."""

import torch
from torch import nn
from torch.ao.quantization import QuantStub

from quantutils.affine import QParams
from quantutils.kernels import NAMES
from quantutils.nn import ActivationScheme, Quantize, WeightScheme, as_float
from quantutils.observers import MinMax
from quantutils.workflow.folding import fold
from quantutils.workflow.replacing import made_as, need_module, recipe_of, replaced, static_twin

# torch.ao's observers never let a scale fall below this.
SMALLEST_SCALE = float(torch.finfo(torch.float32).eps)


class Observed(nn.Module):
    """A float layer that watches what comes in and what goes out; `prepare` puts one around every layer to convert.

    layer: the float layer. stands_for: name of the last module that is folded or fused into it.
    input_observer, output_observer: observers of quantutils.observers.
    """

    def __init__(self, layer, name, observer, stands_for="", relu=False):
        super().__init__()
        self.layer, self.name, self.stands_for, self.relu = layer, name, stands_for or name, relu
        self.input_observer, self.output_observer = observer(), observer()
        self.calls = self.most_calls = 0

    def forward(self, x):
        """What the float layer returns, ReLU included where it is fused."""
        self.calls += 1
        self.most_calls = max(self.most_calls, self.calls)
        out = self.layer(x)
        out = torch.relu(out) if self.relu else out
        _observe(self.input_observer, x, self.name)
        _observe(self.output_observer, out, self.name)
        return out


def prepare(model, weights=None, activations=None, observer=MinMax, rule="fbgemm"):
    """A copy of `model` that observes: run representative data through it, then `convert` it.

    weights: WeightScheme, per tensor or per channel (default 8 bits a channel, full range, as torch.ao). activations:
    ActivationScheme per tensor (default 8 bits, asymmetric). observer: makes an observer, such as MinMax or
    lambda: Percentile(99.9). rule: order of rounding of the converted layers.
    BatchNorm is folded into the layer before it and ReLU is fused. Converted are Linear, Conv2d, QuantStub and
    DeQuantStub; everything else stays in float between them.

    The model must be in eval mode, since BatchNorm is folded with its stored statistics. The given model is left as
    it was. Raises TypeError or ValueError, naming the argument, for everything that does not fit.
    """
    need_module(model)
    weights, activations = checked_schemes(weights, activations, rule)
    try:
        made = observer()
    except TypeError as error:
        raise TypeError(
            f"observer is {observer!r:.80}; accepted: what makes an observer when called ({error})"
        ) from None
    if not hasattr(made, "observe"):
        raise TypeError(f"observer is {observer!r:.80}; accepted: what makes an observer when called, such as MinMax")
    if model.training and any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in model.modules()):
        raise ValueError("model is in training mode; accepted: eval mode (model.eval()), or its BatchNorm would drift")
    copy, _ = replaced(model, lambda name, layer: None)
    stands_for = fold(copy)

    def make(name, layer):
        if type(layer) in (nn.Linear, nn.Conv2d):
            need_convertible(name, layer)
            last = stands_for.get(name, name)
            return Observed(layer, name, observer, last, type(model.get_submodule(last)) is nn.ReLU)
        return Observed(nn.Identity(), name, observer) if type(layer) is QuantStub else None

    prepared, made = replaced(copy, make)
    if not made:
        kinds = sorted({type(module).__name__ for module in model.modules()})
        raise ValueError(
            f"model holds only {', '.join(kinds)}; accepted: a model with Linear or Conv2d somewhere in it"
        )
    object.__setattr__(prepared, "float_model", model)
    object.__setattr__(prepared, "choices", (weights, activations, rule))
    # Counted afresh in every forward, so that a module used in two places shows.
    prepared.register_forward_pre_hook(_restart_counts)
    return prepared.train(model.training)


def converted_layer(observed, weights, activations, rule):
    """The static layer of one Observed; ValueError for one that saw no data or is used in two places."""
    name, layer = observed.name, observed.layer
    if observed.most_calls > 1:
        raise ValueError(
            f"module {name!r} is used in {observed.most_calls} places in one forward, and its one range would serve all"
            " of them; accepted: a module of its own for each place"
        )
    given = activation_qparams(observed.input_observer, activations, name)
    if isinstance(layer, nn.Identity):
        return made_as(Quantize(given), recipe_of(weights, activations, rule))
    out = activation_qparams(observed.output_observer, activations, name)
    recipe = recipe_of(weights, activations, rule)
    return static_twin(layer, recipe | {"relu": observed.relu, "stands_for": observed.stands_for}, given, out)


def activation_qparams(observer, activations, name):
    """The QParams of one observed activation, computed in float32 as torch.ao's observers do: codes 0 … 255.

    With reduce_range the scale is made for one bit less, while the codes may still use all. Raises ValueError where
    the observer saw no data, or only zeros.
    """
    levels = 2 ** (activations.bits - activations.reduce_range) - 1
    try:
        found = observer.qparams(activations.bits - activations.reduce_range, signed=False)
    except ValueError as error:
        reason = "saw only zeros" if "both 0" in str(error) else "saw no data"
        raise ValueError(
            f"layer {name!r} {reason} during calibration; run representative inputs through the prepared model first"
        ) from error
    low, high = (torch.tensor(end, dtype=torch.float32) for end in _range_of(observer, found))
    scale = torch.clamp((high - low) / levels, min=SMALLEST_SCALE)
    zero_point = int(torch.clamp(-torch.round(low / scale), 0, levels))
    return QParams(float(scale), zero_point, 0, 2**activations.bits - 1)


def _range_of(observer, found):
    """The observer's own ends where it has them; otherwise those of the QParams it chose."""
    if isinstance(observer, MinMax):
        return min(observer.low, 0.0), max(observer.high, 0.0)
    return found.real_range


def _observe(observer, x, name):
    x = as_float(x)
    if x.numel() == 0:
        raise ValueError(f"layer {name!r} got an empty batch; calibrate with at least one example")
    observer.observe(x.detach())


def _restart_counts(model, _given):
    for module in model.modules():
        if isinstance(module, Observed):
            module.calls = 0


def checked_schemes(weights, activations, rule):
    """Both schemes with their defaults filled in; TypeError or ValueError for what a static layer cannot have."""
    if not isinstance(rule, str) or rule not in NAMES or rule == "torchao":
        raise ValueError(f"rule is {rule!r}; accepted: {', '.join(name for name in NAMES if name != 'torchao')}")
    weights = WeightScheme(full_range=True) if weights is None else weights
    activations = ActivationScheme() if activations is None else activations
    for name, value, kind in (("weights", weights, WeightScheme), ("activations", activations, ActivationScheme)):
        if not isinstance(value, kind):
            raise TypeError(f"{name} is {value!r}; accepted: a {kind.__name__}")
    if weights.per == "group":
        raise ValueError(f"weights is {weights}; accepted: per tensor or per channel, whose scale leaves the sum")
    if activations.per != "tensor" or activations.symmetric:
        raise ValueError(
            f"activations is {activations}; accepted: per tensor, asymmetric (ranges are fixed beforehand)"
        )
    return weights, activations


def need_convertible(name, layer):
    """Raise ValueError for a Conv2d whose padding no zero point can stand in for."""
    if isinstance(layer, nn.Conv2d) and (layer.padding_mode != "zeros" or isinstance(layer.padding, str)):
        raise ValueError(
            f"layer {name!r} has padding={layer.padding!r}, padding_mode={layer.padding_mode!r}; accepted: numbers and"
            " 'zeros', for which the zero point stands in"
        )
