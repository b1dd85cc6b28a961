"""Quantization simulated in training: rounding with a gradient, and step sizes that are trained like weights."""

import math
from functools import lru_cache

import numpy as np
import torch
from torch import nn

from quantutils.arrays import CACHE_BLOCK

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


class FakeQuantizeSTE(torch.autograd.Function):
    """`fake_quantize_ste` without a gradient for the scale, in place and a block of numbers at a time.

    Only x is kept for the way back: what was clipped is found from it again, cheaper than to write a mask and read it.
    """

    @staticmethod
    def forward(ctx, x, scale, zero_point, qmin, qmax):
        """x̂, rounded as (clip(round(x/s) + z, qmin, qmax) − z)·s is."""
        ctx.save_for_backward(x)
        ctx.low, ctx.high = qmin - zero_point, qmax - zero_point
        several = any(isinstance(each, torch.Tensor) and each.ndim > 0 for each in (scale, zero_point))
        ctx.scale = scale if several else float(scale)
        # Adding 0.0 turns −0.0 into the 0.0 that its code stands for.
        if several:
            return torch.clamp(torch.div(x, scale).round_(), ctx.low, ctx.high).add_(0.0).mul_(scale)
        out, zero = torch.empty(x.shape, dtype=x.dtype, device=x.device), x.new_zeros(())
        for part, given in zip(out.reshape(-1).split(CACHE_BLOCK), x.reshape(-1).split(CACHE_BLOCK), strict=True):
            torch.div(given, ctx.scale, out=part).round_().clamp_(ctx.low, ctx.high)
            torch.add(zero, part, alpha=ctx.scale, out=part)
        return out

    @staticmethod
    def backward(ctx, gradient):
        """The gradient as it came, 0 where x is clipped."""
        (x,) = ctx.saved_tensors
        if isinstance(ctx.scale, float):
            inside = hardtanh_backward(gradient, x, *clipped_ends(ctx.scale, ctx.low, ctx.high, x.dtype))
        else:
            steps = torch.div(x, ctx.scale).round_()
            inside = gradient * ((steps >= ctx.low) & (steps <= ctx.high))
        return inside, None, None, None, None


hardtanh_backward = torch.ops.aten.hardtanh_backward  # (gradient, x, low, high): the gradient where low < x < high


@lru_cache(maxsize=256)  # a layer whose scale stands still asks again at every step
def clipped_ends(scale, low, high, dtype):
    """(last, first): the largest number with round(x/s) < low and the smallest with round(x/s) > high, both floats.

    x/s and its rounding never fall where x rises, so these two numbers say of every x whether it is clipped, and they
    are neighbours of (low − ½)·s and (high + ½)·s, a few units in the last place off.

    >>> clipped_ends(0.5, -4, 3, torch.float32)
    (-2.25000023841..., 1.75)
    """
    real, whole = {torch.float32: (np.float32, np.int32), torch.float64: (np.float64, np.int64)}[dtype]
    with np.errstate(all="ignore"):  # beyond the largest number nothing is clipped
        around = np.array([[low - 0.5], [high + 0.5]], real) * real(scale)
        # Read as integers, neighbouring floats are neighbours.
        tried = (around.view(whole) + np.arange(-4, 5, dtype=whole)).view(real)
        steps = np.rint(tried / real(scale))
    last = tried[steps < low].max(initial=-np.inf)
    return float(last), float(tried[steps > high].min(initial=np.inf))


def fake_quantize_ste(x, scale, zero_point, qmin, qmax):
    """x̂ = s·(clip(round(x/s) + z, qmin, qmax) − z); its gradient is 1 inside the range and 0 where x is clipped.

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
    codes = torch.clamp(RoundSTE.apply(x / scale) + zero_point, qmin, qmax)
    return (codes - zero_point) * scale


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
