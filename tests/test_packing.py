"""Packed codes: what goes into a byte comes out of it; and what a number of weights takes, to the byte."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from quantutils import pack_codes, unpack_codes, weight_bytes


@st.composite
def narrow_codes(draw):
    """Codes that fit 2, 4 or 8 bits, of any number and any integer dtype that holds them: (codes, bits, signed)."""
    bits, signed = draw(st.sampled_from([2, 4, 8])), draw(st.booleans())
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    dtype = draw(st.sampled_from(["int16", "int64", "int8" if signed else "uint8"]))
    return np.array(draw(st.lists(st.integers(low, high), max_size=21)), dtype), bits, signed


@given(narrow_codes())
def test_codes_survive_packing(case):
    codes, bits, signed = case
    packed = pack_codes(codes, bits)
    unpacked = unpack_codes(packed, bits, len(codes), signed)
    assert packed.dtype == np.uint8
    assert packed.nbytes == -(-len(codes) * bits // 8)
    assert unpacked.dtype == (np.int8 if signed else np.uint8)
    assert unpacked.tolist() == codes.tolist()


@given(narrow_codes())
def test_packing_is_base_arithmetic_with_the_first_code_lowest(case):
    codes, bits, _ = case
    number = sum((int(code) % 2**bits) << (bits * place) for place, code in enumerate(codes))
    assert int.from_bytes(pack_codes(codes, bits).tobytes(), "little") == number


def test_arrays_of_any_shape_are_packed_row_by_row():
    codes = np.arange(12, dtype=np.uint8).reshape(3, 4)
    assert pack_codes(codes, 4).tolist() == pack_codes(codes.ravel(), 4).tolist()
    assert pack_codes(codes.T, 4).tolist() == pack_codes(codes.T.copy(), 4).tolist()
    assert pack_codes(np.int8(-1), 4).tolist() == [15]


def test_packing_leaves_its_input_as_it_is():
    codes = np.array([1, -2, 7], np.int64)
    packed = pack_codes(codes, 8)
    unpack_codes(packed, 8, 3)[:] = 0
    assert codes.tolist() == [1, -2, 7]
    assert packed.tolist() == [1, 254, 7]


@pytest.mark.parametrize(
    ("codes", "bits", "error", "message"),
    [
        ([1.0], 4, TypeError, "codes has dtype float64; accepted: integer codes"),
        ([True], 4, TypeError, "codes has dtype bool; accepted: integer codes"),
        (torch.tensor([1]), 4, TypeError, "codes is a Tensor; accepted: a NumPy array"),
        ("12", 4, TypeError, "codes is '12'; accepted: a NumPy array"),
        (None, 4, TypeError, "codes is None; accepted: a NumPy array"),
        ([[1], [2, 3]], 4, TypeError, "codes does not form an array"),
        ([16], 4, ValueError, "codes holds codes from 16 to 16; accepted: 0 to 15"),
        ([-1, 8], 4, ValueError, "codes holds codes from -1 to 8; accepted: -8 to 7"),
        ([-9], 4, ValueError, "codes holds codes from -9 to -9; accepted: -8 to 7"),
        ([1], 3, ValueError, "bits is 3; accepted: 2, 4 or 8"),
        ([1], 16, ValueError, "bits is 16; accepted: a whole number from 2 to 8"),
        ([1], 4.0, TypeError, "bits is 4.0; accepted: a whole number"),
        ([1], True, TypeError, "bits is True; accepted: a whole number"),
    ],
)
def test_pack_codes_refuses(codes, bits, error, message):
    with pytest.raises(error, match=f"^{message}"):
        pack_codes(codes, bits)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"packed": np.zeros(2, np.int8)}, TypeError, "packed has dtype int8; accepted: uint8"),
        ({"packed": np.zeros(2)}, TypeError, "packed has dtype float64; accepted: integer codes"),
        ({"packed": torch.zeros(2, dtype=torch.uint8)}, TypeError, "packed is a Tensor; accepted: a NumPy array"),
        ({"packed": None}, TypeError, "packed is None; accepted: a NumPy array"),
        ({"packed": np.zeros((1, 2), np.uint8)}, ValueError, r"packed has shape \(1, 2\); accepted: \(2,\)"),
        ({"count": 5}, ValueError, r"packed has shape \(2,\); accepted: \(3,\) for 5 codes of 4 bits"),
        ({"count": 2}, ValueError, r"packed has shape \(2,\); accepted: \(1,\) for 2 codes"),
        ({"count": -1}, ValueError, "count is -1; accepted: a whole number of at least 0"),
        ({"count": 3.0}, TypeError, "count is 3.0; accepted: a whole number"),
        ({"bits": 3}, ValueError, "bits is 3; accepted: 2, 4 or 8"),
        ({"signed": "no"}, TypeError, "signed is 'no'; accepted: True or False"),
    ],
)
def test_unpack_codes_refuses(arguments, error, message):
    with pytest.raises(error, match=f"^{message}"):
        unpack_codes(**{"packed": np.zeros(2, np.uint8), "bits": 4, "count": 3} | arguments)


# weight_bytes


@given(st.integers(1, 10**13), st.integers(1, 64), st.none() | st.integers(1, 4096), st.integers(1, 64))
def test_weight_bytes_is_the_exact_fraction_rounded_up(parameters, bits, group_size, scale_bits):
    exact = Fraction(parameters * bits, 8)
    if group_size is not None:
        exact += math.ceil(Fraction(parameters, group_size)) * Fraction(scale_bits, 8)
    counted = weight_bytes(parameters, bits, group_size, scale_bits)
    assert type(counted) is int
    assert counted == math.ceil(exact)


@given(narrow_codes())
def test_weight_bytes_without_scales_is_what_packed_codes_take(case):
    codes, bits, _ = case
    if codes.size:
        assert weight_bytes(codes.size, bits) == pack_codes(codes, bits).nbytes


def test_a_last_group_that_is_not_full_has_a_scale_as_well():
    assert weight_bytes(32, 4, 32) == 16 + 2
    assert weight_bytes(33, 4, 32) == 17 + 4
    assert weight_bytes(np.uint8(33), np.int8(4), np.int32(32)) == 21


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"parameters": 7e9}, TypeError, "parameters is 7000000000.0; accepted: a whole number of at least 1"),
        ({"parameters": "7"}, TypeError, "parameters is '7'; accepted"),
        ({"parameters": True}, TypeError, "parameters is True; accepted"),
        ({"parameters": 0}, ValueError, "parameters is 0; accepted"),
        ({"bits": 4.0}, TypeError, "bits is 4.0; accepted: a whole number from 1 to 64"),
        ({"bits": 65}, ValueError, "bits is 65; accepted"),
        ({"bits": None}, TypeError, "bits is None; accepted"),
        ({"group_size": 0}, ValueError, "group_size is 0; accepted: a whole number of at least 1"),
        ({"group_size": 32.0}, TypeError, "group_size is 32.0; accepted"),
        ({"group_size": False}, TypeError, "group_size is False; accepted"),
        ({"scale_bits": 0}, ValueError, "scale_bits is 0; accepted: a whole number from 1 to 64"),
        ({"scale_bits": "16"}, TypeError, "scale_bits is '16'; accepted"),
    ],
)
def test_weight_bytes_refuses(arguments, error, message):
    with pytest.raises(error, match=f"^{message}"):
        weight_bytes(**{"parameters": 7, "bits": 4, "group_size": 32} | arguments)
