"""Integer linear layers, dynamic and static, by any of the named rules."""

import math

import numpy as np
from array_api_compat import array_namespace

from quantutils.arrays import CACHE_BLOCK, real_array, row_blocks
from quantutils.checks import flag
from quantutils.kernels import arguments
from quantutils.kernels.rules import find_rule, onednn_path
from quantutils.matmul import integer_matmul, largest_safe_k

LONGEST_FAST_K = largest_safe_k(255, 128)  # int32 holds any sum of so many products of codes


def quantize_activations(x, rule, reduce_range=None):
    """What a dynamic kernel computes from `x` (…, K) at every call: Activations (codes, scale, zero_point).

    Arguments and errors as `linear_dynamic`.

    >>> import numpy as np
    >>> quantize_activations(np.array([[0.0, 2.55, 1.0]]), rule="qnnpack").codes
    array([[  0, 255, 100]], dtype=uint8)
    """
    found = find_rule(rule, lambda: "onednn_vnni")  # both of oneDNN's make the same codes
    x, _ = real_array(x, "x")
    if x.ndim < 1:
        raise ValueError("x has shape (); accepted: (…, K)")
    if reduce_range is None:
        return found.activations(arguments.float32_numbers(x, "x"), found.reduce_range)
    if flag(reduce_range, "reduce_range") and found.reduce_range is None:
        raise ValueError(f"reduce_range is True; accepted with rule {rule!r}: None or False, it has no such option")
    return found.activations(arguments.float32_numbers(x, "x"), reduce_range)


def linear_dynamic(x, weight_codes, weight_scale, bias=None, *, rule, reduce_range=None):
    """x · Wᵀ + bias in integers, with x quantized on the fly: float32 (…, N).

    x: real numbers (…, K), rounded to float32 first. weight_codes: (N, K), −128 … 127, symmetric, of x's library.
    weight_scale: a number, or (N,). bias: None or (N,). rule: "onnx", "fbgemm", "onednn", "qnnpack" or "torchao",
    bit for bit that kernel; "onednn" follows what oneDNN does on this processor with this shape, which is
    "onednn_vnni" or "onednn_amx" (see `onednn_path`). reduce_range: codes 7 bits wide; None for what the kernel's
    own dynamic layer does (fbgemm and onednn reduce, qnnpack ignores it, onnx and torchao have no such option).

    Raises TypeError or ValueError, naming the argument, for wrong types, shapes, NaN, infinities and unknown rules.

    >>> import numpy as np
    >>> linear_dynamic(np.array([[0.0, 2.55]]), np.array([[100, -50]], np.int8), 0.01, [1.0], rule="qnnpack")
    array([[-0.27499998]], dtype=float32)
    """
    x, _ = real_array(x, "x")
    weight_codes = arguments.weight_array(weight_codes, x, "x", 2, "(N, K)")
    rows, channels = _sizes(x, weight_codes, "x")
    found = find_rule(rule, lambda: onednn_path(rows, x.shape[-1], channels))
    sw = arguments.weight_scales(weight_scale, channels, x)
    b = arguments.bias_array(bias, channels, x)
    codes, sx, zero_point = quantize_activations(x, rule, reduce_range)
    return _scaled(found, codes, sx, zero_point, weight_codes, sw, b)


def dynamic_rows(x, weight_codes, sw, b, rule, sums):
    """`linear_dynamic` on arguments that were checked where a layer was made: float32 (rows, K) to (rows, N).

    sw, b: as `arguments.weight_scales` and `arguments.bias_array` return them. sums: Σ of each row of weight_codes.
    """
    found = find_rule(rule, lambda: onednn_path(len(x), x.shape[1], len(weight_codes)))
    return _scaled(found, *found.activations(x, found.reduce_range), weight_codes, sw, b, sums)


def _scaled(found, codes, sx, zero_point, weight_codes, sw, b, sums=None):
    """The real numbers (…, N) of activations' codes (…, K) times weights."""
    xp = array_namespace(codes)
    a = _sums(codes, zero_point, weight_codes, math.prod(codes.shape[:-1]), sums)
    sx = xp.reshape(sx, (-1, 1)) if sx.ndim else sx
    with np.errstate(over="ignore", invalid="ignore"):  # what leaves float32 is refused below
        parts = [found.dynamic(a[part, :], sx[part, :] if sx.ndim else sx, sw, b) for part in row_blocks(a)]
    out = xp.reshape(parts[0] if len(parts) == 1 else xp.concat(parts), (*codes.shape[:-1], len(weight_codes)))
    return real_array(out, "x times weight_scale, plus bias,")[0]


