"""What the lessons of the quantization course share; brings neither torch nor matplotlib.

The chapters, each importing only those before it: affine (the mapping), errors (what it costs),
observers (which range), matmul (the integer product), packing (codes in bytes), plots, explore, exercises.
"""

from quantutils.affine import QParams, choose_qparams, code_limits
from quantutils.errors import CodeUsage, code_usage, error_parts, max_abs_error, mse, product_sqnr_db, sqnr_db
from quantutils.matmul import (
    FixedPointMultiplier,
    OperationCount,
    ProductTerms,
    fixed_point_multiplier,
    integer_matmul,
    largest_safe_k,
    operation_count,
    product_terms,
    quantized_matmul,
    requantize,
)
from quantutils.observers import MSE, MinMax, MovingAverageMinMax, Percentile
from quantutils.packing import pack_codes, unpack_codes, weight_bytes

__all__ = [
    "MSE",
    "CodeUsage",
    "FixedPointMultiplier",
    "MinMax",
    "MovingAverageMinMax",
    "OperationCount",
    "Percentile",
    "ProductTerms",
    "QParams",
    "choose_qparams",
    "code_limits",
    "code_usage",
    "error_parts",
    "fixed_point_multiplier",
    "integer_matmul",
    "largest_safe_k",
    "max_abs_error",
    "mse",
    "operation_count",
    "pack_codes",
    "product_sqnr_db",
    "product_terms",
    "quantized_matmul",
    "requantize",
    "sqnr_db",
    "unpack_codes",
    "weight_bytes",
]
