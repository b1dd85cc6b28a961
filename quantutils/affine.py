"""The one formula of the course: q = clip(round(x / scale) + zero_point, qmin, qmax), x̂ = scale · (q − zero_point).

Jacob et al. 2018, "Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference", equation 1; rounding is half to even, as IEEE 754,
NumPy, torch and ONNX QuantizeLinear do it.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from array_api_compat import array_namespace, device

from quantutils.arrays import at_least_float32, clip, code_array, in_blocks, real_array, real_numbers
from quantutils.checks import flag, one_of, whole_number


def quantized(x, scale, zero_point, qmin, qmax, out=None):
    """q = clip(round(x / scale) + zero_point, qmin, qmax), a step a line: codes, in x's floating point dtype.

    x: real units. scale, zero_point: numbers, or arrays that broadcast against x. out: an array to work in.
    """
    xp = array_namespace(x)
    q = xp.divide(x, scale, out=out)
    xp.round(q, out=q)  # ties to even
    q += zero_point
    return clip(q, qmin, qmax, out=q)


def dequantized(q, scale, zero_point):
    """x̂ = scale · (q − zero_point), a step a line, in place: real units, in the floating point dtype that q has."""
    q -= zero_point
    q *= scale
    return q


FLOAT32 = np.finfo(np.float32)
SCALES = (
    f"at least {FLOAT32.tiny}, and the outermost code stands for at most {FLOAT32.max}"
    " (what float32 holds at full precision)"
)


def code_limits(bits=8, symmetric=False, signed=True, full_range=False):
    """The smallest and largest code, (qmin, qmax), of a `bits`-wide integer.

    Signed: −2^(b−1) … 2^(b−1)−1; symmetric gives up the lowest code unless `full_range`, so
    that every code has a negative. Unsigned: 0 … 2^b−1. Raises ValueError for bits outside 2 … 16.

    >>> code_limits(8), code_limits(8, symmetric=True), code_limits(4, signed=False)
    ((-128, 127), (-127, 127), (0, 15))
    """
    bits = whole_number(bits, "bits", 2, 16)
    symmetric, signed = flag(symmetric, "symmetric"), flag(signed, "signed")
    full_range = flag(full_range, "full_range")
    if not signed:
        return 0, 2**bits - 1
    qmax = 2 ** (bits - 1) - 1
    return (-qmax if symmetric and not full_range else -qmax - 1), qmax


@dataclass(frozen=True, eq=False)
class QParams:
    """How real numbers and codes correspond: the frozen parameters of one quantized array.

    scale: real units per code, positive; a number (per-tensor), an array of shape (channels,)
        with `axis` (per-channel), or the array's shape with axis n replaced by n / group_size (group-wise).
    zero_point: the code that stands for 0.0; same shape as scale; qmin ≤ zero_point ≤ qmax.
    qmin, qmax: the smallest and largest code, within 16 bits.
    axis: which axis of the array the scales run along; None for per-tensor.
    group_size: how many neighbours along `axis` share a scale; None for per-tensor and per-channel.

    Raises TypeError or ValueError, naming the argument, for anything else.

    >>> QParams(0.5, 10, 0, 255).quantize([-1.0, 0.0, 1.25])
    array([ 8, 10, 12], dtype=uint8)
    """

    scale: Any
    zero_point: Any
    qmin: int
    qmax: int
    axis: int | None = None
    group_size: int | None = None

    def __post_init__(self):
        put = object.__setattr__
        put(self, "qmin", whole_number(self.qmin, "qmin", -(2**15), 2**16 - 2))
        put(self, "qmax", whole_number(self.qmax, "qmax", self.qmin + 1, min(self.qmin + 2**16 - 1, 2**16 - 1)))
        scale = real_numbers(self.scale, "scale", allow_empty=False)
        # Copied, since it is frozen below and the caller's own array must stay writeable.
        zero_point = np.asarray(code_array(self.zero_point, "zero_point", self.qmin, self.qmax)[0]).astype(np.int64)
        if scale.shape != zero_point.shape:
            raise ValueError(f"zero_point has shape {zero_point.shape}; accepted: that of scale, {scale.shape}")
        if not np.all(_fits_float32(scale, zero_point, self.qmin, self.qmax)):
            raise ValueError(f"scale is {self.scale}; accepted: {SCALES}")
        self._check_layout(scale)
        scale.flags.writeable = zero_point.flags.writeable = False
        put(self, "scale", scale if scale.ndim else float(scale))
        put(self, "zero_point", zero_point if zero_point.ndim else int(zero_point))

    def _check_layout(self, scale):
        """Raise unless the shape of scale, axis and group_size describe one of the three granularities."""
        if self.axis is None:
            if scale.ndim != 0:
                raise ValueError(f"scale has shape {scale.shape} but axis is None; accepted: a number, or give axis")
            if self.group_size is not None:
                raise ValueError(f"group_size is {self.group_size} but axis is None; accepted: give axis as well")
            return
        object.__setattr__(self, "axis", whole_number(self.axis, "axis", -64, 63))
        if self.group_size is None:
            if scale.ndim != 1:
                raise ValueError(f"scale has shape {scale.shape}; accepted with axis={self.axis}: (channels,)")
            return
        object.__setattr__(self, "group_size", whole_number(self.group_size, "group_size", 1))
        if not -scale.ndim <= self.axis < scale.ndim:
            raise ValueError(f"axis is {self.axis}; accepted for a scale of shape {scale.shape}: one of its axes")

    def _key(self):
        scale, zero_point = np.asarray(self.scale), np.asarray(self.zero_point)
        return (scale.shape, scale.tobytes(), zero_point.tobytes(), self.qmin, self.qmax, self.axis, self.group_size)

    def __eq__(self, other):
        return self._key() == other._key() if isinstance(other, QParams) else NotImplemented

    def __hash__(self):
        return hash(self._key())

    @property
    def real_range(self):
        """The real numbers of the lowest and the highest code: (low, high), in real units.

        >>> QParams(0.5, 0, -127, 127).real_range
        (-63.5, 63.5)
        """
        return self.scale * (self.qmin - self.zero_point), self.scale * (self.qmax - self.zero_point)

    @property
    def code_dtype(self):
        """The narrowest of int8, uint8, int16, int32 that holds every code, by name."""
        for name in ("int8", "uint8", "int16"):
            if np.iinfo(name).min <= self.qmin and self.qmax <= np.iinfo(name).max:
                return name
        return "int32"

    def _along(self, x, xp, dtype, name="x"):
        """(scale, zero_point) as `dtype`, shaped to broadcast against `x`; numbers where there is one of each."""
        both = self.scale, self.zero_point
        if self.axis is None:
            return both
        shape = tuple(x.shape)
        if not -len(shape) <= self.axis < len(shape):
            raise ValueError(f"{name} has shape {shape}; accepted: one that has axis {self.axis}")
        like = shape if self.group_size is None else self.scale.shape
        axis = self.axis % len(like)
        along = len(self.scale) if self.group_size is None else like[axis] * self.group_size
        wanted = (*like[:axis], along, *like[axis + 1 :])
        if shape != wanted:
            raise ValueError(
                f"{name} has shape {shape}; accepted: {wanted} (scale {np.shape(self.scale)} along axis {self.axis}"
                + (f" in groups of {self.group_size})" if self.group_size else ")")
            )
        if self.group_size is None:
            spread = [values.reshape((1,) * axis + (-1,) + (1,) * (len(shape) - axis - 1)) for values in both]
        else:
            spread = [np.repeat(values, self.group_size, axis) for values in both]
        return tuple(xp.astype(xp.asarray(np.array(values), device=device(x)), dtype) for values in spread)

    def quantize(self, x):
        """Codes of `x`: clip(round(x / scale) + zero_point, qmin, qmax), ties to even.

        x: real units, any shape that fits axis and group_size. Computed in x's dtype (float32 for
        half types): rule DIV of ONNX QuantizeLinear. Returns codes of dtype `code_dtype`, in x's library.
        Raises TypeError for a dtype that is not real, ValueError for NaN, infinities or a shape that does not fit.

        >>> QParams(1.0, 0, -127, 127).quantize(np.array([0.5, 1.5, 2.5, 999.0]))
        array([  0,   2,   2, 127], dtype=int8)
        """
        x, xp = real_array(x, "x", look=False)

        def codes(block, scale, zero_point, out):
            return quantized(block, scale, zero_point, self.qmin, self.qmax, out)

        x = at_least_float32(x, xp)
        return in_blocks(codes, x, self._along(x, xp, x.dtype), getattr(xp, self.code_dtype))

    def dequantize(self, q, dtype="float32"):
        """Real numbers of codes: scale · (q − zero_point).

        q: codes of any integer dtype, qmin ≤ q ≤ qmax. dtype: "float32" (default) or "float64".
        Raises TypeError for codes that are not integers, ValueError for a code outside the range.

        >>> QParams(0.5, 10, 0, 255).dequantize(np.array([8, 10, 12]))
        array([-1.,  0.,  1.], dtype=float32)
        """
        q, xp = code_array(q, "q", self.qmin, self.qmax)
        real = getattr(xp, one_of(dtype, "dtype", ("float32", "float64")))
        return xp.asarray(dequantized(xp.astype(q, real), *self._along(q, xp, real, "q")))

    def fake_quantize(self, x):
        """The nearest representable real numbers, x̂ = dequantize(quantize(x)), in x's dtype.

        Raises what `quantize` raises.

        >>> QParams(0.25, 0, -127, 127).fake_quantize(np.array([0.3, -0.1]))
        array([0.25, 0.  ])
        """
        x, xp = real_array(x, "x", look=False)

        def rounded(block, scale, zero_point, out):
            return dequantized(quantized(block, scale, zero_point, self.qmin, self.qmax, out), scale, zero_point)

        wide = at_least_float32(x, xp)
        x_hat = in_blocks(rounded, wide, self._along(wide, xp, wide.dtype), wide.dtype)
        if wide is not x:
            # Half a step above float16's largest number is infinity; that number itself is nearer.
            largest = float(xp.finfo(x.dtype).max)
            x_hat = xp.clip(x_hat, -largest, largest)
        return xp.astype(x_hat, x.dtype, copy=False)


def choose_qparams(
    low, high, bits=8, symmetric=False, signed=True, *, axis=None, group_size=None, full_range=False, if_all_zero=None
):
    """The QParams that map the real range low … high onto all codes of a `bits`-wide integer.

    low, high: real units; numbers, or arrays of one shape (see QParams) with `axis` and `group_size`.
        The range is widened to contain 0, so that 0.0 has a code of its own.
    symmetric: zero_point 0 and scale = 2·max(|low|, |high|) / (qmax − qmin) (max / qmax when unsigned).
        Otherwise scale = (high − low) / (qmax − qmin), zero_point = round(qmin − low / scale).
    full_range: with symmetric and signed, use −2^(b−1) too (as torch.ao and torchao do: 127.5 steps a side).
    if_all_zero: the scale to use where low = high = 0 (an all-zero tensor or channel); None raises.

    Source: Jacob et al. 2018, section 2.1; Krishnamoorthi 2018, section 2.1 and 2.2.
    Raises ValueError for NaN, infinities, low > high, a range of no width or too narrow or too wide
    for a float32 scale, bits outside 2 … 16, unsigned symmetric with low < 0; TypeError for wrong types.

    >>> choose_qparams(0.0, 25.5, signed=False)
    QParams(scale=0.1, zero_point=0, qmin=0, qmax=255, axis=None, group_size=None)
    """
    qmin, qmax = code_limits(bits, symmetric, signed, full_range)
    low, high = real_numbers(low, "low", allow_empty=False), real_numbers(high, "high", allow_empty=False)
    if low.shape != high.shape:
        raise ValueError(f"high has shape {high.shape}; accepted: that of low, {low.shape}")
    if np.any(low > high):
        raise ValueError(f"low is {low} and high is {high}; accepted: low at most high")
    if symmetric and not signed and np.any(low < 0):
        raise ValueError(f"low is {low} with symmetric=True, signed=False; accepted: low ≥ 0, or signed=True")
    low, high = np.minimum(low, 0.0), np.maximum(high, 0.0)
    if symmetric:
        high = np.maximum(-low, high)
        low = -high if signed else np.zeros_like(high)
    with np.errstate(over="ignore"):  # a width beyond float64 becomes inf and is refused below
        scale = np.asarray((high - low) / (qmax - qmin))
    empty = low == high
    if if_all_zero is not None:
        scale = np.where(empty, _scale_of_zeros(if_all_zero), scale)
    elif np.any(empty):
        raise ValueError(
            f"low and high are both 0 in {int(np.sum(empty))} of {empty.size} ranges; accepted: a range with"
            " some width, or if_all_zero=1.0 to give all-zero data that scale"
        )
    zero_point = np.zeros(scale.shape, np.int64)
    if not symmetric:
        steps = low / np.maximum(scale, FLOAT32.tiny)  # a smaller scale is refused below
        zero_point = np.round(qmin - steps).astype(np.int64)
    if not np.all(_fits_float32(scale, zero_point, qmin, qmax)):
        raise ValueError(f"low is {low} and high is {high}: the scale would be {scale}; accepted: {SCALES}")
    return QParams(scale, zero_point, qmin, qmax, axis, group_size)


def need_qparams(value, name):
    """Raise TypeError unless `value` is a QParams."""
    if not isinstance(value, QParams):
        raise TypeError(f"{name} is {value!r}; accepted: a QParams, as choose_qparams returns it")


def per_tensor(qparams, name):
    """`qparams` if it is a QParams with one scale; TypeError or ValueError otherwise."""
    need_qparams(qparams, name)
    if qparams.axis is not None:
        raise ValueError(f"{name} has axis {qparams.axis}; accepted: per-tensor qparams")
    return qparams


def _scale_of_zeros(value):
    scale = real_numbers(value, "if_all_zero")
    if scale.ndim or not scale >= FLOAT32.tiny:
        raise ValueError(f"if_all_zero is {value!r}; accepted: one positive number, the scale of all-zero data")
    return scale


def _fits_float32(scale, zero_point, qmin, qmax):
    """Where float32 holds the scale at full precision and the real numbers of all its codes."""
    with np.errstate(over="ignore"):
        steps = np.maximum(qmax - zero_point, zero_point - qmin).astype(np.float32)
        return (scale >= FLOAT32.tiny) & np.isfinite(scale.astype(np.float32) * steps)
