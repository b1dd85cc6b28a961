"""Exact sums of a convolution: those of torch in float64, with any geometry, and what is refused."""

import itertools

import numpy as np
import pytest
import torch

from quantutils.kernels import integer_conv2d

GEOMETRIES = list(itertools.product((1, 2, (1, 3)), (0, 1, (2, 1)), (1, 2, (1, 2)), (1, 2)))


@pytest.mark.parametrize("library", ["numpy", "torch"])
@pytest.mark.parametrize("signed", [False, True])
def test_sums_are_those_of_torch_in_float64(signed, library):
    rng = np.random.default_rng(0)
    low, high, dtype = (-128, 128, np.int8) if signed else (0, 256, np.uint8)
    for stride, padding, dilation, groups in GEOMETRIES:
        x = rng.integers(low, high, (2, 4, 7, 8)).astype(dtype)
        weights = rng.integers(low, high, (6, 4 // groups, 3, 2)).astype(dtype)
        zx, zw = int(rng.integers(low, high)), rng.integers(low, high, 6)
        geometry = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
        centred = torch.from_numpy(x.astype(np.float64) - zx), torch.from_numpy(weights - zw.reshape(-1, 1, 1, 1) * 1.0)
        truth = torch.nn.functional.conv2d(*centred, **geometry).numpy().astype(np.int32)
        given = (torch.from_numpy(x), torch.from_numpy(weights)) if library == "torch" else (x, weights)
        np.testing.assert_array_equal(np.asarray(integer_conv2d(*given, zx, zw, **geometry)), truth, strict=True)


def test_one_zero_point_for_all_weights_is_one_for_each():
    x, weights = np.arange(16).reshape(1, 1, 4, 4), np.arange(8).reshape(2, 1, 2, 2)
    np.testing.assert_array_equal(
        integer_conv2d(x, weights, 3, 5), integer_conv2d(x, weights, 3, np.array([5, 5])), strict=True
    )


def test_the_largest_stride_padding_and_dilation():
    x, weights = np.ones((1, 1, 3, 3), int), np.ones((1, 1, 1, 1), int)
    assert integer_conv2d(x, weights, stride=2**15).shape == (1, 1, 1, 1)
    assert integer_conv2d(x, weights, dilation=2**15).shape == (1, 1, 3, 3)
    assert integer_conv2d(x, weights, padding=(1024, 0)).shape == (1, 1, 2051, 3)


def test_the_largest_zero_points():
    x, weights = np.full((1, 1, 1, 1), 2**16 - 1), np.full((1, 1, 1, 1), -(2**15))
    for zx, zw in ((2**16 - 1, 0), (2**16 - 2, 2**15 - 1), (2**16 - 2, -(2**15)), (2**16 - 2, 2**16 - 1)):
        assert integer_conv2d(x, weights, zx, zw).tolist() == [[[[(2**16 - 1 - zx) * (-(2**15) - zw)]]]]
    assert integer_conv2d(-weights - 2**16, weights, -(2**15), 0).tolist() == [[[[0]]]]


ONES = np.ones((1, 2, 4, 4), np.int8)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"x_codes": np.ones((2, 4, 4), int)}, ValueError, r"x_codes has shape \(2, 4, 4\); accepted: \(B, I, H, W\)"),
        ({"weight_codes": np.ones((2, 2), int)}, ValueError, r"weight_codes has shape \(2, 2\); accepted: \(O, I/"),
        ({"weight_codes": torch.ones((1, 2, 2, 2), dtype=torch.int8)}, TypeError, "x_codes and weight_codes come from"),
        ({"x_codes": ONES * 0.5}, TypeError, "x_codes has dtype float64"),
        ({"x_codes": np.full((1, 2, 4, 4), 2**16)}, ValueError, "x_codes holds codes from 65536"),
        ({"x_codes": np.full((1, 2, 4, 4), -(2**15) - 1)}, ValueError, "x_codes holds codes from -32769"),
        ({"weight_codes": np.full((1, 2, 2, 2), 2**16)}, ValueError, "weight_codes holds codes from 65536"),
        ({"weight_codes": np.full((1, 2, 2, 2), -(2**15) - 1)}, ValueError, "weight_codes holds codes from -32769"),
        ({"x_zero_point": 0.5}, TypeError, "x_zero_point is 0.5"),
        ({"x_zero_point": 2**16}, ValueError, "x_zero_point is 65536; accepted: a whole number from -32768 to 65535"),
        (
            {"weight_zero_point": [1, 2]},
            ValueError,
            r"weight_zero_point has shape \(2,\); accepted: a number or \(1,\)",
        ),
        ({"weight_zero_point": 2**16}, ValueError, "weight_zero_point holds codes from 65536"),
        ({"stride": 2**15 + 1}, ValueError, "stride is 32769; accepted: a whole number from 1 to 32768"),
        ({"padding": 1025}, ValueError, "padding is 1025; accepted: a whole number from 0 to 1024"),
        ({"dilation": 0}, ValueError, "dilation is 0; accepted: a whole number from 1 to 32768"),
        ({"groups": 0}, ValueError, "groups is 0; accepted: a whole number of at least 1"),
        ({"groups": 2}, ValueError, "groups is 2, x_codes"),
        ({"weight_codes": np.ones((1, 2, 5, 1), int)}, ValueError, "weight_codes reaches over 5 in height"),
        (
            {"x_codes": ONES.astype(int) * 2**15, "weight_codes": np.full((1, 2, 4, 4), 2**15 - 1)},
            ValueError,
            "x_codes and weight_codes unfold into a product that is refused: .*overflow",
        ),
    ],
)
def test_bad_input_is_named(change, error, message):
    arguments = {"x_codes": ONES, "weight_codes": np.ones((1, 2, 2, 2), np.int8)} | change
    with pytest.raises(error, match=f"^{message}"):
        integer_conv2d(**arguments)
