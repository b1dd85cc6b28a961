"""How rules turn activations into codes: their definitions at the ends of every range, without live kernels."""

import math

import numpy as np
import pytest
import torch

from quantutils.kernels import NAMES, quantize_activations, torch_range_qparams

F32 = np.float32
TINY = float(F32(6.1e-5))
TORCH_RULES = ("fbgemm", "qnnpack", "onednn")


@pytest.mark.parametrize(
    ("x", "zero_point"),
    [([0.25, 1.0], 0), ([-0.25, -1.0], 255), ([-1.0, 1.0], 127), ([-0.3, 1.2], 51), ([-1e-9, 1.0], 0)],
)
def test_onnx_is_its_definition_in_float32(x, zero_point):
    x = np.array([x], F32)
    low, high = min(x.min(), F32(0)), max(x.max(), F32(0))
    scale = (high - low) / F32(255)
    codes, found_scale, found_zero_point = quantize_activations(x, rule="onnx")
    assert (float(found_scale), found_zero_point) == (float(scale), zero_point)
    assert codes.tolist() == np.clip(np.round(x / scale) + zero_point, 0, 255).tolist()


def test_onnx_takes_a_width_up_to_float32_s_largest_number():
    largest = float(np.finfo(F32).max)
    assert quantize_activations(np.array([0.0, largest]), rule="onnx").codes.tolist() == [0, 255]
    with pytest.raises(
        ValueError, match=r"^x goes from -1e\+36 to 3\.40282e\+38; accepted: a width that float32 holds"
    ):
        quantize_activations(np.array([-1e36, largest]), rule="onnx")


@pytest.mark.parametrize("rule", NAMES)
def test_activations_name_x_where_they_refuse_it(rule):
    with pytest.raises(ValueError, match=r"^x holds 1 NaN"):
        quantize_activations(np.array([np.nan, 1.0]), rule=rule)
    for reduce_range in (None, False):
        with pytest.raises(ValueError, match=r"^x reaches 1e\+39; accepted: magnitudes up to 3\.40"):
            quantize_activations(np.array([-1e39, 1.0]), rule=rule, reduce_range=reduce_range)
    largest = np.array([[0.0, float(np.finfo(F32).max)]])
    assert quantize_activations(largest, rule=rule).codes[0, 1] in (127, 255)


def test_zeros_and_empty_batches_have_a_scale():
    for x in (np.zeros((2, 3)), np.zeros((0, 3)), np.zeros((3, 0)), np.zeros((2, 3, 0))):
        for rule in NAMES:
            codes, scale, zero_point = quantize_activations(x, rule=rule)
            assert codes.shape == x.shape
            assert np.all(codes == zero_point)
            smallest = {"onnx": 1.0, "torchao": float(np.finfo(F32).eps)}.get(rule, 0.1)
            assert np.all(scale == smallest), rule
            assert scale.shape == ((*x.shape[:-1], 1) if rule == "torchao" else ())


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
def test_torchao_gives_each_row_a_symmetric_scale_of_127_steps_and_a_half(dtype):
    x = np.array([[-1.0, 0.5, 0.25], [3.0, -0.5, 1.5], [0.0, 0.0, 0.0]], dtype)
    codes, scale, zero_point = quantize_activations(x, rule="torchao")
    wanted = np.maximum(np.abs(x.astype(F32)).max(1, keepdims=True) / F32(127.5), np.finfo(F32).eps)
    assert (codes.dtype, scale.dtype, zero_point) == (np.int8, np.float64, 0)
    assert scale.tolist() == wanted.astype(np.float64).tolist()
    steps = np.round(x.astype(F32) * (F32(1) / wanted))
    assert codes.tolist() == np.clip(steps, -128, 127).tolist()
    deep = quantize_activations(torch.from_numpy(x.reshape(3, 1, 3)), rule="torchao")
    assert deep.scale.shape == (3, 1, 1)
    assert deep.codes.reshape(3, 3).tolist() == codes.tolist()


