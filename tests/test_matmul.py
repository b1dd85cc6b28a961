"""The integer product: exact where it promises to be, refused where it cannot be, and mapped back to codes."""

import dataclasses
import itertools
import math
import warnings
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from strategies import as_library, seeds

from quantutils import (
    FixedPointMultiplier,
    QParams,
    choose_qparams,
    code_limits,
    fixed_point_multiplier,
    integer_matmul,
    largest_safe_k,
    operation_count,
    product_terms,
    quantized_matmul,
    requantize,
)

LIBRARIES = ["numpy", "torch"]
INT32_MAX = 2**31 - 1
SIGNED_8 = QParams(0.5, 3, -128, 127)


# integer_matmul


@given(seeds(), st.sampled_from(["int8", "uint8"]), st.sampled_from(["int8", "uint8"]), st.sampled_from(LIBRARIES))
def test_integer_product_is_exact(seed, a_dtype, b_dtype, library):
    rng = np.random.default_rng(seed)
    m, k, n = rng.integers(1, 12, 3)
    qa, qb = (
        rng.integers(np.iinfo(dtype).min, np.iinfo(dtype).max + 1, shape).astype(dtype)
        for dtype, shape in ((a_dtype, (m, k)), (b_dtype, (k, n)))
    )
    product = integer_matmul(as_library(qa, library), as_library(qb, library))
    assert str(product.dtype).endswith("int32")
    rows, columns = qa.tolist(), qb.T.tolist()
    assert product.tolist() == [[sum(map(int.__mul__, row, column)) for column in columns] for row in rows]


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize(
    ("a", "a_dtype", "b", "b_dtype", "k"),
    [
        (255, "uint8", 127, "int8", 66_311),
        (255, "uint8", -128, "int8", 65_793),
        (-128, "int8", -128, "int8", 131_071),
        (127, "int8", -127, "int8", 133_144),
        (255, "uint8", 255, "uint8", 33_025),
    ],
)
def test_integer_product_is_exact_up_to_the_longest_safe_k_and_refused_beyond(a, a_dtype, b, b_dtype, k, library):
    assert largest_safe_k(abs(a), abs(b)) == k
    assert k * abs(a * b) <= INT32_MAX < (k + 1) * abs(a * b)
    qa, qb = np.full((1, k + 1), a, a_dtype), np.full((k + 1, 1), b, b_dtype)
    longest = integer_matmul(as_library(qa[:, :k], library), as_library(qb[:k], library))
    assert longest.tolist() == [[k * a * b]]
    with pytest.raises(ValueError, match=rf"^qa and qb have K = {k + 1}; accepted: at most {k} for codes up to"):
        integer_matmul(as_library(qa, library), as_library(qb, library))


@pytest.mark.parametrize("library", LIBRARIES)
def test_int8_products_that_wrap_in_int8_are_exact_here(library):
    qa, qb = np.full((1, 100), 64, np.int8), np.full((100, 1), 100, np.int8)
    assert (qa @ qb).tolist() == [[0]]
    assert integer_matmul(as_library(qa, library), as_library(qb, library)).tolist() == [[640_000]]


@given(
    seeds(),
    st.sampled_from(
        [((2, 3, 4), (4, 5)), ((3, 4), (2, 4, 5)), ((2, 1, 3, 4), (3, 4, 2)), ((0, 3, 4), (4, 5)), ((2, 0), (0, 3))]
    ),
    st.sampled_from(LIBRARIES),
)
def test_batches_broadcast_as_in_numpy_and_empty_sums_are_zero(seed, shapes, library):
    rng = np.random.default_rng(seed)
    qa, qb = (rng.integers(-128, 128, shape).astype(np.int8) for shape in shapes)
    product = np.asarray(integer_matmul(as_library(qa, library), as_library(qb, library)))
    assert np.array_equal(product, qa.astype(np.int64) @ qb.astype(np.int64))
    assert product.shape == (qa.astype(int) @ qb.astype(int)).shape


