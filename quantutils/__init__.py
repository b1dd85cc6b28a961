"""What the lessons of the quantization course share; brings neither torch nor matplotlib.

Each file imports only what stands before it: arrays and checks (what a function takes), affine (the mapping), errors
(what it costs), histogram and observers (which range), matmul (the integer product), packing (codes in bytes), formats
(of others), kernels (production's rounding), nn (layers), workflow (whole models), course (what makes lessons of it).
Which file belongs to which lesson stands at the end.
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

# The file to open after each lesson: what it built by hand, with its checks.
FILE_OF_LESSON = {
    "00": "affine.py",
    "01": "packing.py",
    "02": "affine.py",
    "03": "observers.py",
    "04": "matmul.py",
    "05": "course/decisions.py",
    "06": "nn/dynamic.py",
    "07": "nn/static.py",
    "08": "nn/fake.py",
    "09": "nn/gptq.py",
}
