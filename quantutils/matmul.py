"""The matrix product in integers: zero points expanded, scales pulled out, the result mapped to codes again.

Jacob et al. 2018, sections 2.2 and 2.3 (equations 3 to 8). With a = sa·(qa − za) and b = sb·(qb − zb):

    Σ a·b = sa·sb · ( Σ qa·qb  −  zb·Σ qa  −  za·Σ qb  +  K·za·zb )

The first sum is the integer product, the second and third are row and column sums, the fourth is a constant.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from array_api_compat import array_namespace, device

from quantutils.affine import need_qparams
from quantutils.arrays import as_array, code_array, real_array, real_numbers, same_library
from quantutils.checks import flag, whole_number

INT32_MAX = 2**31 - 1


def largest_safe_k(max_abs_a, max_abs_b):
    """The longest sum of products of codes that an int32 accumulator holds for certain: ⌊(2³¹ − 1) / (|a|·|b|)⌋.

    max_abs_a, max_abs_b: largest magnitudes of the codes, at least 1. Raises TypeError or ValueError otherwise.

    >>> largest_safe_k(255, 127)
    66311
    """
    return INT32_MAX // (whole_number(max_abs_a, "max_abs_a", 1) * whole_number(max_abs_b, "max_abs_b", 1))


def integer_matmul(qa, qb):
    """The exact product of two code matrices, int32.

    qa: codes (…, M, K); qb: codes (…, K, N); both NumPy or both torch. Returns int32 codes' products (…, M, N).
    Raises ValueError where K·max|qa|·max|qb| > 2³¹ − 1, since an int32 accumulator could then
    overflow, and for shapes that do not multiply; TypeError for codes that are not integers.

    >>> integer_matmul(np.full((1, 100), 64, np.int8), np.full((100, 1), 100, np.int8))
    array([[640000]], dtype=int32)
    """
    qa, xp = code_array(qa, "qa")
    qb, _ = code_array(qb, "qb")
    same_library(qa, qb, "qa", "qb")
    _check_shapes(tuple(qa.shape), tuple(qb.shape))
    k, peak_a, peak_b = qa.shape[-1], _max_abs(qa, xp), _max_abs(qb, xp)
    if k * peak_a * peak_b > INT32_MAX:
        raise ValueError(
            f"qa and qb have K = {k}; accepted: at most {largest_safe_k(peak_a, peak_b)} for codes up to"
            f" {peak_a} and {peak_b} in magnitude, or an int32 accumulator can overflow"
        )
    # float64 holds every partial sum exactly (below 2^53), and its product runs at BLAS speed, unlike NumPy's integers.
    product = xp.matmul(xp.astype(qa, xp.float64), xp.astype(qb, xp.float64))
    return xp.astype(product, xp.int32)


def _check_shapes(a_shape, b_shape):
    if len(a_shape) < 2:
        raise ValueError(f"qa has shape {a_shape}; accepted: (…, M, K)")
    if len(b_shape) < 2 or a_shape[-1] != b_shape[-2]:
        raise ValueError(f"qb has shape {b_shape}; accepted: (…, K, N), where qa (…, M, K) has shape {a_shape}")
    try:
        np.broadcast_shapes(a_shape[:-2], b_shape[:-2])
    except ValueError:
        raise ValueError(
            f"qb has shape {b_shape}; accepted: axes before the last two that broadcast with those of qa, {a_shape}"
        ) from None


def _max_abs(q, xp):
    wide = xp.astype(q, xp.int64)
    return max(int(xp.max(wide)), -int(xp.min(wide))) if int(np.prod(q.shape)) else 0


class ProductTerms(NamedTuple):
    """The four terms of the expanded product, exact, that add up to Σ(qa−za)(qb−zb); each broadcasts to (…, M, N).

    product: Σ qa·qb. rows: −zb·Σ qa, one number a row. columns: −za·Σ qb, one a column. constant: K·za·zb.
    """

    product: object
    rows: object
    columns: object
    constant: object


def product_terms(qa, a_qparams, qb, b_qparams):
    """The four integer terms of the quantized product: a ProductTerms.

    qa: codes (…, M, K) of a_qparams, per-tensor or per-row (axis M); qb: codes (…, K, N) of b_qparams,
    per-tensor or per-column (axis N). Raises ValueError for codes outside the range, for scales
    along K (they cannot be pulled out of the sum) and for what `integer_matmul` refuses.
    """
    need_qparams(a_qparams, "a_qparams")
    need_qparams(b_qparams, "b_qparams")
    qa, xp = code_array(qa, "qa", a_qparams.qmin, a_qparams.qmax)
    qb, _ = code_array(qb, "qb", b_qparams.qmin, b_qparams.qmax)
    product = xp.astype(integer_matmul(qa, qb), xp.int64)
    za = _along_result(a_qparams, a_qparams.zero_point, qa, -2, "a_qparams", xp)
    zb = _along_result(b_qparams, b_qparams.zero_point, qb, -1, "b_qparams", xp)
    row_sums = xp.sum(xp.astype(qa, xp.int64), axis=-1, keepdims=True)
    column_sums = xp.sum(xp.astype(qb, xp.int64), axis=-2, keepdims=True)
    return ProductTerms(product, -zb * row_sums, -za * column_sums, qa.shape[-1] * za * zb)


def quantized_matmul(qa, a_qparams, qb, b_qparams):
    """The real-valued product of two quantized matrices, computed on their codes: sa·sb·Σ(qa−za)(qb−zb).

    Arguments and errors as `product_terms`. Returns float32 (…, M, N): the accumulator is exact, the
    scaling is done in float64 and rounded once.

    >>> from quantutils import QParams
    >>> a, b = QParams(0.5, 1, -128, 127), QParams(0.25, -2, -128, 127)
    >>> quantized_matmul(np.array([[3, 5]]), a, np.array([[2], [6]]), b)
    array([[5.]], dtype=float32)
    """
    terms = product_terms(qa, a_qparams, qb, b_qparams)
    accumulator = terms.product + terms.rows + terms.columns + terms.constant
    xp = array_namespace(accumulator)
    scale_a = _along_result(a_qparams, a_qparams.scale, as_array(qa, "qa"), -2, "a_qparams", xp)
    scale_b = _along_result(b_qparams, b_qparams.scale, as_array(qb, "qb"), -1, "b_qparams", xp)
    with np.errstate(over="ignore"):  # what leaves float32 is refused below
        product = xp.astype(xp.astype(accumulator, xp.float64) * scale_a * scale_b, xp.float32)
    return real_array(product, "the product at the scales of a_qparams and b_qparams")[0]


def _along_result(qparams, values, matrix, axis, name, xp):
    """scale or zero_point of one factor, shaped to broadcast against the (…, M, N) product."""
    if qparams.axis is None:
        return values
    if qparams.group_size is not None or qparams.axis not in (axis, matrix.ndim + axis):
        raise ValueError(
            f"{name} has axis {qparams.axis} and group_size {qparams.group_size}; accepted: per-tensor or one"
            f" scale along axis {axis}: a scale that changes along K cannot be pulled out of the sum"
        )
    if len(values) != matrix.shape[axis]:
        raise ValueError(f"{name} has {len(values)} scales; accepted: {matrix.shape[axis]}, one along axis {axis}")
    along = values.reshape(-1, 1) if axis == -2 else values.reshape(1, -1)
    return xp.asarray(np.array(along), device=device(matrix))


class FixedPointMultiplier(NamedTuple):
    """A positive real multiplier as integers: mantissa · 2^−shift, with 2³⁰ ≤ mantissa < 2³¹."""

    mantissa: int
    shift: int


def fixed_point_multiplier(multiplier):
    """`multiplier` as a 31-bit mantissa and a right shift: a FixedPointMultiplier, off by at most 2⁻³¹ of itself.

    multiplier: a real number, 2⁻³² ≤ multiplier < 2³⁰ (in a network it is sa·sb/s_out, nearly always below 1).
    Source: Jacob et al. 2018, equation 6. Raises TypeError for a non-number, ValueError outside that range.

    >>> fixed_point_multiplier(0.75)
    FixedPointMultiplier(mantissa=1610612736, shift=31)
    """
    value = real_numbers(multiplier, "multiplier")
    if value.ndim != 0 or not 2.0**-32 <= float(value) < 2.0**30:
        raise ValueError(f"multiplier is {multiplier!r}; accepted: one real number, 2⁻³² ≤ multiplier < 2³⁰")
    fraction, exponent = np.frexp(float(value))
    mantissa = round(float(fraction) * 2**31)
    if mantissa == 2**31:  # a fraction that rounds up to 1 would need a 32nd bit
        mantissa, exponent = 2**30, exponent + 1
    return FixedPointMultiplier(mantissa, 31 - int(exponent))


def requantize(accumulator, multiplier, out_qparams):
    """Codes of the output from int32 sums: clip(round(accumulator · multiplier) + zero_point, qmin, qmax).

    accumulator: integers of at most 32 bits, any shape. multiplier: sa·sb/s_out, a float (computed in
    float64, ties to even) or a FixedPointMultiplier (integers only: one product, one add, one shift; ties go
    up, as TFLite's single rounding does). out_qparams: per-tensor. Raises TypeError for an
    accumulator that is not integer, ValueError outside int32 or for a multiplier that is not positive and finite.

    >>> from quantutils import QParams
    >>> requantize(np.array([1000, -7]), 0.05, QParams(0.1, 3, -128, 127))
    array([53,  3], dtype=int8)
    """
    accumulator, xp = code_array(accumulator, "accumulator", -(2**31), INT32_MAX)
    need_qparams(out_qparams, "out_qparams")
    if out_qparams.axis is not None:
        raise ValueError(f"out_qparams has axis {out_qparams.axis}; accepted: per-tensor qparams")
    if isinstance(multiplier, FixedPointMultiplier):
        mantissa = whole_number(multiplier.mantissa, "multiplier.mantissa", 1, 2**31 - 1)
        shift = whole_number(multiplier.shift, "multiplier.shift", 0, 62)
        half = (1 << shift) >> 1
        steps = (xp.astype(accumulator, xp.int64) * mantissa + half) >> shift
    else:
        value = real_numbers(multiplier, "multiplier")
        if value.ndim != 0 or not value > 0:
            raise ValueError(f"multiplier is {multiplier!r}; accepted: one positive number")
        with np.errstate(over="ignore"):  # a product beyond float64 becomes inf; the clip brings it back
            steps = xp.round(xp.asarray(xp.astype(accumulator, xp.float64) * float(value)))
    codes = xp.clip(steps + out_qparams.zero_point, out_qparams.qmin, out_qparams.qmax)
    return xp.astype(xp.asarray(codes), getattr(xp, out_qparams.code_dtype))


@dataclass(frozen=True)
class OperationCount:
    """Operations of one (M, K) × (K, N) product, before (float) and after quantization.

    float_multiply_adds: the float product. integer_multiply_adds: the integer product; as many.
    row_sum_adds, column_sum_adds: Σqa and Σqb for the zero points. zero_point_multiplies: zb·Σqa, za·Σqb and K·za·zb.
    correction_adds: adding these terms to M·N results. rescale_multiplies: one by sa·sb for each result.
    """

    float_multiply_adds: int
    integer_multiply_adds: int
    row_sum_adds: int
    column_sum_adds: int
    zero_point_multiplies: int
    correction_adds: int
    rescale_multiplies: int

    @property
    def added(self):
        """Everything that quantization adds to the multiply-adds that stay."""
        sums = self.row_sum_adds + self.column_sum_adds
        return sums + self.zero_point_multiplies + self.correction_adds + self.rescale_multiplies


def operation_count(m, k, n, a_symmetric=False, b_symmetric=False):
    """Operations of an (m, k) × (k, n) product before and after quantization: an OperationCount.

    A symmetric factor has zero_point 0, so the term that its zero point multiplies drops out.
    Counted from the formula, not measured. Raises TypeError or ValueError unless m, k, n are whole and positive.

    >>> operation_count(64, 64, 64, a_symmetric=True, b_symmetric=True).added
    4096
    """
    m, k, n = (whole_number(size, name, 1) for size, name in ((m, "m"), (k, "k"), (n, "n")))
    a_shifted = not flag(a_symmetric, "a_symmetric")
    b_shifted = not flag(b_symmetric, "b_symmetric")
    terms = b_shifted + a_shifted + (a_shifted and b_shifted)
    return OperationCount(
        float_multiply_adds=m * k * n,
        integer_multiply_adds=m * k * n,
        row_sum_adds=m * (k - 1) if b_shifted else 0,
        column_sum_adds=n * (k - 1) if a_shifted else 0,
        zero_point_multiplies=m * b_shifted + n * a_shifted + 2 * (a_shifted and b_shifted),
        correction_adds=terms * m * n,
        rescale_multiplies=m * n,
    )
