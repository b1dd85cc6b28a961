"""Layers whose weights are integers and whose activations are quantized on the fly, at every call."""

from functools import cached_property

import torch
from torch import nn

from quantutils.affine import FLOAT32, choose_qparams, code_limits
from quantutils.arrays import code_array, instance, real_array, row_blocks, whole_number
from quantutils.kernels.arguments import bias_array, weight_scales
from quantutils.kernels.linear import dynamic_rows
from quantutils.kernels.product import centred_product
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
    return _codes(rows.detach(), scheme)


def _codes(rows, scheme):
    """`activation_codes` of checked rows; per tensor, choose_qparams and quantize spelled out in Python's numbers."""
    if rows.numel() == 0:
        return rows.to(torch.int8), 1.0, 0
    bits = scheme.bits - scheme.reduce_range
    if scheme.per == "token":
        return _codes_per_token(rows, bits, scheme.symmetric)
    low, high = (end.item() for end in torch.aminmax(rows))
    peak = max(-low, high)
    if not peak <= LARGEST:
        _refuse(rows, peak)
    if peak < FLOAT32.tiny * 2.0**bits:
        low = high = 0.0  # a range too narrow for a float32 scale is taken for zeros
    qmin, qmax = code_limits(bits, scheme.symmetric, scheme.symmetric)
    low, high = (-peak, peak) if scheme.symmetric and high > low else (min(low, 0.0), max(high, 0.0))
    scale = (high - low) / (qmax - qmin) or 1.0
    zero_point = 0 if scheme.symmetric else round(qmin - low / scale)
    steps = torch.div(rows, scale).round_().clamp_(qmin - zero_point, qmax - zero_point)
    return (steps.to(torch.int8) if scheme.symmetric else steps.add_(zero_point).to(torch.uint8)), scale, zero_point


def _codes_per_token(rows, bits, symmetric):
    low, high = torch.aminmax(rows, dim=1)
    peak = torch.maximum(-low, high)  # NaN where there is one among the rows
    if not bool((peak <= LARGEST).all()):
        _refuse(rows, float(peak.max()))
    narrow = peak < FLOAT32.tiny * 2.0**bits
    low, high = low.masked_fill(narrow, 0), high.masked_fill(narrow, 0)
    qparams = choose_qparams(low, high, bits, symmetric, symmetric, axis=0, if_all_zero=1.0)
    scale = torch.tensor(qparams.scale, dtype=torch.float32, device=rows.device)[:, None]
    return qparams.quantize(rows), scale, torch.tensor(qparams.zero_point, device=rows.device)[:, None]


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
        if self.rule is None:
            return self._scaled_product(*_codes(rows, self.activations))
        real_array(rows, "x")
        return dynamic_rows(rows, self.weight.codes(), *self.ready, self.rule, self.weight.sums)

    @cached_property
    def ready(self):
        """Scales and bias as the kernels of a named rule take them."""
        channels, codes = self.weight.shape[0], self.weight.packed
        return weight_scales(self.weight.scale.cpu().numpy(), channels, codes), bias_array(self.bias, channels, codes)

    def _scaled_product(self, codes, scale, zero_point):
        weight_codes, per = self.weight.codes(), self.weight.scheme.per
        if per != "group":
            exact = centred_product(codes, zero_point, weight_codes, self.weight.sums)
            out = torch.empty(exact.shape, device=exact.device)
            for part in row_blocks(exact):
                own = scale[part] if isinstance(scale, torch.Tensor) else scale
                torch.mul(exact[part], own * self.weight.scale, out=out[part])
                if self.bias is not None:
                    out[part] += self.bias
            return out
        size, total = self.weight.scheme.group_size, 0.0
        # One integer product a group: a scale that changes along K cannot be pulled out of one long sum.
        for group, start in enumerate(range(0, self.in_features, size)):
            part = slice(start, start + size)
            exact = centred_product(codes[:, part].contiguous(), zero_point, weight_codes[:, part].contiguous())
            total = total + exact.float() * (scale * self.weight.scale[:, group])
        return total if self.bias is None else total + self.bias

    def extra_repr(self):
        """What a printed model shows of this layer."""
        scheme = self.weight.scheme
        how = f"rule={self.rule}" if self.rule else f"activations {self.activations.bits} bits a {self.activations.per}"
        return f"{self.in_features} → {self.out_features}, weights {scheme.bits} bits a {scheme.per}, {how}"


class QuantizedEmbedding(Exact):
    """Embedding whose rows are integers, each row with its own scale; only the rows that are looked up are restored.

    What comes out has the dtype that the rows had before.
    """

    max_norm, scale_grad_by_freq, sparse = None, False, False  # as nn.Embedding answers without these options

    def __init__(self, weight, padding_idx=None):
        super().__init__()
        self.weight, self.padding_idx = instance(weight, QuantizedWeight, "weight"), padding_idx
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
        return out.to(self.weight.dtype)

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
