"""quantutils.kernels, rule "onnx", against ONNX Runtime's operators: no output may differ in any bit.

Biases are rounded to int32 at scale sx·sw as onnxruntime.quantization does it (base_quantizer.py, in float64).
"""

import importlib.util
import itertools
import warnings
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.backend.test.case.node import collect_testcases

from quantutils import QParams
from quantutils.kernels import conv2d_static, linear_dynamic, linear_static, quantize_activations

MILLION = 1_000_000
SIZES = [(1, 1, 1), (64, 1, 300), (300, 2, 7), (129, 17, 31), (512, 64, 96), (1, 300, 500), (30, 5000, 40)]
SIZES += [(200, 128, 256), (257, 96, 128)]
# Empty batches, one input, prime sizes. Without inputs (K = 0) torch returns memory it never wrote: no case.
SIZES += [(0, 7, 5), (0, 1, 1), (13, 1, 11), (1, 1, 101), (7, 13, 1), (31, 101, 53)]
CONVOLUTIONS = [
    ((8, 3, 14, 14), (16, 3, 3, 3), {"padding": 1}),
    ((8, 16, 9, 9), (32, 16, 1, 1), {"stride": 2}),
    ((2, 16, 9, 9), (32, 16, 3, 3), {"padding": (1, 0), "dilation": 2}),
    ((4, 16, 9, 11), (16, 1, 3, 3), {"groups": 16, "padding": 1}),
    ((4, 8, 9, 9), (16, 4, 3, 3), {"groups": 2, "padding": 1}),
    ((8, 64, 8, 8), (64, 64, 3, 3), {"padding": 1}),
    ((16, 1, 28, 28), (8, 1, 5, 5), {"stride": (1, 2)}),
    ((1, 7, 11, 13), (13, 7, 5, 3), {"padding": (2, 3), "stride": (2, 1)}),
    ((0, 3, 7, 5), (5, 3, 3, 3), {"padding": 1}),
    ((3, 5, 7, 11), (11, 5, 3, 2), {"stride": (2, 3)}),
    ((2, 1, 7, 7), (1, 1, 1, 1), {}),
]


def load_cases():
    path = Path(__file__).resolve().parents[2] / "tools" / "record_torch_kernels.py"
    spec = importlib.util.spec_from_file_location("record_torch_kernels", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


cases = load_cases()


def run(nodes, x, constants, kind, optimized=True):
    """What ONNX Runtime answers to `x`; constants: {name: array}; kind: element type of the output "y"."""
    element = TensorProto.UINT8 if x.dtype == np.uint8 else TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        "kernel",
        [helper.make_tensor_value_info("x", element, x.shape)],
        [helper.make_tensor_value_info("y", kind, None)],
        [numpy_helper.from_array(np.ascontiguousarray(array), name) for name, array in constants.items()],
    )
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    levels = onnxruntime.GraphOptimizationLevel
    options.graph_optimization_level = levels.ORT_ENABLE_ALL if optimized else levels.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(["y"], {"x": x})[0]