def test_transposed_views_multiply_and_inputs_stay():
    qa = np.random.default_rng(0).integers(-128, 128, (6, 4)).astype(np.int8)
    kept = qa.copy()
    assert np.array_equal(integer_matmul(qa.T, qa), kept.T.astype(int) @ kept.astype(int))
    assert torch.equal(
        integer_matmul(torch.from_numpy(qa).T, torch.from_numpy(qa)), torch.from_numpy(kept.T.astype(int) @ kept).int()
    )
    assert np.array_equal(qa, kept)


def test_codes_too_large_to_compare_are_refused_not_wrapped():
    with pytest.raises(
        ValueError, match=r"^qa and qb have K = 1; accepted: at most 0 for codes up to 9223372036854775808"
    ):
        integer_matmul(np.array([[-(2**63)]]), np.array([[1]]))


@pytest.mark.parametrize(
    ("qa", "qb", "error", "message"),
    [
        (np.ones((2, 3)), np.ones((3, 2), int), TypeError, "qa has dtype float64; accepted: integer codes"),
        (np.ones((2, 3), int), np.ones((3, 2)), TypeError, "qb has dtype float64; accepted: integer codes"),
        (np.ones((2, 3), bool), np.ones((3, 2), int), TypeError, "qa has dtype bool; accepted: integer codes"),
        (None, np.ones((3, 2), int), TypeError, "qa is None; accepted"),
        (np.ones((2, 3), int), "b", TypeError, "qb is 'b'; accepted"),
        ([[1], [2, 3]], [[1]], TypeError, "qa does not form an array"),
        (
            np.ones((2, 3), int),
            torch.ones(3, 2, dtype=torch.int8),
            TypeError,
            "qa and qb come from different libraries",
        ),
        (np.ones(3, int), np.ones((3, 2), int), ValueError, r"qa has shape \(3,\); accepted: \(…, M, K\)"),
        (np.ones((2, 3), int), np.ones(3, int), ValueError, r"qb has shape \(3,\); accepted: \(…, K, N\)"),
        (np.ones((2, 3), int), np.ones((2, 3), int), ValueError, r"qb has shape \(2, 3\); accepted: \(…, K, N\)"),
        (
            np.ones((2, 3, 4), int),
            np.ones((5, 4, 2), int),
            ValueError,
            r"qb has shape \(5, 4, 2\); accepted: axes before",
        ),
    ],
)
def test_integer_matmul_refuses(qa, qb, error, message):
    with pytest.raises(error, match=f"^{message}"):
        integer_matmul(qa, qb)


@pytest.mark.parametrize("library", LIBRARIES)
def test_the_sum_that_could_overflow_runs_over_k_in_batches_too(library):
    k = INT32_MAX // 128**2 + 1
    long, wide = np.full((1, 1, k), -128, np.int8), np.full((1, k, 1), -128, np.int8)
    with pytest.raises(ValueError, match=rf"^qa and qb have K = {k}; accepted: at most {k - 1} "):
        integer_matmul(as_library(long, library), as_library(wide, library))
    assert integer_matmul(as_library(wide, library), as_library(wide[:, :1], library)).shape == (1, k, 1)


@pytest.mark.parametrize("library", LIBRARIES)
def test_the_largest_number_of_int32_is_reached_and_nothing_needs_no_room(library):
    largest, one = (as_library(np.array([[value]]), library) for value in (INT32_MAX, 1))
    assert integer_matmul(largest, one).tolist() == [[INT32_MAX]]
    none = as_library(np.zeros((0, 2**31), np.int8), library)
    assert tuple(integer_matmul(none, as_library(np.zeros((2**31, 0), np.int8), library)).shape) == (0, 0)


def test_batches_that_do_not_broadcast_are_refused_in_torch_too():
    with pytest.raises(ValueError, match=r"^qb has shape \(5, 4, 2\); accepted: axes before the last two"):
        integer_matmul(torch.ones(2, 3, 4, dtype=torch.int8), torch.ones(5, 4, 2, dtype=torch.int8))


@pytest.mark.parametrize("name", ["max_abs_a", "max_abs_b"])
@pytest.mark.parametrize(("value", "error"), [(0, ValueError), (-1, ValueError), (1.0, TypeError), (None, TypeError)])
def test_largest_safe_k_refuses(name, value, error):
    with pytest.raises(error, match=f"^{name} is {value}; accepted: a whole number of at least 1"):
        largest_safe_k(**{"max_abs_a": 127, "max_abs_b": 127} | {name: value})


