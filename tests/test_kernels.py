"""The kernel rules without their kernels: NumPy and torch agree, odd shapes, refusals in one sentence."""

import itertools
import warnings
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from strategies import as_library, seeds

from quantutils import QParams
from quantutils.kernels import NAMES, conv2d_static, linear_dynamic, linear_static, quantize_activations
from quantutils.kernels.rounding import fma, rint_int32

STATIC = [name for name in NAMES if name != "torchao"]
X_QPARAMS, OUT_QPARAMS = QParams(0.02, 117, 0, 255), QParams(0.3, 90, 0, 255)
SIZES = [(1, 1, 1), (5, 1, 3), (7, 13, 11), (0, 4, 3), (4, 3, 0), (2, 64, 33)]


def linear_case(seed, m, k, n, per_channel=True):
    """x, x_codes, weight_codes, weight_scale, bias."""
    rng = np.random.default_rng(seed)
    return (
        rng.normal(0, 3, (m, k)).astype(np.float32),
        rng.integers(0, 256, (m, k)).astype(np.uint8),
        rng.integers(-128, 128, (n, k)).astype(np.int8),
        rng.uniform(0.001, 0.1, n if per_channel else None),
        rng.normal(0, 5, n).astype(np.float32),
    )


def in_torch(*values):
    return [torch.from_numpy(value) if isinstance(value, np.ndarray) and value.ndim else value for value in values]


# The arithmetic


@given(st.floats(width=32), st.floats(width=32), st.floats(width=32))
@example(1 + 2.0**-12, 1 + 2.0**-12, -1.0)
@example(1 + 2.0**-23, 0.5 + 2.0**-24, 2.0**-80)
@example(1 + 2.0**-12, 1 + 2.0**-12, 2.0**-60)
@example(1 + 2.0**-12, 1 + 2.0**-12, -(2.0**-60))
def test_fma_rounds_once(a, b, c):
    numbers = [np.float32(value) for value in (a, b, c)]
    if not all(np.isfinite(value) and (value == 0 or 2.0**-30 < abs(value) < 2.0**30) for value in numbers[:2]):
        return
    if not np.isfinite(numbers[2]) or abs(numbers[2]) > 2.0**60 or 0 < abs(numbers[2]) < 2.0**-90:
        return
    exact = Fraction(float(numbers[0])) * Fraction(float(numbers[1])) + Fraction(float(numbers[2]))
    got = fma(*(np.array([value]) for value in numbers))[0]
    neighbours = [np.nextafter(got, np.float32(end), dtype=np.float32) for end in (-np.inf, np.inf)]
    error = abs(Fraction(float(got)) - exact)
    for other in neighbours:
        distance = abs(Fraction(float(other)) - exact)
        # At an exact tie the even neighbour wins.
        assert error < distance or (error == distance and got.view(np.uint32) % 2 == 0)


@pytest.mark.parametrize(("of", "float32"), [(np.array, np.float32), (torch.tensor, torch.float32)])
def test_fma_rounds_once_at_the_smallest_normal_number(of, float32):
    # 8384513 · 8392705 = 2⁴⁶ + 1: a · b is a little more than half of the last step, too little for float64 to hold.
    a, b, smallest = 8384513 * 2.0**-98, 8392705 * 2.0**-98, 2.0**-126
    found = fma(*(of([value] * 2, dtype=float32) for value in (-a, b, smallest)))
    assert found.tolist() == [2.0**-126 - 2.0**-149] * 2


def test_conversion_to_int32_wraps_from_above_only():
    values = np.array([2.5, -2.5, 2.0**31, 3e38, -(2.0**31), 2.0**31 - 128], np.float32)
    assert rint_int32(values)[:5].tolist() == [2, -2, -(2.0**31), -(2.0**31), -(2.0**31)]
    assert rint_int32(values)[5] == 2.0**31 - 128
    # One number too large is enough, and it may be the first that is.
    for large in (2.0**31, 3e9):
        assert rint_int32(np.array([1.5, large], np.float32)).tolist() == [2, -(2.0**31)]