def live_dynamic(case, optimized):
    """DynamicQuantizeLinear, MatMulInteger, Cast, Mul, Add; optimized, ONNX Runtime fuses them to one operator."""
    nodes = [
        helper.make_node("DynamicQuantizeLinear", ["x"], ["codes", "scale", "zero_point"]),
        helper.make_node("MatMulInteger", ["codes", "weights", "zero_point"], ["sums"]),
        helper.make_node("Cast", ["sums"], ["real_sums"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["scale", "weight_scale"], ["product"]),
        helper.make_node("Mul", ["real_sums", "product"], ["y" if case.bias is None else "scaled"]),
    ]
    constants = {"weights": case.weight_codes.T, "weight_scale": np.float32(case.weight_scale)}
    if case.bias is not None:
        nodes.append(helper.make_node("Add", ["scaled", "bias"], ["y"]))
        constants["bias"] = case.bias
    return run(nodes, case.x, constants, TensorProto.FLOAT, optimized)


def live_static(operator, case, optimized):
    """QLinearMatMul, QGemm (of com.microsoft) or QLinearConv."""
    weight_scale = np.asarray(case.weight_scale, np.float32)
    constants = {
        "x_scale": np.array(case.x_scale, np.float32),
        "x_zero_point": np.array(case.x_zero_point, np.uint8),
        "weights": case.weight_codes.T if operator == "QLinearMatMul" else case.weight_codes,
        "weight_scale": weight_scale,
        "weight_zero_point": np.zeros(weight_scale.shape, np.int8),
        "y_scale": np.array(case.out_scale, np.float32),
        "y_zero_point": np.array(case.out_zero_point, np.uint8),
    }
    names = ["x", *constants]
    if case.bias is not None:
        product = (np.float32(case.x_scale) * weight_scale).astype(np.float64)
        constants["bias"] = np.rint(case.bias.astype(np.float64) / product).astype(np.int32)
    bias = ["bias"] if case.bias is not None else [""]
    attributes = {}
    if operator == "QGemm":
        names[6:6] = bias
        attributes = {"domain": "com.microsoft", "transB": 1}
    if operator == "QLinearConv":
        names += bias
        attributes = {
            "strides": cases.pair(case.stride),
            "pads": cases.pair(case.padding) * 2,
            "dilations": cases.pair(case.dilation),
            "group": case.groups,
        }
    node = helper.make_node(operator, names, ["y"], **attributes)
    return run([node], case.x, constants, TensorProto.UINT8, optimized)


def combinations(sizes, biases=(False, True)):
    """Every size per-tensor and per-channel, with and without bias, random and tie-heavy, each with its own seed."""
    flags = itertools.product(sizes, (False, True), biases, (False, True))
    return [(i, size, {"per_channel": c, "bias": b, "ties": ties}) for i, (size, c, b, ties) in enumerate(flags)]


def static_answer(case):
    x_qparams = QParams(case.x_scale, case.x_zero_point, 0, 255)
    out_qparams = QParams(case.out_scale, case.out_zero_point, 0, 255)
    given = (case.x, x_qparams, case.weight_codes, case.weight_scale, case.bias, out_qparams)
    if case.weight_codes.ndim == 2:
        return linear_static(*given, rule="onnx")
    return conv2d_static(*given, case.stride, case.padding, case.dilation, case.groups, rule="onnx")


@pytest.mark.skipif(cases.top_code() < 255, reason="Without VNNI, ONNX Runtime adds pairs in 16 bits, and overflows.")
@pytest.mark.parametrize("optimized", [False, True])
def test_dynamic_linear(optimized):
    total, different = 0, []
    for seed, (m, k, n), options in combinations(SIZES):
        case = cases.dynamic_case(seed, m, k, n, **options)
        truth = live_dynamic(case, optimized)
        answer = linear_dynamic(case.x, case.weight_codes, case.weight_scale, case.bias, rule="onnx")
        total += truth.size
        different += [((m, k, n), options)] * (not np.array_equal(answer, truth))
    assert different == []
    assert total > MILLION


@pytest.mark.parametrize("optimized", [False, True])
@pytest.mark.parametrize("operator", ["QLinearMatMul", "QGemm"])
def test_static_linear(operator, optimized):
    total, different = 0, []
    biases = (False, True) if operator == "QGemm" else (False,)
    for _ in range(1 if operator == "QGemm" else 2):
        for seed, (m, k, n), options in combinations(SIZES, biases):
            case = cases.static_case(seed + total, (m, k), (n, k), **options)
            truth = live_static(operator, case, optimized)
            total += truth.size
            different += [((m, k, n), options)] * (not np.array_equal(static_answer(case), truth))
    assert different == []
    assert total > MILLION


def test_static_convolution():
    total, different = 0, []
    for optimized in (False, True):
        for seed, (x_shape, weight_shape, geometry), options in combinations(CONVOLUTIONS):
            case = cases.static_case(seed + total, x_shape, weight_shape, **options, **geometry)
            truth = live_static("QLinearConv", case, optimized)
            total += truth.size
            different += [(weight_shape, geometry, options)] * (not np.array_equal(static_answer(case), truth))
    assert different == []
    assert total > MILLION


def test_constant_and_one_sided_ranges():
    rng = np.random.default_rng(0)
    weights = np.eye(6, dtype=np.int8)
    for low, high in [(0, 0), (0, 1e-30), (1, 2), (-2, -1), (-1e30, 1e30), (0, 255), (-0.5, 254.5), (-1.5, 253.5)]:
        x = rng.uniform(low, high, (5, 6)).astype(np.float32)
        x[0, :2] = low, high
        case = cases.Case(x, weights, 1.0, None)
        np.testing.assert_array_equal(linear_dynamic(x, weights, 1.0, None, rule="onnx"), live_dynamic(case, False))


def test_node_tests_of_dynamic_quantize_linear():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # collecting makes every operator's examples, overflows among them
        found = [
            case for case in collect_testcases(None) if case.model.graph.node[0].op_type == "DynamicQuantizeLinear"
        ]
    found = [case for case in found if len(case.model.graph.node) == 1]
    assert len(found) == 3
    for case in found:
        ((x,), (codes, scale, zero_point)) = case.data_sets[0]
        got = quantize_activations(x, rule="onnx")
        np.testing.assert_array_equal(got.codes, codes, strict=True)
        assert (np.float32(got.scale), got.zero_point) == (scale, zero_point)
