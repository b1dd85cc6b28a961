"""quantutils.kernels against torch's quantized kernels, live and frozen: no output may differ in any bit.

The live kernels are deprecated with torch.ao; the frozen answers in golden/ stay when they go.
"""

import importlib.util
import itertools
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open

from quantutils import QParams
from quantutils.kernels import (
    conv2d_static,
    linear_dynamic,
    linear_static,
    onednn_path,
    torch_range_qparams,
)

HERE = Path(__file__).resolve().parent
MILLION = 1_000_000
GOLDEN = sorted((HERE / "golden").glob("torch_*.safetensors"))
SIZES = [(1, 1, 1), (64, 1, 300), (300, 2, 7), (129, 17, 31), (512, 64, 96), (1, 300, 500), (30, 5000, 40)]
SIZES += [(200, 128, 256), (7, 33, 11), (211, 19, 97)]
# Empty batches, one input, prime sizes. Without inputs (K = 0) torch returns memory it never wrote: no case.
SIZES += [(0, 7, 5), (0, 1, 1), (13, 1, 11), (1, 1, 101), (7, 13, 1), (31, 101, 53)]
CONVOLUTIONS = [
    ((8, 3, 14, 14), (16, 3, 3, 3), {}),
    ((8, 3, 14, 14), (16, 3, 3, 3), {"padding": 1, "stride": 2}),
    ((4, 16, 9, 9), (32, 16, 1, 1), {}),
    ((2, 16, 9, 9), (32, 16, 3, 3), {"padding": (1, 0), "dilation": 2}),
    ((2, 8, 9, 9), (16, 4, 3, 3), {"groups": 2, "padding": 1}),
    ((2, 5, 9, 9), (5, 1, 3, 3), {"groups": 5, "padding": 1}),
    ((4, 64, 8, 8), (64, 64, 3, 3), {"padding": 1}),
    ((2, 1, 8, 8), (4, 1, 1, 1), {}),
    ((16, 1, 28, 28), (8, 1, 5, 5), {"stride": (1, 2)}),
    ((1, 7, 11, 13), (13, 7, 5, 3), {"padding": (2, 3), "stride": (2, 1)}),
    ((0, 3, 7, 5), (5, 3, 3, 3), {"padding": 1}),
    ((3, 5, 7, 11), (11, 5, 3, 3), {"stride": (2, 3)}),
    ((2, 1, 7, 7), (1, 1, 1, 1), {}),
    ((2, 128, 8, 8), (128, 4, 3, 3), {"groups": 32, "padding": 1}),
]
DEPTHWISE = [
    ((2, 16, 9, 11), (16, 1, 3, 3), {"groups": 16, "padding": 1}),
    ((2, 32, 8, 8), (32, 1, 3, 3), {"groups": 32, "padding": 1, "stride": 2}),
    ((4, 16, 9, 9), (32, 1, 3, 3), {"groups": 16, "padding": 1}),
]


