"""The node tests that the onnx package generates, through quantutils: equal in every element.

All of QuantizeLinear, DequantizeLinear, DynamicQuantizeLinear, MatMulInteger, QLinearMatMul, QLinearConv and
ConvInteger, and every cast to or from a float of 8 or 4 bits.
"""

import collections
import re
import warnings

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.backend.test.case.node import collect_testcases

from quantutils import QParams, product_terms, requantize
from quantutils.formats.floats import FLOAT_FORMATS
from quantutils.kernels import integer_conv2d, quantize_activations

OPERATORS = {
    "QuantizeLinear": 13,
    "DequantizeLinear": 14,
    "DynamicQuantizeLinear": 6,  # three of them written out in simpler operators
    "MatMulInteger": 1,
    "QLinearMatMul": 8,
    "QLinearConv": 1,
    "ConvInteger": 2,
}
NO_NAN = "its input holds NaN, which e2m1 has no code for and ONNX leaves open: quantutils refuses it, onnx writes −0"
# Each cast comes as Cast, as CastLike, and as CastLike written out as Cast.
NO_E8M0 = (
    "e8m0 has neither sign nor zero: it is a format of scales, and quantutils.formats.floats holds formats of numbers"
)
CANNOT = {
    "test_cast_FLOAT_to_FLOAT4E2M1": NO_NAN,
    "test_cast_FLOAT16_to_FLOAT4E2M1": NO_NAN,
    "test_castlike_FLOAT_to_FLOAT4E2M1": NO_NAN,
    "test_castlike_FLOAT16_to_FLOAT4E2M1": NO_NAN,
    "test_castlike_FLOAT_to_FLOAT4E2M1_expanded": NO_NAN,
    "test_castlike_FLOAT16_to_FLOAT4E2M1_expanded": NO_NAN,
    "test_cast_e8m0_FLOAT_to_FLOAT8E8M0": NO_E8M0,
    "test_cast_e8m0_FLOAT16_to_FLOAT8E8M0": NO_E8M0,
    "test_cast_e8m0_FLOAT8E8M0_to_FLOAT": NO_E8M0,
    "test_cast_e8m0_FLOAT8E8M0_to_FLOAT16": NO_E8M0,
}
# ONNX's name of each format, as numpy_helper spells its dtype.
FORMATS = {
    "float8_e4m3fn": FLOAT_FORMATS["e4m3fn"],
    "float8_e5m2": FLOAT_FORMATS["e5m2"],
    "float8_e4m3fnuz": FLOAT_FORMATS["e4m3fnuz"],
    "float8_e5m2fnuz": FLOAT_FORMATS["e5m2fnuz"],
    "float4_e2m1fn": FLOAT_FORMATS["e2m1"],
}
LIMITS = {"int2": (-2, 1), "uint2": (0, 3), "int4": (-8, 7), "uint4": (0, 15)}


def collected():
    """{name: case} of the operators above and the casts of small floats."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # collecting makes every operator's examples, overflows among them
        return {case.name: case for case in collect_testcases(None) if operator(case) or small_cast(case)}


def operator(case):
    """Which of OPERATORS a case tests, by its own name, since an expanded case has other nodes; None for others."""
    written_out = case.name.removeprefix("test_").replace("_", "")
    return next((name for name in OPERATORS if written_out.startswith(name.lower())), None)


def small_cast(case):
    """Whether a case casts to or from a float of 8 or 4 bits."""
    return "test_cast" in case.name and ("FLOAT8" in case.name or "FLOAT4E2M1" in case.name)


CASES = collected()


def arrays(values):
    return [numpy_helper.to_array(each) if isinstance(each, TensorProto) else each for each in values]


def attributes(case):
    return {each.name: helper.get_attribute_value(each) for each in case.model.graph.node[0].attribute}


def limits(dtype):
    return LIMITS.get(str(dtype)) or (int(np.iinfo(dtype).min), int(np.iinfo(dtype).max))


def one(values):
    """The single number of an array of one."""
    return np.asarray(values).reshape(()).item()


def qparams(scale, zero_point, dtype, axis=1, block_size=0):
    """The QParams of an ONNX scale and zero point: per tensor, per axis or blocked."""
    low, high = limits(dtype)
    zero_point = np.zeros(scale.shape) if zero_point is None else zero_point
    if scale.size == 1:
        return QParams(one(scale), int(one(zero_point)), low, high)
    return QParams(scale, zero_point.astype(np.int64), low, high, axis, block_size or None)


def answer(case):
    """What quantutils computes from a case's inputs, a tuple of arrays."""
    inputs, settings = arrays(case.data_sets[0][0]), attributes(case)
    if small_cast(case):
        return (cast(inputs[0], arrays(case.data_sets[0][1])[0].dtype, settings.get("saturate", 1)),)
    return ANSWERS[operator(case)](inputs, settings)


def cast(x, dtype, saturate):
    if dtype not in (np.float16, np.float32):
        return FORMATS[str(dtype)].encode(x, bool(saturate)).view(dtype)
    return FORMATS[str(x.dtype)].decode(x.view(np.uint8)).astype(dtype)