@pytest.mark.parametrize(
    ("low", "high", "levels", "scale", "zero_point"),
    [
        (0.0, 255.0, 255, 1.0, 0),
        (-255.0, 0.0, 255, 1.0, 255),
        (10.0, 255.0, 255, 1.0, 0),  # widened to contain 0
        (-255.0, -10.0, 255, 1.0, 255),
        (-100.0, 155.0, 255, 1.0, 100),
        (-100.4, 154.6, 255, (float(F32(154.6)) - float(F32(-100.4))) / 255, 100),
        (-127.5, 127.5, 255, 1.0, 128),  # a tie goes to even
        (-1.0, 1.0, 127, 2 / 127, 64),
        (0.0, 0.0, 255, 0.1, 0),
        (-1e-44, 1e-44, 255, 0.1, 0),  # a scale without a float32, or without a reciprocal
        (0.0, 255e-39, 255, 0.1, 0),
        (0.0, 255 * 4e-39, 255, TINY, 0),  # its reciprocal is a float32, twice the reciprocal is none
        (0.0, 1e-5, 255, TINY, 0),
        (-1e-5, 0.0, 255, TINY, 255),
        (-1e-5, 1e-5, 255, TINY, 128),
        (-1e-5, 3e-5, 255, TINY, 64),
    ],
)
def test_torch_s_choice_of_scale_and_zero_point(low, high, levels, scale, zero_point):
    found = torch_range_qparams(low, high, levels)
    assert found == (pytest.approx(scale, rel=1e-15), zero_point)
    assert [type(each) for each in found] == [float, int]


@pytest.mark.parametrize("levels", [127, 255])
def test_torch_s_choice_spans_the_range_and_gives_zero_a_code(levels):
    rng = np.random.default_rng(0)
    for power in (0, 1, 3):
        for ends in rng.normal(size=(50, 2)) * 10.0**power:
            low, high = (float(F32(end)) for end in sorted(ends))
            scale, zero_point = torch_range_qparams(low, high, levels)
            assert scale == (max(high, 0.0) - min(low, 0.0)) / levels
            assert 0 <= zero_point <= levels
            assert abs(zero_point + min(low, 0.0) / scale) <= 0.5 + 1e-9


@pytest.mark.parametrize("rule", TORCH_RULES)
def test_torch_s_rules_round_once_each_in_its_own_way(rule):
    rng = np.random.default_rng(1)
    # Halves between two codes, where the ways of rounding differ most.
    scale, zero_point = torch_range_qparams(-2.0, 3.1)
    steps = np.arange(-zero_point, 255 - zero_point) + 0.5
    x = np.concatenate([[-2.0, 3.1], (steps * scale)[rng.permutation(len(steps))]]).astype(F32)
    found = quantize_activations(x, rule=rule, reduce_range=False)
    assert (float(found.scale), found.zero_point) == (scale, zero_point)
    inverse = F32(1) / F32(scale)
    if rule == "onednn":
        stored = F32(1 / scale)
        wanted = np.round(x * (F32(1) / (F32(1) / stored)) + F32(zero_point))
    else:
        # 24 bits times 24 bits fit float64, and so does their sum with a whole number of this size.
        wanted = np.round((x.astype(np.float64) * float(inverse) + zero_point).astype(F32))
    assert found.codes.tolist() == np.clip(wanted, 0, 255).tolist()


@pytest.mark.parametrize("name", ["low", "high"])
@pytest.mark.parametrize(
    ("value", "error"),
    [("1", TypeError), (True, TypeError), (None, TypeError), (math.nan, ValueError), (1e39, ValueError)],
)
def test_torch_range_qparams_refuses_ends(name, value, error):
    with pytest.raises(error, match=f"^{name} is .*; accepted: a number from -3.40"):
        torch_range_qparams(**{"low": -1.0, "high": 1.0} | {name: value})


@pytest.mark.parametrize(("levels", "error"), [(0, ValueError), (2**16 + 1, ValueError), (255.0, TypeError)])
def test_torch_range_qparams_refuses_levels(levels, error):
    with pytest.raises(error, match=f"^levels is {levels}; accepted: a whole number from 1 to 65536$"):
        torch_range_qparams(0.0, 1.0, levels)
    assert torch_range_qparams(0.0, 1.0, 1) == (1.0, 0)
    assert torch_range_qparams(0.0, 1.0, 2**16) == (TINY, 0)