# One implementation


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("rule", NAMES)
def test_numpy_and_torch_agree_bit_for_bit_and_inputs_stay(rule, per_channel):
    for seed, size in enumerate(SIZES):
        x, x_codes, codes, scale, bias = linear_case(seed, *size, per_channel)
        kept = [np.copy(value) for value in (x, x_codes, codes, scale, bias)]
        calls = [
            (linear_dynamic, (x, codes, scale, bias)),
            (linear_static, (x_codes, X_QPARAMS, codes, scale, bias, OUT_QPARAMS)),
        ]
        for function, given_values in calls[: 1 if rule == "torchao" else 2]:
            answer = function(*given_values, rule=rule)
            tensors = in_torch(*given_values)
            tensor_answer = function(*tensors, rule=rule)
            assert isinstance(tensor_answer, torch.Tensor)
            assert answer.dtype == (np.float32 if function is linear_dynamic else np.uint8)
            assert answer.shape == (size[0], size[2])
            np.testing.assert_array_equal(tensor_answer.numpy(), answer, strict=True)
        for value, before in zip((x, x_codes, codes, scale, bias), kept, strict=True):
            np.testing.assert_array_equal(value, before)


@pytest.mark.parametrize("rule", STATIC)
def test_convolutions_of_numpy_and_torch_agree_and_inputs_stay(rule):
    rng = np.random.default_rng(3)
    x, codes = (
        rng.integers(0, 256, (2, 6, 7, 5)).astype(np.uint8),
        rng.integers(-128, 128, (9, 2, 3, 2)).astype(np.int8),
    )
    scale, bias = rng.uniform(0.001, 0.1, 9), rng.normal(0, 5, 9).astype(np.float32)
    kept = [value.copy() for value in (x, codes, scale, bias)]
    geometry = {"stride": (2, 1), "padding": (0, 3), "dilation": (1, 2), "groups": 3, "relu": True}
    given_values = (x, X_QPARAMS, codes, scale, bias, OUT_QPARAMS)
    answer = conv2d_static(*given_values, **geometry, rule=rule)
    assert (answer.dtype, answer.shape) == (np.uint8, (2, 9, 3, 9))
    np.testing.assert_array_equal(conv2d_static(*in_torch(*given_values), **geometry, rule=rule).numpy(), answer)
    for value, before in zip((x, codes, scale, bias), kept, strict=True):
        np.testing.assert_array_equal(value, before)
    assert conv2d_static(x[:0], X_QPARAMS, codes, scale, bias, OUT_QPARAMS, groups=3, rule=rule).shape == (0, 9, 5, 4)


@given(seeds(), st.sampled_from(STATIC), st.sampled_from(["numpy", "torch"]))
def test_a_convolution_is_the_linear_layer_of_its_windows(seed, rule, library):
    rng = np.random.default_rng(seed)
    rule = "onednn_vnni" if rule.startswith("onednn") else rule
    x, codes = (
        rng.integers(0, 256, (2, 4, 6, 5)).astype(np.uint8),
        rng.integers(-128, 128, (3, 4, 2, 3)).astype(np.int8),
    )
    bias, (stride, padding) = rng.normal(0, 5, 3).astype(np.float32), rng.integers([1, 0], [3, 3]).tolist()
    given_values = (as_library(x, library), X_QPARAMS, as_library(codes, library), 0.01, bias, OUT_QPARAMS)
    answer = np.asarray(conv2d_static(*given_values, stride, padding, rule=rule))
    padded = np.pad(x, ((0, 0), (0, 0), (padding,) * 2, (padding,) * 2), constant_values=117)
    for row, column in np.ndindex(*answer.shape[2:]):
        window = padded[:, :, row * stride : row * stride + 2, column * stride : column * stride + 3].reshape(2, -1)
        flat = linear_static(window, X_QPARAMS, codes.reshape(3, -1), 0.01, bias, OUT_QPARAMS, rule=rule)
        # oneDNN inverts the weight scales of linear layers, not those of convolutions.
        assert np.max(np.abs(answer[:, :, row, column].astype(int) - flat)) <= (rule == "onednn_vnni")


