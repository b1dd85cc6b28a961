"""Floats of 8 and 4 bits against ml_dtypes and torch: every value, every rounding, every overflow."""

import ml_dtypes
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import seeds

from quantutils.formats.floats import FLOAT_FORMATS, FloatFormat

THEIRS = {
    "e4m3fn": ml_dtypes.float8_e4m3fn,
    "e5m2": ml_dtypes.float8_e5m2,
    "e4m3fnuz": ml_dtypes.float8_e4m3fnuz,
    "e5m2fnuz": ml_dtypes.float8_e5m2fnuz,
    "e4m3b11fnuz": ml_dtypes.float8_e4m3b11fnuz,
    "e2m1": ml_dtypes.float4_e2m1fn,
}
NAMES = list(FLOAT_FORMATS)
WITH_NAN = [name for name in NAMES if name != "e2m1"]


def boundaries(form):
    """Every number of a format, every tie between two, both a hair away on either side, and what lies beyond."""
    numbers = form.values[np.isfinite(form.values)].astype(np.float64)
    ordered = np.unique(np.append(numbers, [-2 * form.largest, 2 * form.largest, -0.0]))
    ties = (ordered[:-1] + ordered[1:]) / 2
    overflow = form.largest * (1 + 2.0 ** -(form.mantissa_bits + np.arange(-1, 3)))
    points = np.concatenate([ordered, ties, overflow, -overflow, [1e30, -1e30]]).astype(np.float32)
    away = np.concatenate([points, np.nextafter(points, np.float32(np.inf)), np.nextafter(points, np.float32(-np.inf))])
    return away.astype(np.float32)


@pytest.mark.parametrize("name", NAMES)
def test_every_code_is_worth_what_ml_dtypes_says(name):
    form = FLOAT_FORMATS[name]
    codes = np.arange(2**form.bits, dtype=np.uint8)
    truth = codes.view(THEIRS[name]).astype(np.float32)
    np.testing.assert_array_equal(form.decode(codes), truth, strict=True)
    np.testing.assert_array_equal(np.signbit(form.decode(codes))[truth == 0], np.signbit(truth)[truth == 0])
    assert form.largest == float(ml_dtypes.finfo(THEIRS[name]).max)


@pytest.mark.parametrize("name", NAMES)
def test_every_number_ties_included_rounds_as_in_ml_dtypes(name):
    form = FLOAT_FORMATS[name]
    rng = np.random.default_rng(0)
    x = np.concatenate([boundaries(form), (rng.normal(size=20_000) * form.largest / 3).astype(np.float32)])
    x = np.append(x, (10.0 ** rng.uniform(-12, 3, 20_000)).astype(np.float32))
    within = np.clip(x, -form.largest, form.largest)
    np.testing.assert_array_equal(form.encode(x), within.astype(THEIRS[name]).view(np.uint8), strict=True)
    if name in WITH_NAN:
        x = np.append(x, np.float32([np.inf, -np.inf, np.nan, -np.nan]))
        np.testing.assert_array_equal(form.encode(x, saturate=False), x.astype(THEIRS[name]).view(np.uint8))


@pytest.mark.parametrize("name", ["e4m3fn", "e5m2", "e4m3fnuz", "e5m2fnuz"])
def test_numbers_within_the_range_round_as_in_torch(name):
    form = FLOAT_FORMATS[name]
    x = np.clip(boundaries(form), -form.largest, form.largest)
    truth = torch.from_numpy(x).to(getattr(torch, f"float8_{name}")).view(torch.uint8).numpy()
    np.testing.assert_array_equal(form.encode(x), truth)


@given(seeds(), st.sampled_from(NAMES), st.sampled_from(["float16", "float32", "float64"]))
def test_the_number_chosen_is_the_nearest(seed, name, dtype):
    form = FLOAT_FORMATS[name]
    x = (np.random.default_rng(seed).uniform(-1.1, 1.1, 50) * form.largest).astype(dtype)
    numbers = form.values[np.isfinite(form.values)].astype(np.float64)
    nearest = np.abs(x.astype(np.float64)[:, None] - numbers).min(axis=1)
    np.testing.assert_array_equal(np.abs(form.decode(form.encode(x)) - x.astype(np.float64)), nearest)


@given(seeds(), st.sampled_from(NAMES), st.integers(-4, 4))
def test_quantize_and_dequantize_are_a_cast_of_the_quotient(seed, name, power):
    form, rng = FLOAT_FORMATS[name], np.random.default_rng(seed)
    x = rng.normal(size=(3, 4)).astype(np.float32) * 8
    scale = np.float32(rng.uniform(0.5, 2, (3, 1)) * 10.0**power)
    codes = form.quantize(x, scale)
    np.testing.assert_array_equal(codes, form.encode(x / scale))
    np.testing.assert_array_equal(form.dequantize(codes, scale), form.decode(codes) * scale)
    np.testing.assert_array_equal(form.quantize(form.dequantize(codes, 1.0), 1.0), codes & _unsigned_zero(form, codes))


def _unsigned_zero(form, codes):
    """A mask that takes the sign off −0, as quantize does and encode does not."""
    return np.where(form.decode(codes) == 0, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("name", NAMES)
def test_empty_arrays_and_numbers(name):
    form = FLOAT_FORMATS[name]
    assert form.quantize(np.zeros((0, 3)), 1.0).shape == (0, 3)
    assert form.decode(form.quantize(1.0, 1.0)) == 1.0


E2M1 = FLOAT_FORMATS["e2m1"]
E5M2 = FLOAT_FORMATS["e5m2"]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: E2M1.encode(np.array([1.0, np.nan])), ValueError, "x holds 1 NaN; accepted for e2m1"),
        (lambda: E2M1.encode([1.0], saturate=False), ValueError, "saturate is False; accepted for e2m1"),
        (lambda: E5M2.encode([1.0], saturate="no"), TypeError, "saturate is 'no'"),
        (lambda: E5M2.encode([1, 2]), TypeError, "x has dtype int64"),
        (lambda: E5M2.encode(torch.ones(2)), TypeError, "x is a Tensor"),
        (lambda: E2M1.decode([16]), ValueError, "codes holds codes from 16 to 16; accepted: 0 to 15"),
        (lambda: E2M1.decode(torch.ones(2, dtype=torch.uint8)), TypeError, "codes is a Tensor"),
        (lambda: E5M2.quantize([np.inf], 1.0), ValueError, "x holds 0 NaN and 1 infinite"),
        (lambda: E5M2.quantize([1.0], 0.0), ValueError, "scale is 0"),
        (lambda: E5M2.quantize([1.0], [1.0, 2.0]), ValueError, r"scale has shape \(2,\).*that of x, \(1,\)"),
        (lambda: E5M2.quantize([1.0, 2.0], [1.0, 2.0, 3.0]), ValueError, r"scale has shape \(3,\)"),
        (lambda: E5M2.dequantize([0x7C], 1.0), ValueError, "codes holds infinities or NaN of e5m2"),
        (lambda: E5M2.dequantize([0x7B], 1e38), ValueError, "scale reaches 9.99.*fits float32"),
        (lambda: FloatFormat("e8m0", 8, 0, 127, "none"), ValueError, "exponent_bits is 8; accepted: .* from 1 to 6"),
        (lambda: FloatFormat("e5m3", 5, 3, 15, "none"), ValueError, "mantissa_bits is 3; accepted: .* from 1 to 2"),
        (lambda: FloatFormat("e5m2", 5, 2, 15, "some"), ValueError, "specials is 'some'"),
    ],
)
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()
