"""A layer's weights as integers: really packed below 8 bits, with the scales that turn them back."""

import numpy as np
import torch
from torch import nn

from quantutils.affine import QParams, code_limits
from quantutils.arrays import code_array, real_array
from quantutils.checks import instance, whole_number
from quantutils.kernels.arguments import float32_numbers
from quantutils.nn.schemes import WeightScheme
from quantutils.packing import pack_codes, unpack_codes


def storage_bits(bits):
    """How many bits a `bits`-wide code takes in memory: 2, 4 or 8, whichever is the first that holds it.

    >>> [storage_bits(bits) for bits in (2, 3, 4, 5, 8)]
    [2, 4, 4, 8, 8]
    """
    bits = whole_number(bits, "bits", 1, 8)
    return next(width for width in (2, 4, 8) if bits <= width)


class QuantizedWeight(nn.Module):
    """The integer weights of one layer, outputs first, as buffers: packed codes and float32 scales.

    codes(): int8 tensor of the weight's shape. qparams: symmetric QParams, axis 0 (channel), axis 1 in groups, or
    per-tensor. dequantize(): float32 of the weight's shape. Nothing is trained here.
    """

    def __init__(self, shape, scheme):
        super().__init__()
        if not isinstance(shape, (tuple, list)) or not shape:
            raise TypeError(f"shape is {shape!r}; accepted: a tuple of whole numbers, outputs first")
        self.shape = tuple(whole_number(size, "shape", 1, 2**40) for size in shape)
        self.scheme = instance(scheme, WeightScheme, "scheme")
        width = storage_bits(scheme.bits)
        count = int(np.prod(self.shape))
        packed = (count,) if width == 8 else (-(-count * width // 8),)
        self.register_buffer("packed", torch.zeros(packed, dtype=torch.int8 if width == 8 else torch.uint8))
        self.register_buffer("scale", torch.ones(self._scale_shape()))

    def _scale_shape(self):
        if self.scheme.per == "tensor":
            return ()
        if self.scheme.per == "channel":
            return (self.shape[0],)
        if len(self.shape) != 2 or self.shape[1] % self.scheme.group_size:
            raise ValueError(
                f"group_size is {self.scheme.group_size} for a weight of shape {self.shape}; accepted: a 2-d weight"
                " whose inputs are a multiple of the group size, or per='channel'"
            )
        return (self.shape[0], self.shape[1] // self.scheme.group_size)

    @classmethod
    def from_float(cls, weight, scheme, scale=None):
        """The quantized form of a float weight; `scale` replaces the one taken from its largest magnitudes.

        weight: real tensor, outputs first. An all-zero channel gets the scale 1. Rounding is rule FMA of torch
        (rint of x · fl(1/s)), so that codes equal those of torch.ao where the scheme does.
        Raises TypeError or ValueError as `real_array` and WeightScheme do.
        """
        instance(scheme, WeightScheme, "scheme")
        instance(weight, torch.Tensor, "weight")
        weight = float32_numbers(real_array(weight, "weight", allow_empty=False)[0], "weight").detach()
        if weight.ndim < 2:
            raise ValueError(f"weight has shape {tuple(weight.shape)}; accepted: (outputs, inputs, …)")
        made = cls(weight.shape, scheme)
        qmin, qmax = code_limits(scheme.bits, symmetric=True, full_range=scheme.full_range)
        if scale is None:
            spread = made._grouped(weight)
            largest = spread.abs().amax(dim=tuple(range(len(made.scale.shape), spread.ndim)) or None)
            scale = largest / torch.tensor((qmax - qmin) / 2)
            scale = torch.where(scale >= torch.finfo(torch.float32).tiny, scale, torch.ones(()))
        scale = torch.as_tensor(scale, dtype=torch.float32).reshape(made.scale.shape)
        inverse = made._spread(1 / scale)
        codes = torch.round((weight.double() * inverse.double()).float()).clamp(qmin, qmax)
        made.scale.copy_(scale)
        made._store(codes.to(torch.int8))
        return made

    @classmethod
    def from_codes(cls, codes, scale, scheme):
        """The QuantizedWeight of codes that were chosen elsewhere, by GPTQ say.

        codes: int8, outputs first, each within the limits of `scheme`. scale: float32, positive; one for the tensor,
        one an output, or (outputs, groups). Raises TypeError or ValueError for other dtypes, shapes or numbers.
        """
        instance(scheme, WeightScheme, "scheme")
        if instance(codes, torch.Tensor, "codes").dtype != torch.int8:
            raise TypeError(f"codes has dtype {codes.dtype}; accepted: int8")
        if not codes.numel() or codes.ndim < 2:
            raise ValueError(f"codes has shape {tuple(codes.shape)}; accepted: (outputs, inputs, …), none of them 0")
        made = cls(codes.shape, scheme)
        qmin, qmax = code_limits(scheme.bits, symmetric=True, full_range=scheme.full_range)
        code_array(codes, "codes", qmin, qmax)
        scale = float32_numbers(real_array(instance(scale, torch.Tensor, "scale"), "scale")[0], "scale")
        if scale.shape != made.scale.shape or not bool((scale > 0).all()):
            raise ValueError(
                f"scale has shape {tuple(scale.shape)}; accepted: {tuple(made.scale.shape)}, each above 0, for {scheme}"
            )
        made.scale.copy_(scale)
        made._store(codes)
        return made

    def _grouped(self, weight):
        return weight.reshape(*self.scale.shape, -1) if self.scheme.per == "group" else weight

    def _spread(self, scale):
        """Scales shaped to broadcast against the weight."""
        if self.scheme.per == "group":
            return scale.repeat_interleave(self.scheme.group_size, dim=1)
        return scale.reshape(-1, *[1] * (len(self.shape) - 1)) if self.scheme.per == "channel" else scale

    def _store(self, codes):
        width = storage_bits(self.scheme.bits)
        flat = codes.reshape(-1)
        self.packed.copy_(flat if width == 8 else torch.from_numpy(_packed_signed(flat.numpy(), width)))

    def codes(self):
        """The integer codes, int8, in the weight's shape."""
        width = storage_bits(self.scheme.bits)
        if width == 8:
            return self.packed.reshape(self.shape)
        flat = unpack_codes(self.packed.numpy(), width, int(np.prod(self.shape)))
        return torch.from_numpy(flat).reshape(self.shape)

    @property
    def qparams(self):
        """The QParams of the codes: symmetric, per-tensor, axis 0, or axis 1 in groups."""
        qmin, qmax = code_limits(self.scheme.bits, symmetric=True, full_range=self.scheme.full_range)
        axis = {"tensor": None, "channel": 0, "group": 1}[self.scheme.per]
        scale = self.scale.numpy().astype(np.float64)
        return QParams(scale, np.zeros(scale.shape, np.int64), qmin, qmax, axis, self.scheme.group_size)

    def dequantize(self):
        """The weights as float32: scale · code."""
        return self.codes().float() * self._spread(self.scale)

    def nbytes(self):
        """Bytes of the packed codes and their scales."""
        return self.packed.numel() + 4 * self.scale.numel()


def _packed_signed(codes, width):
    """Bytes of signed codes; a tensor without negative codes must not be taken for unsigned ones."""
    return pack_codes(codes.astype(np.int16) & (2**width - 1), width)
