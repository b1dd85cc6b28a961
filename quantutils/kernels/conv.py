"""Integer 2-d convolution by any of the named static rules: unfolded into one exact product for each group."""

import numpy as np
from array_api_compat import array_namespace, device

from quantutils.arrays import code_array, same_library
from quantutils.checks import whole_number
from quantutils.kernels import arguments
from quantutils.kernels.linear import scaled_to_codes
from quantutils.kernels.rules import find_rule, onednn_conv_path
from quantutils.matmul import integer_matmul


def conv2d_static(
    x_codes,
    x_qparams,
    weight_codes,
    weight_scale,
    bias,
    out_qparams,
    stride=1,
    padding=0,
    dilation=1,
    groups=1,
    *,
    rule,
    relu=False,
):
    """The codes of a 2-d convolution, from codes to codes: uint8 (B, O, H', W'), within out_qparams.

    x_codes: (B, I, H, W), codes of x_qparams. weight_codes: (O, I/groups, kh, kw), −128 … 127. weight_scale: a number,
    or (O,). bias: None or (O,). stride, padding, dilation: a number, or a pair for height and width; padding, at
    most 1024, is done with the zero point, which stands for 0.0. Other arguments and errors as `linear_static`.

    Two kernels do not return the exact sums' codes. fbgemm's depthwise kernels (one input channel a group, channels a
    multiple of 8) add pairs of products in 16 bits, which saturate for codes above 127: one reason why torch reduces
    activations to 7 bits. oneDNN 3.12 (torch 2.13) returns wrong codes for some grouped convolutions with more than 16
    output channels a group and input channels a group that are no multiple of 4, and for some with one input channel
    and padding as wide as the kernel. For rule "onednn" see `onednn_conv_path`.

    >>> import numpy as np
    >>> from quantutils import QParams
    >>> x, out = QParams(0.1, 10, 0, 255), QParams(0.1, 0, 0, 255)
    >>> ones = np.ones((1, 1, 3, 3), np.int8)
    >>> conv2d_static(np.full((1, 1, 2, 2), 20), x, ones, 1.0, None, out, padding=1, rule="qnnpack")
    array([[[[40, 40],
             [40, 40]]]], dtype=uint8)
    """
    x = arguments.checked_activation_codes(x_codes, x_qparams, "(B, I, H, W)", 4, 4)
    x = array_namespace(x).astype(x, array_namespace(x).int16) - x_qparams.zero_point
    arguments.per_tensor(out_qparams, "out_qparams")
    weight_codes = arguments.weight_array(weight_codes, x, "x_codes", 4, "(O, I/groups, kh, kw)")
    stride, dilation = _pair(stride, "stride", 1, 2**15), _pair(dilation, "dilation", 1, 2**15)
    padding, groups = _pair(padding, "padding", 0, 1024), whole_number(groups, "groups", 1)
    channels = weight_codes.shape[0]
    _check_sizes(tuple(x.shape), tuple(weight_codes.shape), groups, padding, dilation)
    sw = arguments.weight_scales(weight_scale, channels, x)
    b = arguments.bias_array(bias, channels, x)
    windows = _windows(x, weight_codes.shape[2:], stride, padding, dilation)
    batch, height, width = windows.shape[:3]
    geometry = (batch, tuple(weight_codes.shape), (height, width), stride, padding, dilation, groups)
    found = find_rule(rule, lambda: onednn_conv_path(*geometry), static=True)
    codes = scaled_to_codes(found.conv, _sums(windows, weight_codes, groups), x_qparams, sw, b, out_qparams, relu)
    xp = array_namespace(x)
    return xp.permute_dims(xp.reshape(codes, (batch, height, width, channels)), (0, 3, 1, 2))


