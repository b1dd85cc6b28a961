"""The named rules, and which of its implementations oneDNN takes on this processor."""

import os
from typing import NamedTuple

from quantutils.checks import one_of, whole_number, whole_numbers
from quantutils.kernels import activations, scaling


class Rule(NamedTuple):
    """One production kernel: how it makes codes, how it scales sums; None where it has no such kernel."""

    activations: object
    dynamic: object
    static: object
    conv: object
    reduce_range: bool | None = None  # what torch's own dynamic layer asks for; None where there is no such option


RULES = {
    "onnx": Rule(activations.onnx, scaling.dynamic_onnx, scaling.static_onnx, scaling.static_onnx),
    "fbgemm": Rule(activations.fbgemm, scaling.dynamic_fbgemm, scaling.static_fbgemm, scaling.static_fbgemm, True),
    "qnnpack": Rule(
        activations.qnnpack, scaling.dynamic_qnnpack, scaling.static_qnnpack, scaling.static_qnnpack, False
    ),
    "torchao": Rule(activations.torchao, scaling.dynamic_torchao, None, None),
    "onednn_vnni": Rule(
        activations.onednn, scaling.dynamic_onednn_vnni, scaling.static_onednn_vnni, scaling.conv_onednn_vnni, True
    ),
    "onednn_amx": Rule(
        activations.onednn, scaling.dynamic_onednn_amx, scaling.static_onednn_amx, scaling.conv_onednn_amx, True
    ),
}
NAMES = ("onnx", "fbgemm", "onednn", "qnnpack", "torchao", "onednn_vnni", "onednn_amx")


def find_rule(name, onednn_takes, *, static=False):
    """The Rule of that name; onednn_takes() names the one that "onednn" stands for. ValueError for an unknown name."""
    one_of(name, "rule", NAMES)
    if static and name == "torchao":
        others = ", ".join(other for other in NAMES if other != name)
        raise ValueError(
            f"rule is {name!r}, which has no static 8-bit kernel (it quantizes activations as they come, row by row);"
            f" accepted: one of {others}"
        )
    return RULES[onednn_takes() if name == "onednn" else name]


def onednn_path(m, k, n):
    """The rule that oneDNN 3 follows here for a product (m, k) × (k, n): "onednn_vnni" or "onednn_amx".

    With AMX it takes tiles where k > 16 and (m > 32 or m·n > 256); with AVX2 alone, and no VNNI, it multiplies the
    scales first too. Measured on torch 2.13; ONEDNN_MAX_CPU_ISA, which oneDNN obeys, is obeyed here.
    """
    m, k, n = (whole_number(size, name, 0) for size, name in ((m, "m"), (k, "k"), (n, "n")))
    isa = _onednn_isa()
    tiled = isa == "amx" and k > 16 and (m > 32 or m * n > 256)
    return "onednn_amx" if tiled or isa == "avx2" else "onednn_vnni"


def onednn_conv_path(batch, weight_shape, out_size, stride, padding, dilation, groups):
    """The rule that oneDNN 3 most probably follows here for a 2-d convolution: "onednn_vnni" or "onednn_amx".

    With AVX-512 or VNNI and no AMX this is certain. With AMX, oneDNN weighs a dozen heuristics, cache sizes among them
    (jit_brgemm_conv_utils.cpp); these conditions agree with it in 97 % of random shapes, and nearly always where a
    sum has 32 products or more.
    """
    batch, groups = whole_number(batch, "batch", 0), whole_number(groups, "groups", 1)
    weight_shape = whole_numbers(weight_shape, "weight_shape", 4, 0)
    out_size, stride = whole_numbers(out_size, "out_size", 2, 0), whole_numbers(stride, "stride", 2, 1)
    padding, dilation = whole_numbers(padding, "padding", 2, 0), whole_numbers(dilation, "dilation", 2, 1)
    isa = _onednn_isa()
    if isa != "amx":
        return "onednn_amx" if isa == "avx2" else "onednn_vnni"
    out_channels, in_channels, rows, columns = weight_shape
    places = out_size[0] * out_size[1]
    depthwise = in_channels == 1 and out_channels == groups
    outside = padding[0] > dilation[0] * (rows - 1) or padding[1] > dilation[1] * (columns - 1)
    if rows == columns == 1 and stride == (1, 1):
        small = in_channels % 4 > 0
    else:
        small = groups == 1 and batch * places * out_channels <= 600
    short = in_channels * rows * columns < 32 and small
    return "onednn_vnni" if depthwise or places <= 4 or outside or short else "onednn_amx"


def _onednn_isa():
    """What oneDNN may use of this processor: "amx", "vnni" (or any AVX-512) or "avx2"."""
    import torch  # only here: the kernel that this rule names is torch's own

    has = torch.cpu.get_capabilities()
    limit = os.environ.get("ONEDNN_MAX_CPU_ISA", "ALL").upper()
    wide, narrow = limit in ("ALL", "DEFAULT") or "AMX" in limit, limit in ("AVX2", "AVX", "SSE41")
    if has.get("amx_int8") and wide:
        return "amx"
    if narrow or (has.get("avx2") and not has.get("avx512_bw") and not has.get("avx_vnni")):
        return "avx2"
    return "vnni"
