"""Layers whose weights are integers and whose activations are quantized on the fly, at every call."""

from functools import cached_property

import torch
from torch import nn

from quantutils.affine import FLOAT32, code_limits
from quantutils.arrays import CACHE_BLOCK, code_array, real_array, row_blocks
from quantutils.checks import instance, whole_number
from quantutils.kernels.arguments import bias_array, weight_scales
from quantutils.kernels.linear import dynamic_rows
from quantutils.kernels.product import product_of_int8
from quantutils.kernels.rules import find_rule
from quantutils.nn.layers import IntegerLinear, float_parts
from quantutils.nn.schemes import ActivationScheme, WeightScheme
from quantutils.nn.weights import Exact, QuantizedWeight, storage_bits
from quantutils.packing import unpack_codes

LARGEST = float(FLOAT32.max) / 4


def activation_codes(rows, scheme):
    """Codes of a batch and what maps them back: (codes, scale, zero_point).

    rows: float32 (rows, K). Per tensor: scale and zero_point are numbers; per token: (rows, 1) tensors.
    Symmetric codes are int8 with zero_point 0, others uint8. Half to even, computed as `QParams.quantize`.
    """
    instance(scheme, ActivationScheme, "scheme")
    if instance(rows, torch.Tensor, "rows").dtype != torch.float32:
        raise TypeError(f"rows has dtype {rows.dtype}; accepted: float32")
    if rows.ndim != 2:
        raise ValueError(f"rows has shape {tuple(rows.shape)}; accepted: (rows, K)")
    codes, scale, zero_point = _signed_codes(rows.detach(), scheme)
    return (codes, scale, zero_point) if scheme.symmetric else (codes.view(torch.uint8) ^ 128, scale, zero_point + 128)


def _signed_codes(rows, scheme):
    """`activation_codes` of checked rows as int8: those that are unsigned, and their zero point, less 128.

    choose_qparams and quantize spelled out, in float64 and float32 as there; all numbers of a row in a few calls.
    """
    bits, shift = scheme.bits - scheme.reduce_range, 0 if scheme.symmetric else 128
    qmin, qmax = code_limits(bits, scheme.symmetric, scheme.symmetric)
    if rows.numel() == 0:
        return rows.to(torch.int8), 1.0, -shift
    token = scheme.per == "token"
    low, high = torch.aminmax(rows, dim=1, keepdim=True) if token else (end.item() for end in torch.aminmax(rows))
    least, peak = _peaks(low, high)  # the smallest and the largest magnitude that a range reaches
    if not peak <= LARGEST:
        _refuse(rows, peak)
    narrow = FLOAT32.tiny * 2.0**bits  # a range too narrow for a float32 scale is taken for zeros
    if token:
        low, high = low.double().clamp_(max=0), high.double().clamp_(min=0)
        if least < narrow:
            high[torch.maximum(-low, high) < narrow], low[torch.maximum(-low, high) < narrow] = 0, 0
        if scheme.symmetric:
            high = torch.maximum(-low, high)
            low = -high
        scale = (high - low).div_(qmax - qmin)
        if least < narrow:
            scale[scale == 0] = 1.0
        zero_point = 0 if scheme.symmetric else (qmin - shift - low / scale).round_().float()
        scale = scale.float()
        steps = torch.div(rows, scale).round_().add_(zero_point).clamp_(qmin - shift, qmax - shift)
        return steps.to(torch.int8), scale, zero_point
    low, high = (min(low, 0.0), max(high, 0.0)) if peak >= narrow else (0.0, 0.0)
    low, high = (-max(-low, high), max(-low, high)) if scheme.symmetric else (low, high)
    scale = (high - low) / (qmax - qmin) or 1.0
    zero_point = 0 if scheme.symmetric else round(qmin - low / scale)
    steps = torch.div(rows, scale).round_().clamp_(qmin - zero_point, qmax - zero_point)
    return steps.add_(zero_point - shift).to(torch.int8), scale, zero_point - shift


def _peaks(low, high):
    """The smallest and the largest of max(−low, high), as numbers."""
    if isinstance(low, float):
        peak = high if high >= -low else -low  # NaN stays, whichever it is
        return peak, peak
    peaks = torch.aminmax(torch.maximum(-low, high))
    return peaks.min.item(), peaks.max.item()


def _refuse(rows, peak):
    real_array(rows, "x")  # which says how many are not finite
    raise ValueError(
        f"rows, the input x of a layer, reaches {peak:g}; accepted: finite numbers up to {LARGEST} (float32's over 4)"
    )


