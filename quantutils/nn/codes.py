"""Integers that travel between layers, with the parameters that say what they mean."""

import torch

from quantutils.affine import need_qparams
from quantutils.checks import instance

# Functions that move numbers about without computing with them, so that codes may go through as they are.
MOVES = ("flatten", "reshape", "view", "transpose", "permute", "squeeze", "unsqueeze", "contiguous", "chunk", "split")
MOVING_FUNCTIONS = {
    getattr(torch, name) for name in (*MOVES, "narrow", "index_select", "movedim") if hasattr(torch, name)
}


class Codes:
    """A quantized activation: integer codes and their per-tensor QParams, handed from layer to layer.

    codes: uint8 or int8 tensor. dequantize(): float32. ReLU, max pooling and functions that only move numbers act on
    the codes; every other torch function sees the dequantized floats, so a layer without an integer form still works.
    """

    def __init__(self, codes, qparams):
        need_qparams(qparams, "qparams")
        if qparams.axis is not None:
            raise ValueError(f"qparams has axis {qparams.axis}; accepted: per-tensor, for activations")
        if not isinstance(codes, torch.Tensor) or codes.dtype not in (torch.uint8, torch.int8):
            raise TypeError(f"codes is {type(codes).__name__}; accepted: a uint8 or int8 torch tensor")
        if qparams.qmin < torch.iinfo(codes.dtype).min or qparams.qmax > torch.iinfo(codes.dtype).max:
            raise ValueError(
                f"qparams has codes {qparams.qmin} to {qparams.qmax}; accepted: those of {codes.dtype}, which codes has"
            )
        self.codes, self.qparams = codes, qparams

    @classmethod
    def of(cls, x, qparams):
        """The Codes of a float tensor."""
        need_qparams(qparams, "qparams")
        return cls(qparams.quantize(instance(x, torch.Tensor, "x")), qparams)

    def dequantize(self):
        """float32: scale · (code − zero_point)."""
        return self.qparams.dequantize(self.codes)

    def relu(self):
        """Codes below the zero point become the zero point: exactly max(x̂, 0)."""
        return Codes(self.codes.clamp(min=self.qparams.zero_point), self.qparams)

    def __repr__(self):
        return f"Codes(shape={tuple(self.codes.shape)}, {self.qparams})"

    @property
    def shape(self):
        """Shape of the tensor."""
        return self.codes.shape

    @property
    def dtype(self):
        """The dtype that other layers see: float32."""
        return torch.float32

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        """Called by torch for any function that gets Codes: integers where it is exact, floats elsewhere."""
        kwargs = kwargs or {}
        first = args[0] if args else None
        if isinstance(first, Codes):
            if func in (torch.relu, torch.nn.functional.relu):
                return first.relu()
            if func is torch.nn.functional.max_pool2d or func is torch.max_pool2d:
                # Pooling that returns indices is another function of torch, which sees floats.
                pooled = func(first.codes.to(torch.float32), *args[1:], **kwargs)
                return Codes(pooled.to(first.codes.dtype), first.qparams)
            if func in MOVING_FUNCTIONS:
                return _with_codes(func(first.codes, *args[1:], **kwargs), first.qparams)
        return func(*map(as_float, args), **{name: as_float(value) for name, value in kwargs.items()})

    def __getattr__(self, name):
        """Methods of a tensor: moves act on the codes, all else on the floats."""
        if name.startswith("__"):
            raise AttributeError(name)
        if name in MOVES:
            move = getattr(self.codes, name)
            return lambda *args, **kwargs: _with_codes(move(*args, **kwargs), self.qparams)
        return getattr(self.dequantize(), name)

    def __getitem__(self, index):
        return Codes(self.codes[index], self.qparams)

    def __len__(self):
        return len(self.codes)


def _arithmetic(name):
    def method(self, *others):
        return getattr(self.dequantize(), name)(*map(as_float, others))

    return method


# Without comparisons == would ask whether two objects are one, and a mask of zeros would be no mask.
OPERATORS = "add radd sub rsub mul rmul truediv rtruediv matmul rmatmul pow neg eq ne lt le gt ge"
for _name in OPERATORS.split():
    setattr(Codes, f"__{_name}__", _arithmetic(f"__{_name}__"))


def _with_codes(moved, qparams):
    if isinstance(moved, (tuple, list)):
        return type(moved)(Codes(part, qparams) for part in moved)
    return Codes(moved, qparams)


def as_float(value):
    """`value` with every Codes in it dequantized; tuples, lists and dicts are gone through.

    >>> from quantutils import QParams
    >>> as_float((Codes(torch.tensor([10], dtype=torch.uint8), QParams(0.5, 8, 0, 255)), 3))
    (tensor([1.]), 3)
    """
    if isinstance(value, Codes):
        return value.dequantize()
    if isinstance(value, (tuple, list)):
        return type(value)(map(as_float, value))
    if isinstance(value, dict):
        return {key: as_float(each) for key, each in value.items()}
    return value
