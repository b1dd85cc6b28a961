"""The one formula: its invariants on random and tie-heavy numbers, its rules at the edges, and what it refuses."""

import dataclasses
import warnings
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import DTYPES, LIMITS, hard_numbers, kinds, mappings, mappings_and_shapes, seeds, spread

from quantutils import QParams, choose_qparams, code_limits
from quantutils.affine import need_qparams
from quantutils.arrays import CACHE_BLOCK

SIGNED_8 = QParams(0.5, 3, -128, 127)
FLOAT32_MAX = float(np.finfo(np.float32).max)
FLOAT32_TINY = float(np.finfo(np.float32).tiny)


def naive_codes(x, qparams):
    """The formula in Python's own numbers: one division in the working precision, round() to even, exact ints."""
    working = np.float64 if x.dtype == np.float64 else np.float32
    scale, zero_point = spread(qparams.scale, qparams, x.shape), spread(qparams.zero_point, qparams, x.shape)
    codes = np.empty(x.shape, np.int64)
    for place in np.ndindex(*x.shape):
        steps = round(float(working(x[place]) / working(scale[place])))
        codes[place] = min(max(steps + int(zero_point[place]), qparams.qmin), qparams.qmax)
    return codes


def real_slack(x, scale, dtype):
    """What floats may add to scale/2: fl(scale), the division, the product and x̂ in x's type round once each."""
    working = np.finfo(np.float64 if dtype == "float64" else np.float32).eps
    return (np.abs(x) + scale) * (1.5 * working + np.finfo(dtype).eps / 2) + np.finfo(dtype).smallest_subnormal


# Invariants


@given(mappings_and_shapes(), kinds(), seeds(), st.sampled_from(DTYPES))
def test_quantize_is_the_formula(mapping, kind, seed, dtype):
    qparams, shape = mapping
    x = hard_numbers(qparams, shape, kind, seed, dtype)
    codes = qparams.quantize(x)
    assert codes.dtype == qparams.code_dtype
    assert codes.tolist() == naive_codes(x, qparams).tolist()


@given(mappings_and_shapes(), seeds(), st.sampled_from(["float32", "float64"]))
def test_dequantize_is_the_formula(mapping, seed, dtype):
    qparams, shape = mapping
    codes = np.random.default_rng(seed).integers(qparams.qmin, qparams.qmax + 1, shape)
    steps = codes - spread(qparams.zero_point, qparams, shape)
    x_hat = qparams.dequantize(codes, dtype)
    assert x_hat.dtype == dtype
    assert x_hat.tolist() == (spread(qparams.scale, qparams, shape).astype(dtype) * steps.astype(dtype)).tolist()


@given(mappings_and_shapes(), kinds(), seeds(), st.sampled_from(DTYPES))
def test_error_inside_the_range_is_at_most_half_a_scale(mapping, kind, seed, dtype):
    qparams, shape = mapping
    x = hard_numbers(qparams, shape, kind, seed, dtype)
    scale, zero_point = spread(qparams.scale, qparams, shape), spread(qparams.zero_point, qparams, shape)
    wide = x.astype(np.float64)
    inside = (wide >= scale * (qparams.qmin - zero_point)) & (wide <= scale * (qparams.qmax - zero_point))
    error = np.abs(wide - qparams.fake_quantize(x).astype(np.float64))
    assert np.all(error[inside] <= (scale / 2 + real_slack(wide, scale, dtype))[inside])


@given(st.sampled_from(LIMITS), st.floats(-1e4, 1e4), st.floats(-1e4, 1e4), st.sampled_from(DTYPES))
def test_the_chosen_range_loses_at_most_half_a_scale_anywhere(limits, one, other, dtype):
    bits, symmetric, signed, full_range = limits
    low, high = sorted((float(np.float16(one)), float(np.float16(other))))
    if symmetric and not signed:
        low, high = 0.0, max(abs(low), abs(high))
    qparams = choose_qparams(low, high, bits, symmetric, signed, full_range=full_range, if_all_zero=1.0)
    x = np.append(np.linspace(low, high, 101), [low, high]).astype(dtype)
    wide = x.astype(np.float64)
    error = np.abs(wide - qparams.fake_quantize(x).astype(np.float64))
    assert np.all(error <= qparams.scale / 2 + real_slack(wide, qparams.scale, dtype))


@given(mappings(), st.sampled_from(["float32", "float64"]))
def test_every_code_survives_the_way_to_real_numbers_and_back(qparams, dtype):
    codes = np.arange(qparams.qmin, qparams.qmax + 1)
    assert np.array_equal(qparams.quantize(qparams.dequantize(codes, dtype)), codes)


@given(mappings_and_shapes(), kinds(), seeds(), st.sampled_from(["float32", "float64"]))
def test_fake_quantize_a_second_time_changes_nothing(mapping, kind, seed, dtype):
    qparams, shape = mapping
    once = qparams.fake_quantize(hard_numbers(qparams, shape, kind, seed, dtype))
    assert np.array_equal(qparams.fake_quantize(once), once)


