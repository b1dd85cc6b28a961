"""Layers whose weights are integers and whose activations are quantized on the fly, at every call."""

import torch
from torch import nn

from quantutils.affine import FLOAT32, choose_qparams
from quantutils.arrays import code_array, real_array, row_blocks
from quantutils.checks import instance, whole_number
from quantutils.kernels import linear_dynamic
from quantutils.kernels.arguments import bias_array, float32_numbers
from quantutils.kernels.rules import find_rule
from quantutils.nn.product import centred_product
from quantutils.nn.schemes import ActivationScheme, WeightScheme
from quantutils.nn.weights import QuantizedWeight


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
    bits = scheme.bits - scheme.reduce_range
    per_token = scheme.per == "token"
    if rows.numel() == 0:
        return rows.to(torch.int8), 1.0, 0
    rows = rows.detach()
    low, high = (rows.amin(1), rows.amax(1)) if per_token else torch.aminmax(rows)
    peak = torch.maximum(-low, high)  # NaN where there is one among the rows
    if not bool((peak <= FLOAT32.max / 4).all()):
        real_array(rows, "x")  # which says how many are not finite
        raise ValueError(
            f"rows, the input x of a layer, reaches {float(peak.max()):g}; accepted: finite numbers up to"
            f" {FLOAT32.max / 4}"
        )
    # A range too narrow for a float32 scale is taken for zeros, as an all-zero one is.
    narrow = peak < FLOAT32.tiny * 2.0**bits
    low, high = low.masked_fill(narrow, 0), high.masked_fill(narrow, 0)
    qparams = choose_qparams(
        low, high, bits, scheme.symmetric, scheme.symmetric, axis=0 if per_token else None, if_all_zero=1.0
    )
    codes = qparams.quantize(rows)
    if not per_token:
        return codes, qparams.scale, qparams.zero_point
    scale = torch.tensor(qparams.scale, dtype=torch.float32)[:, None]
    return codes, scale, torch.tensor(qparams.zero_point)[:, None]


class DynamicLinear(nn.Module):
    """Linear with integer weights; every call finds the range of its input, quantizes it, and multiplies integers.

    weight: QuantizedWeight (out, in). bias: float32 (out,) or None. activations: ActivationScheme.
    rule: None for our own order of rounding, or the name of a production kernel (quantutils.kernels.linear_dynamic),
    which then decides how activations are quantized. Input and output are float32 (…, in) and (…, out).
    """

    def __init__(self, weight, bias, activations=None, rule=None):
        super().__init__()
        self.weight, self.rule = instance(weight, QuantizedWeight, "weight"), rule
        if rule is not None:
            find_rule(rule, lambda: "onednn_vnni")
        if activations is not None:
            instance(activations, ActivationScheme, "activations")
        if bias is not None:
            bias_array(instance(bias, torch.Tensor, "bias"), weight.shape[0], bias)
        self.activations = activations or ActivationScheme()
        self.register_buffer("bias", None if bias is None else bias.detach().clone().float())

    @classmethod
    def from_float(cls, linear, weights=None, activations=None, rule=None):
        """The dynamically quantized twin of an nn.Linear."""
        instance(linear, nn.Linear, "linear")
        weights = WeightScheme() if weights is None else instance(weights, WeightScheme, "weights")
        return cls(QuantizedWeight.from_float(linear.weight, weights), linear.bias, activations, rule)

    @property
    def in_features(self):
        """Length of one input vector."""
        return self.weight.shape[1]

    def forward(self, x):
        """float32 (…, in) to float32 (…, out). Raises TypeError or ValueError for what `real_array` refuses."""
        x, _ = real_array(instance(x, torch.Tensor, "x"), "x", look=False)  # whoever finds its range will see
        if x.ndim == 0 or x.shape[-1] != self.in_features:
            raise ValueError(f"x has shape {tuple(x.shape)}; accepted: (…, {self.in_features})")
        if self.rule is not None:
            return linear_dynamic(x, self.weight.codes(), self.weight.scale.numpy(), self.bias, rule=self.rule)
        rows = float32_numbers(x, "x").reshape(-1, self.in_features)
        codes, scale, zero_point = activation_codes(rows, self.activations)
        out = self._scaled_product(codes, scale, zero_point)
        return out.reshape(*x.shape[:-1], self.weight.shape[0])

    def _scaled_product(self, codes, scale, zero_point):
        weight_codes = self.weight.codes()
        if self.weight.scheme.per != "group":
            exact = centred_product(codes, zero_point, weight_codes)
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
        return f"{self.in_features} → {self.weight.shape[0]}, weights {scheme.bits} bits a {scheme.per}, {how}"


class QuantizedEmbedding(nn.Module):
    """Embedding whose rows are integers, each row with its own scale; only the rows that are looked up are restored."""

    def __init__(self, weight, padding_idx=None):
        super().__init__()
        self.weight, self.padding_idx = instance(weight, QuantizedWeight, "weight"), padding_idx
        if len(weight.shape) != 2:
            raise ValueError(f"weight has shape {weight.shape}; accepted: (rows, features)")
        if padding_idx is not None:
            whole_number(padding_idx, "padding_idx", -weight.shape[0], weight.shape[0] - 1)

    @classmethod
    def from_float(cls, embedding, weights=None):
        """The quantized twin of an nn.Embedding. Raises ValueError for max_norm, which changes rows at look-up."""
        if instance(embedding, nn.Embedding, "embedding").max_norm is not None:
            raise ValueError("max_norm is set; accepted: None, since integer rows cannot be renormalised at look-up")
        scheme = WeightScheme() if weights is None else instance(weights, WeightScheme, "weights")
        return cls(QuantizedWeight.from_float(embedding.weight, scheme), embedding.padding_idx)

    def forward(self, indices):
        """Integer indices (…) to float32 (…, features). Raises TypeError or ValueError for other indices."""
        code_array(instance(indices, torch.Tensor, "indices"), "indices", 0, self.weight.shape[0] - 1)
        indices = indices.long()
        scheme = self.weight.scheme
        rows = self.weight.codes()[indices].float()
        if scheme.per == "tensor":
            return rows * self.weight.scale
        if scheme.per == "channel":
            return rows * self.weight.scale[indices][..., None]
        return rows * self.weight.scale[indices].repeat_interleave(scheme.group_size, dim=-1)

    def extra_repr(self):
        """What a printed model shows of this layer."""
        rows, features = self.weight.shape
        return f"{rows} × {features}, weights {self.weight.scheme.bits} bits a {self.weight.scheme.per}"
