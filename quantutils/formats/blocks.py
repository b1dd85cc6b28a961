"""Weights in blocks of 32, each with its float16 scale: formats Q8_0, Q4_0 and Q4_1 of llama.cpp, byte for byte.

Source: quantize_row_q8_0_ref, _q4_0_ref and _q4_1_ref in ggml/src/ggml-quants.c, and gguf/quants.py, which writes the
same bytes. All three compute in float32, round half away from zero (Q8_0) or half up (Q4), and multiply by 1 / scale
before the scale itself is rounded to float16: the codes are those of a slightly different scale than the stored one.
"""

from typing import NamedTuple

import numpy as np

from quantutils.arrays import as_array, dtype_name, real_array
from quantutils.checks import one_of

BLOCK = 32
FLOAT16_MAX = float(np.finfo(np.float16).max)


class BlockFormat(NamedTuple):
    """One format. block_bytes: bytes of 32 numbers. bits: of a code. fields: how many float16 numbers come first."""

    block_bytes: int
    bits: int
    fields: int


BLOCK_FORMATS = {"Q8_0": BlockFormat(34, 8, 1), "Q4_0": BlockFormat(18, 4, 1), "Q4_1": BlockFormat(20, 4, 2)}


def quantize_blocks(x, name):
    """The bytes of `x` in a block format: uint8 (…, columns / 32 · block_bytes).

    x: finite NumPy real numbers (…, columns), columns a multiple of 32; computed in float32. name: "Q8_0" (codes
    −127 … 127, scale max|x| / 127), "Q4_0" (codes 0 … 15 for −8 … 7, scale −1/8 of the largest in magnitude, sign kept)
    or "Q4_1" (codes 0 … 15, scale (max − min) / 15, and min stored too). Numbers whose reciprocal scale is beyond
    float32 get the code of 0: their stored scale is 0 as well. Raises TypeError or ValueError for other x, also where
    the scale or min is beyond float16, and for an unknown name.

    >>> quantize_blocks(np.arange(32.0), "Q8_0")[:6]
    array([208,  51,   0,   4,   8,  12], dtype=uint8)
    """
    found, x = _format(name), _numpy(x, "x")
    with np.errstate(over="ignore"):  # beyond float32 is beyond float16 too, and refused there
        x = real_array(x, "x")[0].astype(np.float32)
    if x.ndim == 0 or x.shape[-1] % BLOCK:
        raise ValueError(f"x has shape {x.shape}; accepted: (…, columns), columns a multiple of {BLOCK}")
    blocks = x.reshape(-1, BLOCK)  # (blocks, 32)
    with np.errstate(over="ignore", invalid="ignore"):
        stored, codes = {"Q8_0": _q8_0, "Q4_0": _q4_0, "Q4_1": _q4_1}[name](blocks)
    if stored.size and not np.abs(stored).max() <= FLOAT16_MAX:
        raise ValueError(f"x reaches {np.abs(x).max():g}; accepted: what gives a scale and min up to {FLOAT16_MAX:g}")
    written = [stored.astype("<f2").view(np.uint8), codes]
    return np.concatenate(written, axis=-1).reshape(*x.shape[:-1], x.shape[-1] // BLOCK * found.block_bytes)


def dequantize_blocks(data, name):
    """The real numbers of bytes in a block format: float32 (…, columns).

    data: uint8 (…, blocks · block_bytes), as `quantize_blocks` returns it. Q8_0: scale · code; Q4_0:
    scale · (code − 8); Q4_1: scale · code + min. Raises TypeError or ValueError for other data, also where a stored
    scale is not finite.

    >>> dequantize_blocks(quantize_blocks(np.arange(32.0), "Q4_1"), "Q4_1")[[0, 1, 31]]
    array([ 0.      ,  0.      , 30.996094], dtype=float32)
    """
    found, data = _format(name), _numpy(data, "data")
    if dtype_name(data) != "uint8":
        raise TypeError(f"data has dtype {dtype_name(data)}; accepted: uint8")
    if data.ndim == 0 or data.shape[-1] % found.block_bytes:
        raise ValueError(f"data has shape {data.shape}; accepted: (…, bytes), a multiple of {found.block_bytes}")
    blocks = data.reshape(-1, found.block_bytes)  # (blocks, bytes)
    start = 2 * found.fields
    stored = np.ascontiguousarray(blocks[:, :start]).view("<f2").astype(np.float32)
    if not np.isfinite(stored).all():
        raise ValueError("data holds an infinite or NaN scale; accepted: what quantize_blocks returns")
    codes = blocks[:, start:]
    if found.bits == 4:
        codes = np.concatenate([codes & 15, codes >> 4], axis=1)  # (blocks, 16) bytes to 32 codes
    steps = codes.view(np.int8) if name == "Q8_0" else codes.astype(np.int8) - 8 * (name == "Q4_0")
    x = stored[:, :1] * steps.astype(np.float32)
    if name == "Q4_1":
        x = x + stored[:, 1:]
    return x.reshape(*data.shape[:-1], data.shape[-1] // found.block_bytes * BLOCK)


def _q8_0(blocks):
    scale = np.abs(blocks).max(axis=1, keepdims=True) / np.float32(127)
    steps = blocks * _inverse(scale)
    whole = np.trunc(steps)
    codes = whole + np.trunc(2 * (steps - whole))  # half away from zero
    return scale, codes.astype(np.int8).view(np.uint8)


def _q4_0(blocks):
    farthest = np.abs(blocks).argmax(axis=1)[:, None]  # (blocks, 1)
    scale = np.take_along_axis(blocks, farthest, axis=1) / np.float32(-8)
    return scale, _nibbles(blocks * _inverse(scale) + np.float32(8.5))


def _q4_1(blocks):
    low, high = blocks.min(axis=1, keepdims=True), blocks.max(axis=1, keepdims=True)
    scale = (high - low) / np.float32(15)
    return np.concatenate([scale, low], axis=1), _nibbles((blocks - low) * _inverse(scale) + np.float32(0.5))


def _inverse(scale):
    """1 / scale in float32, and 0 where that is no number."""
    inverse = 1 / np.where(scale == 0, np.float32(np.inf), scale)
    return np.where(np.isfinite(inverse), inverse, np.float32(0))


def _nibbles(steps):
    """Truncated codes, two a byte: the first half of the block low, the second half high."""
    codes = np.clip(np.nan_to_num(np.trunc(steps)), 0, 15).astype(np.uint8)
    return codes[:, : BLOCK // 2] | codes[:, BLOCK // 2 :] << 4


def _format(name):
    return BLOCK_FORMATS[one_of(name, "name", BLOCK_FORMATS)]


def _numpy(values, name):
    array = as_array(values, name)
    if not isinstance(array, (np.ndarray, np.generic)):
        raise TypeError(f"{name} is a {type(values).__name__}; accepted: a NumPy array")
    return np.asarray(array)
