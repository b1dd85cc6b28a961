"""The named rules, and which of its implementations oneDNN takes on this processor."""

import os
from typing import NamedTuple

from quantutils.kernels import activations, scaling


class Rule(NamedTuple):
    """One production kernel: how it makes codes, how it scales sums; None where it has no such kernel."""

    activations: object
    dynamic: object
    static: object
    reduce_range: bool | None = None  # what torch's own dynamic layer asks for; None where there is no such option


RULES = {
    "onnx": Rule(activations.onnx, scaling.dynamic_onnx, scaling.static_onnx),
    "fbgemm": Rule(activations.fbgemm, scaling.dynamic_fbgemm, scaling.static_fbgemm, True),
    "qnnpack": Rule(activations.qnnpack, scaling.dynamic_qnnpack, scaling.static_qnnpack, False),
    "torchao": Rule(activations.torchao, scaling.dynamic_torchao, None),
    "onednn_vnni": Rule(activations.onednn, scaling.dynamic_onednn_vnni, scaling.static_onednn_vnni, True),
    "onednn_amx": Rule(activations.onednn, scaling.dynamic_onednn_amx, scaling.static_onednn_amx, True),
}
NAMES = ("onnx", "fbgemm", "onednn", "qnnpack", "torchao", "onednn_vnni", "onednn_amx")


def find_rule(name, m, k, n, *, static=False):
    """The Rule of that name for a product (m, k) × (k, n); ValueError for a name that is none of them."""
    if not isinstance(name, str):
        raise TypeError(f"rule is {name!r}; accepted: one of {', '.join(NAMES)}")
    if name not in NAMES:
        raise ValueError(f"rule is {name!r}; accepted: one of {', '.join(NAMES)}")
    rule = RULES[onednn_path(m, k, n) if name == "onednn" else name]
    if static and rule.static is None:
        others = ", ".join(other for other in NAMES if other != name)
        raise ValueError(
            f"rule is {name!r}, and torchao has no static 8-bit kernel of its own (it quantizes activations as they"
            f" come); accepted: one of {others}"
        )
    return rule


def onednn_path(m, k, n):
    """The rule that oneDNN 3 follows here for a product (m, k) × (k, n): "onednn_vnni" or "onednn_amx".

    With AMX it takes tiles where k > 16 and (m > 32 or m·n > 256); with AVX2 alone, and no VNNI, it multiplies the
    scales first too. Measured on torch 2.13; ONEDNN_MAX_CPU_ISA, which oneDNN obeys, is obeyed here.
    """
    isa = _onednn_isa()
    tiled = isa == "amx" and k > 16 and (m > 32 or m * n > 256)
    return "onednn_amx" if tiled or isa == "avx2" else "onednn_vnni"


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
