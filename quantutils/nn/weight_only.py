"""A layer whose weights are stored as integers and used as floats: smaller, and with activations as they were."""

import torch
from torch import nn

from quantutils.arrays import real_array
from quantutils.checks import instance
from quantutils.kernels.arguments import bias_array, float32_numbers
from quantutils.nn.schemes import WeightScheme
from quantutils.nn.weights import QuantizedWeight


class WeightOnlyLinear(nn.Module):
    """Linear that keeps packed codes and, at every call, turns them back into float32 weights for a float product.

    weight: QuantizedWeight (out, in). bias: float32 (out,) or None. Input and output are float32 (…, in), (…, out).
    Saves memory, not arithmetic: the usual form of 4-bit weights, whose groups would cut an integer product in pieces.
    """

    def __init__(self, weight, bias=None):
        super().__init__()
        self.weight = instance(weight, QuantizedWeight, "weight")
        if len(weight.shape) != 2:
            raise ValueError(f"weight has shape {weight.shape}; accepted: (out, in)")
        if bias is not None:
            bias_array(instance(bias, torch.Tensor, "bias"), weight.shape[0], bias)
        self.register_buffer("bias", None if bias is None else bias.detach().clone().float())

    @classmethod
    def from_float(cls, linear, weights=None):
        """The twin of an nn.Linear, its weights rounded to the nearest code."""
        instance(linear, nn.Linear, "linear")
        weights = WeightScheme() if weights is None else instance(weights, WeightScheme, "weights")
        return cls(QuantizedWeight.from_float(linear.weight, weights), linear.bias)

    def forward(self, x):
        """float32 (…, in) to float32 (…, out). Raises TypeError or ValueError for what `real_array` refuses."""
        x, _ = real_array(instance(x, torch.Tensor, "x"), "x")
        if x.ndim == 0 or x.shape[-1] != self.weight.shape[1]:
            raise ValueError(f"x has shape {tuple(x.shape)}; accepted: (…, {self.weight.shape[1]})")
        return nn.functional.linear(float32_numbers(x, "x"), self.weight.dequantize(), self.bias)

    def extra_repr(self):
        """What a printed model shows of this layer."""
        scheme = self.weight.scheme
        return f"{self.weight.shape[1]} → {self.weight.shape[0]}, weights {scheme.bits} bits a {scheme.per}"
