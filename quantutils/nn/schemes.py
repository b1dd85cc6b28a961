"""What is quantized how: the choices that a workflow passes on to its layers, checked once."""

from dataclasses import dataclass

import torch

from quantutils.affine import code_limits
from quantutils.checks import flag, whole_number

WEIGHT_GRANULARITIES = ("tensor", "channel", "group")
ACTIVATION_GRANULARITIES = ("tensor", "token")


@dataclass(frozen=True)
class WeightScheme:
    """How weights become codes; always symmetric.

    bits: 2, 3, 4 … 8. per: "tensor", "channel" (one scale an output) or "group" (one for every group_size inputs).
    full_range: use −2^(b−1) too, with scale amax / (2^(b−1) − ½), as torch.ao and torchao do.
    """

    bits: int = 8
    per: str = "channel"
    group_size: int | None = None
    full_range: bool = False

    def __post_init__(self):
        whole_number(self.bits, "bits", 2, 8)
        flag(self.full_range, "full_range")
        if not isinstance(self.per, str) or self.per not in WEIGHT_GRANULARITIES:
            raise ValueError(f"per is {self.per!r}; accepted for weights: {', '.join(WEIGHT_GRANULARITIES)}")
        if (self.per == "group") != (self.group_size is not None):
            raise ValueError(f"group_size is {self.group_size} with per={self.per!r}; accepted: both or neither")
        if self.group_size is not None:
            whole_number(self.group_size, "group_size", 1)

    @property
    def limits(self):
        """The smallest and the largest code."""
        return code_limits(self.bits, symmetric=True, full_range=self.full_range)

    def grouped(self, weight):
        """`weight`, outputs first, those that share a scale along the last axis: (n), (outputs, n) or in groups."""
        if self.per == "tensor":
            return weight.reshape(-1)
        return weight.flatten(1) if self.per == "channel" else weight.reshape(len(weight), -1, self.group_size)

    def covering_scale(self, weight):
        """For each row of the last axis the scale that reaches the largest magnitude; 1 where all are zero."""
        qmin, qmax = self.limits
        scale = weight.abs().amax(-1) / ((qmax - qmin) / 2)
        return torch.where(scale >= torch.finfo(torch.float32).tiny, scale, torch.ones((), device=scale.device))

    def codes(self, weight, scale):
        """Codes, as floats: rule FMA of torch, rint(w · fl(1/s)), so that they equal those of torch.ao."""
        return torch.round((weight.double() * (1 / scale).double()).float()).clamp(*self.limits)

    def spread(self, scale, ndim):
        """Scales shaped to broadcast against a weight of `ndim` axes."""
        if self.per == "group":
            return scale.repeat_interleave(self.group_size, dim=1)
        return scale.reshape(-1, *[1] * (ndim - 1)) if self.per == "channel" else scale


@dataclass(frozen=True)
class ActivationScheme:
    """How activations become codes at run time.

    bits: 2 … 8. per: "tensor" (one range a call) or "token" (one for each vector along the last axis).
    symmetric: zero point 0, signed codes; otherwise unsigned codes with a zero point.
    reduce_range: give up one bit, as kernels do whose 16-bit partial sums could overflow.
    """

    bits: int = 8
    per: str = "tensor"
    symmetric: bool = False
    reduce_range: bool = False

    def __post_init__(self):
        flag(self.symmetric, "symmetric")
        whole_number(self.bits, "bits", 3 if flag(self.reduce_range, "reduce_range") else 2, 8)
        if not isinstance(self.per, str) or self.per not in ACTIVATION_GRANULARITIES:
            raise ValueError(f"per is {self.per!r}; accepted for activations: {', '.join(ACTIVATION_GRANULARITIES)}")
