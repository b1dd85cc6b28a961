"""The straight-through estimator once more, fast: in place, a block of numbers at a time, no mask kept.

fake.py has the same in plain steps; tests hold the numbers equal to the bit, and the gradients, which the plain one
multiplies by the scale and divides by it, to two roundings.
"""

from functools import lru_cache

import numpy as np
import torch

from quantutils.arrays import CACHE_BLOCK


class FakeQuantizeSTE(torch.autograd.Function):
    """`straight_through` without a gradient for the scale.

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