class DynamicLinear(IntegerLinear):
    """Linear with integer weights; every call finds the range of its input, quantizes it, and multiplies integers.

    weight: QuantizedWeight (out, in). bias: float32 (out,) or None. activations: ActivationScheme.
    rule: None for our own order of rounding, or the name of a production kernel (quantutils.kernels.linear_dynamic),
    which then decides how activations are quantized. Input and output are (…, in) and (…, out), of one dtype.
    """

    def __init__(self, weight, bias, activations=None, rule=None):
        super().__init__(weight, bias)
        self.rule = rule
        if rule is not None:
            find_rule(rule, lambda: "onednn_vnni")
        if activations is not None:
            instance(activations, ActivationScheme, "activations")
        self.activations = activations or ActivationScheme()

    @classmethod
    def from_float(cls, linear, weights=None, activations=None, rule=None):
        """The dynamically quantized twin of an nn.Linear."""
        weights = WeightScheme() if weights is None else instance(weights, WeightScheme, "weights")
        weight, bias = float_parts(linear)
        return cls(QuantizedWeight.from_float(weight, weights), bias, activations, rule)

    def _computed(self, rows):
        """float32 (rows, in) to (rows, out)."""
        weight_codes, scale, sums, bias = self.ready
        weight_codes = self.weight.codes() if weight_codes is None else weight_codes
        if self.rule is not None:
            real_array(rows, "x")
            return dynamic_rows(rows, weight_codes, scale, bias, self.rule, sums)
        codes, own, zero_point = _signed_codes(rows, self.activations)
        if self.weight.scheme.per == "group":
            return self._in_groups(codes, own, zero_point)
        exact = product_of_int8(codes, zero_point, weight_codes, sums)
        if exact.numel() <= CACHE_BLOCK:
            out = exact * (own * scale)
            return out if bias is None else out.add_(bias)
        out = torch.empty(exact.shape, device=exact.device)
        for part in row_blocks(exact):
            torch.mul(exact[part], (own[part] if isinstance(own, torch.Tensor) else own) * scale, out=out[part])
            if bias is not None:
                out[part] += bias
        return out

    @cached_property
    def ready(self):
        """(codes, scale, sums of codes, bias), as the product takes them; None for codes that are packed."""
        weight, channels, scale, bias = self.weight, self.weight.shape[0], self.weight.scale, self.bias
        if self.rule is not None:
            scale, bias = weight_scales(scale.cpu().numpy(), channels, weight.packed), bias_array(bias, channels, scale)
        return weight.codes() if storage_bits(weight.scheme.bits) == 8 else None, scale, weight.sums, bias

    def _in_groups(self, codes, own, zero_point):
        """One integer product a group: a scale that changes along K cannot be pulled out of one long sum."""
        weight_codes, size, total = self.weight.codes(), self.weight.scheme.group_size, 0.0
        for group, start in enumerate(range(0, self.in_features, size)):
            part = slice(start, start + size)
            given, weights = codes[:, part].contiguous(), weight_codes[:, part].contiguous()
            exact = product_of_int8(given, zero_point, weights, weights.sum(1, dtype=torch.int32))
            total = total + exact.float() * (own * self.weight.scale[:, group])
        return total if self.bias is None else total + self.bias

    def extra_repr(self):
        """What a printed model shows of this layer."""
        scheme = self.weight.scheme
        how = f"rule={self.rule}" if self.rule else f"activations {self.activations.bits} bits a {self.activations.per}"
        return f"{self.in_features} → {self.out_features}, weights {scheme.bits} bits a {scheme.per}, {how}"


class QuantizedEmbedding(Exact):
    """Embedding whose rows are integers, each row with its own scale; only the rows that are looked up are restored.

    What comes out has the dtype that the rows had before. embed_scale: a number that all rows are multiplied by.
    """

    max_norm, scale_grad_by_freq, sparse = None, False, False  # as nn.Embedding answers without these options

    def __init__(self, weight, padding_idx=None, embed_scale=1.0):
        super().__init__()
        self.weight, self.padding_idx = instance(weight, QuantizedWeight, "weight"), padding_idx
        self.embed_scale = embed_scale
        if len(weight.shape) != 2:
            raise ValueError(f"weight has shape {tuple(weight.shape)}; accepted: (rows, features)")
        if padding_idx is not None:
            whole_number(padding_idx, "padding_idx", -weight.shape[0], weight.shape[0] - 1)

    @classmethod
    def from_float(cls, embedding, weights=None):
        """The quantized twin of an nn.Embedding. Raises ValueError for max_norm, which changes rows at look-up."""
        if instance(embedding, nn.Embedding, "embedding").max_norm is not None:
            raise ValueError("max_norm is set; accepted: None, since integer rows cannot be renormalised at look-up")
        scheme = WeightScheme() if weights is None else instance(weights, WeightScheme, "weights")
        return cls(QuantizedWeight.from_float(embedding.weight, scheme), embedding.padding_idx)

    @property
    def num_embeddings(self):
        """How many rows."""
        return self.weight.shape[0]

    @property
    def embedding_dim(self):
        """Length of one row."""
        return self.weight.shape[1]

    def forward(self, input):
        """Integer indices (…) to (…, features). Raises TypeError or ValueError for other indices."""
        indices, scheme, scale = instance(input, torch.Tensor, "indices"), self.weight.scheme, self.weight.scale
        code_array(indices, "indices", 0, self.weight.shape[0] - 1)
        indices = indices.long()
        rows = self._rows(indices).float()
        if scheme.per == "tensor":
            out = rows * scale
        elif scheme.per == "channel":
            out = rows * scale[indices][..., None]
        else:
            out = rows * scale[indices].repeat_interleave(scheme.group_size, dim=-1)
        return (out if self.embed_scale == 1.0 else out * self.embed_scale).to(self.weight.dtype)

    def _rows(self, indices):
        """The codes of some rows: (…, features), int8."""
        (count, features), width = self.weight.shape, storage_bits(self.weight.scheme.bits)
        if width == 8 or features * width % 8:  # a row that ends within a byte cannot be unpacked alone
            return self.weight.codes()[indices]
        packed = self.weight.packed.reshape(count, -1)[indices].cpu().numpy()
        codes = torch.from_numpy(unpack_codes(packed.reshape(-1), width, indices.numel() * features))
        return codes.reshape(*indices.shape, features).to(indices.device)

    def extra_repr(self):
        """What a printed model shows of this layer."""
        rows, features = self.weight.shape
        return f"{rows} × {features}, weights {self.weight.scheme.bits} bits a {self.weight.scheme.per}"
