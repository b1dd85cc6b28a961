"""quantutils.formats.blocks against gguf's reference quantizers: no byte may differ."""

import gguf
import numpy as np
import pytest

from quantutils.formats.blocks import BLOCK_FORMATS, dequantize_blocks, quantize_blocks

NAMES = list(BLOCK_FORMATS)


def theirs(x, name):
    return gguf.quants.quantize(x, gguf.GGMLQuantizationType[name])


def their_numbers(data, name):
    return gguf.quants.dequantize(data, gguf.GGMLQuantizationType[name])


def random(rng):
    return rng.normal(0, 10.0 ** rng.uniform(-6, 4, (400, 1)), (400, 96)).astype(np.float32)


def ties(rng):
    """Blocks whose scale is a power of two and whose numbers lie halfway between two codes, of each format."""
    halves = rng.integers(-127, 127, (600, 32)) + 0.5
    halves[:200, 0] = 127 * rng.choice([-1, 1], 200)
    halves[200:400] = rng.integers(-8, 8, (200, 32)) + 0.5
    halves[200:400, 3] = rng.choice([8, -8], 200)
    halves[400:] = rng.integers(0, 15, (200, 32)) + 0.5
    halves[400:, 4], halves[400:, 5] = 0, 15
    return (halves * 2.0 ** rng.integers(-9, 9, (600, 1))).astype(np.float32)


def constant(rng):
    return np.repeat(np.float32([[0.0], [-0.0], [1.0], [-3.7], [1e-7], [1e-30]]), 64, axis=1)


def outlier(rng):
    x = rng.normal(0, 0.01, (256, 32)).astype(np.float32)
    x[np.arange(256), rng.integers(0, 32, 256)] = rng.choice([-300, 300], 256)
    return x


def equal_peaks(rng):
    """The largest magnitude occurs with both signs: Q4_0 takes the first of the two."""
    return rng.choice(np.float32([-2, 2, 0.3]), (64, 32))


def tiny(rng):
    """Scales that float16 holds at a few bits, or not at all."""
    return (rng.normal(size=(64, 32)) * 10.0 ** rng.uniform(-36, -5, (64, 1))).astype(np.float32)


INPUTS = (random, ties, constant, outlier, equal_peaks, tiny)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("make", INPUTS, ids=lambda make: make.__name__)
def test_bytes_are_those_of_gguf(name, make):
    for seed in range(5):
        x = make(np.random.default_rng(seed))
        data = quantize_blocks(x, name)
        np.testing.assert_array_equal(data, theirs(x, name), strict=True)
        np.testing.assert_array_equal(dequantize_blocks(data, name), their_numbers(data, name), strict=True)


@pytest.mark.parametrize("name", NAMES)
def test_any_bytes_with_finite_scales_mean_the_same_numbers(name):
    rng = np.random.default_rng(0)
    data = rng.integers(0, 256, (500, 3, BLOCK_FORMATS[name].block_bytes)).astype(np.uint8)
    data[..., 1] &= 0xBF  # the highest exponent bit off: no infinity, no NaN
    data[..., 3] &= 0xBF
    data = data.reshape(500, -1)
    np.testing.assert_array_equal(dequantize_blocks(data, name), their_numbers(data, name), strict=True)


def test_half_to_even_would_give_other_bytes():
    """So the inputs above do tell the rules apart."""
    x = ties(np.random.default_rng(0))[:200]
    scale = np.abs(x).max(axis=1, keepdims=True) / 127
    codes = quantize_blocks(x, "Q8_0")[:, 2:].view(np.int8)
    assert np.sum(codes != np.rint(x / scale)) > 1000
