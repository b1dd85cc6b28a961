"""What layers with integer weights share: what models read of them, keywords, other dtypes, and a gradient."""

import torch

from quantutils.arrays import real_array
from quantutils.checks import instance
from quantutils.kernels.arguments import bias_array
from quantutils.nn.weights import Exact, QuantizedWeight


def float_parts(layer):
    """Weight (outputs first) and bias of a Linear, or of the transformers library's Conv1D, whose inputs are first."""
    instance(layer, torch.nn.Module, "linear")
    if not isinstance(getattr(layer, "weight", None), torch.Tensor):
        raise TypeError(f"linear is a {type(layer).__name__}; accepted: a layer with one weight, such as nn.Linear")
    return (layer.weight.T if type(layer).__name__ == "Conv1D" else layer.weight), layer.bias


class ThroughWeights(torch.autograd.Function):
    """A layer's integers forwards; backwards the gradient of a float layer with its dequantized weights.

    Rounding of activations is passed straight through (Bengio, Léonard & Courville 2013).
    """

    @staticmethod
    def forward(ctx, x, layer):
        """What the layer computes."""
        ctx.layer = layer
        return layer._computed(x)

    @staticmethod
    def backward(ctx, gradient):
        """The gradient times the weights."""
        return gradient @ ctx.layer.weight.dequantize().to(gradient.dtype), None


class IntegerLinear(Exact):
    """A linear layer with integer weights. weight: QuantizedWeight (out, in). bias: float (out,) or None.

    Input (…, in) and output (…, out) have one dtype; products are computed for float32. _computed(x): what a subclass
    makes of float32 rows.
    """

    def __init__(self, weight, bias=None):
        super().__init__()
        self.weight = instance(weight, QuantizedWeight, "weight")
        if len(weight.shape) != 2:
            raise ValueError(f"weight has shape {tuple(weight.shape)}; accepted: (out, in)")
        if bias is not None:
            bias_array(instance(bias, torch.Tensor, "bias").cpu(), weight.shape[0], bias.cpu())
        self.register_buffer("bias", None if bias is None else bias.detach().clone().float())

    @property
    def in_features(self):
        """Length of one input vector."""
        return self.weight.shape[1]

    @property
    def out_features(self):
        """Length of one output vector."""
        return self.weight.shape[0]

    def forward(self, input):
        """(…, in) to (…, out), in the input's dtype. Raises TypeError or ValueError for what `real_array` refuses."""
        x = input
        if not isinstance(x, torch.Tensor) or not x.dtype.is_floating_point:
            real_array(instance(x, torch.Tensor, "x"), "x")
        if x.ndim == 0 or x.shape[-1] != self.weight.shape[1]:
            raise ValueError(f"x has shape {tuple(x.shape)}; accepted: (…, {self.in_features})")
        if torch.jit.is_tracing():
            raise ValueError(
                "a quantized layer is traced by torch.jit, which would keep this input's ranges for every other;"
                " accepted: the model as it is, or torch.compile"
            )
        if torch.compiler.is_compiling():  # ranges and scales are Python's numbers: a graph break at each layer
            return torch._dynamo.disable(self._of_any_dtype)(x)
        return self._of_any_dtype(x)

    def _of_any_dtype(self, x):
        rows = x if x.dtype == torch.float32 else x.float()
        rows = rows.reshape(-1, x.shape[-1])
        if torch.is_grad_enabled() and x.requires_grad:
            out = ThroughWeights.apply(rows, self)
        else:
            out = self._computed(rows.detach())
        out = out.reshape(*x.shape[:-1], self.weight.shape[0])
        return out if x.dtype == torch.float32 else out.to(x.dtype)
