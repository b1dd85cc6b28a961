"""Quantization simulated in training: rounding with a gradient, and step sizes that are trained like weights."""

import math

import torch
from torch import nn

from quantutils.nn.fake_in_place import FakeQuantizeSTE

METHODS = ("ste", "lsq")


class RoundSTE(torch.autograd.Function):
    """round(x) with the gradient of x: the straight-through estimator (Bengio, Léonard & Courville 2013)."""

    @staticmethod
    def forward(ctx, x):
        """Half to even."""
        return torch.round(x)

    @staticmethod
    def backward(ctx, gradient):
        """The gradient as it came: the staircase is taken for its diagonal."""
        return gradient


def straight_through(x, scale, zero_point, qmin, qmax):
    """x̂ = s·(clip(round(x/s) + z, qmin, qmax) − z) as lesson 08 writes it: rounding hands its gradient through."""
    steps = RoundSTE.apply(x / scale)
    codes = torch.clamp(steps + zero_point, qmin, qmax)
    return (codes - zero_point) * scale


def fake_quantize_ste(x, scale, zero_point, qmin, qmax):
    """`straight_through`, by its fast twin where the scale is fixed; the gradient is 0 where x is clipped, else 1.

    scale, zero_point: numbers, or tensors that broadcast against x. Half types are rounded in float32.

    >>> x = torch.tensor([0.26, 9.0], requires_grad=True)
    >>> fake_quantize_ste(x, 0.5, 0, -4, 3).sum().backward()
    >>> x.grad
    tensor([1., 0.])
    """
    if x.dtype in (torch.float16, torch.bfloat16):
        scale = scale.float() if isinstance(scale, torch.Tensor) else scale
        return fake_quantize_ste(x.float(), scale, zero_point, qmin, qmax).to(x.dtype)
    fixed = not isinstance(scale, torch.Tensor) or (scale.dtype == x.dtype and not scale.requires_grad)
    if fixed and x.dtype in (torch.float32, torch.float64):
        return FakeQuantizeSTE.apply(x, scale, zero_point, qmin, qmax)
    return straight_through(x, scale, zero_point, qmin, qmax)


class ScaledGradient(torch.autograd.Function):
    """The same number, with its gradient multiplied by a factor (LSQ, Esser et al. 2020, section 2.2)."""

    @staticmethod
    def forward(ctx, x, factor):
        """x as it is."""
        ctx.factor = factor
        return x.view_as(x)

    @staticmethod
    def backward(ctx, gradient):
        """The gradient, scaled."""
        return gradient * ctx.factor, None


def fake_quantize_lsq(x, scale, zero_point, qmin, qmax):
    """As `fake_quantize_ste`, and differentiable in the scale: dx̂/ds = round(x/s) − x/s, the last code where clipped.

    The gradient of the scale is multiplied by 1 / √(numbers · qmax), as LSQ does, so that it suits one learning rate.
    """
    if x.dtype in (torch.float16, torch.bfloat16):
        return fake_quantize_lsq(x.float(), scale.float(), zero_point, qmin, qmax).to(x.dtype)
    count = x.numel() / max(scale.numel(), 1)
    scale = ScaledGradient.apply(scale, 1 / math.sqrt(max(count * max(qmax, 1), 1)))
    steps = torch.clamp(x / scale + zero_point, qmin, qmax)
    return (RoundSTE.apply(steps) - zero_point) * scale


class FakeWeight(nn.Module):
    """Simulates the codes of a weight, outputs first: scales from the largest magnitudes at every call, or trained.

    scheme: WeightScheme, per tensor or per channel. method: "ste" or "lsq".
    """

    def __init__(self, weight, scheme, method):
        super().__init__()
        self.scheme, self.method = scheme, method
        self.qmin, self.qmax = scheme.limits
        if method == "lsq":
            start = 2 * scheme.grouped(weight.detach().float()).abs().mean(-1) / math.sqrt(self.qmax)
            self.scale = nn.Parameter(start.clamp(min=1e-6))

    def scales(self, weight):
        """The scales in force: a number, or one for each output."""
        if self.method == "lsq":
            return self.scale.abs().clamp(min=1e-8)
        return self.scheme.covering_scale(self.scheme.grouped(weight.detach().float()))

    def forward(self, weight):
        """The weight as its codes would give it back, with a gradient."""
        scale = self.scheme.spread(self.scales(weight), weight.ndim)
        scale = scale.double() if weight.dtype == torch.float64 else scale  # half types are computed in float32
        simulate = fake_quantize_lsq if self.method == "lsq" else fake_quantize_ste
        return simulate(weight, scale, 0, self.qmin, self.qmax)


