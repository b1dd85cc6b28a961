"""float32 arithmetic as the kernels do it: one rounding for each operation, and the fused multiply-add."""

from array_api_compat import array_namespace

from quantutils.affine import FLOAT32


def fl(value):
    """`value` (an array or a 0-d array) rounded to float32, the precision every kernel computes in."""
    xp = array_namespace(value)
    return xp.astype(value, xp.float32)


def double(value):
    """`value` as float64."""
    xp = array_namespace(value)
    return xp.astype(value, xp.float64)


def whole(value, like):
    """Whole numbers held as floats, as the int32 of a bias (saturated); in int64, so that sums do not wrap."""
    xp = array_namespace(like)
    return xp.astype(xp.clip(value, -(2.0**31), 2.0**31 - 1), xp.int64)


def rint(value):
    """The nearest whole number, ties to even."""
    return array_namespace(value).round(value)


def rint_int32(value):
    """`rint` as the processor converts to 32-bit integers: what does not fit becomes −2³¹, even from above."""
    xp = array_namespace(value)
    if 0 in value.shape or float(xp.max(value)) < 2.0**31:  # nearly always, and where() takes longer than all the rest
        return rint(value)
    return xp.where(value >= 2.0**31, xp.full_like(value, -(2.0**31)), rint(value))


def fma(a, b, c):
    """a·b + c of float32 arrays, rounded once, as the processor's fused multiply-add does it.

    >>> import numpy as np
    >>> a, c = np.float32(1 + 2**-12), np.float32(-1)
    >>> float(fma(a, a, c)) == 2**-11 + 2**-24, float(a * a + c) == 2**-11
    (True, True)
    """
    xp = array_namespace(a)
    product, c = double(a) * double(b), double(c)  # 24 bits times 24 bits fit float64 exactly
    total = xp.asarray(product + c)
    nearest = xp.asarray(fl(total))
    # Only halfway between two float32 numbers may the rounding of the sum to float64 have misled the second one.
    unsure = (total.view(xp.int64) & 0x1FFFFFFF == 0x10000000) | (abs(nearest) <= FLOAT32.tiny)
    if bool(xp.any(unsure)):
        product, c = (xp.broadcast_to(part, total.shape)[unsure] for part in (product, c))
        nearest[unsure] = _decided(total[unsure], nearest[unsure], product, c)
    return nearest


def _decided(total, nearest, product, c):
    """`nearest`, or the float32 number beside it where total lies halfway between the two and is not the exact sum."""
    xp = array_namespace(total)
    grown = total - product
    lost = (product - (total - grown)) + (c - grown)  # what rounding the sum to float64 took away (Knuth's two-sum)
    other = fl(2 * total - double(nearest))
    halfway = (double(nearest) + double(other) == 2 * total) & (lost != 0)
    upper, lower = xp.maximum(nearest, other), xp.minimum(nearest, other)
    return xp.where(halfway, xp.where(lost > 0, upper, lower), nearest)


def inverted(scale):
    """fl(1 / scale): oneDNN is handed reciprocals of scales."""
    return fl(1.0 / scale)


def inverted_twice(scale):
    """1 / fl(1 / scale) in float32: the scale that oneDNN recovers from the reciprocal, sometimes a bit off."""
    return inverted(inverted(scale))