# quantized_matmul


def factor(rng, shape, symmetric, along, bits):
    """A random factor: its codes and its QParams, per-tensor or with one scale along axis `along`."""
    qmin, qmax = code_limits(bits, symmetric)
    count = () if along is None else (shape[along],)
    zero_point = np.zeros(count, int) if symmetric else rng.integers(qmin, qmax + 1, count)
    qparams = QParams(rng.uniform(0.01, 0.1, count), zero_point, qmin, qmax, along)
    return rng.integers(qmin, qmax + 1, shape).astype(qparams.code_dtype), qparams


COMBINATIONS = list(itertools.product([True, False], [True, False], [None, -2], [None, -1], LIBRARIES))


@pytest.mark.parametrize(("a_symmetric", "b_symmetric", "a_axis", "b_axis", "library"), COMBINATIONS)
@pytest.mark.parametrize("shapes", [((5, 17), (17, 4)), ((3, 5, 17), (17, 4)), ((5, 17), (3, 17, 4)), ((1, 1), (1, 1))])
def test_product_of_codes_is_the_product_of_real_numbers(a_symmetric, b_symmetric, a_axis, b_axis, library, shapes):
    rng = np.random.default_rng(1)
    qa, a = factor(rng, shapes[0], a_symmetric, a_axis, 8)
    qb, b = factor(rng, shapes[1], b_symmetric, b_axis, 8)
    product = quantized_matmul(as_library(qa, library), a, as_library(qb, library), b)
    assert str(product.dtype).endswith("float32")
    real_a, real_b = a.dequantize(qa, "float64"), b.dequantize(qb, "float64")
    # float64 sums of K products err by less than (K + 3) · 2⁻⁵³ of the sum of magnitudes; float32 rounds once.
    slack = (qa.shape[-1] + 3) * 2.0**-53 * (np.abs(real_a) @ np.abs(real_b))
    assert np.all(np.abs(np.asarray(product) - real_a @ real_b) <= slack + 2.0**-24 * np.abs(real_a @ real_b))


@pytest.mark.parametrize(("a_symmetric", "b_symmetric", "a_axis", "b_axis", "library"), COMBINATIONS)
@pytest.mark.parametrize("bits", [2, 8, 12])
def test_the_four_terms_add_up_exactly(a_symmetric, b_symmetric, a_axis, b_axis, library, bits):
    rng = np.random.default_rng(2)
    qa, a = factor(rng, (3, 9), a_symmetric, a_axis, bits)
    qb, b = factor(rng, (9, 5), b_symmetric, b_axis, bits)
    terms = product_terms(as_library(qa, library), a, as_library(qb, library), b)
    za = np.reshape(a.zero_point, (-1, 1)).astype(object)
    zb = np.reshape(b.zero_point, (1, -1)).astype(object)
    assert np.array_equal(sum(np.asarray(term) for term in terms), (qa - za) @ (qb - zb))
    assert np.array_equal(terms.product, qa.astype(object) @ qb.astype(object))
    for name in ("product", "rows", "columns"):
        assert str(getattr(terms, name).dtype).removeprefix("torch.") == "int64", name
    whole = np.zeros((3, 5), int)
    assert np.array_equal(whole + np.asarray(terms.rows), whole - zb * qa.astype(int).sum(1, keepdims=True))
    assert np.array_equal(whole + np.asarray(terms.columns), whole - za * qb.astype(int).sum(0, keepdims=True))
    assert np.array_equal(whole + np.asarray(terms.constant), whole + 9 * za * zb)


@pytest.mark.parametrize("library", LIBRARIES)
def test_axes_of_either_sign_and_batches_of_either_factor_mean_the_same_rows_and_columns(library):
    rng = np.random.default_rng(3)
    qa, a = factor(rng, (4, 6), False, -2, 8)
    qb, b = factor(rng, (6, 3), False, -1, 8)
    wanted = quantized_matmul(qa, a, qb, b)
    a_again, b_again = dataclasses.replace(a, axis=0), dataclasses.replace(b, axis=1)
    for first, second in ((qa, qb), (np.stack([qa, qa]), qb), (qa, np.stack([qb, qb]))):
        of_first = a_again if first.ndim == 2 else a
        of_second = b_again if second.ndim == 2 else b
        product = quantized_matmul(as_library(first, library), of_first, as_library(second, library), of_second)
        assert np.array_equal(np.asarray(product), np.broadcast_to(wanted, tuple(product.shape)))


