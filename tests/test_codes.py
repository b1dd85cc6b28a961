"""Codes behave as the floats they stand for: exactly in integers where that is possible, dequantized elsewhere."""

import pytest
import torch
from torch import nn

from quantutils import QParams
from quantutils.nn import Codes, as_float

QPARAMS = QParams(0.05, 120, 0, 255)


@pytest.fixture
def codes():
    return Codes.of(torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0)) * 2, QPARAMS)


@pytest.mark.parametrize(
    "layer",
    [nn.ReLU(), nn.MaxPool2d(2), nn.MaxPool2d(3, 1, 1), nn.Flatten(), nn.Identity()],
    ids=lambda layer: type(layer).__name__,
)
def test_integers_go_through_and_mean_the_same(codes, layer):
    out = layer(codes)
    assert isinstance(out, Codes)
    assert out.codes.dtype == torch.uint8
    assert torch.equal(out.dequantize(), layer(codes.dequantize()))


@pytest.mark.parametrize(
    "move",
    [
        lambda x: x.view(2, -1),
        lambda x: x.flatten(1),
        lambda x: x.transpose(1, 2),
        lambda x: x.permute(0, 2, 3, 1),
        lambda x: x[:, 1:],
        lambda x: x.reshape(6, 16).contiguous(),
        lambda x: torch.flatten(x, 1),
        lambda x: x.chunk(3, dim=1)[2],
    ],
)
def test_moves_act_on_the_codes(codes, move):
    out = move(codes)
    assert isinstance(out, Codes)
    assert torch.equal(out.dequantize(), move(codes.dequantize()))


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x + x,
        lambda x: 1 + x,
        lambda x: 2 * x - 1,
        lambda x: -x,
        lambda x: x / 3,
        lambda x: torch.ones(2, 3, 4, 4) + x,
        lambda x: torch.cat([x, x]),
        lambda x: x.mean((2, 3)),
        lambda x: x.sum(),
        nn.Sigmoid(),
        nn.AvgPool2d(2),
        nn.GELU(),
        nn.Softmax(1),
        nn.LayerNorm(4),
    ],
)
def test_everything_else_sees_floats(codes, function):
    out = function(codes)
    assert isinstance(out, torch.Tensor)
    torch.testing.assert_close(out, function(codes.dequantize()))


def test_pooling_that_returns_indices_sees_floats(codes):
    found, places = nn.functional.max_pool2d(codes, 2, return_indices=True)
    wanted, wanted_places = nn.functional.max_pool2d(codes.dequantize(), 2, return_indices=True)
    assert torch.equal(found, wanted)
    assert torch.equal(places, wanted_places)


def test_names_that_a_tensor_does_not_have_are_no_attributes(codes):
    assert not hasattr(codes, "__cuda_array_interface__")
    assert not hasattr(codes, "no_such_method")


def test_shape_length_and_dtype_are_those_of_the_floats(codes):
    assert codes.shape == (2, 3, 4, 4)
    assert len(codes) == 2
    assert codes.dtype == torch.float32
    assert codes.size(1) == 3


def test_as_float_goes_through_nested_results(codes):
    nested = as_float({"a": (codes, 3), "b": [codes]})
    assert torch.equal(nested["a"][0], codes.dequantize())
    assert torch.equal(nested["b"][0], codes.dequantize())
    assert nested["a"][1] == 3


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Codes(torch.ones(2), QPARAMS), "accepted: a uint8 or int8 torch tensor"),
        (lambda: Codes([1, 2], QPARAMS), "codes is list"),
        (
            lambda: Codes(torch.ones(2, dtype=torch.int8), QPARAMS),
            r"qparams has codes 0 to 255; accepted: those of torch\.int8",
        ),
        (lambda: Codes(torch.ones(2, dtype=torch.uint8), None), "qparams is None"),
        (lambda: Codes(torch.ones(2, dtype=torch.uint8), QParams([0.1, 0.2], [0, 0], 0, 255, axis=0)), "axis 0"),
    ],
)
def test_bad_input_is_named(make, message):
    with pytest.raises((ValueError, TypeError), match=message):
        make()


def test_comparisons_are_those_of_the_floats(codes):
    floats = codes.dequantize()
    for mask, wanted in ((codes == 0, floats == 0), (codes != 0, floats != 0), (codes > 0.5, floats > 0.5)):
        assert torch.equal(mask, wanted)
    assert torch.equal(codes <= codes, torch.ones_like(floats, dtype=torch.bool))
