"""Floating-point numbers of 8 and 4 bits: every value one can hold, and the nearest one to any real number.

Integers spread their codes evenly; these put half of them near zero and let each power of two have as many as the next.
Sources: Micikevicius et al. 2022, "FP8 Formats for Deep Learning" (e4m3fn, e5m2); Noune et al. 2022, "8-bit Numerical
Formats for Deep Neural Networks" (fnuz); OCP Microscaling Formats 1.0, section 5.3 (e2m1); ONNX Cast for saturation.
"""

from dataclasses import dataclass

import numpy as np

from quantutils.affine import FLOAT32
from quantutils.arrays import as_array, code_array, dtype_name, real_array, real_numbers
from quantutils.checks import flag, one_of, whole_number

SPECIALS = ("ieee", "all ones", "negative zero", "none")
FLOATS = ("float16", "float32", "float64")


@dataclass(frozen=True)
class FloatFormat:
    """One format: a sign bit, then exponent_bits, then mantissa_bits; its codes are bytes, uint8.

    bias: what is taken off the exponent. specials: which codes are no finite number: "ieee" (the highest exponent is
    infinity and NaN), "all ones" (one NaN a sign), "negative zero" (that one code is NaN) or "none".
    FLOAT_FORMATS holds those in use, by name. Raises TypeError or ValueError for more than 8 bits in all.

    >>> e2m1 = FLOAT_FORMATS["e2m1"]
    >>> e2m1.values[:8].tolist(), e2m1.encode([2.4, 2.5, -7.0]).tolist()
    ([0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0], [4, 4, 15])
    """

    name: str
    exponent_bits: int
    mantissa_bits: int
    bias: int
    specials: str

    def __post_init__(self):
        whole_number(self.exponent_bits, "exponent_bits", 1, 6)
        whole_number(self.mantissa_bits, "mantissa_bits", 1, 7 - self.exponent_bits)
        whole_number(self.bias, "bias", -63, 63)
        one_of(self.specials, "specials", SPECIALS)

    @property
    def bits(self):
        """Width of a code."""
        return 1 + self.exponent_bits + self.mantissa_bits

    @property
    def largest(self):
        """The largest finite number."""
        return float(self._magnitude(self._finite - 1))

    @property
    def values(self):
        """The number of every code, float32 (2^bits,); NaN and infinity where the format has them."""
        half = 2 ** (self.bits - 1)
        positive = self._magnitude(np.arange(half))
        positive[self._finite :] = np.nan
        if self.specials == "ieee":
            positive[self._finite] = np.inf
        both = np.concatenate([positive, -positive])
        if self.specials == "negative zero":
            both[half] = np.nan
        return both.astype(np.float32)

    @property
    def _finite(self):
        """How many codes, counted up from that of 0, are finite numbers: these grow with their code."""
        beyond = {"ieee": 2**self.mantissa_bits, "all ones": 1}.get(self.specials, 0)
        return 2 ** (self.bits - 1) - beyond

    def _magnitude(self, code):
        """What a code without sign would be worth if none were special, float64."""
        exponent, mantissa = np.divmod(code, 2**self.mantissa_bits)
        hidden = np.where(exponent > 0, 2**self.mantissa_bits, 0)  # below the lowest exponent numbers are evenly spread
        return np.ldexp(1.0 * (hidden + mantissa), np.maximum(exponent, 1) - self.bias - self.mantissa_bits)

    def encode(self, x, saturate=True):
        """Codes of the nearest numbers, ties to the even code: what ONNX calls Cast; uint8, x's shape.

        x: NumPy float16, float32 or float64, infinities and NaN included. saturate: what lies beyond the largest number
        becomes that number; otherwise infinity, or NaN where the format has no infinity. Raises TypeError for other x,
        ValueError for a NaN, or for saturate=False, where the format has no code for it.
        """
        x = _floats(x, "x")
        if self.specials == "none" and not flag(saturate, "saturate"):
            raise ValueError(f"saturate is False; accepted for {self.name}: True, it has neither infinity nor NaN")
        missing = np.isnan(x)
        if self.specials == "none" and missing.any():
            raise ValueError(f"x holds {int(missing.sum())} NaN; accepted for {self.name}: numbers, it has no NaN")
        count = self._finite
        ascending = self._magnitude(np.arange(count + 1))  # one more: where the next would lie is where overflow begins
        middles = (ascending[:-1] + ascending[1:]) / 2
        magnitude = np.where(missing, 0, np.abs(x.astype(np.float64)))
        codes = np.searchsorted(middles, magnitude)
        tie = magnitude == middles[np.minimum(codes, count - 1)]
        codes += tie & (codes % 2 == 1)
        if flag(saturate, "saturate"):
            codes = np.minimum(codes, count - 1)
        sign = np.signbit(x) * 2 ** (self.bits - 1)
        if self.specials == "negative zero":
            sign = np.where(codes > 0, sign, 0)
            return np.where(missing | (codes == count), 2 ** (self.bits - 1), codes + sign).astype(np.uint8)
        quiet_nan = count + 2 ** (self.mantissa_bits - 1) if self.specials == "ieee" else count
        return (np.where(missing, quiet_nan, codes) + sign).astype(np.uint8)

    def decode(self, codes):
        """The numbers of codes, float32. codes: NumPy integers, 0 … 2^bits − 1. Raises TypeError or ValueError."""
        return self.values[_codes(codes, 2**self.bits - 1)]

    def quantize(self, x, scale):
        """Codes of x / scale, saturating: ONNX QuantizeLinear to a float type; uint8, x's shape.

        x: finite NumPy real numbers. scale: real units per 1.0, positive, a number or an array that broadcasts to x's
        shape: (channels, 1), say. Divided in x's dtype, at least float32. Raises TypeError or ValueError otherwise.

        >>> FLOAT_FORMATS["e4m3fn"].decode(FLOAT_FORMATS["e4m3fn"].quantize([0.3, 1e6], 2.0))
        array([1.5625e-01, 4.4800e+02], dtype=float32)
        """
        x = real_array(_floats(x, "x"), "x")[0]
        x = x if dtype_name(x) == "float64" else x.astype(np.float32)
        with np.errstate(over="ignore"):  # beyond float32 is beyond the largest number too
            # + 0: ONNX adds a zero point, always 0 here, which makes a −0 of x a 0.
            return self.encode(np.asarray(x / _scales(scale, x.shape, "x").astype(x.dtype) + 0))

    def dequantize(self, codes, scale):
        """Real numbers of codes, scale · number: float32. scale as for `quantize`.

        Raises TypeError or ValueError, also where a code is NaN or infinity or the product is beyond float32.
        """
        numbers = self.decode(codes)
        if not np.isfinite(numbers).all():
            raise ValueError(f"codes holds infinities or NaN of {self.name}; accepted: codes of finite numbers")
        scale = _scales(scale, numbers.shape, "codes").astype(np.float32)
        if np.any(scale.astype(np.float64) * np.abs(numbers) > FLOAT32.max):
            raise ValueError(f"scale reaches {scale.max()}; accepted: such that scale · number fits float32")
        return np.asarray(numbers * scale)