@pytest.mark.parametrize("rule", NAMES)
def test_every_rule_is_close_to_the_real_product(rule):
    x, x_codes, codes, scale, bias = linear_case(1, 50, 40, 30)
    real = x @ (codes * scale[:, None]).T + bias
    step = np.ptp(x) / 127
    allowed = step * np.abs(codes * scale[:, None]).sum(1).max()
    assert np.max(np.abs(linear_dynamic(x, codes, scale, bias, rule=rule) - real)) < allowed
    if rule != "torchao":
        real = X_QPARAMS.dequantize(x_codes) @ (codes * scale[:, None]).T + bias
        answer = linear_static(x_codes, X_QPARAMS, codes, scale, bias, OUT_QPARAMS, rule=rule)
        assert np.max(np.abs(answer.astype(int) - OUT_QPARAMS.quantize(real))) <= 1


# Shapes and options


@pytest.mark.parametrize("rule", NAMES)
def test_leading_axes_are_kept(rule):
    x, x_codes, codes, scale, bias = linear_case(2, 24, 7, 5)
    flat = linear_dynamic(x, codes, scale, bias, rule=rule)
    np.testing.assert_array_equal(
        linear_dynamic(x.reshape(2, 3, 4, 7), codes, scale, bias, rule=rule), flat.reshape(2, 3, 4, 5)
    )
    assert linear_dynamic(x[0], codes, scale, bias, rule=rule).shape == (5,)
    assert (
        linear_dynamic(np.zeros((3, 0)), np.zeros((2, 0), np.int8), 1.0, [1.5, 2], rule=rule).tolist() == [[1.5, 2]] * 3
    )
    if rule != "torchao":
        flat = linear_static(x_codes, X_QPARAMS, codes, scale, bias, OUT_QPARAMS, rule=rule)
        deep = linear_static(x_codes.reshape(2, 12, 7), X_QPARAMS, codes, scale, bias, OUT_QPARAMS, rule=rule)
        np.testing.assert_array_equal(deep, flat.reshape(2, 12, 5))


@pytest.mark.parametrize("rule", STATIC)
def test_relu_clamps_at_the_zero_point_and_the_range_is_obeyed(rule):
    _, x_codes, codes, scale, bias = linear_case(2, 24, 7, 5)
    for out_qparams in (OUT_QPARAMS, QParams(0.3, 50, 20, 100)):
        plain = linear_static(x_codes, X_QPARAMS, codes, scale, bias, out_qparams, rule=rule)
        assert plain.min() >= out_qparams.qmin
        assert plain.max() <= out_qparams.qmax
        rectified = linear_static(x_codes, X_QPARAMS, codes, scale, bias, out_qparams, rule=rule, relu=True)
        np.testing.assert_array_equal(rectified, np.maximum(plain, out_qparams.zero_point))


@pytest.mark.parametrize("rule", NAMES)
def test_no_bias_is_a_bias_of_zeros(rule):
    x, x_codes, codes, scale, _ = linear_case(2, 24, 7, 5)
    zeros = np.zeros(5)
    np.testing.assert_array_equal(
        linear_dynamic(x, codes, scale, rule=rule), linear_dynamic(x, codes, scale, zeros, rule=rule)
    )
    if rule != "torchao":
        without, with_zeros = (
            linear_static(x_codes, X_QPARAMS, codes, scale, bias, OUT_QPARAMS, rule=rule) for bias in (None, zeros)
        )
        np.testing.assert_array_equal(without, with_zeros)


def test_real_numbers_of_any_width_are_rounded_to_float32():
    x, _, codes, scale, bias = linear_case(4, 9, 8, 7)
    half = x.astype(np.float16)
    for rule, (narrow, wide) in itertools.product(NAMES, [(x, x.astype(np.float64)), (half.astype(np.float32), half)]):
        np.testing.assert_array_equal(
            linear_dynamic(narrow, codes, scale, bias, rule=rule), linear_dynamic(wide, codes, scale, bias, rule=rule)
        )


def test_a_gradient_is_left_behind():
    x, _, codes, scale, bias = in_torch(*linear_case(4, 9, 8, 7))
    answer = linear_dynamic(x.requires_grad_(), codes, scale.requires_grad_(), bias.requires_grad_(), rule="fbgemm")
    assert not answer.requires_grad