@given(mappings(), kinds(), seeds(), st.sampled_from(DTYPES))
def test_quantize_is_monotone(qparams, kind, seed, dtype):
    x = np.sort(hard_numbers(qparams, (200,), kind, seed, dtype))
    assert np.all(np.diff(qparams.quantize(x).astype(np.int64)) >= 0)


@given(mappings_and_shapes(), st.sampled_from([0.0, -0.0]), st.sampled_from(DTYPES))
def test_zero_survives_exactly(mapping, zero, dtype):
    qparams, shape = mapping
    x = np.full(shape, zero, dtype)
    assert np.array_equal(qparams.quantize(x), spread(qparams.zero_point, qparams, shape))
    assert np.all(qparams.fake_quantize(x) == 0.0)


@given(mappings_and_shapes(), kinds(), seeds(), st.sampled_from(DTYPES))
def test_torch_and_numpy_agree_bit_for_bit(mapping, kind, seed, dtype):
    qparams, shape = mapping
    x = hard_numbers(qparams, shape, kind, seed, dtype)
    codes, torch_codes = qparams.quantize(x), qparams.quantize(torch.from_numpy(x))
    assert torch_codes.dtype == getattr(torch, qparams.code_dtype)
    assert np.array_equal(codes, torch_codes.numpy())
    for real in ("float32", "float64"):
        assert qparams.dequantize(codes, real).tobytes() == qparams.dequantize(torch_codes, real).numpy().tobytes()
    assert qparams.fake_quantize(x).dtype == dtype
    assert qparams.fake_quantize(x).tobytes() == qparams.fake_quantize(torch.from_numpy(x)).numpy().tobytes()


@given(mappings_and_shapes(), kinds(), seeds())
def test_bfloat16_is_computed_in_float32(mapping, kind, seed):
    qparams, shape = mapping
    x = torch.from_numpy(hard_numbers(qparams, shape, kind, seed, "float32")).to(torch.bfloat16)
    x_hat = qparams.fake_quantize(x)
    assert torch.equal(qparams.quantize(x), qparams.quantize(x.to(torch.float32)))
    assert x_hat.dtype == torch.bfloat16
    assert torch.equal(x_hat, qparams.fake_quantize(x.to(torch.float32)).to(torch.bfloat16))


@given(seeds(), st.sampled_from([0, 1, -1]), st.sampled_from(DTYPES))
def test_per_channel_is_per_tensor_on_each_slice(seed, axis, dtype):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(3, 4, 5)).astype(dtype)
    scale, zero_point = rng.uniform(0.01, 0.2, x.shape[axis]), rng.integers(-8, 8, x.shape[axis])
    codes = QParams(scale, zero_point, -8, 7, axis).quantize(x)
    for channel in range(x.shape[axis]):
        alone = QParams(scale[channel], zero_point[channel], -8, 7)
        assert np.array_equal(codes.take(channel, axis), alone.quantize(x.take(channel, axis)))


# Ties, zero points and the ends of the range


@pytest.mark.parametrize("dtype", DTYPES)
def test_ties_go_to_even(dtype):
    x = np.array([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 3.5], dtype)
    assert QParams(1.0, 0, -128, 127).quantize(x).tolist() == [-2, -2, 0, 0, 2, 2, 4]


def test_ties_are_settled_before_the_zero_point_is_added():
    # round(2.5 + 1) would be 4 and round(2.5) + 1 is 3: ONNX and this course round first.
    assert QParams(1.0, 1, -128, 127).quantize(np.array([0.5, 1.5, 2.5])).tolist() == [1, 3, 3]


@pytest.mark.parametrize(
    ("low", "high", "signed", "code"),
    [(0.0, 25.5, False, 0), (-25.5, 0.0, False, 255), (-12.0, 13.5, False, 120), (-12.0, 13.5, True, -8)],
)
def test_zero_goes_to_the_zero_point(low, high, signed, code):
    qparams = choose_qparams(low, high, signed=signed)
    assert qparams.zero_point == code
    assert int(qparams.quantize(0.0)) == code
    assert float(qparams.dequantize(code)) == 0.0


@pytest.mark.parametrize("bits", range(2, 17))
def test_code_limits_of_every_width(bits):
    half = 2 ** (bits - 1)
    assert code_limits() == (-128, 127)
    assert code_limits(bits) == (-half, half - 1)
    assert code_limits(bits, full_range=True) == (-half, half - 1)
    assert code_limits(bits, symmetric=True) == (1 - half, half - 1)
    assert code_limits(bits, symmetric=True, full_range=True) == (-half, half - 1)
    assert code_limits(bits, signed=False) == code_limits(bits, symmetric=True, signed=False) == (0, 2 * half - 1)


@pytest.mark.parametrize("symmetric", [False, True])
def test_ranges_in_an_array_are_chosen_each_alone(symmetric):
    low, high = np.array([0.0, 0.0, 0.0]), np.array([0.5, 7.0, 25.5])
    for signed in (False, True):
        together = choose_qparams(low, high, 8, symmetric, signed, axis=0)
        alone = [choose_qparams(0.0, each, 8, symmetric, signed) for each in high]
        assert together.scale.tolist() == [qparams.scale for qparams in alone]
        assert together.zero_point.tolist() == [qparams.zero_point for qparams in alone]


