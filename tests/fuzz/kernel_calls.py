"""Calls of kernels, and of the parts of nn that are no layers: arguments each must accept, what results must be."""

import numpy as np
import torch
from fuzz.table import Call, as_numpy, finite, shape_of, within
from hypothesis import strategies as st

from quantutils import QParams, kernels, nn

RULES = tuple(name for name in kernels.NAMES if name != "torchao")


def activation_qparams(given):
    return given.qparams(0, 255) if given.hard else QParams(given.number(0.01, 1.0), given.whole(0, 255), 0, 255)


def weights_of(given, shape, library):
    """Weight codes, scales and bias of a layer whose weight has that shape."""
    channels = shape[0]
    scale = given.choice(given.number(0.01, 1.0), given.real((channels,), 0.01, 1.0))
    bias = given.choice(None, given.real((channels,), -3, 3))
    return {"weight_codes": given.codes(shape, -128, 127, library), "weight_scale": scale, "bias": bias}


def dynamic(given):
    rows, k, n = given.sizes(3, 5, 4)
    library = given.library()
    arguments = {"x": given.real((rows, k), library=library)} | weights_of(given, (n, k), library)
    return arguments | {"rule": given.choice(*kernels.NAMES), "reduce_range": given.choice(None, False)}


def dynamic_holds(result, a):
    assert str(result.dtype).endswith("float32")
    assert tuple(result.shape) == (*shape_of(a["x"])[:-1], shape_of(a["weight_codes"])[0])
    assert finite(result)


def static(given):
    rows, k, n = given.sizes(3, 5, 4)
    library, x_qparams = given.library(), activation_qparams(given)
    arguments = {"x_codes": given.codes((rows, k), 0, 255, library), "x_qparams": x_qparams}
    arguments |= weights_of(given, (n, k), library) | {"out_qparams": activation_qparams(given)}
    return arguments | {"rule": given.choice(*RULES), "relu": given.flag()}


def static_holds(result, a):
    within(result, a["out_qparams"].qmin, a["out_qparams"].qmax, result.shape)


def picture(given):
    """x and weights of a convolution that fits, and its geometry."""
    groups, size = given.whole(1, 2), given.choice(given.whole(1, 2), (1, 2))
    arguments = {
        "stride": size,
        "padding": given.draw(st.integers(0, 3)),
        "dilation": given.whole(1, 2),
        "groups": groups,
    }
    groups = groups if groups in (1, 2) else 1
    return (2, 2 * groups, 5, 6), (2 * groups, 2, given.whole(1, 2), 2), arguments


def convolution(given):
    x_shape, weight_shape, geometry = picture(given)
    if min(weight_shape) < 1 or max(weight_shape) > 9:
        weight_shape = (2, 2, 0, 2)
    library = given.library()
    arguments = {"x_codes": given.codes(x_shape, 0, 255, library), "x_qparams": activation_qparams(given)}
    arguments |= weights_of(given, weight_shape, library) | {"out_qparams": activation_qparams(given)} | geometry
    return arguments | {"rule": given.choice(*RULES), "relu": given.flag()}


def exact_convolution(given):
    x_shape, weight_shape, geometry = picture(given)
    if min(weight_shape) < 1 or max(weight_shape) > 9:
        weight_shape = (2, 2, 0, 2)
    library = given.library()
    zero_point = given.choice(given.whole(-128, 127), given.codes((weight_shape[0],), -128, 127))
    arguments = {"x_codes": given.codes(x_shape, 0, 255, library), "x_zero_point": given.whole(0, 255)}
    arguments |= {"weight_codes": given.codes(weight_shape, -128, 127, library), "weight_zero_point": zero_point}
    return arguments | geometry


def convolved(result, a):
    """The sums are those of torch's convolution in float64."""
    x = torch.as_tensor(as_numpy(a["x_codes"]).astype(np.float64)) - a["x_zero_point"]
    zero_point = torch.as_tensor(as_numpy(a["weight_zero_point"]).astype(np.float64)).reshape(-1, 1, 1, 1)
    weights = torch.as_tensor(as_numpy(a["weight_codes"]).astype(np.float64)) - zero_point
    geometry = {name: a[name] for name in ("stride", "padding", "dilation", "groups")}
    if all(x.shape) and all(weights.shape):
        truth = torch.nn.functional.conv2d(x, weights, **geometry)
        assert np.array_equal(as_numpy(result), truth.numpy().astype(np.int64))


