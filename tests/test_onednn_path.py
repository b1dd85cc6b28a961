"""Which of oneDNN's two rules it follows, by processor, limit and shape; tests/parity asks oneDNN itself."""

import pytest
import torch

from quantutils.kernels import onednn_conv_path, onednn_path


@pytest.mark.parametrize(
    ("isa", "size", "path"),
    [
        ("AVX512_CORE_VNNI", (1000, 1000, 1000), "onednn_vnni"),
        ("AVX2", (1, 1, 1), "onednn_amx"),
        ("AVX2_VNNI", (1000, 1000, 1000), "onednn_vnni"),
    ],
)
def test_onednn_path_obeys_the_limit_that_onednn_obeys(monkeypatch, isa, size, path):
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", isa)
    assert onednn_path(*size) == path


def test_onednn_path_takes_tiles_for_large_products_only(monkeypatch):
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_int8": True, "avx512_bw": True, "avx2": True})
    sizes = [(1000, 16, 1000), (32, 17, 8), (33, 17, 1), (1, 17, 257), (1, 17, 256)]
    assert [onednn_path(*size)[7:] for size in sizes] == ["vnni", "vnni", "amx", "amx", "vnni"]


# batch, weight (O, I/groups, kh, kw), size of the output, stride, padding, dilation, groups
CONV_PATHS = [
    ((1, (8, 1, 3, 3), (9, 9), (1, 1), (1, 1), (1, 1), 8), "vnni"),  # depthwise
    ((1, (8, 1, 3, 3), (9, 9), (1, 1), (1, 1), (1, 1), 4), "amx"),  # two outputs a channel
    ((1, (64, 64, 3, 3), (2, 2), (1, 1), (0, 0), (1, 1), 1), "vnni"),  # four places
    ((1, (64, 64, 3, 3), (1, 5), (1, 1), (0, 0), (1, 1), 1), "amx"),
    ((1, (64, 64, 3, 3), (9, 9), (1, 1), (3, 0), (1, 1), 1), "vnni"),  # padding beyond the kernel's reach
    ((1, (64, 64, 3, 3), (9, 9), (1, 1), (0, 3), (1, 1), 1), "vnni"),
    ((1, (64, 64, 3, 3), (9, 9), (1, 1), (2, 2), (1, 1), 1), "amx"),
    ((1, (64, 64, 3, 3), (9, 9), (1, 1), (4, 4), (2, 2), 1), "amx"),
    ((1, (64, 64, 3, 2), (9, 9), (1, 1), (1, 2), (1, 1), 1), "vnni"),
    ((1, (64, 64, 3, 2), (9, 9), (1, 1), (5, 1), (2, 1), 1), "vnni"),
    ((1, (64, 6, 1, 1), (9, 9), (1, 1), (0, 0), (1, 1), 1), "vnni"),  # one by one: channels no multiple of 4
    ((1, (64, 31, 1, 1), (9, 9), (1, 1), (0, 0), (1, 1), 2), "vnni"),
    ((1, (64, 8, 1, 1), (9, 9), (1, 1), (0, 0), (1, 1), 1), "amx"),
    ((1, (64, 33, 1, 1), (9, 9), (1, 1), (0, 0), (1, 1), 1), "amx"),
    ((1, (64, 6, 1, 1), (9, 9), (2, 2), (0, 0), (1, 1), 1), "amx"),
    ((1, (24, 3, 3, 3), (5, 5), (1, 1), (0, 0), (1, 1), 1), "vnni"),  # 600 outputs at most, 31 products at most
    ((2, (24, 3, 3, 3), (5, 5), (1, 1), (0, 0), (1, 1), 1), "amx"),
    ((1, (25, 3, 3, 3), (5, 5), (1, 1), (0, 0), (1, 1), 1), "amx"),
    ((1, (24, 4, 3, 3), (5, 5), (1, 1), (0, 0), (1, 1), 1), "amx"),
    ((1, (24, 3, 3, 3), (5, 5), (1, 1), (0, 0), (1, 1), 2), "amx"),
    ((1, (24, 31, 1, 1), (5, 5), (2, 1), (0, 0), (1, 1), 1), "vnni"),
    ((1, (24, 32, 1, 1), (5, 5), (2, 1), (0, 0), (1, 1), 1), "amx"),
]


