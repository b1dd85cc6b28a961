"""Ask torch's quantized kernels (engines fbgemm, x86, qnnpack, onednn) and freeze some of their answers.

torch.ao and its operators are deprecated: the frozen answers in tests/parity/golden stay when they go.
Inputs are random or tie-heavy: scales are chosen so that exact results lie halfway between two codes.
Usage: .venv/bin/python tools/record_torch_kernels.py
"""

import json
import os
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from safetensors.numpy import save_file

from quantutils.kernels import onednn_conv_path, onednn_path

GOLDEN = Path(__file__).resolve().parents[1] / "tests" / "parity" / "golden"
ENGINES = ("fbgemm", "x86", "qnnpack", "onednn")


class Case(NamedTuple):
    """One call of a kernel. x: real numbers (dynamic) or codes; the last four are a convolution's."""

    x: np.ndarray
    weight_codes: np.ndarray
    weight_scale: object
    bias: np.ndarray | None
    x_scale: float = 1.0
    x_zero_point: int = 0
    out_scale: float = 1.0
    out_zero_point: int = 0
    relu: bool = False
    stride: object = 1
    padding: object = 0
    dilation: object = 1
    groups: int = 1


def what_is_missing():
    """Why torch's kernels cannot be asked here, a sentence; None where they can."""
    names = ("linear_prepack", "linear_dynamic", "linear", "linear_relu", "conv2d_prepack", "conv2d", "conv2d_relu")
    gone = [name for name in names if not hasattr(torch.ops.quantized, name)]
    makers = ("_make_per_tensor_quantized_tensor", "_make_per_channel_quantized_tensor")
    gone += [name for name in makers if not hasattr(torch, name)]
    if gone:
        return f"torch {torch.__version__} no longer has {', '.join(gone)}; the frozen answers are still checked."
    return None


def top_code():
    """The largest activation code without overflow: before VNNI, kernels add two products in 16 bits."""
    limit = os.environ.get("ONEDNN_MAX_CPU_ISA", "ALL").upper()
    vnni = torch.cpu.get_capabilities().get("avx512_vnni") and limit not in ("SSE41", "AVX", "AVX2", "AVX512_CORE")
    return 255 if vnni else 127


@contextmanager
def engine_set(name):
    """Use one engine, quietly (quantized tensors are deprecated), on one thread; the engine is put back after."""
    before = torch.backends.quantized.engine
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.backends.quantized.engine = name
        try:
            yield
        finally:
            torch.backends.quantized.engine = before


def _weight(case):
    codes, scale = torch.from_numpy(case.weight_codes), case.weight_scale
    if np.ndim(scale) == 0:
        return torch._make_per_tensor_quantized_tensor(codes, float(scale), 0)
    zeros = torch.zeros(len(scale), dtype=torch.int64)
    return torch._make_per_channel_quantized_tensor(codes, torch.from_numpy(scale), zeros, 0)


def _bias(case):
    return None if case.bias is None else torch.from_numpy(case.bias)


def _codes(case):
    return torch._make_per_tensor_quantized_tensor(torch.from_numpy(case.x), case.x_scale, case.x_zero_point)


def live_dynamic(engine, case, reduce_range=True):
    """Output of torch's dynamic linear kernel. Weights are packed anew each time: oneDNN keeps state in them."""
    with engine_set(engine):
        packed = torch.ops.quantized.linear_prepack(_weight(case), _bias(case))
        return torch.ops.quantized.linear_dynamic(torch.from_numpy(case.x), packed, reduce_range).numpy()


def live_linear(engine, case):
    """Codes of torch's static linear kernel."""
    with engine_set(engine):
        packed = torch.ops.quantized.linear_prepack(_weight(case), _bias(case))
        kernel = torch.ops.quantized.linear_relu if case.relu else torch.ops.quantized.linear
        return kernel(_codes(case), packed, case.out_scale, case.out_zero_point).int_repr().numpy()


def live_conv(engine, case):
    """Codes of torch's static 2-d convolution kernel."""
    geometry = [pair(size) for size in (case.stride, case.padding, case.dilation)]
    with engine_set(engine):
        packed = torch.ops.quantized.conv2d_prepack(_weight(case), _bias(case), *geometry, case.groups)
        kernel = torch.ops.quantized.conv2d_relu if case.relu else torch.ops.quantized.conv2d
        return kernel(_codes(case), packed, case.out_scale, case.out_zero_point).int_repr().contiguous().numpy()


def pair(size):
    """[size, size] of a number, a list of a pair."""
    return [size, size] if isinstance(size, int) else list(size)


def dynamic_case(seed, m, k, n, *, per_channel, bias, ties):
    """Real numbers to a linear layer; tie-heavy ones lie halfway between two codes, whatever the range's width."""
    rng = np.random.default_rng(seed)
    if ties:
        levels, low = rng.choice([127, 255]), int(rng.integers(0, 127))
        steps = rng.integers(-low, levels - low, (m, k)) + 0.5
        steps.flat[:2] = [-low, levels - low][: steps.size]
        x = (steps * rng.choice([2.0**-5, 0.1, rng.uniform(0.001, 1)])).astype(np.float32)
    else:
        x = rng.normal(rng.uniform(-2, 2), 10.0 ** rng.uniform(-3, 3), (m, k)).astype(np.float32)
    scale = rng.uniform(1e-4, 0.1, n if per_channel else None)
    return Case(
        x,
        rng.integers(-128, 128, (n, k)).astype(np.int8),
        scale,
        rng.normal(0, 10, n).astype(np.float32) if bias else None,
    )