def test_reduced_range_is_each_kernels_own_default():
    x = np.linspace(-0.3, 1, 400, dtype=np.float32)[None]
    tops = {rule: int(quantize_activations(x, rule=rule).codes.max()) for rule in NAMES}
    full = {"onnx": 255, "qnnpack": 255, "torchao": 127}
    assert tops == {rule: full.get(rule, 127) for rule in NAMES}
    assert quantize_activations(x, rule="fbgemm", reduce_range=False).codes.max() == 255
    assert quantize_activations(x, rule="qnnpack", reduce_range=True).codes.max() == 255
    # torch clamps to 8 bits, so a zero point that is rounded up takes the largest number one code further.
    assert quantize_activations(np.array([[-1.0, 1.0]]), rule="fbgemm").codes.tolist() == [[0, 128]]


# Refusals

X, X_CODES, CODES, SCALE, BIAS = linear_case(0, 4, 3, 2)
DYNAMIC = {"x": X, "weight_codes": CODES, "weight_scale": SCALE, "bias": BIAS, "rule": "fbgemm"}
STATIC_GIVEN = {
    "x_codes": X_CODES,
    "x_qparams": X_QPARAMS,
    "weight_codes": CODES,
    "weight_scale": SCALE,
    "bias": BIAS,
    "out_qparams": OUT_QPARAMS,
    "rule": "fbgemm",
}
CONV = {**STATIC_GIVEN, "x_codes": np.zeros((1, 4, 5, 5), np.uint8), "weight_codes": np.zeros((2, 4, 3, 3), np.int8)}


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (
            {"rule": "fbgem"},
            ValueError,
            "rule is 'fbgem'; accepted: one of 'onnx', 'fbgemm', 'onednn', 'qnnpack', 'torchao'",
        ),
        ({"rule": None}, ValueError, "rule is None; accepted: one of 'onnx"),
        ({"x": CODES}, TypeError, "x has dtype int8; accepted: real numbers"),
        ({"x": X * np.nan}, ValueError, "x holds 12 NaN"),
        ({"x": np.float32(1)}, ValueError, r"x has shape \(\); accepted: \(…, 3\)"),
        ({"x": X.astype(float) * 1e300}, ValueError, r"x reaches .*e\+300; accepted: magnitudes up to 3\.40"),
        (
            {"x": np.array([[-3e38, 3e38, 0]], np.float32), "rule": "onnx"},
            ValueError,
            r"x goes from -3e\+38 to 3e\+38; accepted: a width that float32 holds, up to 3\.40",
        ),
        ({"bias": [1e39, 0.0]}, ValueError, r"bias reaches 1e\+39; accepted: magnitudes up to 3\.40"),
        (
            {"x": X.T},
            ValueError,
            r"x has shape \(3, 4\); accepted: \(…, 3\), since weight_codes \(N, K\) has shape \(2, 3\)",
        ),
        ({"x": torch.from_numpy(X)}, TypeError, "x and weight_codes come from different libraries"),
        ({"weight_codes": CODES.astype(float)}, TypeError, "weight_codes has dtype float64; accepted: integer codes"),
        (
            {"weight_codes": CODES.astype(int) + 200},
            ValueError,
            "weight_codes holds codes from .*; accepted: -128 to 127",
        ),
        ({"weight_codes": CODES[0]}, ValueError, r"weight_codes has shape \(3,\); accepted: \(N, K\)"),
        (
            {"weight_scale": [1.0, 2.0, 3.0]},
            ValueError,
            r"weight_scale has shape \(3,\); accepted: a number, or \(2,\)",
        ),
        ({"weight_scale": 0.0}, ValueError, "weight_scale is 0.0; accepted: 1.17"),
        ({"weight_scale": "1"}, TypeError, "weight_scale is '1'; accepted"),
        ({"bias": [1.0]}, ValueError, r"bias has shape \(1,\); accepted: None or \(2,\)"),
        ({"bias": [1, 2]}, TypeError, "bias holds integers; accepted: the float bias"),
        ({"bias": [np.inf, 0.0]}, ValueError, "bias holds 0 NaN and 1 infinite values"),
        ({"reduce_range": "no"}, TypeError, "reduce_range is 'no'; accepted: True or False"),
        ({"reduce_range": True, "rule": "onnx"}, ValueError, "reduce_range is True; accepted with rule 'onnx': None"),
    ],
)
def test_dynamic_refuses_in_a_sentence(change, error, message):
    with pytest.raises(error, match=f"^{message}"):
        linear_dynamic(**{**DYNAMIC, **change})