def test_torch_and_numpy_products_agree_bit_for_bit():
    rng = np.random.default_rng(4)
    qa, a = factor(rng, (30, 200), False, -2, 8)
    qb, b = factor(rng, (200, 20), False, -1, 8)
    product = quantized_matmul(qa, a, qb, b)
    assert quantized_matmul(torch.from_numpy(qa), a, torch.from_numpy(qb), b).numpy().tobytes() == product.tobytes()


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        (QParams(np.ones(3), np.zeros(3, int), -8, 7, axis=1), SIGNED_8, "a_qparams has axis 1 .* along K cannot"),
        (SIGNED_8, QParams(np.ones(3), np.zeros(3, int), -8, 7, axis=0), "b_qparams has axis 0 .* along K cannot"),
        (SIGNED_8, QParams(np.ones(2), np.zeros(2, int), -8, 7, axis=5), "b_qparams has axis 5 and group_size None"),
        (
            QParams(np.ones((2, 1)), np.zeros((2, 1), int), -8, 7, 1, 3),
            SIGNED_8,
            "a_qparams has axis 1 and group_size 3; accepted: per-tensor or one scale along axis -2",
        ),
        (QParams(np.ones(4), np.zeros(4, int), -8, 7, axis=0), SIGNED_8, "a_qparams has 4 scales; accepted: 2"),
        (SIGNED_8, QParams(np.ones(1), np.zeros(1, int), -8, 7, axis=1), "b_qparams has 1 scales; accepted: 2"),
    ],
)
@pytest.mark.parametrize("function", [quantized_matmul, product_terms])
def test_scales_that_cannot_be_pulled_out_of_the_sum_are_refused(function, a, b, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        function(np.ones((2, 3), np.int8), a, np.ones((3, 2), np.int8), b)


@pytest.mark.parametrize("function", [quantized_matmul, product_terms])
def test_quantized_products_refuse_what_is_no_quantized_matrix(function):
    codes = np.ones((2, 2), np.int8)
    with pytest.raises(TypeError, match=r"^a_qparams is 0\.5; accepted: a QParams"):
        function(codes, 0.5, codes, SIGNED_8)
    with pytest.raises(TypeError, match=r"^b_qparams is None; accepted: a QParams"):
        function(codes, SIGNED_8, codes, None)
    with pytest.raises(ValueError, match=r"^qa holds codes from 200 to 200; accepted: -128 to 127"):
        function(np.full((2, 2), 200), SIGNED_8, codes, SIGNED_8)
    with pytest.raises(ValueError, match=r"^qb holds codes from 9 to 9; accepted: -8 to 7"):
        function(codes, SIGNED_8, np.full((2, 2), 9), QParams(1.0, 0, -8, 7))
    with pytest.raises(TypeError, match=r"^qa has dtype float64; accepted: integer codes"):
        function(codes.astype(float), SIGNED_8, codes, SIGNED_8)
    with pytest.raises(ValueError, match=r"^qb has shape \(3, 2\); accepted"):
        function(codes, SIGNED_8, np.ones((3, 2), np.int8), SIGNED_8)


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_product_beyond_float32_is_refused_without_a_warning(library):
    wide, codes = QParams(1e36, 0, -128, 127), as_library(np.full((1, 1), 100, np.int8), library)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(
            ValueError, match=r"^the product at the scales of a_qparams and b_qparams holds 0 NaN and 1 inf"
        ):
            quantized_matmul(codes, wide, codes, wide)


# requantize

WIDE_OUT = QParams(1.0, 0, -32768, 32767)
accumulators = st.one_of(st.integers(-(2**31), INT32_MAX), st.integers(-1000, 1000))


@given(st.lists(accumulators, max_size=8), st.integers(1, 2**20), st.integers(0, 40), st.sampled_from(LIBRARIES))
@example([1, 3, 5, -1, -3, -5], 1, 1, "numpy")
@example([1, 3, 5, -1, -3, -5], 1, 1, "torch")
def test_float_requantization_is_exact_where_the_product_is(values, numerator, shift, library):
    # 31 bits times at most 21 bits fit float64, so the only rounding is the one to a code, ties to even.
    multiplier = numerator / 2**shift
    qparams = QParams(0.1, 7, -32768, 32767)
    codes = requantize(as_library(np.array(values, np.int64), library), multiplier, qparams)
    exact = [round(Fraction(value) * Fraction(numerator, 2**shift)) + 7 for value in values]
    assert codes.tolist() == [min(max(code, -32768), 32767) for code in exact]


@given(st.lists(accumulators, min_size=1, max_size=8), st.floats(2.0**-32, 1.0))
def test_float_requantization_is_exact_off_ties(values, multiplier):
    for value, code in zip(values, requantize(np.array(values), multiplier, WIDE_OUT).tolist(), strict=True):
        exact = Fraction(value) * Fraction(multiplier)
        if abs(abs(exact - math.floor(exact)) - Fraction(1, 2)) > abs(exact) * Fraction(2) ** -53:
            assert code == min(max(round(exact), -32768), 32767)


@given(st.lists(accumulators, max_size=8), st.floats(2.0**-32, 2.0**29), st.sampled_from(LIBRARIES))
def test_fixed_point_requantization_is_its_integer_definition(values, multiplier, library):
    fixed = fixed_point_multiplier(multiplier)
    codes = requantize(as_library(np.array(values, np.int64), library), fixed, QParams(0.1, -3, -32768, 32767))
    # ⌊accumulator · mantissa / 2^shift + ½⌋: ties go up.
    exact = [math.floor(Fraction(value * fixed.mantissa, 2**fixed.shift) + Fraction(1, 2)) - 3 for value in values]
    assert codes.tolist() == [min(max(code, -32768), 32767) for code in exact]


@given(st.lists(accumulators, min_size=1, max_size=8), st.floats(2.0**-32, 1.0))
def test_fixed_point_is_float_but_for_one_code_near_a_tie(values, multiplier):
    fixed = fixed_point_multiplier(multiplier)
    by_float = requantize(np.array(values), multiplier, WIDE_OUT).astype(int)
    by_integers = requantize(np.array(values), fixed, WIDE_OUT).astype(int)
    for value, one, other in zip(values, by_float.tolist(), by_integers.tolist(), strict=True):
        assert abs(one - other) <= 1
        product = Fraction(value) * Fraction(multiplier)
        from_tie = abs(product - math.floor(product) - Fraction(1, 2))
        # The multiplier is off by at most 2⁻³¹ of itself, the float product by 2⁻⁵³.
        if from_tie > abs(product) * (Fraction(2) ** -31 + Fraction(2) ** -53):
            assert one == other


def test_ties_go_to_even_in_float_and_up_in_fixed_point():
    values = np.array([-5, -3, -1, 1, 3, 5])
    assert requantize(values, 0.5, WIDE_OUT).tolist() == [-2, -2, 0, 0, 2, 2]
    assert requantize(values, fixed_point_multiplier(0.5), WIDE_OUT).tolist() == [-2, -1, 0, 1, 2, 3]


@given(st.floats(2.0**-32, 2.0**30, exclude_max=True))
@example(math.nextafter(2.0**30, 0))
@example(math.nextafter(1.0, 0))
@example(2.0**-32)
def test_fixed_point_multiplier_is_off_by_at_most_a_part_in_two_to_the_31(multiplier):
    mantissa, shift = fixed_point_multiplier(multiplier)
    assert 2**30 <= mantissa < 2**31
    assert abs(Fraction(mantissa, 2**shift) / Fraction(multiplier) - 1) <= Fraction(2) ** -31
    requantize(np.array([-(2**31), INT32_MAX]), FixedPointMultiplier(mantissa, shift), WIDE_OUT)


@pytest.mark.parametrize(("mantissa", "shift", "code"), [(1, 0, 6), (1, 1, 3), (1, 62, 0), (2**31 - 1, 30, 12)])
def test_fixed_point_multipliers_of_every_size_are_taken(mantissa, shift, code):
    assert requantize(np.array([6]), FixedPointMultiplier(mantissa, shift), WIDE_OUT).tolist() == [code]


def test_requantizing_a_product_gives_the_codes_of_the_real_product():
    rng = np.random.default_rng(5)
    qa, a = factor(rng, (6, 50), False, None, 8)
    qb, b = factor(rng, (50, 4), True, None, 8)
    real = a.dequantize(qa, "float64") @ b.dequantize(qb, "float64")
    out = choose_qparams(real.min(), real.max())
    accumulator = integer_matmul(qa.astype(int) - a.zero_point, qb)
    codes = requantize(accumulator, a.scale * b.scale / out.scale, out)
    assert codes.dtype == out.code_dtype
    assert np.max(np.abs(codes.astype(int) - out.quantize(real).astype(int))) <= 1
    assert np.max(np.abs(out.dequantize(codes, "float64") - real)) <= out.scale * (0.5 + 1e-9)


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("multiplier", [1, 0.5, np.float32(0.5), 1e300, fixed_point_multiplier(0.5)])
def test_every_shape_is_requantized_and_stays_as_it_is(library, multiplier):
    for values in (np.array(6), np.zeros((0, 2), np.int32), np.array([[6, -6], [2**31 - 1, -(2**31)]]).T):
        accumulator = as_library(values, library)
        codes = requantize(accumulator, multiplier, SIGNED_8)
        assert tuple(codes.shape) == values.shape
        assert str(codes.dtype).endswith("int8")
        codes[...] = 0
        assert np.array_equal(np.asarray(accumulator), values)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"accumulator": [1.0]}, TypeError, "accumulator has dtype float64; accepted: integer codes"),
        ({"accumulator": [True]}, TypeError, "accumulator has dtype bool; accepted: integer codes"),
        ({"accumulator": None}, TypeError, "accumulator is None; accepted"),
        ({"accumulator": [2**31]}, ValueError, "accumulator holds codes from 2147483648 .*; accepted: -2147483648 to"),
        ({"accumulator": [-(2**31) - 1]}, ValueError, "accumulator holds codes from -2147483649"),
        ({"multiplier": 0.0}, ValueError, "multiplier is 0.0; accepted: one positive number"),
        ({"multiplier": -0.5}, ValueError, "multiplier is -0.5; accepted: one positive number"),
        ({"multiplier": [0.5, 0.5]}, ValueError, r"multiplier is \[0.5, 0.5\]; accepted: one positive number"),
        ({"multiplier": math.nan}, ValueError, "multiplier holds 1 NaN"),
        ({"multiplier": math.inf}, ValueError, "multiplier holds 0 NaN and 1 infinite"),
        ({"multiplier": "0.5"}, TypeError, "multiplier is '0.5'; accepted"),
        ({"multiplier": True}, TypeError, "multiplier has dtype bool; accepted"),
        ({"multiplier": FixedPointMultiplier(0, 31)}, ValueError, r"multiplier\.mantissa is 0; accepted"),
        ({"multiplier": FixedPointMultiplier(2**31, 31)}, ValueError, r"multiplier\.mantissa is 2147483648; accepted"),
        ({"multiplier": FixedPointMultiplier(2**30, 63)}, ValueError, r"multiplier\.shift is 63; accepted"),
        ({"multiplier": FixedPointMultiplier(2**30, 3.0)}, TypeError, r"multiplier\.shift is 3\.0; accepted"),
        ({"out_qparams": None}, TypeError, "out_qparams is None; accepted: a QParams"),
        (
            {"out_qparams": QParams([1.0], [0], -8, 7, axis=0)},
            ValueError,
            "out_qparams has axis 0; accepted: per-tensor",
        ),
    ],
)
def test_requantize_refuses(arguments, error, message):
    with pytest.raises(error, match=f"^{message}"):
        requantize(**{"accumulator": [1], "multiplier": 0.5, "out_qparams": SIGNED_8} | arguments)


