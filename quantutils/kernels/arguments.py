"""Checks of what the kernels are given, and their parameters brought into the library and onto the device of x."""

import numpy as np
from array_api_compat import array_namespace, device

from quantutils.affine import FLOAT32, need_qparams
from quantutils.arrays import CODE_DTYPES, as_array, code_array, dtype_name, real_numbers, same_library
from quantutils.kernels.rounding import fl


def float32_numbers(x, name):
    """Finite numbers of any real dtype as float32 (no copy if they are); ValueError where float32 cannot hold them."""
    if dtype_name(x) == "float64":
        xp = array_namespace(x)
        peak = float(xp.max(xp.abs(x))) if int(np.prod(x.shape)) else 0.0
        if peak > float(FLOAT32.max):
            raise ValueError(f"{name} reaches {peak:g}; accepted: magnitudes up to {FLOAT32.max}")
    return x if dtype_name(x) == "float32" else fl(x)


def weight_array(weight_codes, like, like_name, ndim, layout):
    """Weight codes, −128 … 127, of `ndim` axes and of the library of `like`."""
    weight_codes, _ = code_array(weight_codes, "weight_codes", -128, 127)
    same_library(like, weight_codes, like_name, "weight_codes")
    if weight_codes.ndim != ndim:
        raise ValueError(f"weight_codes has shape {tuple(weight_codes.shape)}; accepted: {layout}")
    return weight_codes


def parameter(value, like):
    """A NumPy parameter as a float64 array of the library and on the device of `like`."""
    return array_namespace(like).asarray(np.array(value, np.float64), device=device(like))


def weight_scales(weight_scale, channels, like):
    """One positive scale, shape (), or one a channel, shape (channels,); float64."""
    scale = real_numbers(weight_scale, "weight_scale")
    if scale.shape not in ((), (channels,)):
        raise ValueError(
            f"weight_scale has shape {scale.shape}; accepted: a number, or ({channels},), one for each row of"
            " weight_codes"
        )
    if scale.size and not (scale.min() >= FLOAT32.tiny and scale.max() <= FLOAT32.max):
        raise ValueError(f"weight_scale is {weight_scale}; accepted: {FLOAT32.tiny} to {FLOAT32.max}")
    return parameter(scale, like)


def bias_array(bias, channels, like):
    """The bias as float32, shape (channels,); zeros for None, which change no result."""
    if bias is None:
        return fl(parameter(np.zeros(channels), like))
    values = real_numbers(bias, "bias")
    if values.shape != (channels,):
        raise ValueError(f"bias has shape {values.shape}; accepted: None or ({channels},), one for each output channel")
    if dtype_name(as_array(bias, "bias")) in CODE_DTYPES:
        raise TypeError("bias holds integers; accepted: the float bias, which each rule rounds in its own way")
    if values.size and np.abs(values).max() > FLOAT32.max:
        raise ValueError(f"bias reaches {np.abs(values).max():g}; accepted: magnitudes up to {FLOAT32.max}")
    return fl(parameter(values, like))


def check_multiplier(sx, sw, sy):
    """Raise ValueError unless float32 holds sx·sw and sx·sw/sy at full precision, so that no step is 0 or infinite."""
    xp = array_namespace(sx)
    products = sx * sw
    for values in (products, products / sy):
        if values.shape != (0,) and not bool(xp.all((values >= FLOAT32.tiny) & (values <= FLOAT32.max))):
            raise ValueError(
                f"x_qparams, weight_scale and out_qparams have scales whose product or quotient goes from"
                f" {float(xp.min(values)):g} to {float(xp.max(values)):g}; accepted: {FLOAT32.tiny} to {FLOAT32.max}"
            )


def per_tensor(qparams, name):
    """`qparams`, per-tensor and unsigned, within 0 … 255."""
    need_qparams(qparams, name)
    if qparams.axis is not None:
        raise ValueError(f"{name} has axis {qparams.axis}; accepted: per-tensor qparams")
    if qparams.qmin < 0 or qparams.qmax > 255:
        raise ValueError(f"{name} has codes {qparams.qmin} to {qparams.qmax}; accepted: unsigned 8 bit, 0 to 255")
    return qparams


def checked_activation_codes(x_codes, x_qparams, accepted, min_ndim, max_ndim):
    """Activation codes, within their QParams and with an accepted number of axes."""
    per_tensor(x_qparams, "x_qparams")
    x_codes, _ = code_array(x_codes, "x_codes", x_qparams.qmin, x_qparams.qmax)
    if not min_ndim <= x_codes.ndim <= max_ndim:
        raise ValueError(f"x_codes has shape {tuple(x_codes.shape)}; accepted: {accepted}")
    return x_codes