def test_activations_refuse_a_number_without_an_axis():
    with pytest.raises(ValueError, match=r"^x has shape \(\); accepted: \(…, K\)$"):
        quantize_activations(np.float32(1), rule="fbgemm")


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (
            {"rule": "torchao"},
            ValueError,
            "rule is 'torchao', which has no static 8-bit kernel .*; accepted: one of onnx",
        ),
        ({"rule": "torchao"}, ValueError, "rule is .*: one of onnx, fbgemm, onednn, qnnpack, onednn_vnni, onednn_amx$"),
        ({"rule": "x86"}, ValueError, "rule is 'x86'; accepted: one of"),
        ({"x_codes": 5}, ValueError, r"x_codes has shape \(\); accepted: \(…, K\)$"),
        ({"weight_codes": CODES[0]}, ValueError, r"weight_codes has shape \(3,\); accepted: \(N, K\)$"),
        (
            {"weight_codes": torch.from_numpy(CODES)},
            TypeError,
            "x_codes and weight_codes come from different libraries; accepted: both",
        ),
        ({"x_codes": X}, TypeError, "x_codes has dtype float32; accepted: integer codes"),
        ({"x_codes": X_CODES.astype(int) - 300}, ValueError, "x_codes holds codes from .*; accepted: 0 to 255"),
        ({"x_codes": X_CODES[:, :2]}, ValueError, r"x_codes has shape \(4, 2\); accepted: \(…, 3\)"),
        ({"x_qparams": 0.1}, TypeError, "x_qparams is 0.1; accepted: a QParams"),
        ({"x_qparams": QParams(0.1, 0, -128, 127)}, ValueError, "x_qparams has codes -128 to 127; accepted: unsigned"),
        ({"out_qparams": QParams([0.1], [0], 0, 255, 0)}, ValueError, "out_qparams has axis 0; accepted: per-tensor"),
        ({"out_qparams": None}, TypeError, "out_qparams is None; accepted: a QParams"),
        ({"relu": 1}, TypeError, "relu is 1; accepted: True or False"),
    ],
)
def test_static_refuses_in_a_sentence(change, error, message):
    with pytest.raises(error, match=f"^{message}"):
        linear_static(**{**STATIC_GIVEN, **change})


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"x_codes": X_CODES}, ValueError, r"x_codes has shape \(4, 3\); accepted: \(B, I, H, W\)"),
        ({"weight_codes": CODES}, ValueError, r"weight_codes has shape \(2, 3\); accepted: \(O, I/groups, kh, kw\)"),
        ({"groups": 2}, ValueError, r"groups is 2, x_codes .* accepted: groups that divide O, and I = 4 · groups"),
        ({"groups": 0}, ValueError, "groups is 0; accepted: a whole number of at least 1"),
        ({"stride": 0}, ValueError, "stride is 0; accepted: a whole number from 1 to 32768"),
        ({"stride": 2**15 + 1}, ValueError, "stride is 32769; accepted: a whole number from 1 to 32768$"),
        ({"dilation": 2**15 + 1}, ValueError, "dilation is 32769; accepted: a whole number from 1 to 32768$"),
        ({"padding": (0, 1025)}, ValueError, "padding is 1025; accepted: a whole number from 0 to 1024$"),
        ({"stride": (0, 1)}, ValueError, "stride is 0; accepted: a whole number from 1 to 32768$"),
        ({"dilation": 0}, ValueError, "dilation is 0; accepted: a whole number from 1 to 32768$"),
        ({"padding": 1025}, ValueError, "padding is 1025; accepted: a whole number from 0 to 1024$"),
        ({"out_qparams": 0.1}, TypeError, "out_qparams is 0.1; accepted: a QParams"),
        ({"weight_scale": [1.0]}, ValueError, r"weight_scale has shape \(1,\); accepted: a number, or \(2,\)"),
        ({"bias": [1.0]}, ValueError, r"bias has shape \(1,\); accepted: None or \(2,\), one for each output channel$"),
        ({"weight_codes": torch.zeros(2, 4, 3, 3, dtype=torch.int8)}, TypeError, "x_codes and weight_codes come from"),
        ({"relu": 1}, TypeError, "relu is 1; accepted: True or False"),
        ({"stride": (1, 2, 3)}, ValueError, r"stride is \(1, 2, 3\); accepted: a number or a pair"),
        ({"padding": -1}, ValueError, "padding is -1; accepted: a whole number from 0 to 1024"),
        ({"padding": "same"}, TypeError, "padding is 'same'; accepted: a whole number"),
        (
            {"dilation": (1, 3)},
            ValueError,
            "weight_codes reaches over 7 in width; accepted: 1 to 5, x_codes with padding",
        ),
        ({"rule": "torchao"}, ValueError, "rule is 'torchao', which has no static 8-bit kernel"),
    ],
)
def test_convolution_refuses_in_a_sentence(change, error, message):
    with pytest.raises(error, match=f"^{message}"):
        conv2d_static(**{**CONV, **change})


