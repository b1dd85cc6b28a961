"""The integer product of a layer: torch's own int8 kernel where it is exact, an exact fallback where it is not."""

from functools import cache

import torch

from quantutils.checks import instance, whole_number
from quantutils.matmul import INT32_MAX, integer_matmul

LONGEST_INT8 = 2**31 // 2**14 - 1  # the longest sum of products of int8 codes that int32 holds


@cache
def int_mm_is_exact():
    """Whether `torch._int_mm` multiplies int8 exactly on this processor; asked once, by trying.

    Without VNNI or AMX instructions oneDNN adds pairs of products up in 16 bits, which saturate silently
    (torch 2.13, CPU), so large codes give wrong sums. What is tried are the largest codes, at shapes of three kernels.
    """
    for rows, k, n in ((1, 256, 64), (33, 100, 17), (64, 768, 512)):
        for x_code, weight_code in ((127, 127), (-128, 127), (-128, -128)):
            x = torch.full((rows, k), x_code, dtype=torch.int8)
            weight = torch.full((n, k), weight_code, dtype=torch.int8)
            if not bool((torch._int_mm(x, weight.T) == k * x_code * weight_code).all()):
                return False
    return True


def integer_product(x_codes, weight_codes):
    """Σ qx·qw, exact, int32: (rows, K) by (N, K) to (rows, N).

    x_codes: int8 or uint8; weight_codes: int8. `torch._int_mm` takes int8 by int8; it gives wrong numbers for K = 1
    (torch 2.13, CPU) and on some processors (see `int_mm_is_exact`), so these, unsigned codes and empty
    batches go through `integer_matmul`. Raises ValueError where int32 could overflow.
    """
    _check_codes(x_codes, weight_codes)
    transposed = weight_codes.T  # (K, channels)
    rows, k = x_codes.shape
    both_signed = x_codes.dtype == torch.int8 and weight_codes.dtype == torch.int8
    if both_signed and rows and 1 < k <= LONGEST_INT8 and int_mm_is_exact():
        return torch._int_mm(x_codes, transposed)
    return integer_matmul(x_codes, transposed)


def centred_product(x_codes, zero_point, weight_codes, sums=None):
    """Σ (qx − zx)·qw, exact: (rows, K) by (N, K) to (rows, N); int32, or int64 where int32 might not hold it.

    x_codes: int8, or uint8, which is shifted by 128 into int8 so that the fast kernel serves.
    zero_point: a number, or (rows, 1). sums: Σ qw of each output, int32 (N,), where it is known already.
    """
    _check_codes(x_codes, weight_codes)
    if not isinstance(zero_point, torch.Tensor):
        zero_point = whole_number(zero_point, "zero_point", -(2**15), 2**15 - 1)
    elif zero_point.dtype.is_floating_point or zero_point.dtype.is_complex or zero_point.dtype == torch.bool:
        raise TypeError(f"zero_point has dtype {zero_point.dtype}; accepted: integers")
    elif zero_point.shape != (len(x_codes), 1):
        raise ValueError(f"zero_point has shape {tuple(zero_point.shape)}; accepted: a number or ({len(x_codes)}, 1)")
    per_row = isinstance(zero_point, torch.Tensor)
    if per_row:
        zero_point = zero_point.to(torch.int64)
    if x_codes.dtype == torch.uint8:
        # Flipping the top bit takes 128 away, read as int8.
        x_codes, zero_point = (x_codes ^ 128).view(torch.int8), zero_point - 128
    if not per_row and zero_point == 0:
        return integer_product(x_codes, weight_codes)
    if sums is None:  # a row of ones more gives the sums of the weights, in the same pass over them
        product = integer_product(torch.cat([x_codes, x_codes.new_ones((1, x_codes.shape[1]))]), weight_codes)
        product, sums = product[:-1], product[-1]
    else:
        product = integer_product(x_codes, weight_codes)
    farthest = max(map(abs, zero_point.flatten().tolist()), default=0) if per_row else abs(zero_point)
    return _centred(product, zero_point, sums, x_codes.shape[1] * (128 + farthest), weight_codes.dtype)


def product_of_int8(x_codes, zero_point, weight_codes, sums):
    """`centred_product` of int8 codes that were checked where a layer was made, |zero_point| at most 256."""
    rows, k = x_codes.shape
    if not (rows and 1 < k <= LONGEST_INT8 and int_mm_is_exact()):
        if isinstance(zero_point, torch.Tensor):  # whole numbers, held as floats where they are computed
            zero_point = zero_point.to(torch.int32) if zero_point.ndim else int(zero_point)
        return centred_product(x_codes, zero_point, weight_codes, sums)
    return _centred(torch._int_mm(x_codes, weight_codes.T), zero_point, sums, k * (128 + 256), torch.int8)


def _centred(product, zero_point, sums, reach, dtype):
    """product − zero_point · sums; reach: K times the largest magnitude of a centred code of the activations."""
    if reach * (128 if dtype == torch.int8 else 255) > INT32_MAX:
        return product.to(torch.int64) - zero_point * sums.to(torch.int64)
    if isinstance(zero_point, torch.Tensor):
        return product.addcmul_(zero_point.to(torch.int32), sums, value=-1)
    return product.sub_(sums, alpha=zero_point) if zero_point else product


def _check_codes(x_codes, weight_codes):
    """Raise TypeError or ValueError unless these are codes that multiply."""
    for codes, name, layout in ((x_codes, "x_codes", "(rows, K)"), (weight_codes, "weight_codes", "(N, K)")):
        if instance(codes, torch.Tensor, name).dtype not in (torch.int8, torch.uint8):
            raise TypeError(f"{name} has dtype {codes.dtype}; accepted: int8 or uint8")
        if codes.ndim != 2:
            raise ValueError(f"{name} has shape {tuple(codes.shape)}; accepted: {layout}")
    if x_codes.shape[1] != weight_codes.shape[1]:
        raise ValueError(
            f"weight_codes has shape {tuple(weight_codes.shape)}; accepted: (N, {x_codes.shape[1]}), the K of x_codes"
        )
