"""The integer product of a layer: torch's own int8 kernel where it serves, an exact fallback where it does not."""

import torch

from quantutils.matmul import integer_matmul


def integer_product(x_codes, weight_codes):
    """Σ qx·qw, exact, int32: (rows, K) by (N, K) to (rows, N).

    x_codes: int8 or uint8; weight_codes: int8. `torch._int_mm` takes int8 by int8; it gives wrong numbers for K = 1
    (torch 2.13, CPU) and refuses nothing, so sums of one product, unsigned codes and empty
    batches go through `integer_matmul`. Raises ValueError where int32 could overflow.
    """
    transposed = weight_codes.T
    rows, k = x_codes.shape
    if x_codes.dtype == torch.int8 and weight_codes.dtype == torch.int8 and 1 < k <= 2**31 // 2**14 - 1 and rows:
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