def test_restricted_range_maps_both_ends_to_codes_of_one_magnitude():
    qparams = choose_qparams(-1.0, 1.0, symmetric=True)
    assert qparams == QParams(1 / 127, 0, -127, 127)
    assert qparams.quantize(np.array([-1.0, 1.0, -5.0])).tolist() == [-127, 127, -127]
    assert qparams.fake_quantize(np.array([1.0])) == 1.0


def test_full_range_scale_is_amax_over_127_and_a_half():
    qparams = choose_qparams(-1.0, 1.0, symmetric=True, full_range=True)
    assert qparams == QParams(1 / 127.5, 0, -128, 127)
    assert qparams.quantize(np.array([-1.0, 1.0])).tolist() == [-128, 127]
    assert round(float(qparams.fake_quantize(np.array([1.0]))[0]), 3) == 0.996


@given(st.sampled_from(LIMITS), st.floats(-1e3, 0), st.floats(1e-3, 1e3))
def test_scale_and_zero_point_are_the_rational_formula(limits, low, high):
    bits, symmetric, signed, full_range = limits
    low = low if signed or not symmetric else 0.0
    qparams = choose_qparams(low, high, bits, symmetric, signed, full_range=full_range)
    span = qparams.qmax - qparams.qmin
    width = 2 * max(-low, high) if symmetric and signed else Fraction(high) - Fraction(low)
    # Two float64 roundings: the width and the division.
    assert abs(Fraction(qparams.scale) / (Fraction(width) / span) - 1) <= 2 * Fraction(2) ** -52
    if symmetric:
        assert qparams.zero_point == 0
    else:
        exact = qparams.qmin - Fraction(low) / Fraction(qparams.scale)
        # Off a tie by more than the float64 error of the quotient, the nearest code is the only answer.
        if abs(exact - round(exact)) < Fraction(1, 2) - Fraction(1, 2**34):
            assert qparams.zero_point == min(max(round(exact), qparams.qmin), qparams.qmax)


@pytest.mark.parametrize(("given_range", "taken"), [((2.0, 5.0), (0.0, 5.0)), ((-5.0, -2.0), (-5.0, 0.0))])
@pytest.mark.parametrize("symmetric", [False, True])
def test_the_range_is_widened_to_contain_zero(given_range, taken, symmetric):
    assert choose_qparams(*given_range, symmetric=symmetric) == choose_qparams(*taken, symmetric=symmetric)


@pytest.mark.parametrize("constant", [5.0, -5.0, 1e-30])
@pytest.mark.parametrize("symmetric", [False, True])
def test_a_constant_array_comes_back(constant, symmetric):
    qparams = choose_qparams(constant, constant, symmetric=symmetric)
    x = np.full(4, constant)
    assert qparams.fake_quantize(x) == pytest.approx(x, rel=1e-15)


@pytest.mark.parametrize("symmetric", [False, True])
def test_all_zero_ranges_take_the_scale_they_are_given(symmetric):
    assert choose_qparams(0.0, 0.0, symmetric=symmetric, if_all_zero=0.25).scale == 0.25
    assert choose_qparams(0.0, 0.0, symmetric=symmetric, if_all_zero=FLOAT32_TINY).scale == FLOAT32_TINY
    mixed = choose_qparams([0.0, -1.0], [0.0, 1.0], symmetric=symmetric, axis=0, if_all_zero=1)
    assert mixed.scale.tolist() == [1.0, 2 / (254 if symmetric else 255)]
    assert np.all(mixed.fake_quantize(np.zeros((2, 3))) == 0.0)


def test_if_all_zero_does_not_touch_a_range_too_narrow_for_a_scale():
    with pytest.raises(ValueError, match=r"high is 5e-324.*accepted: at least 1\.17"):
        choose_qparams(0.0, 5e-324, if_all_zero=1.0)


def test_widest_and_narrowest_scales_work_in_both_libraries():
    for qparams in (QParams(FLOAT32_TINY, 0, -128, 127), QParams(FLOAT32_MAX / 256, 0, -128, 127)):
        codes = np.arange(-128, 128)
        x_hat = qparams.dequantize(codes)
        assert np.all(np.isfinite(x_hat))
        assert np.array_equal(qparams.quantize(x_hat), codes)
        assert torch.equal(qparams.quantize(torch.from_numpy(x_hat)), torch.from_numpy(codes).to(torch.int8))


@pytest.mark.parametrize("library", [np.asarray, torch.as_tensor])
def test_quotients_beyond_float32_are_clipped_without_a_warning(library):
    x = library(np.array([-FLOAT32_MAX, FLOAT32_MAX], np.float32))
    for qparams in (QParams(FLOAT32_TINY, 0, -128, 127), QParams([FLOAT32_TINY], [0], -128, 127, axis=0)):
        given = x if qparams.axis is None else x[None]
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert qparams.quantize(given).ravel().tolist() == [-128, 127]


