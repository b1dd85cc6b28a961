"""Static quantization: prepare a copy that observes, run some data through it, convert it to integers."""

import torch
from torch import nn

from quantutils.affine import QParams
from quantutils.checks import flag
from quantutils.kernels import NAMES
from quantutils.nn import ActivationScheme, WeightScheme
from quantutils.observers import MinMax
from quantutils.workflow.checking import check_copy
from quantutils.workflow.graph import Site, traced
from quantutils.workflow.nested import copied
from quantutils.workflow.recipe import Recipe, nothing_to_convert
from quantutils.workflow.replacing import Origin, need_module

# torch.ao's observers never let a scale fall below this.
SMALLEST_SCALE = float(torch.finfo(torch.float32).eps)


class Observed(Site):
    """A float layer that watches what comes in and what goes out. observer: makes an observer when called."""

    def __init__(self, site, observer):
        super().__init__(site.layer, site.name, site.relu, site.stands_for)
        self.input_observer, self.output_observer = observer(), observer()
        self.peaks = {"input": None, "output": None}  # the largest magnitudes seen, None before the first batch

    def forward(self, x):
        """What the float layer returns, ReLU included where it is fused."""
        if x.numel() == 0:
            raise ValueError(f"layer {self.name!r} got an empty batch; calibrate with at least one example")
        out = super().forward(x)
        for end, seen, observer in (("input", x, self.input_observer), ("output", out, self.output_observer)):
            observer.observe(seen.detach())
            self.peaks[end] = max(self.peaks[end] or 0.0, float(seen.detach().abs().max()))
        return out

    def qparams(self, end, activations):
        """The QParams of its "input" or "output", computed in float32 as torch.ao's observers do: codes 0 … 255.

        With reduce_range the scale is made for one bit less, while the codes may still use all. Raises ValueError
        where it saw no data, or only zeros.
        """
        observer, bits = getattr(self, f"{end}_observer"), activations.bits - activations.reduce_range
        if not self.peaks[end]:
            reason = "saw no data" if self.peaks[end] is None else "saw only zeros"
            raise ValueError(
                f"layer {self.name!r} {reason} during calibration; run representative inputs through the prepared model"
                f" first, or exclude=[{self.name!r}]"
            )
        # MinMax's own ends are the range, however narrow; others choose one.
        ends = (
            (observer.low, observer.high)
            if isinstance(observer, MinMax)
            else observer.qparams(bits, signed=False).real_range
        )
        low, high = torch.tensor(min(ends[0], 0.0)), torch.tensor(max(ends[1], 0.0))
        levels = 2**bits - 1
        scale = torch.clamp((high.float() - low.float()) / levels, min=SMALLEST_SCALE)
        zero_point = int(torch.clamp(-torch.round(low.float() / scale), 0, levels))
        return QParams(float(scale), zero_point, 0, 2**activations.bits - 1)


def prepare(model, example, weights=None, activations=None, observer=MinMax, rule="fbgemm", exclude=(), check=True):
    """A copy of `model`, as its graph, that observes: run representative data through it, then `convert` it.

    example: one input: a tensor, a tuple of positional or a dict of keyword arguments; it shows torch.export the way
    through the model, and is not yet calibration. weights: WeightScheme, per tensor or per channel (default 8 bits a
    channel, full range, as torch.ao). activations: ActivationScheme per tensor (default 8 bits, asymmetric).
    observer: makes an observer, such as MinMax or lambda: Percentile(99.9). rule: order of rounding of the converted
    layers. exclude: names or patterns of modules that stay in float. check: compare the copy with the model on the
    example, which costs one batch.

    Converted are Linear, Conv2d and transformers' Conv1D, with the BatchNorm and ReLU that follow; everything else
    stays in float between them. The model must be in eval mode, since BatchNorm is folded with its stored statistics.
    The given model is left as it was. Raises TypeError or ValueError, naming the argument, for everything that does
    not fit, a layer or a model that cannot be followed among it.
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
    recipe = Recipe("StaticLinear", weights, activations, rule)
    return prepared_graph(model, example, exclude, check, recipe, lambda _graph, site, _name: Observed(site, observer))


def prepared_graph(model, example, exclude, check, recipe, make):
    """The Graph of `model`, make(graph, site, name) in the place of each Site; it keeps the recipe of its layers."""
    graph = traced(model, example, exclude)
    sites = graph.called_layers(Site)
    if not sites:
        raise nothing_to_convert(model, "Linear or Conv2d")
    graph.float_origin, graph._recipe, graph._example = Origin(model), recipe, None
    if flag(check, "check"):
        check_copy(model, graph, example)
        graph._example = copied(example)
    for name, made in {name: make(graph, site, name) for name, site in sites.items()}.items():
        graph.set_submodule(name, made)
    return graph.eval()


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