@pytest.mark.parametrize(
    ("multiplier", "error"),
    [
        *((value, ValueError) for value in (0.0, -1.0, 2.0**-33, 2.0**30, [0.5], math.nan, math.inf)),
        *((value, TypeError) for value in ("1", None, 1j, True)),
    ],
)
def test_fixed_point_multiplier_refuses(multiplier, error):
    with pytest.raises(error, match=r"^multiplier (is|holds|has) .*; accepted"):
        fixed_point_multiplier(multiplier)


# operation_count


def counted(m, k, n, a_shifted, b_shifted):
    """The four-term product of an (m, k) and a (k, n) matrix in plain loops, each operation counted as it is done."""
    count = dict.fromkeys(("multiply_adds", "row_adds", "column_adds", "zero_multiplies", "adds", "rescales"), 0)
    rng = np.random.default_rng(m * 100 + k * 10 + n)
    qa, qb = rng.integers(-8, 8, (m, k)).tolist(), rng.integers(-8, 8, (k, n)).tolist()
    za, zb = (3 if a_shifted else 0), (-2 if b_shifted else 0)
    rows, columns, constant = [0] * m, [0] * n, 0
    if b_shifted:
        for i in range(m):
            total = qa[i][0]
            for j in range(1, k):
                total += qa[i][j]
                count["row_adds"] += 1
            rows[i] = zb * total
            count["zero_multiplies"] += 1
    if a_shifted:
        for i in range(n):
            total = qb[0][i]
            for j in range(1, k):
                total += qb[j][i]
                count["column_adds"] += 1
            columns[i] = za * total
            count["zero_multiplies"] += 1
    if a_shifted and b_shifted:
        constant = k * za
        constant *= zb
        count["zero_multiplies"] += 2
    for i in range(m):
        for j in range(n):
            total = 0
            for inner in range(k):
                total += qa[i][inner] * qb[inner][j]
                count["multiply_adds"] += 1
            for needed, term in ((b_shifted, -rows[i]), (a_shifted, -columns[j]), (a_shifted and b_shifted, constant)):
                if needed:
                    total += term
                    count["adds"] += 1
            assert total == sum((qa[i][inner] - za) * (qb[inner][j] - zb) for inner in range(k))
            total *= 0.5
            count["rescales"] += 1
    return count