def quantize_linear(inputs, settings):
    x, scale, zero_point = (*inputs, None)[:3]
    dtype = zero_point.dtype if zero_point is not None else helper.tensor_dtype_to_np_dtype(settings["output_dtype"])
    axis = settings.get("axis", 1)
    if str(dtype) in FORMATS:
        along = scale.reshape(-1, *[1] * (x.ndim - 1 - axis)) if scale.size > 1 else scale.reshape(())
        return (FORMATS[str(dtype)].quantize(x, along).view(dtype),)
    made = qparams(scale, zero_point, dtype, axis, settings.get("block_size"))
    return (made.quantize(x).astype(dtype),)  # uint16 codes come as int32


def dequantize_linear(inputs, settings):
    codes, scale, zero_point = (*inputs, None)[:3]
    if str(codes.dtype) in FORMATS:
        assert zero_point is None or one(zero_point.astype(np.float32)) == 0.0
        return (FORMATS[str(codes.dtype)].dequantize(codes.view(np.uint8), one(scale)).astype(scale.dtype),)
    made = qparams(scale, zero_point, codes.dtype, settings.get("axis", 1), settings.get("block_size"))
    # int2 and int4 are no dtypes of NumPy itself.
    return (made.dequantize(codes.astype(np.int64)),)


def dynamic_quantize_linear(inputs, _settings):
    found = quantize_activations(inputs[0], rule="onnx")
    return found.codes, np.float32(found.scale), np.uint8(found.zero_point)


def sums(qa, za, qb, zb):
    """Σ(qa − za)(qb − zb) from the four terms that lesson 04 expands it into."""
    given = [(QParams(1.0, int(one(zero)), *limits(codes.dtype))) for codes, zero in ((qa, za), (qb, zb))]
    return sum(product_terms(qa, given[0], qb, given[1]))


def matmul_integer(inputs, _settings):
    qa, qb, za, zb = inputs
    return (sums(qa, za, qb, zb).astype(np.int32),)


def qlinear_matmul(inputs, _settings):
    qa, sa, za, qb, sb, zb, sy, zy = inputs
    multiplier = np.float32(one(sa)) * np.float32(one(sb)) / np.float32(one(sy))
    return (requantize(sums(qa, za, qb, zb), multiplier, qparams(sy, zy, zy.dtype)),)


def conv_integer(inputs, settings):
    x, weights, zx, zw = (*inputs, np.uint8(0))[:4]
    height, width, *_ = settings.get("pads", [0] * 4)
    return (integer_conv2d(x, weights, int(one(zx)), zw, padding=(height, width)),)


def qlinear_conv(inputs, settings):
    x, sx, zx, weights, sw, zw, sy, zy = inputs
    (exact,) = conv_integer((x, weights, zx, zw), settings)
    multiplier = np.float32(one(sx)) * np.float32(one(sw)) / np.float32(one(sy))
    return (requantize(exact, multiplier, qparams(sy, zy, zy.dtype)),)


ANSWERS = {
    "QuantizeLinear": quantize_linear,
    "DequantizeLinear": dequantize_linear,
    "DynamicQuantizeLinear": dynamic_quantize_linear,
    "MatMulInteger": matmul_integer,
    "QLinearMatMul": qlinear_matmul,
    "QLinearConv": qlinear_conv,
    "ConvInteger": conv_integer,
}


def check(case):
    """Fail unless quantutils answers every output, element for element, in its dtype and shape; NaN equals NaN."""
    wanted = arrays(case.data_sets[0][1])
    found = answer(case)
    assert len(found) == len(wanted)
    for mine, truth in zip(found, wanted, strict=True):
        mine, truth = np.asarray(mine), np.asarray(truth)
        assert (mine.dtype, mine.shape) == (truth.dtype, truth.shape)
        wide = [values.astype(np.float64) for values in (mine, truth)]
        np.testing.assert_array_equal(*wide)
        np.testing.assert_array_equal(*(np.signbit(values) & ~np.isnan(values) for values in wide))


@pytest.mark.parametrize("name", sorted(set(CASES) - set(CANNOT)))
def test_node(name):
    check(CASES[name])


@pytest.mark.parametrize("name", CANNOT)
def test_what_is_listed_as_impossible_exists_and_does_not_pass(name):
    with pytest.raises((ValueError, KeyError), match=r"it has no NaN|float8_e8m0fnu"):
        check(CASES[name])


@pytest.mark.parametrize("name", [name for name in CANNOT if CANNOT[name] is NO_NAN])
def test_casts_to_e2m1_are_right_everywhere_but_at_nan(name):
    case = CASES[name]
    (x, *_), (truth,) = arrays(case.data_sets[0][0]), arrays(case.data_sets[0][1])
    known = ~np.isnan(x)
    assert known.sum() == known.size - 1
    np.testing.assert_array_equal(FLOAT_FORMATS["e2m1"].encode(x[known]), truth[known].view(np.uint8))


def test_no_case_is_left_out():
    found = collections.Counter(operator(case) for case in CASES.values() if not small_cast(case))
    assert found == OPERATORS
    assert sum(OPERATORS.values()) == 45
    # Cast to four fp8 formats and fp4 from two floats, ten; to fp8 without saturation, eight.
    casts = [name for name in CASES if re.match(r"test_cast_(no_saturate_)?FLOAT(16)?_to_FLOAT(8E[45]|4)", name)]
    assert len(casts) == 18
    assert sum(map(small_cast, CASES.values())) == len(CASES) - 45 == 88