def linear_static(x_codes, x_qparams, weight_codes, weight_scale, bias, out_qparams, *, rule, relu=False):
    """The codes of x · Wᵀ + bias, from codes to codes: uint8 (…, N), within out_qparams.

    x_codes: (…, K), codes of x_qparams; x_qparams, out_qparams: per-tensor QParams within 0 … 255 (the kernels know
    only 0 … 255). relu: clamp at the zero point. Other arguments and errors as `linear_dynamic`; rule "torchao"
    does not exist here.

    >>> import numpy as np
    >>> from quantutils import QParams
    >>> x, out = QParams(0.01, 0, 0, 255), QParams(0.1, 100, 0, 255)
    >>> linear_static(np.array([[0, 255]]), x, np.array([[100, -50]], np.int8), 0.01, [1.0], out, rule="fbgemm")
    array([[97]], dtype=uint8)
    """
    x = arguments.checked_activation_codes(x_codes, x_qparams, "(…, K)", 1, 64)
    arguments.per_tensor(out_qparams, "out_qparams")
    weight_codes = arguments.weight_array(weight_codes, x, "x_codes", 2, "(N, K)")
    rows, channels = _sizes(x, weight_codes, "x_codes")
    found = find_rule(rule, lambda: onednn_path(rows, x.shape[-1], channels), static=True)
    sw = arguments.weight_scales(weight_scale, channels, x)
    b = arguments.bias_array(bias, channels, x)
    codes = scaled_to_codes(
        found.static, _sums(x, x_qparams.zero_point, weight_codes, rows), x_qparams, sw, b, out_qparams, relu
    )
    return array_namespace(x).reshape(codes, (*x.shape[:-1], channels))


def static_rows(codes, zero_point, weight_codes, sx, sw, b, sy, out_qparams, rule, relu, sums):
    """`linear_static` on arguments that were checked where a layer was made: codes (rows, K) to uint8 (rows, N).

    sx, sy: as `arguments.parameter` returns them; others as for `dynamic_rows`.
    """
    from quantutils.kernels.product import product_of_int8  # only here: it imports torch, whose tensors these are

    found = find_rule(rule, lambda: onednn_path(len(codes), codes.shape[1], len(weight_codes)), static=True)
    signed = (codes ^ 128).view(weight_codes.dtype)  # flipping the top bit takes 128 away, read as int8
    a = product_of_int8(signed, zero_point - 128, weight_codes, sums)
    if a.numel() > CACHE_BLOCK // 2:
        return _clipped(found.static, a, sx, sw, b, sy, out_qparams, relu)
    lowest = max(out_qparams.qmin, out_qparams.zero_point) if relu else out_qparams.qmin
    steps = found.static(a, sx, sw, b, sy, out_qparams.zero_point)
    return steps.clamp_(lowest, out_qparams.qmax).to(codes.dtype)


def scaled_to_codes(scale, a, x_qparams, sw, b, out_qparams, relu):
    """Exact sums (rows, N) by the static rule `scale` (of scaling.py) to uint8 codes."""
    sx, sy = (arguments.parameter(qparams.scale, a) for qparams in (x_qparams, out_qparams))
    arguments.check_multiplier(sx, sw, sy)
    return _clipped(scale, a, sx, sw, b, sy, out_qparams, flag(relu, "relu"))


def _clipped(scale, a, sx, sw, b, sy, out_qparams, relu):
    xp = array_namespace(a)
    lowest = max(out_qparams.qmin, out_qparams.zero_point) if relu else out_qparams.qmin
    parts = (scale(a[part, ...], sx, sw, b, sy, out_qparams.zero_point) for part in row_blocks(a))
    with np.errstate(over="ignore", invalid="ignore"):  # what leaves float32 is clipped
        made = [xp.astype(xp.clip(part, lowest, out_qparams.qmax), xp.uint8) for part in parts]
    return made[0] if len(made) == 1 else xp.concat(made)


def _sizes(x, weight_codes, name):
    """Rows and channels of the product; ValueError where the two do not multiply."""
    if x.ndim < 1 or x.shape[-1] != weight_codes.shape[1]:
        raise ValueError(
            f"{name} has shape {tuple(x.shape)}; accepted: (…, {weight_codes.shape[1]}), since weight_codes (N, K)"
            f" has shape {tuple(weight_codes.shape)}"
        )
    rows = 1
    for size in x.shape[:-1]:
        rows *= size
    return rows, weight_codes.shape[0]


def _sums(codes, zero_point, weight_codes, rows, sums=None):
    """Σ (qx − zx)·qw, exact: int32 (rows, N). sums: Σ qw of each output, where it is known."""
    xp = array_namespace(codes)
    codes = xp.reshape(codes, (rows, codes.shape[-1]))  # (rows, K)
    if hasattr(codes, "new_empty") and codes.shape[-1] <= LONGEST_FAST_K:
        from quantutils.kernels.product import centred_product  # only here: it imports torch, whose tensors these are

        narrow = codes if codes.dtype == xp.int8 else xp.astype(codes, xp.uint8, copy=False)
        return centred_product(narrow, zero_point, xp.astype(weight_codes, xp.int8, copy=False), sums)
    return integer_matmul(xp.astype(codes, xp.int16) - zero_point, xp.matrix_transpose(weight_codes))
