"""quantize_weights: integer weights, float activations; it adds to what was quantized before, saves and loads."""

import copy

import pytest
import torch
from torch import nn

from quantutils.nn import ActivationScheme, QuantizedEmbedding, QuantizedWeight, WeightOnlyLinear, WeightScheme
from quantutils.workflow import quantize_dynamic, quantize_weights, report, storage

FOUR = WeightScheme(4, "group", 8, True)


class Reader(nn.Module):
    """Takes its arguments by name and answers with a mapping, as models of the transformers library do."""

    def __init__(self):
        super().__init__()
        self.embedding, self.norm = nn.Embedding(30, 16), nn.LayerNorm(16)
        self.first, self.second = nn.Linear(16, 32), nn.Linear(32, 16)

    def forward(self, indices, shift=0.0):
        x = self.norm(self.embedding(indices) + shift)
        return {"states": self.second(torch.relu(self.first(x)))}


@pytest.fixture
def model():
    torch.set_num_threads(1)
    torch.manual_seed(0)
    return Reader().eval()


@pytest.fixture
def data():
    torch.manual_seed(1)
    return [{"indices": torch.randint(0, 30, (4, 9)), "shift": 0.1} for _ in range(6)]


def states(model, data):
    with torch.no_grad():
        return torch.cat([model(**given)["states"] for given in data])


def test_weights_are_those_of_quantized_weight_and_activations_stay_float(model, data):
    before = copy.deepcopy(model.state_dict())
    made = quantize_weights(model, FOUR)
    assert [type(layer) for layer in (made.first, made.second, made.embedding)] == [
        WeightOnlyLinear,
        WeightOnlyLinear,
        QuantizedEmbedding,
    ]
    twin = copy.deepcopy(model)
    with torch.no_grad():
        for name in ("first", "second", "embedding"):
            layer = twin.get_submodule(name)
            layer.weight.copy_(QuantizedWeight.from_float(layer.weight, FOUR).dequantize())
    assert torch.equal(states(made, data), states(twin, data))
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize("search", [False, True])
def test_gptq_costs_less_than_rounding_to_nearest_in_every_layer(model, data, search):
    nearest = report(quantize_weights(model, FOUR, layers=[nn.Linear]), data[0])
    better = report(quantize_weights(model, FOUR, "gptq", data, search, layers=[nn.Linear]), data[0])
    assert all(b.alone_db > a.alone_db for a, b in zip(nearest.layers[:2], better.layers[:2], strict=True))


def test_search_without_gptq_and_for_an_embedding_lowers_the_error(model, data):
    wanted = states(model, data)

    def error(made):
        return float(((states(made, data) - wanted) ** 2).mean())

    assert error(quantize_weights(model, FOUR, data=data, search=True)) < error(quantize_weights(model, FOUR))
    rows = quantize_weights(model, FOUR, search=True, layers=[nn.Embedding]).embedding.weight.dequantize()
    plain = QuantizedWeight.from_float(model.embedding.weight, FOUR).dequantize()
    assert ((rows - model.embedding.weight) ** 2).sum() < ((plain - model.embedding.weight) ** 2).sum()


def test_a_layer_that_the_data_do_not_reach_is_rounded_to_nearest(model, data):
    model.unused = nn.Linear(16, 4)
    made = quantize_weights(model, FOUR, "gptq", data)
    assert torch.equal(made.unused.weight.codes(), QuantizedWeight.from_float(model.unused.weight, FOUR).codes())


def test_two_steps_add_up_and_both_remember_the_first_float_model(model, data):
    linear = quantize_dynamic(model, WeightScheme(), ActivationScheme(per="token"), layers=[nn.Linear])
    both = quantize_weights(linear, FOUR, layers=[nn.Embedding])
    assert both.float_origin.model is linear.float_origin.model is model
    assert [row.bits for row in report(both, data[0]).layers if row.bits < 32] == [4, 8, 8]


@pytest.mark.parametrize("per", [WeightScheme(), FOUR], ids=["channels", "groups"])
def test_saved_and_loaded_it_computes_the_same(model, data, per, tmp_path):
    made = quantize_weights(model, per, "gptq", data)
    storage.save(made, tmp_path / "small.safetensors")
    assert torch.equal(states(storage.load(tmp_path / "small.safetensors", model), data), states(made, data))


def test_a_checkpoint_of_one_kind_is_refused_where_another_is_said(model, tmp_path):
    from safetensors import safe_open
    from safetensors.torch import save_file

    storage.save(quantize_weights(model, WeightScheme(), layers=[nn.Linear]), tmp_path / "small.safetensors")
    with safe_open(tmp_path / "small.safetensors", "pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no dict
        header = {name: text.replace("WeightOnlyLinear", "DynamicLinear") for name, text in file.metadata().items()}
    save_file(tensors, tmp_path / "other.safetensors", header)
    with pytest.raises(ValueError, match="damaged recipe of layer 'first'"):
        storage.load(tmp_path / "other.safetensors", model)


def test_report_names_the_loudest_input_channel(model, data):
    with torch.no_grad():
        model.norm.weight[5] = 40.0
    rows = {row.name: row for row in report(quantize_dynamic(model), data[0]).layers}
    assert rows["first"].outlier_channel == 5
    assert 20 < rows["first"].outlier < 80
    assert rows["embedding"].outlier is rows["embedding"].outlier_channel is None


@pytest.mark.parametrize(
    ("change", "kind", "says"),
    [
        ({"model": "bert"}, TypeError, "model is a str"),
        ({"model": nn.Sequential(nn.Conv2d(1, 1, 1))}, ValueError, "model holds only Conv2d, Sequential"),
        ({"weights": 4}, TypeError, "weights"),
        ({"weights": WeightScheme(per="tensor")}, ValueError, "per channel or per group"),
        ({"weights": WeightScheme(4, "group", 5)}, ValueError, "group_size is 5"),
        ({"method": "awq"}, ValueError, "method is 'awq'"),
        ({"method": "gptq"}, ValueError, "data is None"),
        ({"search": True}, ValueError, "data is None"),
        ({"method": "gptq", "data": []}, ValueError, "data holds no input"),
        ({"method": "gptq", "data": torch.ones(2)}, TypeError, "data is a Tensor"),
        ({"layers": [nn.LSTM]}, ValueError, "layers holds"),
        ({"layers": []}, ValueError, "layers holds"),
    ],
)
def test_bad_input_is_named(model, change, kind, says):
    with pytest.raises(kind, match=says):
        quantize_weights(**({"model": model, "weights": FOUR} | change))


def test_training_mode_is_refused_where_data_go_through(model, data):
    with pytest.raises(ValueError, match="training mode"):
        quantize_weights(model.train(), FOUR, "gptq", data)


def test_a_layer_refuses_wrong_input():
    layer = WeightOnlyLinear.from_float(nn.Linear(8, 3), FOUR)
    with pytest.raises(ValueError, match=r"x has shape \(2, 7\)"):
        layer(torch.ones(2, 7))
    with pytest.raises(TypeError, match="x has dtype"):
        layer(torch.ones(2, 8, dtype=torch.int64))
    with pytest.raises(ValueError, match="weight has shape"):
        WeightOnlyLinear(QuantizedWeight((3, 4, 2), WeightScheme()))
