"""The integer product of a layer: torch's own int8 kernel where it is exact, an exact fallback where it is not."""

from functools import cache

import torch

from quantutils.matmul import integer_matmul


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
    transposed = weight_codes.T
    rows, k = x_codes.shape
    both_signed = x_codes.dtype == torch.int8 and weight_codes.dtype == torch.int8
    if both_signed and rows and 1 < k <= 2**31 // 2**14 - 1 and int_mm_is_exact():
        return torch._int_mm(x_codes, transposed)
    return integer_matmul(x_codes, transposed)


def centred_product(x_codes, zero_point, weight_codes):
    """Σ (qx − zx)·qw, exact, int64: (rows, K) by (N, K) to (rows, N).

    x_codes: int8, or uint8, which is shifted by 128 into int8 so that the fast kernel serves.
    zero_point: a number, or (rows, 1).
    """
    if x_codes.dtype == torch.uint8:
        x_codes, zero_point = (x_codes.to(torch.int16) - 128).to(torch.int8), zero_point - 128
    sums = weight_codes.sum(dim=1, dtype=torch.int64)
    return integer_product(x_codes, weight_codes).to(torch.int64) - zero_point * sums
