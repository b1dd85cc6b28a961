"""Which layers follow each other, in models that torch.fx can trace and in models that it cannot."""

import torch
from torch import nn

from quantutils.workflow.folding import chains, fold


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
        nn.Identity,
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