def low_and_high(given):
    return {"low": given.number(-9.0, 0.0), "high": given.number(0.0, 9.0), "levels": given.choice(127, 255)}


def torch_range(result, a):
    scale, zero_point = result
    assert 0 < scale < np.inf
    assert 0 <= zero_point <= a["levels"]


def rows_of(given):
    """A batch of activations and how they are quantized."""
    scheme = nn.ActivationScheme(
        given.whole(3, 8) if not given.hard else 8, given.choice("tensor", "token"), given.flag()
    )
    return {"rows": given.real(given.sizes(3, 4), library="torch", dtype="float32"), "scheme": scheme}


def rows_hold(result, a):
    codes, scale, _ = result
    within(codes, -128, 255, a["rows"].shape)
    assert finite(scale)


def codes_product(given):
    rows, k, n = given.sizes(3, 5, 4)
    kind = given.choice(np.uint8, np.int8)
    arguments = {"x_codes": given.codes((rows, k), np.iinfo(kind).min, np.iinfo(kind).max, "torch", kind)}
    return arguments | {"weight_codes": given.codes((n, k), -128, 127, "torch", np.int8)}


def product_holds(result, a):
    """The same as int64 gives, zero point taken off."""
    x = a["x_codes"].to(torch.int64) - torch.as_tensor(a.get("zero_point", 0))
    assert torch.equal(result.to(torch.int64), x @ a["weight_codes"].to(torch.int64).T)


def activation_scheme(given):
    return {"bits": given.whole(3, 8), "per": given.choice("tensor", "token")} | {
        "symmetric": given.flag(),
        "reduce_range": given.flag(),
    }


def weight_scheme(given):
    per = given.choice("tensor", "channel", "group")
    size = given.whole(1, 64) if per == "group" else None
    return {"bits": given.whole(2, 8), "per": per, "group_size": size, "full_range": given.flag()}


KERNEL_CALLS = {
    "kernels.quantize_activations": Call(
        kernels.quantize_activations,
        lambda g: (
            {"x": g.real(g.sizes(3, 4), library=g.library()), "rule": g.choice(*kernels.NAMES)}
            | {"reduce_range": g.choice(None, False)}
        ),
        lambda result, a: within(result.codes, -128, 255, shape_of(a["x"])) or finite(result.scale),
    ),
    "kernels.linear_dynamic": Call(kernels.linear_dynamic, dynamic, dynamic_holds),
    "kernels.linear_static": Call(kernels.linear_static, static, static_holds),
    "kernels.conv2d_static": Call(kernels.conv2d_static, convolution, static_holds),
    "kernels.integer_conv2d": Call(kernels.integer_conv2d, exact_convolution, convolved),
    "kernels.torch_range_qparams": Call(kernels.torch_range_qparams, low_and_high, torch_range),
    "kernels.onednn_path": Call(
        kernels.onednn_path,
        lambda g: {name: g.whole(1, 300) for name in "mkn"},
        lambda result, a: result in ("onednn_vnni", "onednn_amx"),
    ),
    "kernels.onednn_conv_path": Call(
        kernels.onednn_conv_path,
        lambda g: (
            {"batch": g.whole(1, 4), "weight_shape": (4, 2, 3, 3), "out_size": (5, 5), "stride": (1, 1)}
            | {"padding": (0, 1), "dilation": (1, 1), "groups": 1}
        ),
        lambda result, a: result in ("onednn_vnni", "onednn_amx"),
    ),
    "nn.ActivationScheme": Call(
        nn.ActivationScheme, activation_scheme, lambda result, a: result.bits - result.reduce_range >= 2
    ),
    "nn.WeightScheme": Call(nn.WeightScheme, weight_scheme, lambda result, a: 2 <= result.bits <= 8),
    "nn.storage_bits": Call(
        nn.storage_bits, lambda g: {"bits": g.whole(1, 8)}, lambda result, a: a["bits"] <= result <= 2 * a["bits"] + 1
    ),
    "nn.activation_codes": Call(nn.activation_codes, rows_of, rows_hold),
    "nn.integer_product": Call(nn.integer_product, codes_product, product_holds),
    "nn.centred_product": Call(
        nn.centred_product, lambda g: codes_product(g) | {"zero_point": g.whole(0, 255)}, product_holds
    ),
}