def integer_conv2d(
    x_codes, weight_codes, x_zero_point=0, weight_zero_point=0, stride=1, padding=0, dilation=1, groups=1
):
    """The exact sums of a 2-d convolution, Σ(qx − zx)(qw − zw): int32 (B, O, H', W'), as ONNX ConvInteger.

    x_codes: (B, I, H, W); weight_codes: (O, I/groups, kh, kw): codes of at most 16 bits, of one library. x_zero_point:
    a number; it is what padding is done with, so that padding adds nothing. weight_zero_point: a number, or (O,) NumPy
    integers. Other arguments as `conv2d_static`. Raises TypeError or ValueError for other arguments, ValueError too
    where an int32 accumulator could overflow.

    >>> import numpy as np
    >>> ones = np.ones((1, 1, 2, 2), np.uint8)
    >>> integer_conv2d(np.array([[[[5, 6], [7, 9]]]]), ones, x_zero_point=1)
    array([[[[23]]]], dtype=int32)
    """
    x, xp = code_array(x_codes, "x_codes", -(2**15), 2**16 - 1)
    weights, _ = code_array(weight_codes, "weight_codes", -(2**15), 2**16 - 1)
    same_library(x, weights, "x_codes", "weight_codes")
    for values, name, layout in ((x, "x_codes", "(B, I, H, W)"), (weights, "weight_codes", "(O, I/groups, kh, kw)")):
        if values.ndim != 4:
            raise ValueError(f"{name} has shape {tuple(values.shape)}; accepted: {layout}")
    stride, dilation = _pair(stride, "stride", 1, 2**15), _pair(dilation, "dilation", 1, 2**15)
    padding, groups = _pair(padding, "padding", 0, 1024), whole_number(groups, "groups", 1)
    _check_sizes(tuple(x.shape), tuple(weights.shape), groups, padding, dilation)
    zx = whole_number(x_zero_point, "x_zero_point", -(2**15), 2**16 - 1)
    zw = np.asarray(code_array(weight_zero_point, "weight_zero_point", -(2**15), 2**16 - 1)[0]).astype(np.int64)
    if zw.shape not in ((), (weights.shape[0],)):
        raise ValueError(f"weight_zero_point has shape {zw.shape}; accepted: a number or ({weights.shape[0]},)")
    zw = xp.asarray(zw.reshape(-1, 1, 1, 1), device=device(weights))  # (channels, 1, 1, 1)
    x, weights = xp.astype(x, xp.int64) - zx, xp.astype(weights, xp.int64) - zw
    windows = _windows(x, weights.shape[2:], stride, padding, dilation)
    try:
        sums = xp.reshape(_sums(windows, weights, groups), (*windows.shape[:3], weights.shape[0]))
    except ValueError as error:
        raise ValueError(f"x_codes and weight_codes unfold into a product that is refused: {error}") from None
    return xp.permute_dims(sums, (0, 3, 1, 2))  # (batch, channels, height, width)


def _pair(value, name, low, high=None):
    """A number, or a pair of them, as (for height, for width)."""
    if isinstance(value, (tuple, list)):
        if len(value) != 2:
            raise ValueError(f"{name} is {value!r}; accepted: a number or a pair of them, for height and width")
        return tuple(whole_number(one, name, low, high) for one in value)
    return (whole_number(value, name, low, high),) * 2


def _check_sizes(x_shape, weight_shape, groups, padding, dilation):
    """Raise ValueError unless groups divide the channels and the kernel fits the padded picture."""
    if weight_shape[0] % groups or x_shape[1] != weight_shape[1] * groups:
        raise ValueError(
            f"groups is {groups}, x_codes (B, I, H, W) has shape {x_shape} and weight_codes (O, I/groups, kh, kw) has"
            f" shape {weight_shape}; accepted: groups that divide O, and I = {weight_shape[1]} · groups"
        )
    for axis, name in ((0, "height"), (1, "width")):
        reach, room = dilation[axis] * (weight_shape[2 + axis] - 1) + 1, x_shape[2 + axis] + 2 * padding[axis]
        if not 1 <= reach <= room:
            raise ValueError(
                f"weight_codes reaches over {reach} in {name}; accepted: 1 to {room}, x_codes with padding"
            )


def _windows(x, kernel, stride, padding, dilation):
    """What each output sees, zeros where it sees padding: (B, H', W', I, kh·kw)."""
    xp = array_namespace(x)
    batch, channels, height, width = x.shape
    (top, left), (rows, columns) = padding, kernel
    padded = xp.zeros((batch, channels, height + 2 * top, width + 2 * left), dtype=x.dtype, device=device(x))
    padded[:, :, top : top + height, left : left + width] = x
    out_height = (height + 2 * top - dilation[0] * (rows - 1) - 1) // stride[0] + 1
    out_width = (width + 2 * left - dilation[1] * (columns - 1) - 1) // stride[1] + 1
    seen = []
    for row, column in np.ndindex(rows, columns):
        first, left_most = row * dilation[0], column * dilation[1]
        last, right_most = first + stride[0] * (out_height - 1) + 1, left_most + stride[1] * (out_width - 1) + 1
        seen.append(padded[:, :, first : last : stride[0], left_most : right_most : stride[1]])
    return xp.permute_dims(xp.stack(seen, axis=-1), (0, 2, 3, 1, 4))  # (batch, height, width, channels, taps)


def _sums(windows, weight_codes, groups):
    """Σ x·w of whole numbers for each output, exact: int32 (B·H'·W', O)."""
    xp = array_namespace(windows)
    batch, height, width, _, taps = windows.shape
    out_channels, in_channels = weight_codes.shape[:2]
    x = xp.reshape(windows, (batch * height * width, groups, in_channels * taps))  # a row for each place
    weights = xp.reshape(weight_codes, (groups, out_channels // groups, in_channels * taps))
    product = integer_matmul(xp.permute_dims(x, (1, 0, 2)), xp.matrix_transpose(weights))  # (groups, places, out)
    return xp.reshape(xp.permute_dims(product, (1, 0, 2)), (batch * height * width, out_channels))