class FakeActivation(nn.Module):
    """Simulates the unsigned codes of an activation: a moving range in training, fixed in eval, or a trained scale.

    bits: of the codes. method "ste": low and high move towards those of each batch, by `momentum` of the way. "lsq":
    the first batch sets the scale, which is trained from there; low still moves and gives the zero point. seen: how
    many training batches it has watched.
    """

    def __init__(self, bits, method, momentum=0.1):
        super().__init__()
        self.method, self.momentum, self.qmin, self.qmax = method, momentum, 0, 2**bits - 1
        self.register_buffer("low", torch.zeros(()))
        self.register_buffer("high", torch.zeros(()))
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))
        self.scale = nn.Parameter(torch.ones(())) if method == "lsq" else None

    def _watch(self, x):
        if x.numel() == 0:
            raise ValueError("x is an empty batch; accepted in training: at least one example")
        low, high = (end.float() for end in torch.aminmax(x.detach()))
        if not math.isfinite(float(low) + float(high)):
            raise ValueError(
                "x holds NaN or infinite values; accepted in training: finite numbers, whose range is kept"
            )
        low, high = low.clamp(max=0), high.clamp(min=0)
        first = int(self.seen) == 0
        momentum = 1.0 if first else self.momentum
        self.low += momentum * (low - self.low)
        self.high += momentum * (high - self.high)
        if self.method == "lsq" and first:
            start = 2 * x.detach().float().abs().mean() / math.sqrt(self.qmax)
            with torch.no_grad():
                self.scale.copy_(start.clamp(min=1e-6) if float(low) == 0 else (high - low) / self.qmax)
        self.seen += 1

    def parameters_in_force(self):
        """(scale, zero_point), a tensor and a number."""
        if self.method == "lsq":
            scale = self.scale.abs().clamp(min=1e-8)
        else:
            scale = ((self.high - self.low) / self.qmax).clamp(min=1e-8)
        return scale, float(torch.clamp(torch.round(-self.low / scale.detach()), self.qmin, self.qmax))

    def forward(self, x):
        """The activation as its codes would give it back, with a gradient."""
        if self.training:
            self._watch(x)
        elif int(self.seen) == 0:
            raise ValueError("an activation has no range yet; accepted: one batch or more in training mode before eval")
        scale, zero_point = self.parameters_in_force()
        simulate = fake_quantize_lsq if self.method == "lsq" else fake_quantize_ste
        return simulate(x, scale, zero_point, self.qmin, self.qmax)


class FakeQuantized(nn.Module):
    """A Linear or Conv2d that trains as if it were quantized: fake weights, fake input where it is not yet on a grid,
    fake output. layer: the float layer, which is what is trained. relu: whether a ReLU is fused. on_grid: whether what
    comes in are values of codes already. momentum: of the activations' ranges.
    """

    def __init__(self, layer, name, weights, activations, method, relu=False, on_grid=False, momentum=0.1):
        super().__init__()
        self.layer, self.name, self.relu = layer, name, relu
        self.weight = FakeWeight(layer.weight, weights, method)
        self.input = None if on_grid else FakeActivation(activations.bits, method, momentum)
        self.output = FakeActivation(activations.bits, method, momentum)

    def forward(self, x):
        """What the quantized layer would return, with gradients."""
        try:
            x = x if self.input is None else self.input(x)
            out = float_product(self.layer, x, self.weight(self.layer.weight), self.layer.bias)
            return self.output(torch.relu(out) if self.relu else out)
        except ValueError as error:
            raise ValueError(f"layer {self.name!r}: {error}") from None


def float_product(layer, x, weight, bias):
    """What an nn.Linear or nn.Conv2d computes, with another weight."""
    if isinstance(layer, nn.Linear):
        return nn.functional.linear(x, weight, bias)
    return nn.functional.conv2d(x, weight, bias, layer.stride, layer.padding, layer.dilation, layer.groups)
