"""A layer's weights as integers: really packed below 8 bits, with the scales that turn them back."""

import math
from functools import cached_property, partial

import numpy as np
import torch
from torch import nn

from quantutils.affine import FLOAT32, QParams
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


class Exact(nn.Module):
    """A module whose parameters of quantization keep their dtype where the model around it changes its own.

    A scale in half precision would be another scale. What is computed from buffers once (`functools.cached_property`)
    is forgotten where they are moved or loaded.
    """

    def _forget(self):
        for name in [name for name in vars(self) if isinstance(getattr(type(self), name, None), cached_property)]:
            del self.__dict__[name]

    def __getstate__(self):
        self._forget()
        return vars(self)

    def _apply(self, fn, recurse=True):
        self._forget()
        kept = {name: held for name, held in self._buffers.items() if held is not None}
        super()._apply(fn, recurse)
        for name, held in kept.items():
            if self._buffers[name].dtype != held.dtype:
                self._buffers[name] = held.to(self._buffers[name].device)
        return self

    def _load_from_state_dict(self, *arguments):
        self._forget()
        super()._load_from_state_dict(*arguments)


class QuantizedWeight(Exact):
    """The integer weights of one layer, outputs first, as buffers: packed codes and float32 scales.

    codes(): int8 tensor of the weight's shape. qparams: symmetric QParams, axis 0 (channel), axis 1 in groups, or
    per-tensor. dequantize(): float32 of the weight's shape. Nothing is trained here. A function of torch that is given
    one sees dequantize(), so that a model may read a weight; dtype: what the weight was before, float32 say.
    """

    def __init__(self, shape, scheme, dtype=torch.float32):
        super().__init__()
        if not isinstance(shape, (tuple, list)) or not shape:
            raise TypeError(f"shape is {shape!r}; accepted: a tuple of whole numbers, outputs first")
        self.shape = torch.Size(whole_number(size, "shape", 1, 2**40) for size in shape)
        self.scheme, self.dtype = instance(scheme, WeightScheme, "scheme"), dtype
        width = storage_bits(scheme.bits)
        count = math.prod(self.shape)
        packed = (count,) if width == 8 else (-(-count * width // 8),)
        self.register_buffer("packed", torch.zeros(packed, dtype=torch.int8 if width == 8 else torch.uint8))
        self.register_buffer("scale", torch.ones(self._scale_shape()))

    def _scale_shape(self):
        if self.scheme.per != "group":
            return () if self.scheme.per == "tensor" else (self.shape[0],)
        if len(self.shape) != 2 or self.shape[1] % self.scheme.group_size:
            raise ValueError(
                f"group_size is {self.scheme.group_size} for a weight of shape {tuple(self.shape)}; accepted: a 2-d"
                " weight whose inputs are a multiple of the group size, or per='channel'"
            )
        return (self.shape[0], self.shape[1] // self.scheme.group_size)

    @classmethod
    def from_float(cls, weight, scheme, scale=None):
        """The quantized form of a float weight; `scale` replaces the one taken from its largest magnitudes.

        weight: real tensor, outputs first. An all-zero channel gets the scale 1. scale: float32, positive, its shape as
        in the result (a number serves for one). Raises TypeError or ValueError as `real_array` and WeightScheme do.
        """
        instance(scheme, WeightScheme, "scheme")
        dtype = instance(weight, torch.Tensor, "weight").dtype
        weight = float32_numbers(real_array(weight, "weight", allow_empty=False)[0], "weight").detach()
        if weight.ndim < 2:
            raise ValueError(f"weight has shape {tuple(weight.shape)}; accepted: (outputs, inputs, …)")
        made = cls(tuple(weight.shape), scheme, dtype)
        if scale is None:
            scale = scheme.covering_scale(scheme.grouped(weight))
        scale = torch.as_tensor(scale, dtype=torch.float32)
        scale = made._checked(scale.reshape(made.scale.shape) if scale.numel() == made.scale.numel() else scale)
        return made._filled(scheme.codes(weight, scheme.spread(scale, weight.ndim)).to(torch.int8), scale)

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
        code_array(codes, "codes", *scheme.limits)
        made = cls(tuple(codes.shape), scheme)
        scale = real_array(instance(scale, torch.Tensor, "scale"), "scale")[0]
        return made._filled(codes, made._checked(float32_numbers(scale, "scale")))

    def _checked(self, scale):
        if scale.shape != self.scale.shape or not bool(((scale > 0) & (scale <= float(FLOAT32.max))).all()):
            raise ValueError(
                f"scale has shape {tuple(scale.shape)}; accepted: {tuple(self.scale.shape)}, each above 0 and finite,"
                f" for {self.scheme}"
            )
        return scale

    def _filled(self, codes, scale):
        width, flat = storage_bits(self.scheme.bits), codes.reshape(-1).cpu()
        self.packed.copy_(flat if width == 8 else torch.from_numpy(_packed_signed(flat.numpy(), width)))
        self.scale.copy_(scale)
        return self.to(codes.device)

    def codes(self):
        """The integer codes, int8, in the weight's shape."""
        width = storage_bits(self.scheme.bits)
        if width == 8:
            return self.packed.reshape(self.shape)
        flat = unpack_codes(self.packed.cpu().numpy(), width, math.prod(self.shape))
        return torch.from_numpy(flat).reshape(self.shape).to(self.packed.device)

    @cached_property
    def sums(self):
        """Σ of each output's codes, int32 (outputs,): what a zero point of the activations is multiplied by."""
        return self.codes().flatten(1).sum(1, dtype=torch.int32)

    @property
    def qparams(self):
        """The QParams of the codes: symmetric, per-tensor, axis 0, or axis 1 in groups."""
        axis = {"tensor": None, "channel": 0, "group": 1}[self.scheme.per]
        scale = self.scale.cpu().numpy().astype(np.float64)
        return QParams(scale, np.zeros(scale.shape, np.int64), *self.scheme.limits, axis, self.scheme.group_size)

    def dequantize(self):
        """The weights as float32: scale · code."""
        return self.codes().float() * self.scheme.spread(self.scale, len(self.shape))

    def nbytes(self):
        """Bytes of the packed codes and their scales."""
        return self.packed.numel() + 4 * self.scale.numel()

    def _apply(self, fn, recurse=True):
        self.dtype = fn(torch.zeros((), dtype=self.dtype, device=self.scale.device)).dtype
        return super()._apply(fn, recurse)

    # What models read of a weight: whatever they do with it, they get the dequantized tensor, which they cannot write.

    @property
    def device(self):
        """Where the codes are."""
        return self.packed.device

    def _tensor(self):
        """The dequantized weight in its own dtype."""
        return self.dequantize().to(self.dtype)

    def __getattr__(self, name):
        """Attributes of a tensor (T, ndim, unsqueeze …) are those of the dequantized weight."""
        if name in READ:
            return getattr(self._tensor(), name)
        return super().__getattr__(name)

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        """Called by torch for a function that was given a QuantizedWeight."""
        read = partial(mapped_objects, QuantizedWeight, QuantizedWeight._tensor)
        return func(*read(args), **read(kwargs or {}))


READ = {name for name in dir(torch.Tensor) if name[0] != "_" and name[-1] != "_"} - {*dir(nn.Module), "data"}
for _name in [
    "getitem",
    "add",
    "radd",
    "sub",
    "rsub",
    "mul",
    "rmul",
    "truediv",
    "rtruediv",
    "matmul",
    "rmatmul",
    "neg",
    "pow",
]:
    setattr(
        QuantizedWeight,
        f"__{_name}__",
        lambda self, *others, _name=f"__{_name}__": getattr(self._tensor(), _name)(*others),
    )


def mapped_objects(kind, function, value):
    """`value` with function(object) for every object of that kind in its tuples, lists and dicts."""
    if isinstance(value, kind):
        return function(value)
    if isinstance(value, dict):
        return {key: mapped_objects(kind, function, each) for key, each in value.items()}
    return (
        type(value)(mapped_objects(kind, function, each) for each in value) if type(value) in (list, tuple) else value
    )


def _packed_signed(codes, width):
    """Bytes of signed codes; a tensor without negative codes must not be taken for unsigned ones."""
    return pack_codes(codes.astype(np.int16) & (2**width - 1), width)