def _floats(x, name):
    x = as_array(x, name)
    if not isinstance(x, np.ndarray) and not isinstance(x, np.generic):
        raise TypeError(f"{name} is a {type(x).__name__}; accepted: a NumPy array of real numbers")
    if dtype_name(x) not in FLOATS:
        raise TypeError(f"{name} has dtype {dtype_name(x)}; accepted: real numbers ({', '.join(FLOATS)})")
    return np.asarray(x)


def _codes(codes, top):
    codes = code_array(codes, "codes", 0, top)[0]
    if not isinstance(codes, np.ndarray) and not isinstance(codes, np.generic):
        raise TypeError(f"codes is a {type(codes).__name__}; accepted: a NumPy array of integers")
    return codes


def _scales(scale, shape, name):
    scale = real_numbers(scale, "scale", allow_empty=False)
    if not np.all((scale >= FLOAT32.tiny) & (scale <= FLOAT32.max)):
        raise ValueError(f"scale is {scale}; accepted: {FLOAT32.tiny} to {FLOAT32.max}")
    try:
        fits = np.broadcast_shapes(scale.shape, shape) == shape
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(f"scale has shape {scale.shape}; accepted: one that broadcasts to that of {name}, {shape}")
    return scale


FLOAT_FORMATS = {
    made.name: made
    for made in (
        FloatFormat("e4m3fn", 4, 3, 7, "all ones"),
        FloatFormat("e5m2", 5, 2, 15, "ieee"),
        FloatFormat("e4m3fnuz", 4, 3, 8, "negative zero"),
        FloatFormat("e5m2fnuz", 5, 2, 16, "negative zero"),
        FloatFormat("e4m3b11fnuz", 4, 3, 11, "negative zero"),
        FloatFormat("e2m1", 2, 1, 1, "none"),
    )
}