@pytest.mark.parametrize("sizes", [(1, 1, 1), (2, 3, 4), (5, 1, 2), (4, 6, 1), (3, 3, 3)])
@pytest.mark.parametrize("a_symmetric", [True, False])
@pytest.mark.parametrize("b_symmetric", [True, False])
def test_operation_count_is_what_loops_count(sizes, a_symmetric, b_symmetric):
    predicted = operation_count(*sizes, a_symmetric=a_symmetric, b_symmetric=b_symmetric)
    loops = counted(*sizes, not a_symmetric, not b_symmetric)
    assert predicted.float_multiply_adds == predicted.integer_multiply_adds == loops.pop("multiply_adds")
    assert predicted.row_sum_adds == loops["row_adds"]
    assert predicted.column_sum_adds == loops["column_adds"]
    assert predicted.zero_point_multiplies == loops["zero_multiplies"]
    assert predicted.correction_adds == loops["adds"]
    assert predicted.rescale_multiplies == loops["rescales"]
    assert predicted.added == sum(loops.values())


def test_operation_count_takes_factors_for_asymmetric_unless_told():
    assert operation_count(2, 3, 4) == operation_count(2, 3, 4, a_symmetric=False, b_symmetric=False)


@pytest.mark.parametrize("name", ["m", "k", "n"])
@pytest.mark.parametrize(("value", "error"), [(0, ValueError), (-3, ValueError), (2.0, TypeError), (None, TypeError)])
def test_operation_count_refuses_sizes(name, value, error):
    with pytest.raises(error, match=f"^{name} is {value}; accepted: a whole number of at least 1"):
        operation_count(**{"m": 2, "k": 2, "n": 2} | {name: value})


@pytest.mark.parametrize("name", ["a_symmetric", "b_symmetric"])
def test_operation_count_refuses_flags(name):
    with pytest.raises(TypeError, match=f"^{name} is 'no'; accepted: True or False"):
        operation_count(2, 2, 2, **{name: "no"})