@pytest.mark.parametrize(("call", "path"), CONV_PATHS)
def test_onednn_conv_path_with_tiles(monkeypatch, call, path):
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_int8": True, "avx512_bw": True, "avx2": True})
    assert onednn_conv_path(*call) == f"onednn_{path}"


@pytest.mark.parametrize(
    ("capabilities", "limit", "path"),
    [
        ({"amx_int8": True, "avx2": True}, "ALL", "amx"),
        ({"amx_int8": True, "avx2": True}, "DEFAULT", "amx"),
        ({"amx_int8": True, "avx2": True}, "AVX512_CORE_AMX", "amx"),
        ({"amx_int8": True, "avx512_bw": True, "avx2": True}, "ALL", "amx"),
        ({"amx_int8": True, "avx512_bw": True, "avx2": True}, "default", "amx"),
        ({"amx_int8": True, "avx512_bw": True, "avx2": True}, "AVX512_CORE_AMX_FP16", "amx"),
        ({"amx_int8": True, "avx512_bw": True, "avx2": True}, "AVX512_CORE_VNNI", "vnni"),
        ({"amx_int8": True, "avx512_bw": True, "avx2": True}, "avx2", "amx"),  # AVX2 multiplies the scales first too
        ({"avx2": True}, "ALL", "amx"),
        ({"avx2": True, "avx_vnni": True}, "ALL", "vnni"),
        ({"avx2": True, "avx512_bw": True}, "ALL", "vnni"),
        ({}, "ALL", "vnni"),
    ],
)
def test_onednn_path_by_processor_and_limit(monkeypatch, capabilities, limit, path):
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", limit)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    assert onednn_path(1000, 1000, 1000) == f"onednn_{path}"
    assert onednn_conv_path(8, (64, 64, 3, 3), (9, 9), (1, 1), (1, 1), (1, 1), 1) == f"onednn_{path}"


@pytest.mark.parametrize("limit", ["AVX", "SSE41", "AVX2"])
def test_limits_below_avx512_are_known(monkeypatch, limit):
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", limit)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bw": True, "avx2": True})
    assert onednn_path(1, 1, 1) == "onednn_amx"


def test_sizes_of_nothing_are_taken(monkeypatch):
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX512_CORE_VNNI")
    assert onednn_path(0, 0, 0) == "onednn_vnni"
    assert onednn_conv_path(0, (0, 0, 0, 0), (0, 0), (1, 1), (0, 0), (1, 1), 1) == "onednn_vnni"


@pytest.mark.parametrize("name", ["m", "k", "n"])
@pytest.mark.parametrize(("value", "error"), [(-1, ValueError), (1.5, TypeError)])
def test_onednn_path_refuses(name, value, error):
    with pytest.raises(error, match=f"^{name} is {value}; accepted: a whole number of at least 0$"):
        onednn_path(**{"m": 1, "k": 1, "n": 1} | {name: value})


CONV = {
    "batch": 1,
    "weight_shape": (8, 1, 3, 3),
    "out_size": (9, 9),
    "stride": (1, 1),
    "padding": (0, 0),
    "dilation": (1, 1),
    "groups": 1,
}


@pytest.mark.parametrize(("name", "low"), [(name, name in ("stride", "dilation", "groups")) for name in CONV])
def test_onednn_conv_path_refuses(name, low):
    count = len(CONV[name]) if isinstance(CONV[name], tuple) else 0
    below = (1,) * (count - 1) + (low - 1,) if count else low - 1
    with pytest.raises(ValueError, match=f"^{name} is {low - 1}; accepted: a whole number of at least {int(low)}$"):
        onednn_conv_path(**CONV | {name: below})
    accepted = f"{count} whole numbers" if count else "a whole number"
    with pytest.raises(TypeError, match=f"^{name} is '1'; accepted: {accepted}"):
        onednn_conv_path(**CONV | {name: "1"})
    if count:
        with pytest.raises(ValueError, match=rf"^{name} is \(1,\); accepted: {accepted}$"):
            onednn_conv_path(**CONV | {name: (1,)})
