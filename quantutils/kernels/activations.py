"""How each rule turns float activations into codes: which scale and zero point, and which of four roundings.

    DIV   rint(x / s) + z             onnx
    MUL   rint(x · fl(1/s)) + z       torchao
    FMA   rint(fma(x, fl(1/s), z))    fbgemm, qnnpack
    ADD   rint(fl(x · r) + z)         onednn, r = 1 / S', S' = 1 / fl(1/s)

On random data they disagree in a few elements per million, on halves between two codes in most of them.
"""

from typing import NamedTuple

import numpy as np
from array_api_compat import array_namespace, device

from quantutils.affine import FLOAT32
from quantutils.arrays import row_blocks
from quantutils.checks import real_number, whole_number
from quantutils.kernels.rounding import double, fl, fma, inverted, inverted_twice, rint

# Of torch's ChooseQuantizationParams: a smaller scale is raised to this one.
SMALLEST_TORCH_SCALE = np.float32(6.1e-5)


class Activations(NamedTuple):
    """Quantized activations: codes (uint8; torchao int8), scale (float64: one, or torchao one a row) and zero_point."""

    codes: object
    scale: object
    zero_point: int


def torch_range_qparams(low, high, levels=255):
    """(scale, zero_point) that torch picks for activations from low to high; scale is a double.

    levels: 255, or 127 with reduced range. Source: quant_utils::ChooseQuantizationParams in
    aten/src/ATen/native/quantized/cpu/QuantUtils.h: in double, except where it adjusts tiny ranges in float32.

    >>> torch_range_qparams(-1.0, 1.5, levels=250)
    (0.01, 100)
    """
    low, high, levels = _float32(low, "low"), _float32(high, "high"), whole_number(levels, "levels", 1, 2**16)
    low, high = min(low, np.float32(0)), max(high, np.float32(0))
    scale = (float(high) - float(low)) / levels
    with np.errstate(over="ignore", divide="ignore"):
        if np.float32(scale) == 0 or np.isinf(np.float32(1) / np.float32(scale)):
            scale = 0.1
    if scale < float(SMALLEST_TORCH_SCALE):
        grown = SMALLEST_TORCH_SCALE / np.float32(scale)
        scale = float(SMALLEST_TORCH_SCALE)
        if low == 0:
            high = SMALLEST_TORCH_SCALE * np.float32(levels)
        elif high == 0:
            low = -SMALLEST_TORCH_SCALE * np.float32(levels)
        else:
            low, high = low * grown, high * grown
    # The end whose terms are smaller gives the zero point.
    below, above = float(low) / scale, float(high) / scale
    zero_point = -below if -abs(below) < levels - abs(above) else levels - above
    return scale, int(np.rint(np.clip(zero_point, 0, levels)))


def _float32(value, name):
    accepted = f"a number from {-FLOAT32.max} to {FLOAT32.max}"
    return np.float32(real_number(value, name, accepted, lambda x: abs(x) <= float(FLOAT32.max)))


def _range(x, xp):
    return (float(xp.min(x)), float(xp.max(x))) if int(np.prod(x.shape)) else (0.0, 0.0)


def _scalar(value, x):
    return array_namespace(x).asarray(np.array(value, np.float64), device=device(x))


def _codes(steps, xp, dtype="uint8"):
    limits = np.iinfo(dtype)
    return xp.astype(xp.clip(steps, float(limits.min), float(limits.max)), getattr(xp, dtype))


def fbgemm(x, reduce_range):
    """fbgemm and x86: rule FMA. With reduce_range a scale for 127 steps; codes above 127 are kept, as fbgemm does."""
    xp = array_namespace(x)
    scale, zero_point = torch_range_qparams(*_range(x, xp), 127 if reduce_range else 255)
    scale = _scalar(scale, x)
    inverse, zero = inverted(fl(scale)), _scalar(zero_point, x)
    codes = xp.concat([_codes(rint(fma(x[part, ...], inverse, zero)), xp) for part in row_blocks(x)])
    return Activations(codes, scale, zero_point)


def qnnpack(x, reduce_range):
    """qnnpack: as fbgemm; it ignores reduce_range (and says so in a warning)."""
    return fbgemm(x, False)


def onednn(x, reduce_range):
    """onednn: as fbgemm, but the scale goes in as a reciprocal, and rule ADD."""
    xp = array_namespace(x)
    scale, zero_point = torch_range_qparams(*_range(x, xp), 127 if reduce_range else 255)
    scale = _scalar(scale, x)
    codes = rint(x * inverted(inverted_twice(scale)) + zero_point)
    return Activations(_codes(codes, xp), scale, zero_point)


def onnx(x, reduce_range=False):
    """ONNX DynamicQuantizeLinear (all in float32), rule DIV. Source: its definition in onnx/docs/Operators.md."""
    xp = array_namespace(x)
    low, high = (np.float32(end) for end in _range(x, xp))
    low, high = min(low, np.float32(0)), max(high, np.float32(0))
    if not float(high) - float(low) <= float(FLOAT32.max):
        raise ValueError(f"x goes from {low:g} to {high:g}; accepted: a width that float32 holds, up to {FLOAT32.max}")
    scale = (high - low) / np.float32(255) or np.float32(1)
    zero_point = int(np.rint(np.clip(-low / scale, 0, 255)))
    scale = _scalar(scale, x)
    return Activations(_codes(rint(x / fl(scale)) + zero_point, xp), scale, zero_point)


def torchao(x, reduce_range=False):
    """torchao Int8DynamicActivationInt8WeightConfig: a symmetric scale for each row, rule MUL. Codes −128 … 127.

    Source: choose_qparams_affine and quantize_affine in torchao/quantization/quant_primitives.py.
    """
    xp = array_namespace(x)
    peak = xp.max(xp.abs(x), axis=-1, keepdims=True) if x.shape[-1] else xp.zeros((*x.shape[:-1], 1), dtype=x.dtype)
    scale = xp.clip(peak / 127.5, float(np.finfo(np.float32).eps), None)
    return Activations(_codes(rint(x * inverted(scale)), xp, "int8"), double(scale), 0)