def static_case(seed, x_shape, weight_shape, *, per_channel, bias, ties, relu=False, top=None, **geometry):
    """Codes to a static layer, up to `top`; tie-heavy: the multiplier is a fraction of small whole numbers, p / 2q."""
    rng = np.random.default_rng(seed)
    n, k = weight_shape[0], int(np.prod(weight_shape[1:]))
    top = top or top_code()
    zero_point = int(rng.integers(0, top + 1))
    layout = n if per_channel else None
    if ties:
        reach = 60 if k < 4 else 12
        x = np.clip(zero_point + rng.integers(-reach, reach + 1, x_shape), 0, top)
        weights = rng.integers(-4, 5, weight_shape)
        x_scale, out_scale = rng.integers(1, 100) * rng.choice([1e-3, 3.7e-4]), rng.integers(1, 200) * 4.1e-3
        scale = rng.choice([1, 3, 5]) * out_scale / (2 * rng.integers(1, 30, layout) * x_scale)
    else:
        x, weights = rng.integers(0, top + 1, x_shape), rng.integers(-128, 128, weight_shape)
        x_scale, scale = rng.uniform(1e-3, 0.1), rng.uniform(1e-3, 0.02, layout)
        out_scale = 100 * np.sqrt(k) * x_scale * float(np.mean(scale)) * rng.uniform(0.5, 60)
    steps = rng.integers(-60, 60, n) + 0.5 * rng.integers(0, 2, n) * ties
    offset = (steps * x_scale * scale + rng.integers(-40, 40, n) * out_scale / 2).astype(np.float32)
    return Case(
        x.astype(np.uint8),
        weights.astype(np.int8),
        scale,
        offset if bias else None,
        float(x_scale),
        zero_point,
        float(out_scale),
        int(rng.integers(0, 256)),
        relu,
        **geometry,
    )


LINEAR_SIZES = [(20, 1, 9), (8, 17, 12), (40, 64, 10)]
CONV_SIZES = [
    ((2, 3, 7, 7), (8, 3, 3, 3), {"padding": 1}),
    ((1, 8, 6, 6), (16, 4, 3, 3), {"groups": 2, "stride": 2, "padding": (1, 0)}),
    ((1, 16, 5, 5), (16, 1, 3, 3), {"groups": 16, "dilation": 2, "padding": 2}),
]


def conv_path(case):
    """The rule of conv2d_static that engine onednn follows for a case."""
    stride, padding, dilation = (tuple(pair(size)) for size in (case.stride, case.padding, case.dilation))
    out_size = tuple(
        (case.x.shape[2 + i] + 2 * padding[i] - dilation[i] * (case.weight_codes.shape[2 + i] - 1) - 1) // stride[i] + 1
        for i in range(2)
    )
    return onednn_conv_path(case.x.shape[0], case.weight_codes.shape, out_size, stride, padding, dilation, case.groups)


def recordings(engine):
    """What is frozen of one engine: (kind, rule, case, output), small cases of every kind."""
    flags = [(per_channel, bias, ties) for per_channel in (0, 1) for bias in (0, 1) for ties in (0, 1)]
    for i, (per_channel, bias, ties) in enumerate(flags):
        options = {"per_channel": per_channel, "bias": bias, "ties": ties}
        for m, k, n in LINEAR_SIZES:
            path = onednn_path(m, k, n) if engine == "onednn" else engine
            case = dynamic_case(i, m, k, n, **options)
            yield "dynamic", path, case, live_dynamic(engine, case, engine != "qnnpack")
            case = static_case(i, (m, k), (n, k), relu=bool(ties), **options)
            yield "static", path, case, live_linear(engine, case)
        for x_shape, weight_shape, geometry in CONV_SIZES:
            # fbgemm's depthwise kernel saturates above 127.
            top = 127 if engine == "fbgemm" else None
            case = static_case(i, x_shape, weight_shape, relu=bool(bias), top=top, **options, **geometry)
            path = conv_path(case) if engine == "onednn" else engine
            yield "conv2d", path, case, live_conv(engine, case)


def frozen(records):
    """Arrays and metadata of recordings, as one safetensors file holds them."""
    arrays, metadata = {}, {"versions": f"torch {torch.__version__.split('+')[0]}"}
    for i, (kind, rule, case, output) in enumerate(records):
        numbers = {"kind": kind, "rule": rule}
        for name, value in {**case._asdict(), "output": output}.items():
            if isinstance(value, np.ndarray):
                arrays[f"{i:03}.{name}"] = np.ascontiguousarray(value)
            else:
                numbers[name] = value
        metadata[f"{i:03}"] = json.dumps(numbers)
    return arrays, metadata


def main():
    """Write one file an engine; x86 runs the kernels of fbgemm or of onednn, so it needs none of its own."""
    torch.set_num_threads(1)
    if missing := what_is_missing():
        raise SystemExit(missing)
    GOLDEN.mkdir(exist_ok=True)
    for engine in ("fbgemm", "qnnpack", "onednn"):
        arrays, metadata = frozen(recordings(engine))
        path = GOLDEN / f"torch_{engine}.safetensors"
        save_file(arrays, path, metadata)
        outputs = sum(array.size for name, array in arrays.items() if name.endswith(".output"))
        print(f"{path.name}: {outputs:,} outputs, {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
