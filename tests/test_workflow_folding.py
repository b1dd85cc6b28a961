"""Which layers follow each other, in models that torch.fx can trace and in models that it cannot."""

import pytest
import torch
from torch import nn

from quantutils.nn import WeightScheme
from quantutils.workflow import convert, prepare, quantize_dynamic, quantize_weights, report
from quantutils.workflow.folding import FoldedIntoLinear, chains, fold


class Undecided(nn.Module):
    """Its path depends on its data, so that it cannot be traced."""

    def __init__(self, body):
        super().__init__()
        self.body = body

    def forward(self, x):
        return self.body(x) if float(x.sum()) > 0 else self.body(-x)


def body():
    torch.manual_seed(0)
    made = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3))
    made[1].running_mean += 0.5
    return made.eval()


def test_untraceable_models_are_read_by_their_sequentials():
    model = Undecided(body())
    assert chains(model) == [("body.0", "body.1", "body.2"), ("body.3", None, "body.4")]
    traced = [tuple(name and f"body.{name}" for name in found) for found in chains(model.body)]
    assert traced == chains(model)


def test_a_module_used_twice_follows_nothing():
    relu = nn.ReLU()
    model = Undecided(nn.Sequential(nn.Linear(4, 4), relu, nn.Linear(4, 4), relu, nn.Linear(4, 4)))
    assert chains(model) == []


def test_only_neighbours_of_the_right_kind_count():
    model = Undecided(nn.Sequential(nn.Linear(4, 4), nn.BatchNorm2d(4), nn.Linear(4, 4), nn.Sigmoid(), nn.ReLU()))
    assert chains(model) == []


def test_folding_an_untraceable_model_changes_no_number_but_the_fused_relu():
    x = torch.randn(8, 4).abs()
    model = Undecided(body())
    wanted = model(x)
    assert fold(model) == {"body.0": "body.2", "body.3": "body.4"}
    assert [type(layer) for layer in model.body] == [
        nn.Linear,
        FoldedIntoLinear,
        nn.Identity,
        nn.Linear,
        nn.Identity,
        nn.Linear,
    ]
    found = x
    for layer in (model.body[0], nn.ReLU(), model.body[3], nn.ReLU(), model.body[5]):
        found = layer(found)
    torch.testing.assert_close(found, wanted)


def test_a_batch_norm_without_a_relu_is_folded_and_its_layer_stands_for_it():
    x = torch.randn(8, 4)
    model = nn.Sequential(body()[0], body()[1], nn.Sigmoid()).eval()
    wanted = model(x)
    assert fold(model) == {"0": "1"}
    assert isinstance(model[1], nn.Identity)
    torch.testing.assert_close(model(x), wanted)


def test_a_batch_norm_folded_into_a_linear_refuses_what_it_would_get_wrong():
    """Its channels are the second axis of three; folded they would be the last."""
    model = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6)).eval()
    model[1].running_mean.copy_(torch.arange(6.0))
    prepared = prepare(model)
    prepared(torch.ones(3, 4))
    for folded in (prepared, convert(prepared)):
        with pytest.raises(ValueError, match=r"x has shape \(2, 6, 6\) where a BatchNorm1d was folded.*rows, features"):
            folded(torch.ones(2, 6, 4))


@pytest.mark.parametrize(
    "quantize",
    [
        quantize_dynamic,
        lambda model: quantize_weights(model, WeightScheme(8)),
        lambda model: convert(run_once(model)),
    ],
    ids=["dynamic", "weights", "static"],
)
def test_a_layer_with_hooks_stays_in_float_and_is_named(quantize):
    """The old weight_norm and spectral_norm are hooks, which a layer in its place would not run."""
    model = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 5)).eval()
    model[0].register_forward_hook(lambda _layer, _given, result: 10 * result)
    small, x = quantize(model), torch.randn(8, 4, generator=torch.Generator().manual_seed(0))
    found = report(small, x)
    assert found.output_db > 20
    assert [row.note for row in found.layers if row.name == "0"] == [
        "in float: has forward hooks, which a quantized layer would not run"
    ]


def run_once(model):
    prepared = prepare(model)
    prepared(torch.randn(64, 4, generator=torch.Generator().manual_seed(1)))
    return prepared
