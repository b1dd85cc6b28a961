"""Errors, decibels and codes: against plain Python, at the ends of float64, and what is refused."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import as_library, kinds, mappings, seeds

from quantutils import QParams, choose_qparams, code_usage, error_parts, max_abs_error, mse, product_sqnr_db, sqnr_db

PAIRS = [mse, max_abs_error, sqnr_db]
numbers = st.lists(st.tuples(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3)), min_size=1, max_size=20)


@given(numbers, st.sampled_from(["numpy", "torch"]))
def test_mse_and_max_abs_error_are_their_formulas(pairs, library):
    x, x_hat = (as_library(np.array(values), library) for values in zip(*pairs, strict=True))
    differences = [Fraction(one) - Fraction(other) for one, other in pairs]
    # A subtraction, a square and a sum of positive numbers: no cancellation after the first, exact to float64.
    assert mse(x, x_hat) == pytest.approx(float(sum(d * d for d in differences) / len(pairs)), rel=1e-13, abs=1e-300)
    assert max_abs_error(x, x_hat) == float(max(abs(d) for d in differences))


@given(seeds(), st.sampled_from([np.float16, np.float32, np.float64]), st.sampled_from(["numpy", "torch"]))
def test_sqnr_is_ten_log_signal_over_noise(seed, dtype, library):
    x = np.random.default_rng(seed).normal(size=50).astype(dtype)
    x_hat = QParams(0.25, 0, -128, 127).fake_quantize(x)
    signal = math.fsum(float(v) ** 2 for v in x)
    noise = math.fsum((float(v) - float(w)) ** 2 for v, w in zip(x, x_hat, strict=True))
    assert sqnr_db(as_library(x, library), as_library(x_hat, library)) == pytest.approx(
        10 * math.log10(signal / noise), abs=1e-9
    )


@pytest.mark.parametrize("unit", [1e-300, 1e-160, 1.0, 1e160, 1e300])
def test_sqnr_does_not_depend_on_the_unit(unit):
    x, x_hat = np.array([3.0, 4.0]), np.array([3.0, 4.5])
    assert sqnr_db(x * unit, x_hat * unit) == pytest.approx(20.0, abs=1e-9)


def test_sqnr_of_signal_and_noise_far_apart():
    assert sqnr_db([1e-300], [1.0]) == pytest.approx(-6000.0)
    assert sqnr_db([1.0, 1e-200], [1.0, 0.0]) == pytest.approx(4000.0)


def test_sqnr_of_an_exact_copy_is_infinite():
    assert sqnr_db([1.0, 2.0], [1.0, 2.0]) == math.inf


@pytest.mark.parametrize("bits", [4, 6, 8, 10])
def test_sqnr_follows_the_number_of_steps(bits):
    x = np.random.default_rng(0).uniform(-1, 1, 100_000)
    narrow, wide = (choose_qparams(-1.0, 1.0, width, symmetric=True) for width in (bits, bits + 1))
    # Near 6.02 dB a bit; each measured SQNR of 100,000 values has a standard deviation of 0.012 dB.
    expected = 20 * math.log10(wide.qmax / narrow.qmax)
    gained = sqnr_db(x, wide.fake_quantize(x)) - sqnr_db(x, narrow.fake_quantize(x))
    assert gained == pytest.approx(expected, abs=0.05)


@given(st.floats(-100, 100), st.floats(-100, 100))
def test_product_sqnr_adds_the_noise_shares(a, b):
    assert product_sqnr_db(a, b) == pytest.approx(-10 * math.log10(10 ** (-a / 10) + 10 ** (-b / 10)), abs=1e-9)
    assert product_sqnr_db(a, b) == product_sqnr_db(b, a)


def test_product_sqnr_at_the_ends():
    assert product_sqnr_db(math.inf, math.inf) == math.inf
    assert product_sqnr_db(math.inf, 30.0) == product_sqnr_db(30, np.float64(math.inf)) == 30.0
    assert product_sqnr_db(-1e5, 0.0) == -1e5
    assert product_sqnr_db(1e4, 1e4) == pytest.approx(1e4 - 10 * math.log10(2))


def test_product_sqnr_predicts_a_measured_product():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(200, 400)), rng.normal(size=(400, 200))
    a_hat, b_hat = (choose_qparams(x.min(), x.max(), 6).fake_quantize(x) for x in (a, b))
    predicted = product_sqnr_db(sqnr_db(a, a_hat), sqnr_db(b, b_hat))
    assert sqnr_db(a @ b, a_hat @ b_hat) == pytest.approx(predicted, abs=0.1)


@given(mappings(), kinds(), seeds(), st.sampled_from(["numpy", "torch"]))
def test_code_usage_counts_codes(qparams, kind, seed, library):
    rng = np.random.default_rng(seed)
    steps = rng.integers(-20, 20, 30) + (0.5 if kind == "ties" else 0.25)
    x = steps * qparams.scale
    codes = qparams.quantize(x).tolist()
    usage = code_usage(as_library(x, library), qparams)
    assert usage.total == qparams.qmax - qparams.qmin + 1
    assert usage.used == len(set(codes))
    assert usage.reachable == len(range(min(codes), max(codes) + 1))
    assert usage.wasted == usage.total - usage.reachable
    assert usage.bits_wasted == math.log2(usage.total / usage.reachable)


def test_code_usage_of_the_example_of_lesson_three():
    # The maximum maps to 127 and the minimum only to −92: −93 … −127 are never used.
    usage = code_usage(np.linspace(-0.92, 1.27, 5000), choose_qparams(-0.92, 1.27, symmetric=True))
    assert (usage.total, usage.reachable, usage.wasted) == (255, 220, 35)


@pytest.mark.parametrize("function", PAIRS)
@pytest.mark.parametrize("name", ["x", "x_hat"])
@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        ([1, 2], TypeError, "has dtype int64; accepted: real numbers"),
        ([True, False], TypeError, "has dtype bool; accepted: real numbers"),
        ([1j, 2j], TypeError, "has dtype complex128; accepted: real numbers"),
        ("ab", TypeError, "is 'ab'; accepted: a NumPy array"),
        (None, TypeError, "is None; accepted: a NumPy array"),
        ([[1.0], [2.0, 3.0]], TypeError, "does not form an array"),
        ([1.0, float("nan")], ValueError, "holds 1 NaN and 0 infinite values; accepted: finite"),
        ([1.0, float("inf")], ValueError, "holds 0 NaN and 1 infinite values; accepted: finite"),
        ([], ValueError, "is empty .*; accepted: at least one element"),
    ],
)
def test_errors_refuse_what_is_not_real_numbers(function, name, value, error, message):
    with pytest.raises(error, match=f"^{name} {message}"):
        function(**{"x": [1.0, 2.0], "x_hat": [1.0, 2.0]} | {name: value})


@pytest.mark.parametrize("function", PAIRS)
def test_errors_refuse_pairs_that_do_not_match(function):
    with pytest.raises(ValueError, match=r"^x_hat has shape \(1, 2\); accepted: that of x, \(2,\)"):
        function([1.0, 2.0], [[1.0, 2.0]])
    with pytest.raises(TypeError, match=r"^x and x_hat come from different libraries; accepted: both"):
        function(np.ones(2), torch.ones(2))


def test_sqnr_refuses_a_signal_without_power():
    with pytest.raises(ValueError, match=r"^x is zero throughout; accepted: a signal with some power"):
        sqnr_db([0.0, 0.0], [0.0, 1.0])


@pytest.mark.parametrize("name", ["sqnr_a_db", "sqnr_b_db"])
@pytest.mark.parametrize(
    ("value", "error"),
    [
        ("30", TypeError),
        (None, TypeError),
        (True, TypeError),
        (1j, TypeError),
        ([30.0], TypeError),
        (math.nan, ValueError),
        (-math.inf, ValueError),
    ],
)
def test_product_sqnr_refuses_what_is_no_number_of_decibels(name, value, error):
    with pytest.raises(error, match=f"^{name} is .*; accepted: a number of decibels"):
        product_sqnr_db(**{"sqnr_a_db": 30.0, "sqnr_b_db": 30.0} | {name: value})


def test_code_usage_refuses():
    qparams = QParams(1.0, 0, -8, 7)
    with pytest.raises(ValueError, match=r"^qparams has axis 0; accepted: per-tensor qparams"):
        code_usage([1.0], QParams([1.0], [0], -8, 7, axis=0))
    with pytest.raises(TypeError, match=r"^qparams is 'int8'; accepted: a QParams"):
        code_usage([1.0], "int8")
    with pytest.raises(ValueError, match=r"^x is empty"):
        code_usage([], qparams)
    with pytest.raises(TypeError, match=r"^x has dtype int64; accepted: real numbers"):
        code_usage([1], qparams)
    with pytest.raises(ValueError, match=r"^x holds 1 NaN"):
        code_usage([float("nan")], qparams)


def test_error_parts_refuse_squares_beyond_float64():
    with pytest.raises(ValueError, match=r"^x reaches 1e\+200; accepted: errors whose squares float64 holds"):
        error_parts([0.0, 1e200], QParams(1.0, 0, -8, 7))


def test_errors_leave_their_inputs_as_they_are():
    x, x_hat = np.array([1.0, 2.0]), np.array([1.5, 2.0])
    for function in PAIRS:
        function(x, x_hat)
    assert (x.tolist(), x_hat.tolist()) == ([1.0, 2.0], [1.5, 2.0])
