"""Block formats: what they keep of a block, and what they refuse. tests/parity compares their bytes with gguf's."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import seeds

from quantutils.formats.blocks import BLOCK_FORMATS, dequantize_blocks, quantize_blocks


@given(seeds(), st.sampled_from(list(BLOCK_FORMATS)), st.integers(-3, 3))
def test_every_number_comes_back_within_its_block_s_step(seed, name, power):
    x = np.random.default_rng(seed).normal(size=(2, 3, 64)).astype(np.float32) * np.float32(10.0**power)
    data = quantize_blocks(x, name)
    assert data.shape == (2, 3, 2 * BLOCK_FORMATS[name].block_bytes)
    back = dequantize_blocks(data, name)
    blocks = x.reshape(-1, 32)
    width = np.ptp(blocks, axis=1) / 15 if name == "Q4_1" else np.abs(blocks).max(axis=1) / (127, 8)[name == "Q4_0"]
    # Q4_0 has no code for the far end opposite its largest number, so one step; else half a step. Beside it, float16
    # is off by 2^-11 of the scale at each of up to 127 steps, and of min.
    steps = 1.0 if name == "Q4_0" else 0.5
    allowed = width * (steps + 1e-4) + np.abs(blocks).max(axis=1) * 2.0**-10 + 1e-6
    assert np.all(np.abs(back.reshape(-1, 32) - blocks).max(axis=1) <= allowed)


def test_bits_a_number_are_those_the_formats_are_known_for():
    bits = {name: 8 * quantize_blocks(np.zeros(3200), name).size / 3200 for name in BLOCK_FORMATS}
    assert bits == {"Q8_0": 8.5, "Q4_0": 4.5, "Q4_1": 5.0}


@pytest.mark.parametrize("name", BLOCK_FORMATS)
def test_empty_arrays_and_zeros(name):
    assert quantize_blocks(np.zeros((0, 64)), name).shape == (0, 2 * BLOCK_FORMATS[name].block_bytes)
    assert dequantize_blocks(np.zeros((3, 0), np.uint8), name).shape == (3, 0)
    assert not dequantize_blocks(quantize_blocks(np.zeros(64), name), name).any()


@pytest.mark.parametrize("name", BLOCK_FORMATS)
def test_a_scale_too_small_for_float32_s_reciprocal_becomes_zero(name):
    x = np.full(32, 1e-39, np.float32)
    x[:16] = 0
    assert not dequantize_blocks(quantize_blocks(x, name), name).any()


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        (np.zeros(33), ValueError, r"x has shape \(33,\).*multiple of 32"),
        (np.float64(1.0), ValueError, r"x has shape \(\)"),
        (np.zeros(32, int), TypeError, "x has dtype int64"),
        (np.full(32, np.nan), ValueError, "x holds 32 NaN"),
        (np.full(32, 1e300), ValueError, "x reaches inf"),
        (np.full(32, -1e8), ValueError, r"x reaches 1e\+08.*up to 65504"),
    ],
)
@pytest.mark.parametrize("name", BLOCK_FORMATS)
def test_what_no_block_can_hold_is_refused(x, error, message, name):
    with pytest.raises(error, match=message):
        quantize_blocks(x, name)


def test_damaged_bytes_and_unknown_names_are_refused():
    with pytest.raises(ValueError, match=r"name is 'Q5_0'; accepted: one of 'Q8_0', 'Q4_0', 'Q4_1'"):
        quantize_blocks(np.zeros(32), "Q5_0")
    with pytest.raises(ValueError, match="data holds an infinite or NaN scale"):
        dequantize_blocks(np.full(34, 255, np.uint8), "Q8_0")
    with pytest.raises(TypeError, match="data has dtype int8"):
        dequantize_blocks(np.zeros(34, np.int8), "Q8_0")
    with pytest.raises(ValueError, match=r"data has shape \(33,\)"):
        dequantize_blocks(np.zeros(33, np.uint8), "Q8_0")
    with pytest.raises(TypeError, match="x is a Tensor; accepted: a NumPy array"):
        quantize_blocks(torch.zeros(32), "Q8_0")
    with pytest.raises(TypeError, match="data is a Tensor; accepted: a NumPy array"):
        dequantize_blocks(torch.zeros(34, dtype=torch.uint8), "Q8_0")