@pytest.mark.parametrize("library", [np.asarray, torch.as_tensor])
def test_the_division_is_rounded_once_to_the_dtype_of_x(library):
    # In float32 these quotients are ties, which go to even; in float64 they are not.
    x = np.array([0.35, 0.85], np.float32)
    for qparams in (QParams(0.1, 0, -128, 127), QParams([0.1], [0], -128, 127, axis=0)):
        given = x if qparams.axis is None else x[None]
        assert qparams.quantize(library(given)).ravel().tolist() == [4, 8]
        assert qparams.quantize(library(given.astype(np.float64))).ravel().tolist() == [3, 9]


@pytest.mark.parametrize("library", [np.asarray, torch.as_tensor])
def test_half_types_saturate_instead_of_becoming_infinite(library):
    # Code 128 stands for 65536, which float16 rounds to infinity.
    x = library(np.array([-65504.0, 65504.0], np.float16))
    assert QParams(512.0, 0, -255, 255).fake_quantize(x).tolist() == [-65504.0, 65504.0]


# Arrays of every kind


def test_numbers_lists_and_arrays_without_axes_work():
    assert SIGNED_8.quantize(1.0).shape == ()
    assert int(SIGNED_8.quantize(np.float32(1.0))) == int(SIGNED_8.quantize(torch.tensor(1.0))) == 5
    assert SIGNED_8.quantize([[1.0, 2.0]]).tolist() == [[5, 7]]
    assert float(SIGNED_8.dequantize(5)) == float(SIGNED_8.dequantize(torch.tensor(5))) == 1.0
    assert float(SIGNED_8.fake_quantize(np.array(1.1))) == 1.0


@pytest.mark.parametrize("library", [np.zeros, torch.zeros])
@pytest.mark.parametrize(
    ("qparams", "shape"),
    [
        (SIGNED_8, (0,)),
        (SIGNED_8, (2, 0, 3)),
        (QParams(np.ones(3), np.zeros(3, int), -8, 7, axis=-1), (0, 3)),
        (QParams(np.ones(3), np.zeros(3, int), -8, 7, axis=-1), (2, 0, 3)),
    ],
)
def test_batches_without_elements_give_arrays_without_elements(library, qparams, shape):
    codes = qparams.quantize(library(shape))
    assert tuple(codes.shape) == tuple(qparams.dequantize(codes).shape) == shape
    assert tuple(qparams.fake_quantize(library(shape)).shape) == shape


def test_arrays_that_are_not_contiguous_work():
    x = np.random.default_rng(0).normal(size=(6, 8)).astype(np.float32)
    qparams = QParams(np.linspace(0.01, 0.06, 4), np.arange(4), -8, 7, axis=0)
    view = x.T[::2]
    wanted = qparams.quantize(view.copy())
    assert np.array_equal(qparams.quantize(view), wanted)
    assert np.array_equal(qparams.quantize(torch.from_numpy(x).T[::2]).numpy(), wanted)
    assert np.array_equal(SIGNED_8.quantize(x[::-1]), SIGNED_8.quantize(x)[::-1])


@pytest.mark.parametrize("library", [np.asarray, torch.as_tensor])
@pytest.mark.parametrize("dtype", DTYPES)
def test_inputs_stay_as_they_are_and_results_own_their_data(library, dtype):
    x = np.array([0.5, -0.75, 0.0], dtype)
    kept = x.copy()
    qparams = QParams(0.25, 0, -128, 127)
    x_hat = qparams.fake_quantize(library(x))
    codes = qparams.quantize(library(x))
    x_hat[...] = 7.0
    qparams.dequantize(codes)[...] = 7.0
    assert np.array_equal(x, kept)
    assert codes.tolist() == [2, -3, 0]


@pytest.mark.parametrize("library", [np.asarray, torch.as_tensor])
@pytest.mark.parametrize("dtype", DTYPES)
def test_numbers_worked_on_in_several_blocks_are_each_worked_on_once(library, dtype):
    x = np.random.default_rng(1).normal(size=(2 * CACHE_BLOCK + 3) * 3).astype(dtype)
    alone = QParams(np.array([0.05]), np.array([3]), -50, 70, axis=0)  # per channel: all at once
    qparams = QParams(0.05, 3, -50, 70)
    for shape in ((-1,), (3, -1)):
        given = library(x.reshape(shape))
        codes, x_hat = qparams.quantize(given), qparams.fake_quantize(given)
        assert tuple(codes.shape) == tuple(x_hat.shape) == x.reshape(shape).shape
        assert np.array_equal(np.asarray(codes).ravel(), alone.quantize(x[None])[0])
        assert np.asarray(x_hat).tobytes() == alone.fake_quantize(x[None]).tobytes()


