"""Layers that hold integers compute what their integers say, and nothing else."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

from quantutils.kernels import product
from quantutils.nn import (
    ActivationScheme,
    DynamicGRU,
    DynamicLinear,
    DynamicLSTM,
    QuantizedEmbedding,
    QuantizedWeight,
    WeightScheme,
    activation_codes,
    centred_product,
    integer_product,
    storage_bits,
)
from quantutils.workflow import quantize_dynamic

SCHEMES = [
    WeightScheme(),
    WeightScheme(per="tensor", full_range=True),
    WeightScheme(5),
    WeightScheme(4),
    WeightScheme(4, "group", 8),
    WeightScheme(3, "group", 16),
    WeightScheme(2, full_range=True),
    WeightScheme(2, "tensor"),
]
ACTIVATIONS = [
    ActivationScheme(),
    ActivationScheme(symmetric=True),
    ActivationScheme(reduce_range=True),
    ActivationScheme(per="token"),
    ActivationScheme(per="token", symmetric=True),
    ActivationScheme(4, "token"),
]


@pytest.fixture(autouse=True)
def _one_thread_and_a_seed():
    torch.set_num_threads(1)
    torch.manual_seed(0)


@pytest.mark.parametrize("scheme", SCHEMES, ids=str)
def test_weight_codes_survive_packing_and_are_the_nearest(scheme):
    weight = torch.randn(12, 32)
    held = QuantizedWeight.from_float(weight, scheme)
    codes, qparams = held.codes(), held.qparams
    assert codes.dtype == torch.int8
    assert qparams.qmin <= int(codes.min())
    assert int(codes.max()) <= qparams.qmax
    np.testing.assert_array_equal(held.dequantize().numpy(), qparams.dequantize(codes.numpy()))
    step = held.scheme.spread(held.scale, len(held.shape))
    inside = weight.abs() <= step * qparams.qmax
    assert bool(((held.dequantize() - weight).abs() <= step / 2 * (1 + 1e-5))[inside].all())


def test_packed_weights_take_the_bytes_they_say():
    weight = torch.randn(10, 33)
    sizes = {bits: QuantizedWeight.from_float(weight, WeightScheme(bits)).nbytes() for bits in (8, 4, 3, 2)}
    assert sizes == {8: 330 + 40, 4: 165 + 40, 3: 165 + 40, 2: 83 + 40}
    assert [storage_bits(bits) for bits in range(2, 9)] == [2, 4, 4, 8, 8, 8, 8]


def test_positive_weights_are_not_taken_for_unsigned_codes():
    weight = torch.rand(4, 8) + 0.5
    held = QuantizedWeight.from_float(weight, WeightScheme(4))
    assert int(held.codes().max()) == 7


def test_an_all_zero_channel_stays_zero():
    weight = torch.randn(3, 8)
    weight[1] = 0
    held = QuantizedWeight.from_float(weight, WeightScheme())
    assert bool((held.dequantize()[1] == 0).all())
    assert bool((held.scale > 0).all())


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 1, 5), (3, 1, 7), (4, 2, 3), (0, 5, 3), (17, 31, 13), (64, 768, 33)])
@pytest.mark.parametrize("dtype", [torch.int8, torch.uint8])
def test_product_is_exact_at_odd_shapes(shape, dtype):
    rows, k, n = shape
    low, high = (-128, 128) if dtype == torch.int8 else (0, 256)
    x = torch.randint(low, high, (rows, k)).to(dtype)
    weight = torch.randint(-128, 128, (n, k)).to(torch.int8)
    wanted = x.double() @ weight.double().T
    assert torch.equal(integer_product(x, weight).double(), wanted)
    zero_point = torch.randint(low, high, (rows, 1))
    centred = (x.double() - zero_point) @ weight.double().T
    assert torch.equal(centred_product(x, zero_point, weight).double(), centred)


@pytest.mark.parametrize("weights", SCHEMES, ids=str)
@pytest.mark.parametrize("activations", ACTIVATIONS, ids=str)
def test_dynamic_linear_is_the_product_of_its_codes(weights, activations):
    linear, x = nn.Linear(32, 12), torch.randn(5, 3, 32)
    layer = DynamicLinear.from_float(linear, weights, activations)
    codes, scale, zero_point = activation_codes(x.reshape(-1, 32), activations)
    x_hat = (codes.double() - zero_point) * scale
    wanted = x_hat @ layer.weight.dequantize().double().T + linear.bias.double()
    torch.testing.assert_close(layer(x).reshape(-1, 12).double(), wanted, rtol=1e-5, atol=1e-5)
    assert layer(x).shape == (5, 3, 12)


def test_per_token_codes_use_each_rows_own_range():
    rows = torch.tensor([[0.0, 1.0], [0.0, 100.0]])
    codes, scale, _ = activation_codes(rows, ActivationScheme(per="token"))
    assert codes.tolist() == [[0, 255], [0, 255]]
    torch.testing.assert_close(scale.squeeze(), torch.tensor([1 / 255, 100 / 255]))
    shared, _, _ = activation_codes(rows, ActivationScheme())
    assert shared.tolist() == [[0, 3], [0, 255]]


def test_reduced_range_gives_up_one_bit():
    codes, _, _ = activation_codes(torch.randn(4, 64), ActivationScheme(reduce_range=True))
    assert int(codes.max()) == 127


def test_all_zero_and_empty_batches():
    layer = DynamicLinear.from_float(nn.Linear(8, 3))
    torch.testing.assert_close(layer(torch.zeros(2, 8)), layer.bias.expand(2, 3))
    assert layer(torch.zeros(0, 8)).shape == (0, 3)


@pytest.mark.parametrize(("source", "made"), [(nn.LSTM, DynamicLSTM), (nn.GRU, DynamicGRU)])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"num_layers": 2},
        {"bidirectional": True, "batch_first": True},
        {"bias": False, "bidirectional": True},
    ],
    ids=str,
)
def test_recurrent_twins_follow_the_float_layer(source, made, options):
    layer = source(16, 12, **options)
    twin = made.from_float(layer)
    for x in (torch.randn(4, 6, 16), torch.randn(5, 16)):
        wanted, state = layer(x)
        found, twin_state = twin(x)
        _same_shapes_and_near((wanted, state), (found, twin_state))
        _same_shapes_and_near(layer(x, state), twin(x, state))


def _same_shapes_and_near(wanted, found):
    for one, other in zip(_flat(wanted), _flat(found), strict=True):
        assert one.shape == other.shape
        assert float(((one - other).norm() / one.norm()).detach()) < 0.05


def _flat(nested):
    return [nested] if isinstance(nested, torch.Tensor) else [tensor for part in nested for tensor in _flat(part)]


def test_dropout_acts_between_layers_and_in_training_only():
    twin = DynamicLSTM.from_float(nn.LSTM(6, 5, num_layers=2, dropout=0.5))
    x = torch.randn(4, 3, 6)
    assert not torch.equal(twin(x)[0], twin(x)[0])
    twin.eval()
    assert torch.equal(twin(x)[0], twin(x)[0])
    with pytest.warns(UserWarning, match="dropout"):  # torch says that one layer has no place for it
        single = DynamicLSTM.from_float(nn.LSTM(6, 5, dropout=0.5))
    assert torch.equal(single(x)[0], single(x)[0])


def test_a_printed_model_says_what_its_layers_hold():
    grouped = DynamicLinear.from_float(nn.Linear(32, 12), WeightScheme(4, "group", 8), ActivationScheme(per="token"))
    assert "32 → 12, weights 4 bits a group, activations 8 bits a token" in repr(nn.Sequential(grouped))
    named = DynamicLinear.from_float(nn.Linear(32, 12), rule="fbgemm")
    assert "32 → 12, weights 8 bits a channel, rule=fbgemm" in repr(named)
    assert "20 × 32, weights 8 bits a channel" in repr(QuantizedEmbedding.from_float(nn.Embedding(20, 32)))
    assert "16 → 12, 2 layers, both directions" in repr(
        DynamicGRU.from_float(nn.GRU(16, 12, num_layers=2, bidirectional=True))
    )


def test_projection_is_refused():
    with pytest.raises(ValueError, match="proj_size is 4; accepted: 0"):
        DynamicLSTM.from_float(nn.LSTM(8, 8, proj_size=4))


@pytest.mark.parametrize("scheme", SCHEMES, ids=str)
def test_embedding_restores_the_rows_it_looks_up(scheme):
    embedding = nn.Embedding(20, 32)
    twin = QuantizedEmbedding.from_float(embedding, scheme)
    indices = torch.tensor([[3, 3], [0, 19]])
    assert torch.equal(twin(indices), twin.weight.dequantize()[indices])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: WeightScheme(9), "bits is 9"),
        (lambda: WeightScheme(8, "row"), "per is 'row'"),
        (lambda: WeightScheme(4, "group"), "group_size is None"),
        (lambda: WeightScheme(4, "channel", 8), "group_size is 8"),
        (lambda: ActivationScheme(per="channel"), "per is 'channel'"),
        (lambda: ActivationScheme(2, reduce_range=True), "bits is 2"),
        (lambda: ActivationScheme(symmetric=1), "symmetric is 1"),
        (
            lambda: QuantizedWeight.from_float(torch.ones(3, 10), WeightScheme(4, "group", 4)),
            "multiple of the group",
        ),
        (lambda: QuantizedWeight.from_float(torch.tensor([[float("nan")]]), WeightScheme()), "weight holds 1 NaN"),
        (lambda: QuantizedWeight.from_float(torch.zeros(0, 4), WeightScheme()), "weight is empty"),
        (lambda: QuantizedWeight.from_float(torch.ones(2, 2), "int8"), "scheme is 'int8'"),
        (lambda: DynamicLinear.from_float(nn.Linear(4, 2))(torch.ones(3, 5)), r"x has shape \(3, 5\)"),
        (lambda: DynamicLinear.from_float(nn.Linear(4, 2))(torch.ones(3, 4, dtype=torch.int64)), "x has dtype int64"),
        (lambda: QuantizedEmbedding.from_float(nn.Embedding(4, 2, max_norm=1.0)), "max_norm"),
        (lambda: DynamicGRU.from_float(nn.GRU(4, 2))(torch.ones(3, 2, 5)), "x has shape"),
        (lambda: DynamicGRU.from_float(nn.GRU(4, 2))(torch.ones(0, 2, 4)), r"x has no time steps \(shape \(0, 2, 4\)"),
        (
            lambda: DynamicGRU.from_float(nn.GRU(4, 2))(torch.ones(3, 2, 4), torch.zeros(1, 3, 2)),
            r"state has shape \(1, 3, 2\); accepted: \(1, 2, 2\)",
        ),
        (
            lambda: QuantizedWeight.from_float(torch.ones(3), WeightScheme()),
            r"weight has shape \(3,\); accepted: \(out",
        ),
        (
            lambda: QuantizedEmbedding(QuantizedWeight.from_float(torch.ones(2, 3, 4), WeightScheme())),
            r"weight has shape \(2, 3, 4\); accepted: \(rows, features\)",
        ),
        (
            lambda: activation_codes(torch.ones(2, 3, dtype=torch.float64), ActivationScheme()),
            r"rows has dtype torch\.float64; accepted: float32",
        ),
        (lambda: activation_codes(torch.ones(3), ActivationScheme()), r"rows has shape \(3,\); accepted: \(rows, K\)"),
        (
            lambda: activation_codes(torch.tensor([[3e38]]), ActivationScheme()),
            r"rows, the input x of a layer, reaches 3e",
        ),
    ],
)
def test_bad_input_is_named(make, message):
    with pytest.raises((ValueError, TypeError), match=message):
        make()


LARGEST_CODES = """
import torch
from quantutils.nn import integer_product
torch.set_num_threads(1)
for rows, k, n in ((1, 300, 70), (40, 512, 33), (64, 768, 512)):
    for x_code, weight_code in ((127, 127), (-128, 127)):
        x = torch.full((rows, k), x_code, dtype=torch.int8)
        weight = torch.full((n, k), weight_code, dtype=torch.int8)
        assert bool((integer_product(x, weight) == k * x_code * weight_code).all()), (rows, k, n)
"""


@pytest.mark.parametrize("isa", ["", "AVX2", "AVX512_CORE"], ids=["this processor", "AVX2", "AVX-512 without VNNI"])
def test_largest_codes_are_exact_whatever_the_processor_can_do(isa):
    """Without VNNI torch._int_mm saturates in 16 bits, without a word; our product must not."""
    limited = {**os.environ, "ONEDNN_MAX_CPU_ISA": isa} if isa else dict(os.environ)
    subprocess.run([sys.executable, "-c", LARGEST_CODES], env=limited, check=True)


@pytest.mark.parametrize("per", ["tensor", "token"])
def test_a_layer_is_the_same_where_the_processors_own_product_is_not_exact(per, monkeypatch):
    """Without VNNI another exact product is taken; the zero points, whole numbers held as floats, must suit it too."""
    model, x = nn.Sequential(nn.Linear(32, 8)).eval(), torch.randn(5, 32)
    schemes = WeightScheme(), ActivationScheme(per=per)
    wanted = quantize_dynamic(model, *schemes)(x)
    monkeypatch.setattr(product, "int_mm_is_exact", lambda: False)
    assert torch.equal(quantize_dynamic(model, *schemes)(x), wanted)
