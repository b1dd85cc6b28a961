"""Layers that take codes and return codes: ranges fixed beforehand, no float in between."""

import torch
from torch import nn

from quantutils.affine import QParams
from quantutils.arrays import real_array
from quantutils.checks import flag, instance
from quantutils.kernels import conv2d_static, linear_static
from quantutils.kernels.arguments import bias_array, per_tensor
from quantutils.kernels.rules import find_rule
from quantutils.nn.codes import Codes
from quantutils.nn.weights import QuantizedWeight


class HeldQParams(nn.Module):
    """Per-tensor QParams as buffers, so that a checkpoint holds them: scale float64, zero_point, qmin and qmax."""

    def __init__(self, qparams):
        super().__init__()
        per_tensor(qparams, "qparams")
        self.register_buffer("scale", torch.tensor(qparams.scale, dtype=torch.float64))
        self.register_buffer("codes", torch.tensor([qparams.zero_point, qparams.qmin, qparams.qmax]))

    @property
    def qparams(self):
        """The QParams."""
        return QParams(float(self.scale), *self.codes.tolist())

    def extra_repr(self):
        """What a printed model shows of them."""
        return f"scale={float(self.scale):.6g}, zero_point={int(self.codes[0])}"


class _StaticLayer(nn.Module):
    """What StaticLinear and StaticConv2d share: integer weights, a bias, and QParams of input and output.

    weight: QuantizedWeight. bias: float32 or None. input_qparams, output_qparams: per-tensor, within 0 … 255.
    relu: whether a ReLU is fused, as a clamp at the zero point. rule: order of rounding (quantutils.kernels).
    """

    def __init__(self, weight, bias, input_qparams, output_qparams, relu=False, rule="fbgemm"):
        super().__init__()
        self.weight, self.relu, self.rule = instance(weight, QuantizedWeight, "weight"), flag(relu, "relu"), rule
        find_rule(rule, lambda: "onednn_vnni", static=True)
        for qparams, name in ((input_qparams, "input_qparams"), (output_qparams, "output_qparams")):
            per_tensor(qparams, name)
        if bias is not None:
            bias_array(instance(bias, torch.Tensor, "bias"), weight.shape[0], bias)
        self.register_buffer("bias", None if bias is None else bias.detach().clone().float())
        self.input, self.output = HeldQParams(input_qparams), HeldQParams(output_qparams)

    @property
    def input_qparams(self):
        """QParams that a float input is quantized with."""
        return self.input.qparams

    @property
    def output_qparams(self):
        """QParams of the codes that come out."""
        return self.output.qparams

    def forward(self, x):
        """Codes, or a float tensor, which is quantized first; returns Codes."""
        x = x if isinstance(x, Codes) else quantized_input(x, self.input_qparams)
        self._check_shape(tuple(x.shape))
        out = self.output_qparams
        arguments = (x.codes, x.qparams, self.weight.codes(), self.weight.scale.numpy(), self.bias, out)
        return Codes(self._product(*arguments), out)

    def extra_repr(self):
        """What a printed model shows of this layer."""
        scheme, out = self.weight.scheme, self.output_qparams
        fused = ", ReLU" if self.relu else ""
        return (
            f"weights {scheme.bits} bits a {scheme.per}{fused}, out scale {out.scale:.6g}, zero_point {out.zero_point}"
        )


class StaticLinear(_StaticLayer):
    """Linear from codes to codes: Codes (…, in) to Codes (…, out)."""

    def _check_shape(self, shape):
        if not shape or shape[-1] != self.weight.shape[1]:
            raise ValueError(f"x has shape {shape}; accepted: (…, {self.weight.shape[1]})")

    def _product(self, *arguments):
        return linear_static(*arguments, rule=self.rule, relu=self.relu)


class StaticConv2d(_StaticLayer):
    """Conv2d from codes to codes: Codes (batch, in, height, width) to Codes (batch, out, …)."""

    def __init__(self, weight, bias, input_qparams, output_qparams, relu=False, rule="fbgemm", **geometry):
        super().__init__(weight, bias, input_qparams, output_qparams, relu, rule)
        self.geometry = geometry

    def _check_shape(self, shape):
        channels = self.weight.shape[1] * self.geometry.get("groups", 1)
        if len(shape) != 4 or shape[1] != channels:
            raise ValueError(f"x has shape {shape}; accepted: (batch, {channels}, height, width)")

    def _product(self, *arguments):
        return conv2d_static(*arguments, rule=self.rule, relu=self.relu, **self.geometry)


class Quantize(nn.Module):
    """Where floats become codes: the converted form of a QuantStub."""

    def __init__(self, qparams):
        super().__init__()
        self.output = HeldQParams(qparams)

    def forward(self, x):
        """float tensor to Codes; Codes stay as they are."""
        return x if isinstance(x, Codes) else quantized_input(x, self.output.qparams)


class Dequantize(nn.Module):
    """Where codes become floats again: the converted form of a DeQuantStub."""

    def forward(self, x):
        """Codes to a float tensor; floats stay as they are."""
        if not isinstance(x, Codes):
            real_array(instance(x, torch.Tensor, "x"), "x")
        return x.dequantize() if isinstance(x, Codes) else x


def quantized_input(x, qparams):
    """Codes of a float tensor by rule FMA, rint(x · fl(1/s) + z), as torch.quantize_per_tensor makes them."""
    real_array(instance(x, torch.Tensor, "x"), "x")
    inverse = (1 / torch.tensor(qparams.scale, dtype=torch.float32)).double()
    steps = torch.round((x.double() * inverse + qparams.zero_point).float())
    return Codes(steps.clamp(qparams.qmin, qparams.qmax).to(torch.uint8), qparams)