@pytest.mark.parametrize("library", [np.asarray, torch.as_tensor])
@pytest.mark.parametrize(("axis", "group_size"), [(0, None), (1, None), (1, 3)])
def test_channels_and_groups_worked_on_in_several_blocks_are_those_of_each_row(library, axis, group_size):
    rng = np.random.default_rng(2)
    x = rng.normal(size=(7, CACHE_BLOCK // 3 // 3 * 3)).astype(np.float32)
    shape = {None: (x.shape[axis],), 3: (7, x.shape[1] // 3)}[group_size]
    scale, zero_point = rng.uniform(0.02, 0.5, shape), rng.integers(-20, 20, shape)
    codes = QParams(scale, zero_point, -50, 70, axis, group_size).quantize(library(x))
    for row, values in enumerate(x):
        own = (scale[row], zero_point[row]) if axis == 0 or group_size else (scale, zero_point)
        own_axis = None if axis == 0 else 0
        alone = QParams(*own, -50, 70, own_axis, group_size).quantize(values)
        assert np.array_equal(np.asarray(codes[row]), alone)


@pytest.mark.parametrize("method", ["quantize", "fake_quantize"])
def test_what_is_not_finite_is_counted_over_all_blocks(method):
    x = np.zeros(2 * CACHE_BLOCK + 3, np.float32)
    x[[0, -1]] = np.nan
    with pytest.raises(ValueError, match=r"^x holds 2 NaN and 0 infinite values"):
        getattr(SIGNED_8, method)(x)


def test_a_tensor_with_a_gradient_is_quantized_without_it():
    x = torch.tensor([0.5, -0.75], requires_grad=True)
    assert QParams(0.25, 0, -128, 127).fake_quantize(x).requires_grad is False
    assert x.requires_grad


# QParams itself


def test_qparams_are_frozen_and_keep_copies():
    scale, zero_point = np.array([0.5, 1.0]), np.array([0, 1])
    qparams = QParams(scale, zero_point, -8, 7, axis=0)
    scale[0], zero_point[0] = 9.0, 5
    assert qparams.scale.tolist() == [0.5, 1.0]
    assert qparams.zero_point.tolist() == [0, 1]
    with pytest.raises(ValueError, match="read-only"):
        qparams.scale[0] = 2.0
    with pytest.raises(dataclasses.FrozenInstanceError):
        qparams.qmin = 0


def test_qparams_do_not_follow_a_tensor_they_were_made_from():
    scale, zero_point = torch.tensor([0.5], dtype=torch.float64), torch.tensor([3])
    qparams = QParams(scale, zero_point, -8, 7, axis=0)
    scale[0], zero_point[0] = 9.0, 5
    assert (qparams.scale.tolist(), qparams.zero_point.tolist()) == ([0.5], [3])


def test_qparams_take_whole_numbers_and_every_real_dtype_as_scale():
    assert QParams(1, 0, -8, 7) == QParams(1.0, np.int8(0), np.int64(-8), np.int64(7))
    counts = QParams([[1]], [[0]], np.int8(-8), np.int8(7), np.int64(0), np.int64(2))
    assert {type(each) for each in (counts.qmin, counts.qmax, counts.axis, counts.group_size)} == {int}
    assert (counts.scale.dtype, counts.zero_point.dtype) == (np.float64, np.int64)
    assert [type(each) for each in (SIGNED_8.scale, SIGNED_8.zero_point)] == [float, int]


@pytest.mark.parametrize(("qmin", "qmax"), [(-(2**15), 2**15 - 1), (0, 2**16 - 1), (2**16 - 2, 2**16 - 1), (-7, -6)])
def test_codes_of_up_to_16_bits_are_taken(qmin, qmax):
    qparams = QParams(1.0, qmin, qmin, qmax)
    assert qparams.quantize(np.array([-1.0, 1e6])).tolist() == [qmin, qmax]


@pytest.mark.parametrize(
    ("qmin", "qmax", "message"),
    [
        (-(2**15) - 1, 0, "qmin is -32769; accepted: a whole number from -32768 to 65534$"),
        (2**16 - 1, 2**16, "qmin is 65535; accepted: a whole number from -32768 to 65534$"),
        (5, 5, "qmax is 5; accepted: a whole number from 6 to 65535$"),
        (5, 2**16, "qmax is 65536; accepted: a whole number from 6 to 65535$"),
        (-1, 2**16 - 1, "qmax is 65535; accepted: a whole number from 0 to 65534$"),
    ],
)
def test_codes_of_more_than_16_bits_are_refused(qmin, qmax, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        QParams(1.0, qmin, qmin, qmax)
    for dtype in (torch.float16, torch.bfloat16, torch.float32, torch.float64):
        assert QParams(torch.tensor(0.5, dtype=dtype), 0, -8, 7).scale == 0.5


def test_equal_qparams_are_equal_and_hash_alike():
    one, same = (QParams(np.array([0.5, 1.0]), np.array([0, 1]), -8, 7, axis=0) for _ in range(2))
    assert one == same
    assert hash(one) == hash(same)
    for changed in (
        QParams(np.array([0.5, 2.0]), np.array([0, 1]), -8, 7, axis=0),
        QParams(np.array([0.5, 1.0]), np.array([0, 2]), -8, 7, axis=0),
        QParams(np.array([0.5, 1.0]), np.array([0, 1]), -7, 7, axis=0),
        QParams(np.array([0.5, 1.0]), np.array([0, 1]), -8, 6, axis=0),
        QParams(np.array([0.5, 1.0]), np.array([0, 1]), -8, 7, axis=1),
        QParams(np.array([0.5, 1.0]), np.array([0, 1]), -8, 7, axis=0, group_size=2),
        "QParams",
    ):
        assert one != changed
        assert hash(one) != hash(changed)


@pytest.mark.parametrize(
    ("qmin", "qmax", "dtype"),
    [(-128, 127, "int8"), (0, 127, "int8"), (0, 255, "uint8"), (-128, 128, "int16"), (0, 65535, "int32")],
)
def test_codes_take_the_narrowest_dtype_that_holds_them(qmin, qmax, dtype):
    qparams = QParams(1.0, 0, qmin, qmax)
    ends = np.array([-1e6, 1e6])
    assert qparams.code_dtype == dtype
    assert qparams.quantize(ends).dtype == dtype
    assert qparams.quantize(ends).tolist() == qparams.quantize(torch.from_numpy(ends)).tolist() == [qmin, qmax]


def test_real_range_is_what_the_outermost_codes_stand_for():
    assert SIGNED_8.real_range == (-65.5, 62.0)
    low, high = QParams([0.5, 1.0], [0, 2], -8, 7, axis=0).real_range
    assert (low.tolist(), high.tolist()) == ([-4.0, -10.0], [3.5, 5.0])


# What is refused

NOT_REAL_ARRAYS = [
    (np.array([1, 2]), "dtype int64; accepted: real numbers"),
    (np.array([True]), "dtype bool; accepted: real numbers"),
    (np.array([1j]), "dtype complex128; accepted: real numbers"),
    (np.array([1.0, None], object), "dtype object; accepted: real numbers"),
    (torch.tensor([1]), "dtype int64; accepted: real numbers"),
    (torch.tensor([1j]), "dtype complex64; accepted: real numbers"),
    ([1, 2], "dtype int64; accepted: real numbers"),
    ("1.0", "'1.0'; accepted: a NumPy array"),
    (None, "None; accepted: a NumPy array"),
    ([[1.0, 2.0], [3.0]], "accepted: rows of equal length"),
]


@pytest.mark.parametrize(("x", "message"), NOT_REAL_ARRAYS)
@pytest.mark.parametrize("method", ["quantize", "fake_quantize"])
def test_quantize_refuses_what_is_not_real_numbers(method, x, message):
    with pytest.raises(TypeError, match=f"^x .*{message}"):
        getattr(SIGNED_8, method)(x)


@pytest.mark.parametrize("library", [np.asarray, torch.as_tensor])
@pytest.mark.parametrize("method", ["quantize", "fake_quantize"])
def test_quantize_refuses_and_counts_nan_and_infinities(library, method):
    x = library(np.array([np.nan, np.inf, -np.inf, 1.0]))
    for qparams in (SIGNED_8, QParams(np.ones(4), np.zeros(4, int), -8, 7, axis=0)):
        with pytest.raises(ValueError, match=r"^x holds 1 NaN and 2 infinite values; accepted: finite numbers"):
            getattr(qparams, method)(x)


@pytest.mark.parametrize(
    ("q", "error", "message"),
    [
        (np.array([1.0]), TypeError, "dtype float64; accepted: integer codes"),
        (np.array([True]), TypeError, "dtype bool; accepted: integer codes"),
        (torch.tensor([1.0]), TypeError, "dtype float32; accepted: integer codes"),
        ("5", TypeError, "'5'; accepted: a NumPy array"),
        (None, TypeError, "None; accepted: a NumPy array"),
        ([[1], [2, 3]], TypeError, "accepted: rows of equal length"),
        (np.array([0, 128]), ValueError, "codes from 0 to 128; accepted: -128 to 127"),
        (torch.tensor([-129, 5]), ValueError, "codes from -129 to 5; accepted: -128 to 127"),
    ],
)
def test_dequantize_refuses_what_is_not_codes(q, error, message):
    with pytest.raises(error, match=f"^q .*{message}"):
        SIGNED_8.dequantize(q)


@pytest.mark.parametrize("dtype", ["float16", "int8", np.float32, None])
def test_dequantize_refuses_other_dtypes(dtype):
    with pytest.raises(ValueError, match=r"^dtype is .*; accepted: one of 'float32', 'float64'"):
        SIGNED_8.dequantize([1], dtype)


@pytest.mark.parametrize(
    ("qparams", "shape", "message"),
    [
        (
            QParams([1.0, 2.0], [0, 0], -8, 7, axis=0),
            (3, 2),
            r"shape \(3, 2\); accepted: \(2, 2\) \(scale \(2,\) along axis 0\)$",
        ),
        (QParams([1.0, 2.0], [0, 0], -8, 7, axis=0), (1, 2), r"shape \(1, 2\); accepted: \(2, 2\)"),
        (QParams([1.0, 2.0], [0, 0], -8, 7, axis=2), (3, 2), r"shape \(3, 2\); accepted: one that has axis 2"),
        (QParams([1.0], [0], -8, 7, axis=0), (), r"shape \(\); accepted: one that has axis 0"),
        (
            QParams(np.ones((2, 2)), np.zeros((2, 2), int), -8, 7, 1, 3),
            (2, 7),
            r"accepted: \(2, 6\) \(.* in groups of 3\)$",
        ),
        (
            QParams(np.ones((2, 2)), np.zeros((2, 2), int), -8, 7, -1, 3),
            (5, 2, 7),
            r"accepted: \(2, 6\) \(scale \(2, 2",
        ),
        (QParams(np.ones((2, 2)), np.zeros((2, 2), int), -8, 7, 0, 3), (6, 2, 1), r"accepted: \(6, 2\) \(scale \(2, 2"),
        (QParams(np.ones((2, 2)), np.zeros((2, 2), int), -8, 7, 1, 3), (6,), "accepted: one that has axis 1"),
        (QParams(np.ones((2, 2)), np.zeros((2, 2), int), -8, 7, 0, 3), (12,), r"shape \(12,\); accepted"),
    ],
)
def test_shapes_that_do_not_fit_the_axis_are_refused(qparams, shape, message):
    for call, name, x in (
        (qparams.quantize, "x", np.zeros(shape)),
        (qparams.dequantize, "q", np.zeros(shape, np.int8)),
    ):
        with pytest.raises(ValueError, match=f"^{name} has .*{message}"):
            call(x)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"scale": 0.0}, ValueError, "scale is 0.0; accepted: at least"),
        ({"scale": -1.0}, ValueError, "scale is -1.0; accepted: at least"),
        ({"scale": 1e-39}, ValueError, "scale is 1e-39; accepted: at least"),
        ({"scale": 1e38}, ValueError, "scale is 1e.38; accepted: .* at most"),
        ({"scale": float("nan")}, ValueError, "scale holds 1 NaN"),
        ({"scale": float("inf")}, ValueError, "scale holds 0 NaN and 1 infinite"),
        ({"scale": "1.0"}, TypeError, "scale is '1.0'"),
        ({"scale": ["1.5"], "zero_point": [0], "axis": 0}, TypeError, "scale has dtype <U3; accepted: a real number"),
        ({"scale": None}, TypeError, "scale is None"),
        ({"scale": True}, TypeError, "scale has dtype bool; accepted: a real number"),
        ({"scale": 1j}, TypeError, "scale has dtype complex128; accepted: a real number"),
        ({"scale": [[1.0], [2.0, 3.0]]}, TypeError, "scale does not form an array"),
        ({"scale": [], "zero_point": [], "axis": 0}, ValueError, "scale is empty"),
        ({"scale": [1.0, 2.0], "zero_point": [0, 0]}, ValueError, r"scale has shape \(2,\) but axis is None"),
        ({"scale": [1.0, 2.0], "axis": 0}, ValueError, r"zero_point has shape \(\); accepted: that of scale, \(2,\)"),
        ({"scale": 1.0, "axis": 0}, ValueError, r"scale has shape \(\); accepted with axis=0: \(channels,\)"),
        ({"zero_point": 0.0}, TypeError, "zero_point has dtype float64; accepted: integer codes"),
        ({"zero_point": True}, TypeError, "zero_point has dtype bool; accepted: integer codes"),
        ({"zero_point": 128}, ValueError, "zero_point holds codes from 128 to 128; accepted: -128 to 127"),
        ({"qmin": -1.5}, TypeError, "qmin is -1.5; accepted: a whole number"),
        ({"qmin": -(2**15) - 1}, ValueError, "qmin is -32769; accepted: a whole number from -32768"),
        ({"qmax": "127"}, TypeError, "qmax is '127'; accepted: a whole number"),
        ({"qmax": -128}, ValueError, "qmax is -128; accepted: a whole number from -127"),
        ({"qmax": 2**16}, ValueError, "qmax is 65536; accepted: a whole number from -127 to 65407"),
        ({"group_size": 2}, ValueError, "group_size is 2 but axis is None"),
        (
            {"scale": [1.0], "zero_point": [0], "axis": 64},
            ValueError,
            "axis is 64; accepted: a whole number from -64 to 63",
        ),
        (
            {"scale": [1.0], "zero_point": [0], "axis": -65},
            ValueError,
            "axis is -65; accepted: a whole number from -64",
        ),
        ({"scale": [1.0], "zero_point": [0], "axis": 0.0}, TypeError, "axis is 0.0; accepted: a whole number"),
        ({"scale": [1.0], "zero_point": [0], "axis": 0, "group_size": 0}, ValueError, "group_size is 0; accepted"),
        ({"scale": [1.0], "zero_point": [0], "axis": 1, "group_size": 2}, ValueError, "axis is 1; accepted"),
        ({"scale": 1.0, "axis": 0, "group_size": 2}, ValueError, "axis is 0; accepted"),
    ],
)
def test_qparams_refuse_what_is_no_mapping(arguments, error, message):
    with pytest.raises(error, match=f"^{message}"):
        QParams(**{"scale": 1.0, "zero_point": 0, "qmin": -128, "qmax": 127} | arguments)


@pytest.mark.parametrize("end", ["low", "high"])
@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (float("nan"), ValueError, "holds 1 NaN and 0 infinite values; accepted: finite numbers"),
        (float("inf"), ValueError, "holds 0 NaN and 1 infinite values; accepted: finite numbers"),
        ([], ValueError, r"is empty \(shape \(0,\)\); accepted: at least one element"),
        ("0", TypeError, "is '0'; accepted"),
        (None, TypeError, "is None; accepted"),
        (1j, TypeError, "has dtype complex128; accepted: a real number"),
        (True, TypeError, "has dtype bool; accepted: a real number"),
        (["0"], TypeError, "has dtype <U1; accepted: a real number"),
        (10**400, TypeError, "has dtype object; accepted: a real number"),
        ([[0.0], [1.0, 2.0]], TypeError, "does not form an array .*; accepted: rows of equal length"),
    ],
)
def test_choose_qparams_refuses_ends_that_are_not_numbers(end, value, error, message):
    with pytest.raises(error, match=f"^{end} {message}"):
        choose_qparams(**{"low": -1.0, "high": 1.0} | {end: value})


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"low": 2.0}, ValueError, "low is 2.0 and high is 1.0; accepted: low at most high"),
        ({"low": [-1.0, 0.0]}, ValueError, r"high has shape \(\); accepted: that of low, \(2,\)"),
        ({"low": [-1.0], "high": [1.0]}, ValueError, r"scale has shape \(1,\) but axis is None"),
        (
            {"low": 0, "high": 0},
            ValueError,
            "low and high are both 0 in 1 of 1 ranges; accepted: a range with some width, or if_all_zero=1.0 to give"
            " all-zero data that scale$",
        ),
        ({"low": 0, "high": 0, "if_all_zero": 0.0}, ValueError, "if_all_zero is 0.0; accepted: one positive number"),
        ({"low": 0, "high": 0, "if_all_zero": -1.0}, ValueError, "if_all_zero is -1.0; accepted: one positive number"),
        ({"if_all_zero": [1.0, 2.0]}, ValueError, r"if_all_zero is \[1.0, 2.0\]; accepted: one positive number"),
        ({"if_all_zero": "1"}, TypeError, "if_all_zero is '1'; accepted"),
        ({"low": -1e-37, "high": 1e-37}, ValueError, "low is -1e-37 .* the scale would be 7.8.*; accepted: at least"),
        ({"low": -3.4e38, "high": 3.4e38}, ValueError, "low is -3.4e.38 .*; accepted: .* at most"),
        ({"low": -1.7e308, "high": 1.7e308}, ValueError, "low is -1.7e.308 .* would be inf; accepted: .* at most"),
        ({"symmetric": True, "signed": False}, ValueError, "low is -1.0 with symmetric=True, signed=False; accepted"),
        ({"bits": 1}, ValueError, "bits is 1; accepted: a whole number from 2 to 16"),
        ({"bits": 17}, ValueError, "bits is 17; accepted: a whole number from 2 to 16"),
        ({"bits": 8.0}, TypeError, "bits is 8.0; accepted: a whole number from 2 to 16"),
        ({"bits": True}, TypeError, "bits is True; accepted: a whole number from 2 to 16"),
        ({"bits": "8"}, TypeError, "bits is '8'; accepted: a whole number from 2 to 16"),
        ({"symmetric": "no"}, TypeError, "symmetric is 'no'; accepted: True or False"),
        ({"signed": 1}, TypeError, "signed is 1; accepted: True or False"),
        ({"full_range": None}, TypeError, "full_range is None; accepted: True or False"),
        ({"axis": 0}, ValueError, r"scale has shape \(\); accepted with axis=0"),
        ({"group_size": 4}, ValueError, "group_size is 4 but axis is None; accepted: give axis"),
    ],
)
def test_choose_qparams_refuses(arguments, error, message):
    with pytest.raises(error, match=f"^{message}"):
        choose_qparams(**{"low": -1.0, "high": 1.0} | arguments)


@settings(max_examples=200)
@given(
    st.floats(allow_nan=False, allow_infinity=False),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(LIMITS),
)
def test_any_finite_range_gives_finite_numbers_or_a_named_refusal(one, other, limits):
    bits, symmetric, signed, full_range = limits
    low, high = sorted((one, other))
    try:
        qparams = choose_qparams(low, high, bits, symmetric, signed, full_range=full_range)
    except ValueError as refusal:
        as_promised = str(refusal).startswith("low ")
    else:
        codes = np.array([qparams.qmin, qparams.zero_point, qparams.qmax])
        x_hat = qparams.dequantize(codes)
        as_promised = np.all(np.isfinite(x_hat)) and np.array_equal(qparams.quantize(x_hat), codes)
    assert as_promised


def test_what_is_no_qparams_is_refused_by_name():
    assert need_qparams(SIGNED_8, "out_qparams") is None
    with pytest.raises(TypeError, match=r"^out_qparams is 0\.5; accepted: a QParams, as choose_qparams returns it$"):
        need_qparams(0.5, "out_qparams")
