"""A layer whose weights are stored as integers and used as floats: smaller, and with activations as they were."""

from torch import nn

from quantutils.arrays import real_array
from quantutils.checks import instance
from quantutils.nn.layers import IntegerLinear, float_parts
from quantutils.nn.schemes import WeightScheme
from quantutils.nn.weights import QuantizedWeight


class WeightOnlyLinear(IntegerLinear):
    """Linear that keeps packed codes and, at every call, turns them back into float32 weights for a float product.

    weight: QuantizedWeight (out, in). bias: float32 (out,) or None. Input and output are (…, in), (…, out).
    Saves memory, not arithmetic: the usual form of 4-bit weights, whose groups would cut an integer product in pieces.
    """

    @classmethod
    def from_float(cls, linear, weights=None):
        """The twin of an nn.Linear, its weights rounded to the nearest code."""
        weights = WeightScheme() if weights is None else instance(weights, WeightScheme, "weights")
        weight, bias = float_parts(linear)
        return cls(QuantizedWeight.from_float(weight, weights), bias)

    def _computed(self, rows):
        """float32 (rows, in) to (rows, out)."""
        real_array(rows, "x")
        return nn.functional.linear(rows, self.weight.dequantize(), self.bias)

    def extra_repr(self):
        """What a printed model shows of this layer."""
        scheme = self.weight.scheme
        return f"{self.in_features} → {self.out_features}, weights {scheme.bits} bits a {scheme.per}"
