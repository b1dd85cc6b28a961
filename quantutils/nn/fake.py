"""Quantization simulated in training: rounding with a gradient, and step sizes that are trained like weights."""

import math
from functools import lru_cache

import numpy as np
import torch
from torch import nn

from quantutils.affine import code_limits
from quantutils.arrays import CACHE_BLOCK
from quantutils.nn.codes import MOVES, MOVING_FUNCTIONS

METHODS = ("ste", "lsq")
KEEPS_GRID = MOVING_FUNCTIONS | {torch.relu, nn.functional.relu, nn.functional.max_pool2d, torch.max_pool2d}
KEEPS_GRID |= {getattr(torch.Tensor, name) for name in (*MOVES, "relu", "__getitem__")}


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
        several = isinstance(scale, torch.Tensor) and scale.ndim > 0
        ctx.scale = scale if several else float(scale)
        # Adding 0.0 turns −0.0 into the 0.0 that its code stands for.
        if several:
            return torch.div(x, scale).round_().clamp_(ctx.low, ctx.high).add_(0.0).mul_(scale)
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
        else:  # whole steps lie inside the range or at least ½ outside
            steps = torch.div(x, ctx.scale).round_()
            inside = hardtanh_backward(gradient, steps, ctx.low - 0.5, ctx.high + 0.5)
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

    >>> x = torch.tensor([0.26, 9.0], requires_grad=True)
    >>> fake_quantize_ste(x, 0.5, 0, -4, 3).sum().backward()
    >>> x.grad
    tensor([1., 0.])
    """
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
        self.qmin, self.qmax = code_limits(scheme.bits, symmetric=True, full_range=scheme.full_range)
        if method == "lsq":
            start = 2 * self._reduced(weight.detach().abs(), "mean") / math.sqrt(self.qmax)
            self.scale = nn.Parameter(start.clamp(min=1e-6))

    def _reduced(self, magnitudes, how):
        if self.scheme.per == "tensor":
            return getattr(magnitudes, how)()
        return getattr(magnitudes.flatten(1), how)(1)

    def scales(self, weight):
        """The scales in force: a number, or one for each output."""
        if self.method == "lsq":
            return self.scale.abs().clamp(min=1e-8)
        largest = self._reduced(weight.detach().abs(), "amax")
        return (largest / ((self.qmax - self.qmin) / 2)).clamp(min=1e-8)

    def forward(self, weight):
        """The weight as its codes would give it back, with a gradient."""
        scale = self.scales(weight)
        if scale.ndim:
            scale = scale.reshape(-1, *[1] * (weight.ndim - 1))
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
        low, high = x.detach().min().clamp(max=0), x.detach().max().clamp(min=0)
        momentum = 1.0 if int(self.seen) == 0 else self.momentum
        self.low += momentum * (low - self.low)
        self.high += momentum * (high - self.high)
        if self.method == "lsq" and int(self.seen) == 0:
            start = 2 * x.detach().abs().mean() / math.sqrt(self.qmax)
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
        scale, zero_point = self.parameters_in_force()
        simulate = fake_quantize_lsq if self.method == "lsq" else fake_quantize_ste
        return simulate(x, scale, zero_point, self.qmin, self.qmax)


class OnGrid(torch.Tensor):
    """A tensor whose values already lie on the codes of an activation, so that they need not be rounded again.

    Functions that keep them there (ReLU, max pooling, moves) return OnGrid; every other returns a plain tensor: just
    the places where Codes stay codes in the converted model.
    """

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        """Called by torch for any function that gets OnGrid."""
        result = super().__torch_function__(func, types, args, kwargs or {})
        return result if func in KEEPS_GRID else off_grid(result)


def off_grid(result):
    """The result with every OnGrid in it as an ordinary tensor; tuples, lists and dicts are gone through."""
    if isinstance(result, OnGrid):
        return result.as_subclass(torch.Tensor)
    if isinstance(result, (tuple, list)):
        parts = [off_grid(part) for part in result]
        return type(result)(*parts) if hasattr(result, "_fields") else type(result)(parts)
    if isinstance(result, dict):
        return {key: off_grid(value) for key, value in result.items()}
    return result


class OffGrid(nn.Module):
    """Where the quantized part ends: what a DeQuantStub is in training. A layer after it has a range of its own."""

    def forward(self, x):
        """x as an ordinary tensor."""
        return off_grid(x)


class FakeQuantized(nn.Module):
    """A Linear or Conv2d that trains as if it were quantized: fake weights, fake input where it is not yet on a grid,
    fake output. relu: whether a ReLU is fused. layer: the float layer, which is what is trained. momentum: of the
    activations' ranges.
    """

    def __init__(self, layer, name, weights, activations, method, stands_for="", relu=False, momentum=0.1):
        super().__init__()
        self.layer, self.name, self.stands_for, self.relu = layer, name, stands_for or name, relu
        self.weight = FakeWeight(layer.weight, weights, method)
        self.input = FakeActivation(activations.bits, method, momentum)
        self.output = FakeActivation(activations.bits, method, momentum)

    def forward(self, x):
        """What the quantized layer would return, with gradients."""
        x = off_grid(x) if isinstance(x, OnGrid) else self.input(x)
        weight, layer = self.weight(self.layer.weight), self.layer
        if isinstance(layer, nn.Linear):
            out = nn.functional.linear(x, weight, layer.bias)
        else:
            out = nn.functional.conv2d(x, weight, layer.bias, layer.stride, layer.padding, layer.dilation, layer.groups)
        return self.output(torch.relu(out) if self.relu else out).as_subclass(OnGrid)
