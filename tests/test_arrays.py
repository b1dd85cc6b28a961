"""What counts as an array: what the checks let through unchanged and how they word a refusal."""

import numpy as np
import pytest
import torch

from quantutils.arrays import (
    CODE_DTYPES,
    REAL_DTYPES,
    as_array,
    code_array,
    dtype_name,
    real_array,
    real_numbers,
    same_library,
    same_shape,
)
from quantutils.checks import flag, whole_number


@pytest.mark.parametrize("dtype", REAL_DTYPES)
def test_real_dtypes_of_torch_pass_unchanged(dtype):
    x = torch.ones(2, dtype=getattr(torch, dtype))
    passed, _ = real_array(x, "x")
    assert passed.data_ptr() == x.data_ptr()
    assert dtype_name(passed) == dtype


@pytest.mark.parametrize("dtype", [dtype for dtype in REAL_DTYPES if dtype != "bfloat16"])
def test_real_dtypes_of_numpy_pass_as_the_same_object(dtype):
    x = np.ones(2, dtype)
    assert real_array(x, "x")[0] is x


@pytest.mark.parametrize("dtype", CODE_DTYPES)
def test_code_dtypes_pass_as_the_same_object(dtype):
    for q in (np.ones(2, dtype), torch.ones(2, dtype=getattr(torch, dtype))):
        assert code_array(q, "q", 0, 1)[0] is q


@pytest.mark.parametrize("dtype", ["bool", "complex64", "int8", "int64"])
def test_other_dtypes_are_not_real(dtype):
    for x in (np.ones(2, dtype), torch.ones(2, dtype=getattr(torch, dtype))):
        with pytest.raises(TypeError, match=f"^signal has dtype {dtype}; accepted: real numbers"):
            real_array(x, "signal")


@pytest.mark.parametrize("dtype", ["bool", "complex64", "float32", "uint64"])
def test_other_dtypes_are_not_codes(dtype):
    for q in (np.ones(2, dtype), torch.ones(2, dtype=getattr(torch, dtype))):
        with pytest.raises(TypeError, match=f"^codes has dtype {dtype}; accepted: integer codes"):
            code_array(q, "codes")


@pytest.mark.parametrize("value", ["text", b"bytes", None, ..., {"a": 1}, {1, 2}])
def test_what_is_no_array_is_named(value):
    with pytest.raises(TypeError, match=r"^x is .*; accepted: a NumPy array, a torch tensor or a list of numbers"):
        as_array(value, "x")


@pytest.mark.parametrize("value", [[[1.0], [2.0, 3.0]], [1.0, [2.0]]])
def test_ragged_lists_are_named(value):
    with pytest.raises(TypeError, match=r"^x does not form an array .*; accepted: rows of equal length"):
        as_array(value, "x")


def test_empty_arrays_are_refused_where_a_number_is_needed():
    assert real_array(np.zeros((0, 3)), "x")[0].shape == (0, 3)
    for x in (np.zeros((0, 3)), torch.zeros(0, 3)):
        with pytest.raises(ValueError, match=r"^x is empty \(shape \(0, 3\)\); accepted: at least one element"):
            real_array(x, "x", allow_empty=False)


@pytest.mark.parametrize("dtype", REAL_DTYPES)
def test_nan_and_infinities_are_counted(dtype):
    x = torch.tensor([float("nan"), float("inf"), -float("inf"), 0.0], dtype=getattr(torch, dtype))
    with pytest.raises(ValueError, match=r"^x holds 1 NaN and 2 infinite values; accepted: finite numbers"):
        real_array(x, "x")


@pytest.mark.parametrize("library", [np.asarray, torch.as_tensor])
def test_codes_outside_their_range_are_refused(library):
    # 2³¹ + 5 would pass for 5 if it were narrowed before it is compared.
    with pytest.raises(ValueError, match=r"^q holds codes from 0 to 2147483653; accepted: 0 to 255"):
        code_array(library(np.array([0, 2**31 + 5])), "q", 0, 255)
    assert code_array(library(np.zeros(0, np.int8)), "q", 0, 255)[0].shape == (0,)


def test_real_numbers_are_a_copy():
    x = np.array([1.0, 2.0])
    copied = real_numbers(x, "x")
    copied[0] = 9.0
    assert x.tolist() == [1.0, 2.0]
    assert real_numbers(torch.tensor([1, 2], dtype=torch.int8), "x").tolist() == [1.0, 2.0]
    assert real_numbers(torch.tensor([0.5], requires_grad=True), "x").tolist() == [0.5]


def test_shapes_and_libraries_are_compared():
    with pytest.raises(ValueError, match=r"^b has shape \(3,\); accepted: that of a, \(2,\)"):
        same_shape(np.zeros(2), np.zeros(3), "a", "b")
    for check in (same_shape, same_library):
        with pytest.raises(TypeError, match=r"^a and b come from different libraries; accepted: both NumPy or both"):
            check(np.zeros(2), torch.zeros(2), "a", "b")


@pytest.mark.parametrize("value", [8, np.int64(8), np.uint8(8), np.array(8), torch.tensor(8)])
def test_whole_numbers_of_every_library_become_ints(value):
    assert type(whole_number(value, "bits", 2, 16)) is int


@pytest.mark.parametrize("value", [8.0, "8", None, True, np.True_, [8], 8j, np.float32(8)])
def test_what_is_no_whole_number_is_named(value):
    with pytest.raises(TypeError, match=r"^bits is .*; accepted: a whole number from 2 to 16"):
        whole_number(value, "bits", 2, 16)


@pytest.mark.parametrize("value", [-1, 1, 17, 10**30])
def test_whole_numbers_outside_the_limits_are_named(value):
    with pytest.raises(ValueError, match=f"^bits is {value}; accepted: a whole number from 2 to 16"):
        whole_number(value, "bits", 2, 16)


def test_whole_numbers_without_an_upper_limit():
    assert whole_number(10**30, "k", 1) == 10**30
    with pytest.raises(ValueError, match=r"^k is 0; accepted: a whole number of at least 1"):
        whole_number(0, "k", 1)


@pytest.mark.parametrize("value", [0, 1, "no", None, np.array([True])])
def test_flags_are_true_or_false(value):
    assert (flag(True, "signed"), flag(np.False_, "signed")) == (True, False)
    with pytest.raises(TypeError, match=r"^signed is .*; accepted: True or False"):
        flag(value, "signed")


def test_a_masked_array_is_refused_since_its_mask_would_be_lost():
    with pytest.raises(TypeError, match="x is a masked array"):
        as_array(np.ma.masked_array([1.0, 2.0], [True, False]), "x")