def load_tool():
    spec = importlib.util.spec_from_file_location(
        "record_torch_kernels", HERE.parents[1] / "tools" / "record_torch_kernels.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


kernels = load_tool()
vnni = kernels.top_code() == 255
needs_vnni = pytest.mark.skipif(
    not vnni, reason="Without VNNI, these kernels add pairs of products in 16 bits, and overflow."
)
live = pytest.mark.skipif(bool(kernels.what_is_missing()), reason=kernels.what_is_missing() or "")
engines = pytest.mark.parametrize(
    "engine",
    [
        pytest.param(
            name,
            marks=pytest.mark.skipif(
                name not in torch.backends.quantized.supported_engines, reason=f"this torch has no engine {name}"
            ),
        )
        for name in kernels.ENGINES
    ],
)


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def linear_rule(engine):
    """The rule of an engine's linear layers: x86 takes fbgemm's."""
    return "fbgemm" if engine == "x86" else engine


def conv_rule(engine):
    """The rule of an engine's convolutions: x86 takes oneDNN's where the processor has AVX512-VNNI."""
    if engine == "x86":
        return "onednn" if torch.cpu.get_capabilities().get("avx512_vnni") else "fbgemm"
    return engine


def ours(kind, rule, case, **options):
    """What quantutils.kernels answers to a case."""
    if kind == "dynamic":
        return linear_dynamic(case.x, case.weight_codes, case.weight_scale, case.bias, rule=rule, **options)
    x_qparams = QParams(case.x_scale, case.x_zero_point, 0, 255)
    out_qparams = QParams(case.out_scale, case.out_zero_point, 0, 255)
    given = (case.x, x_qparams, case.weight_codes, case.weight_scale, case.bias, out_qparams)
    if kind == "static":
        return linear_static(*given, rule=rule, relu=case.relu)
    return conv2d_static(*given, case.stride, case.padding, case.dilation, case.groups, rule=rule, relu=case.relu)


def combinations(*sizes):
    """Every size with every mixture of per-channel, bias, ties and one more flag, each with a seed of its own."""
    flags = itertools.product(*sizes, (False, True), (False, True), (False, True), (False, True))
    return [
        (seed, size, {"per_channel": c, "bias": b, "ties": t}, more) for seed, (size, c, b, t, more) in enumerate(flags)
    ]


class Tally:
    """Outputs compared and outputs that differ, with the cases where they do."""

    def __init__(self):
        self.total, self.different, self.where = 0, 0, []

    def add(self, answer, truth, where):
        assert answer.shape == truth.shape
        assert answer.dtype == truth.dtype
        count = int(np.sum(answer != truth))
        self.total, self.different = self.total + truth.size, self.different + count
        if count:
            self.where.append((where, count))


# The live kernels


@live
@engines
def test_dynamic_linear(engine):
    tally = Tally()
    for seed, (m, k, n), options, reduce_range in combinations(SIZES):
        case = kernels.dynamic_case(seed, m, k, n, **options)
        reduce_range = reduce_range or not vnni
        truth = kernels.live_dynamic(engine, case, reduce_range and engine != "qnnpack")
        answer = ours("dynamic", linear_rule(engine), case, reduce_range=reduce_range)
        tally.add(answer, truth, ((m, k, n), options, reduce_range))
    assert tally.where == []
    assert tally.total > MILLION


@live
@engines
def test_static_linear(engine):
    tally = Tally()
    for seed, (m, k, n), options, relu in combinations(SIZES):
        case = kernels.static_case(seed, (m, k), (n, k), relu=relu, **options)
        tally.add(ours("static", linear_rule(engine), case), kernels.live_linear(engine, case), ((m, k, n), options))
    assert tally.where == []
    assert tally.total > MILLION


@live
@engines
def test_static_convolution(engine):
    if conv_rule(engine) == "onednn" and not vnni:
        pytest.skip("Without VNNI, oneDNN takes kernels that are not described here.")
    tally = Tally()
    # fbgemm's depthwise kernels are compared below.
    sizes = CONVOLUTIONS + (DEPTHWISE if conv_rule(engine) != "fbgemm" else [])
    for seed, (x_shape, weight_shape, geometry), options, relu in combinations(sizes):
        case = kernels.static_case(seed, x_shape, weight_shape, relu=relu, **options, **geometry)
        tally.add(ours("conv2d", conv_rule(engine), case), kernels.live_conv(engine, case), (weight_shape, geometry))
    assert tally.where == []
    assert tally.total > MILLION


@live
def test_depthwise_convolution_of_fbgemm_is_exact_for_7_bit_codes_and_saturates_above():
    narrow, wide = Tally(), Tally()
    for seed, (x_shape, weight_shape, geometry), options, relu in combinations(DEPTHWISE):
        for tally, top in ((narrow, 127), (wide, 255)):
            case = kernels.static_case(seed, x_shape, weight_shape, relu=relu, top=top, **options, **geometry)
            tally.add(ours("conv2d", "fbgemm", case), kernels.live_conv("fbgemm", case), options["ties"])
    assert narrow.where == []
    # Tie-heavy cases keep to small codes, whose products fit 16 bits.
    assert {ties for ties, _ in wide.where} == {False}


@live
@engines
def test_activation_ranges_of_every_kind(engine):
    tally = Tally()
    rng = np.random.default_rng(0)
    identity = np.eye(8, dtype=np.int8)
    ranges = [
        (0, 0),
        (0, 1e-6),
        (-1e-6, 0),
        (-1e-5, 2e-5),
        (0, 1e-44),
        (1, 2),
        (-2, -1),
        (-3e38, 3e38),
        (0, 6.1e-5 * 127),
    ]
    ranges += [(-(low + 0.5) * step, (126.5 - low) * step) for low in range(127) for step in (1.0, 0.1)]
    for low, high in ranges:
        x = rng.uniform(low, high, (6, 8)).astype(np.float32)
        x[0, :2] = low, high
        case = kernels.Case(x, identity, 1.0, None)
        for reduce_range in (False, True):
            truth = kernels.live_dynamic(engine, case, reduce_range and engine != "qnnpack")
            tally.add(ours("dynamic", linear_rule(engine), case, reduce_range=reduce_range), truth, (low, high))
    assert tally.where == []


@live
def test_results_beyond_int32_wrap_where_the_kernels_do():
    x, weights = np.full((1, 4), 100, np.uint8), np.full((3, 4), 100, np.int8)
    for engine, out_scale in itertools.product(("fbgemm", "qnnpack", "onednn"), (1.0, 1e-4, 1e-6)):
        for sign in (1, -1):
            case = kernels.Case(x, sign * weights, 1.0, None, 1.0, 0, out_scale, 10)
            np.testing.assert_array_equal(ours("static", engine, case), kernels.live_linear(engine, case))


@live
@needs_vnni
@pytest.mark.parametrize("relu", [False, True])
def test_every_convolution_of_onednn_follows_one_of_its_two_rules(relu):
    """With AMX, which of the two is oneDNN's choice by many heuristics; onednn_conv_path foretells nearly all."""
    rng = np.random.default_rng(int(relu))
    cases = foretold = 0
    while cases < 150:
        groups, size = int(rng.choice([1, 1, 2, 8])), int(rng.choice([4, 7, 12, 16]))
        inner, outer = int(rng.choice([1, 3, 8, 16, 17])), int(rng.choice([1, 2, 8, 20]))
        kernel, (stride, dilation, padding) = int(rng.choice([1, 2, 3])), rng.integers([1, 1, 0], [3, 3, 3]).tolist()
        reach = dilation * (kernel - 1) + 1
        # The two shapes that oneDNN 3.12 gets wrong: see conv2d_static.
        mixed_up = (groups > 1 and outer > 16 and inner % 4) or (inner == 1 and padding >= reach)
        if size + 2 * padding < reach or mixed_up:
            continue
        geometry = {"stride": stride, "dilation": dilation, "padding": padding, "groups": groups}
        shapes = (int(rng.choice([1, 4, 32])), groups * inner, size, size), (groups * outer, inner, kernel, kernel)
        case = kernels.static_case(cases, *shapes, per_channel=cases % 2, bias=True, ties=True, relu=relu, **geometry)
        truth = kernels.live_conv("onednn", case)
        follows = [rule for rule in ("onednn_vnni", "onednn_amx") if np.array_equal(ours("conv2d", rule, case), truth)]
        assert follows, (shapes, geometry)
        cases, foretold = cases + 1, foretold + (kernels.conv_path(case) in follows)
    assert foretold >= 0.9 * cases


@live
@pytest.mark.parametrize("kind", ["dynamic", "static"])
def test_rules_differ_on_these_cases_so_that_they_can_be_told_apart(kind):
    cases = []
    for seed, size in enumerate([(200, 17, 100), (100, 64, 40)] * 4):
        options = {"per_channel": True, "bias": True, "ties": seed % 2}
        m, k, n = size
        shapes = [(m, k), (n, k)] if kind == "static" else size
        make = kernels.static_case if kind == "static" else kernels.dynamic_case
        cases.append(make(seed, *shapes, **options))
    rules = ("fbgemm", "qnnpack", "onnx", "onednn_vnni", "onednn_amx") + (("torchao",) if kind == "dynamic" else ())
    answers = {rule: [ours(kind, rule, case) for case in cases] for rule in rules}
    for one, other in itertools.combinations(rules, 2):
        assert sum(np.sum(a != b) for a, b in zip(answers[one], answers[other], strict=True)) > 10, (one, other)


def test_range_of_torch_is_that_of_its_header():
    assert torch_range_qparams(0, 0) == (0.1, 0)
    assert torch_range_qparams(-1, 1, 127) == (2 / 127, 64)
    assert torch_range_qparams(0, 1e-6) == (float(np.float32(6.1e-5)), 0)


# The frozen answers


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_frozen_answers(path):
    tally, kinds = Tally(), set()
    with safe_open(path, "np") as file:
        metadata = file.metadata()
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    assert metadata.pop("versions").startswith("torch ")
    for key, text in metadata.items():
        numbers = json.loads(text)
        kind, rule = numbers.pop("kind"), numbers.pop("rule")
        numbers |= {name.partition(".")[2]: array for name, array in arrays.items() if name.startswith(f"{key}.")}
        truth = numbers.pop("output")
        tally.add(ours(kind, rule, kernels.Case(**numbers)), truth, (key, kind, rule))
        kinds.add(kind)
    assert tally.where == []
    assert tally.total > 20_000
    assert kinds == {"dynamic", "static", "conv2d"}


def test_every_engine_is_frozen():
    assert [path.stem for path in GOLDEN] == ["torch_fbgemm", "torch_onednn", "torch_qnnpack"]


@live
@needs_vnni
@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_live_kernels_still_answer_what_was_frozen(path):
    if "onednn" in path.stem and onednn_path(1000, 1000, 1000) != "onednn_amx":
        pytest.skip("This processor has no AMX, so oneDNN takes its other rule for the large cases.")
    arrays, _ = kernels.frozen(kernels.recordings(path.stem.removeprefix("torch_")))
    with safe_open(path, "np") as file:
        assert sorted(file.keys()) == sorted(arrays)
        for name, array in arrays.items():
            np.testing.assert_array_equal(file.get_tensor(name), array, strict=True)
