"""Layers that take codes and return codes: ranges fixed beforehand, no float in between."""

from functools import cached_property

import numpy as np
import torch

from quantutils.affine import QParams
from quantutils.arrays import real_array
from quantutils.checks import flag, instance
from quantutils.kernels import conv2d_static
from quantutils.kernels.arguments import bias_array, check_multiplier, parameter, per_tensor, weight_scales
from quantutils.kernels.linear import static_rows
from quantutils.kernels.rules import find_rule
from quantutils.matmul import INT32_MAX
from quantutils.nn.weights import Exact, QuantizedWeight, storage_bits

WHOLE_BIAS = ("qnnpack", "onnx")  # rules that round a bias to int32


class HeldQParams(Exact):
    """Per-tensor QParams as buffers, so that a checkpoint holds them: scale float64, zero_point, qmin and qmax.

    Called with codes, it gives the floats that they stand for, in `dtype`: where integers end in a model.
    """

    def __init__(self, qparams, dtype=torch.float32):
        super().__init__()
        per_tensor(qparams, "qparams")
        self.dtype = dtype
        self.register_buffer("scale", torch.tensor(qparams.scale, dtype=torch.float64))
        self.register_buffer("codes", torch.tensor([qparams.zero_point, qparams.qmin, qparams.qmax]))

    @cached_property
    def qparams(self):
        """The QParams."""
        return QParams(float(self.scale), *self.codes.tolist())

    def _hold(self, other):
        """Take over the parameters of another HeldQParams."""
        self.scale.copy_(other.scale), self.codes.copy_(other.codes), self._forget()

    def quantize(self, x):
        """uint8 codes of a float tensor by rule FMA, rint(x · fl(1/s) + z), as torch.quantize_per_tensor makes them."""
        real_array(instance(x, torch.Tensor, "x"), "x")
        inverse = float(np.float32(1) / np.float32(self.qparams.scale))
        steps = torch.round((x.double() * inverse + self.qparams.zero_point).float())
        return steps.clamp(self.qparams.qmin, self.qparams.qmax).to(torch.uint8)

    def forward(self, codes):
        """Codes to floats."""
        instance(codes, torch.Tensor, "codes")
        return self.qparams.dequantize(codes).to(self.dtype)

    def extra_repr(self):
        """What a printed model shows of them."""
        return f"scale={float(self.scale):.6g}, zero_point={int(self.codes[0])}"


class _StaticLayer(Exact):
    """What StaticLinear and StaticConv2d share: integer weights, a bias, and QParams of input and output.

    weight: QuantizedWeight. bias: float32 or None. input_qparams, output_qparams: per-tensor, within 0 … 255.
    relu: whether a ReLU is fused, as a clamp at the zero point. rule: order of rounding (quantutils.kernels).
    Raises ValueError where the rule rounds its bias to int32 and the bias does not fit.
    """

    def __init__(self, weight, bias, input_qparams, output_qparams, relu=False, rule="fbgemm"):
        super().__init__()
        self.weight, self.relu, self.rule = instance(weight, QuantizedWeight, "weight"), flag(relu, "relu"), rule
        find_rule(rule, lambda: "onednn_vnni", static=True)
        for qparams, name in ((input_qparams, "input_qparams"), (output_qparams, "output_qparams")):
            per_tensor(qparams, name)
        if bias is not None:
            bias_array(instance(bias, torch.Tensor, "bias"), weight.shape[0], bias)
            steps = bias.detach().double().abs() / (input_qparams.scale * weight.scale.double())
            if rule in WHOLE_BIAS and float(steps.max()) > INT32_MAX:
                raise ValueError(
                    f"bias is {float(steps.max()):.3g} steps of the sum, whose scale is that of the input times that of"
                    f" the weight; accepted with rule {rule!r}: up to {INT32_MAX}, since it rounds a bias to int32"
                )
        self.register_buffer("bias", None if bias is None else bias.detach().clone().float())
        self.input, self.output = HeldQParams(input_qparams), HeldQParams(output_qparams, weight.dtype)

    @property
    def input_qparams(self):
        """QParams of the codes that come in, and that a float input is quantized with."""
        return self.input.qparams

    @property
    def output_qparams(self):
        """QParams of the codes that come out."""
        return self.output.qparams

    def forward(self, input):
        """Codes (uint8, of input_qparams), or a float tensor, which is quantized first; returns uint8 codes."""
        x = input
        if not isinstance(x, torch.Tensor) or x.dtype != torch.uint8:
            x = self.input.quantize(x)
        self._check_shape(tuple(x.shape))
        if torch.compiler.is_compiling():
            return torch._dynamo.disable(self._product)(x)
        return self._product(x)

    @cached_property
    def ready(self):
        """((sx, sw, bias, sy, QParams of the output), zero point of the input, sums and codes) for the kernels."""
        channels, codes, given, out = self.weight.shape[0], self.weight.packed, self.input_qparams, self.output_qparams
        sx, sy = (parameter(qparams.scale, codes) for qparams in (given, out))
        sw = weight_scales(self.weight.scale.cpu().numpy(), channels, codes)
        check_multiplier(sx, sw, sy)
        held = self.weight.codes() if storage_bits(self.weight.scheme.bits) == 8 else None
        return (sx, sw, bias_array(self.bias, channels, codes), sy, out), given.zero_point, self.weight.sums, held

    def extra_repr(self):
        """What a printed model shows of this layer."""
        scheme, out = self.weight.scheme, self.output_qparams
        fused = ", ReLU" if self.relu else ""
        return (
            f"weights {scheme.bits} bits a {scheme.per}{fused}, out scale {out.scale:.6g}, zero_point {out.zero_point}"
        )


class StaticLinear(_StaticLayer):
    """Linear from codes to codes: uint8 (…, in) to uint8 (…, out)."""

    @property
    def in_features(self):
        """Length of one input vector."""
        return self.weight.shape[1]

    @property
    def out_features(self):
        """Length of one output vector."""
        return self.weight.shape[0]

    def _check_shape(self, shape):
        if not shape or shape[-1] != self.weight.shape[1]:
            raise ValueError(f"x has shape {shape}; accepted: (…, {self.weight.shape[1]})")

    def _product(self, codes):
        """The layer on codes whose shape fits."""
        scales, zero_point, sums, weight = self.ready
        weight = self.weight.codes() if weight is None else weight
        made = static_rows(codes.reshape(-1, codes.shape[-1]), zero_point, weight, *scales, self.rule, self.relu, sums)
        return made.reshape(*codes.shape[:-1], made.shape[1])


class StaticConv2d(_StaticLayer):
    """Conv2d from codes to codes: uint8 (batch, in, height, width) to uint8 (batch, out, …)."""

    def __init__(self, weight, bias, input_qparams, output_qparams, relu=False, rule="fbgemm", **geometry):
        super().__init__(weight, bias, input_qparams, output_qparams, relu, rule)
        self.geometry = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1} | geometry

    def _check_shape(self, shape):
        channels = self.weight.shape[1] * self.geometry["groups"]
        if len(shape) != 4 or shape[1] != channels:
            raise ValueError(f"x has shape {shape}; accepted: (batch, {channels}, height, width)")

    def _product(self, codes):
        """The layer on codes whose shape fits."""
        weight, scale = self.weight.codes(), self.weight.scale.cpu().numpy()
        given = (codes, self.input_qparams, weight, scale, self.bias, self.output_qparams)
        return conv2d_static(*given, rule=self.rule, relu=self.relu, **self.geometry)