@pytest.mark.parametrize("rule", NAMES)
def test_outputs_beyond_float32_are_refused_without_a_warning(rule):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ValueError, match=r"^x times weight_scale, plus bias, holds 0 NaN and 1 infinite values"):
            linear_dynamic(np.array([[1e30, 0.0]]), np.array([[100, 0]], np.int8), 1e10, rule=rule)


@pytest.mark.parametrize("rule", STATIC)
def test_scales_whose_product_or_quotient_float32_does_not_hold_are_refused(rule):
    for x_scale, weight_scale, out_scale in ((1e-20, 1e-20, 1.0), (1e20, 1e20, 1.0), (1e-18, 1e-18, 1e10)):
        changed = {"x_qparams": QParams(x_scale, 0, 0, 255), "out_qparams": QParams(out_scale, 0, 0, 255)}
        with pytest.raises(
            ValueError, match=r"^x_qparams, weight_scale and out_qparams have scales whose product or quotient goes"
        ):
            linear_static(**{**STATIC_GIVEN, **changed, "weight_scale": weight_scale, "rule": rule})


def test_one_channel_s_scale_is_looked_at_too():
    x_qparams, codes = QParams(1e-20, 0, 0, 255), np.ones((1, 3), np.int8)
    with pytest.raises(ValueError, match=r"^x_qparams, weight_scale and out_qparams have scales"):
        linear_static(X_CODES, x_qparams, codes, [1e-20], None, OUT_QPARAMS, rule="fbgemm")


@pytest.mark.parametrize("library", ["numpy", "torch"])
@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.int64])
def test_codes_of_any_integer_dtype_are_the_same_codes(dtype, library):
    x, codes = as_library(X_CODES.astype(dtype), library), as_library(CODES.astype(dtype), library)
    for rule in STATIC:
        wanted = linear_static(X_CODES, X_QPARAMS, CODES, SCALE, BIAS, OUT_QPARAMS, rule=rule)
        found = linear_static(x, X_QPARAMS, codes, SCALE, BIAS, OUT_QPARAMS, rule=rule)
        np.testing.assert_array_equal(np.asarray(found), wanted, strict=True)


def test_parameters_at_the_ends_of_float32_are_taken():
    tiny, largest = (float(end) for end in (np.finfo(np.float32).tiny, np.finfo(np.float32).max))
    zeros = np.zeros((1, 3), np.float32)
    for scale in (tiny, largest):
        assert linear_dynamic(zeros, CODES, scale, rule="fbgemm").tolist() == [[0.0, 0.0]]
        assert linear_dynamic(zeros, CODES, [scale, scale], rule="fbgemm").tolist() == [[0.0, 0.0]]
    assert linear_dynamic(zeros, CODES, 1.0, [largest, -largest], rule="fbgemm").tolist() == [[largest, -largest]]
    for scale in (tiny / 2, largest * 2):
        with pytest.raises(ValueError, match=r"^weight_scale is .*; accepted: 1\.17.* to 3\.40"):
            linear_dynamic(zeros, CODES, [1.0, scale], rule="fbgemm")


def test_sums_that_could_overflow_int32_are_refused():
    long = 2**31 // (255 * 128) + 1
    x, codes = np.full((1, long), 255, np.uint8), np.full((1, long), -128, np.int8)
    with pytest.raises(ValueError, match=rf"K = {long}; accepted: at most {long - 1} "):
        linear_static(x, QParams(0.1, 0, 0, 255), codes, 0.1, None, OUT_QPARAMS, rule="fbgemm")
