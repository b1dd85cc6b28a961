"""The graph of a model: what its layers stand for, where integers travel, and what is refused by name."""

import copy
import dataclasses
import io
import pickle
from collections import namedtuple

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 - torch's own name
from torch.nn.utils import prune

from quantutils.nn import HeldQParams, StaticConv2d, StaticLinear
from quantutils.workflow import convert, prepare, prepare_qat, report
from quantutils.workflow.graph import Site, traced


@pytest.fixture(autouse=True)
def _one_thread_and_a_seed():
    torch.set_num_threads(1)
    torch.manual_seed(0)


class Own(nn.Module):
    """Two layers, a and b, and a forward of the test's own."""

    def __init__(self, forward, **layers):
        super().__init__()
        self.own = forward
        for name, layer in (layers or {"a": nn.Linear(16, 16), "b": nn.Linear(16, 16)}).items():
            setattr(self, name, layer)

    def forward(self, x, **more):
        return self.own(self, x, **more)


def static(model, x, **choices):
    prepared = prepare(model.eval(), x, **choices)
    prepared(x)
    return convert(prepared)


def close(model, x, **choices):
    """The static form of a model, which must compute what the model does."""
    with torch.no_grad():
        wanted = model.eval()(x.clone())
    made = static(model, x, **choices)
    assert float((made(x.clone()) - wanted).norm() / wanted.norm()) < 0.05
    return made


def between(function):
    """How many times codes become floats in a static model with `function` between two layers."""
    made = close(Own(lambda s, x: s.b(function(s.a(x)))), torch.randn(8, 3, 16, 16))
    return len(made.called_layers(HeldQParams)) - 1  # the last: what the model returns


KEEPS = {
    "relu twice": lambda x: torch.relu(torch.relu(x)[:, :2]),
    "relu in place": lambda x: torch.relu_(x.transpose(1, 2)),
    "flatten": lambda x: x.flatten(0, 1),
    "reshape": lambda x: x.reshape(-1, 8, 16),
    "transpose": lambda x: x.transpose(1, 2),
    "permute": lambda x: x.permute(1, 0, 2, 3).contiguous(),
    "one of a batch": lambda x: x[0],
    "a chunk": lambda x: torch.chunk(x, 2)[0],
    "a part": lambda x: x[:, 1:, ::2],
    "repeated": lambda x: x[:, :1].expand(-1, 5, -1, -1),
    "dropout": lambda x: F.dropout(x, 0.5, training=False),
    "max pooling": lambda x: F.max_pool2d(x.transpose(1, 3), 2).transpose(1, 3),
}
DROPS = {
    "sum": lambda x: x + x,
    "scaled": lambda x: 0.5 * x,
    "sigmoid": torch.sigmoid,
    "joined": lambda x: torch.cat([x, x]),
    "average pooling": lambda x: F.avg_pool2d(x.transpose(1, 3), 2).transpose(1, 3),
    "written to": lambda x: x.index_fill(1, torch.tensor([0]), 0.0),
    "gelu": F.gelu,
    "pooling with its places": lambda x: F.max_pool2d(x, 2, return_indices=True)[0].repeat(1, 1, 1, 2),
}


@pytest.mark.parametrize("name", KEEPS)
def test_moves_relu_and_max_pooling_act_on_the_codes(name):
    assert between(KEEPS[name]) == 0


@pytest.mark.parametrize("name", DROPS)
def test_everything_else_sees_floats(name):
    assert between(DROPS[name]) == 1


def test_a_value_that_goes_both_ways_stays_codes_for_the_layer_and_is_float_for_the_rest():
    made = close(Own(lambda s, x: s.b(torch.relu(h := s.a(x))) + h), torch.randn(64, 16))
    assert not made["a"].relu
    assert [node.target for node in made._graph.nodes if node.op == "call_module"] == ["a", "b", "b.output", "a.output"]


WRITES = {
    "add_": lambda h, x: h.add_(x),
    "+=": lambda h, x: h.__iadd__(x),
    "out=": lambda h, x: torch.add(h, x, out=h),
    "through a view": lambda h, x: h.view(-1).mul_(0.5),
    "one row": lambda h, x: h[0].fill_(1.0),
    "an index": lambda h, x: h.__setitem__((slice(None), 0), 2.0),
    "clamp_": lambda h, x: h.clamp_(-1, 1),
    "sigmoid_": lambda h, x: h.sigmoid_(),
    "copy_": lambda h, x: h.copy_(x),
    "masked_fill_": lambda h, x: h.masked_fill_(x > 0, 0.0),
}


@pytest.mark.parametrize("name", WRITES)
def test_what_is_written_in_place_is_not_lost(name):
    def forward(s, x):
        h = s.a(x)
        WRITES[name](h, x)
        return s.b(h)

    close(Own(forward), torch.randn(64, 16))


def with_statistics(model):
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.running_mean.uniform_(-1, 1), module.running_var.uniform_(0.5, 2)
            if module.affine:
                nn.init.uniform_(module.weight, 0.5, 1.5), nn.init.uniform_(module.bias, -1, 1)
    return model.eval()


@pytest.mark.parametrize("affine", [True, False])
def test_batch_norm_is_folded_where_its_channels_are_the_outputs(affine):
    norm = nn.BatchNorm2d(4, affine=affine)
    made = close(with_statistics(nn.Sequential(nn.Conv2d(3, 4, 3), norm, nn.ReLU())), torch.randn(8, 3, 6, 6))
    assert list(made.called_layers()) == ["0", "0.output"]
    assert made["0"].recipe.stands_for == "1"
    rows = close(with_statistics(nn.Sequential(nn.Linear(5, 6), nn.BatchNorm1d(6))), torch.randn(40, 5))
    assert rows["0"].recipe.stands_for == "1"


def test_batch_norm_over_another_axis_stays_in_float():
    model = with_statistics(nn.Sequential(nn.Linear(5, 6), nn.BatchNorm1d(6)))
    made = close(model, torch.randn(4, 6, 5))
    assert made["0"].recipe.stands_for == "0"
    assert report(made, torch.randn(4, 6, 5)).layers[1].kind == "BatchNorm1d"


def test_batch_norm_that_is_used_elsewhere_too_is_not_folded():
    model = Own(lambda s, x: s.norm(h := s.a(x)) + h, a=nn.Conv2d(3, 4, 1), norm=nn.BatchNorm2d(4))
    assert close(with_statistics(model), torch.randn(8, 3, 6, 6))["a"].recipe.stands_for == "a"


@pytest.mark.parametrize(
    ("norm", "says"),
    [
        (nn.BatchNorm2d(4, track_running_stats=False), "takes its statistics from each batch"),
        (nn.BatchNorm2d(4), "takes its statistics from each batch"),
    ],
)
@pytest.mark.parametrize("how", [prepare, prepare_qat])
def test_batch_norm_that_is_not_in_eval_form_is_refused(how, norm, says):
    model = nn.Sequential(nn.Conv2d(3, 4, 1), norm).eval()
    model[1].train()
    with pytest.raises(ValueError, match=f"module '1' is a BatchNorm2d that {says}"):
        how(model, torch.randn(4, 3, 6, 6))


def test_convolutions_of_every_geometry():
    x = torch.randn(4, 4, 9, 9)
    for conv in (
        nn.Conv2d(4, 8, 3, padding="same"),
        nn.Conv2d(4, 8, 3, padding="valid"),
        nn.Conv2d(4, 8, 3, padding=1, padding_mode="reflect"),
        nn.Conv2d(4, 8, 3, 2, 1, 2, 2, bias=False),
    ):
        assert isinstance(close(nn.Sequential(conv), x)["0"], StaticConv2d)


Pair = namedtuple("Pair", "logits hidden")


@dataclasses.dataclass(frozen=True)
class Found:
    logits: torch.Tensor
    note: str = "as it is"
    nothing: object = None


STRUCTURES = {
    "namedtuple": lambda y, h: Pair(y, h),
    "dataclass": lambda y, h: Found(y),
    "dict": lambda y, h: {"logits": y, "more": [h, (y, None)]},
    "tuple": lambda y, h: (y, 3, "word", h),
    "list": lambda y, h: [y],
    "none first": lambda y, h: {"loss": None, "logits": y},
}


@pytest.mark.parametrize("how", ["prepared", "converted", "trained"])
@pytest.mark.parametrize("name", STRUCTURES)
def test_outputs_keep_their_structure(name, how):
    model, x = Own(lambda s, x: STRUCTURES[name](s.b(torch.relu(h := s.a(x))), h)).eval(), torch.randn(32, 16)
    made = {"prepared": prepare, "converted": static, "trained": prepare_qat}[how](model, x)
    wanted, found = model(x), made(x)
    assert type(found) is type(wanted)
    assert str(_without_tensors(found)) == str(_without_tensors(wanted))
    if how == "converted":
        assert report(made, x).output_db > 30


def _without_tensors(value):
    from quantutils.workflow.nested import mapped

    return mapped(lambda tensor: tuple(tensor.shape), value)


class Kept:
    def __init__(self, x):
        self.x = x


@pytest.mark.parametrize(
    ("forward", "says"),
    [
        (lambda s, x: s.b(x) if float(x.sum()) > 0 else s.a(x), "cannot be followed by torch.export.*does not depend"),
        (lambda s, x: Kept(s.a(x)), "returns a Kept; accepted: tensors and plain values"),
        (lambda s, x: {"a": [Kept(s.a(x))], "b": s.b(x)}, "returns a Kept; accepted"),
        (lambda s, x: s.b(s.a(x) + torch.rand_like(x)), "layer 'b': the prepared copy differs.*draw random numbers"),
        (lambda s, x: s.b(s.a(x)) + torch.rand_like(x), "differs from the given model after its last layer"),
        (
            lambda s, x: s.b(x) + torch.cond(x.sum() > 0, torch.sin, torch.cos, (x,)),
            "operation of torch that runs a part",
        ),
    ],
)
@pytest.mark.parametrize("how", [prepare, prepare_qat])
def test_what_cannot_be_followed_is_refused(how, forward, says):
    with pytest.raises(ValueError, match=f"(?s){says}"):
        how(Own(forward).eval(), torch.randn(8, 16))


@pytest.mark.parametrize("how", [prepare, prepare_qat])
def test_outputs_that_are_no_plain_floats_are_compared_too(how):
    def forward(s, x):
        h = s.b(s.a(x))
        return h.masked_fill(x > 0, float("-inf")), h.argmax(1), h / 0.0 * 0.0

    model, x = Own(forward).eval(), torch.randn(8, 16)
    made = how(model, x)
    made(x)
    found = convert(made)(x)
    assert torch.equal(found[0].isinf(), x > 0)
    assert bool(found[2].isnan().all())
    with pytest.raises(ValueError, match="differs from the given model"):
        how(Own(lambda s, x: (s.a(x), torch.randint(0, 9, (4,)))).eval(), x)


def test_codes_of_every_layer_are_seen_in_one_run():
    x = torch.randn(8, 16)
    made = close(nn.Sequential(nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 4)), x)
    found = made.codes_of(x)
    assert list(found) == ["0", "2", "2.output"]
    assert [codes.dtype for codes in found.values()] == [torch.uint8, torch.uint8, torch.float32]
    assert torch.equal(found["2.output"], made(x))
    assert not made["0"]._forward_hooks


def test_a_difference_can_be_let_through():
    prepared = prepare(Own(lambda s, x: s.b(s.a(x) + torch.rand_like(x))).eval(), torch.randn(8, 16), check=False)
    prepared(torch.randn(8, 16))
    assert convert(prepared)(torch.randn(8, 16)).shape == (8, 16)


def test_integers_that_are_not_their_simulation_are_refused(monkeypatch):
    model, x = nn.Sequential(nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 4)).eval(), torch.randn(64, 16)
    prepared = prepare(model, x)
    prepared(x)
    product = StaticLinear._product
    monkeypatch.setattr(StaticLinear, "_product", lambda self, codes: product(self, codes // 2))
    with pytest.raises(ValueError, match="layer '0': its integers are not what its schemes say"):
        convert(prepared)
    assert convert(prepared, check=False)(x).shape == (64, 4)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_dtypes_stay(dtype):
    model, x = (
        nn.Sequential(nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 4)).eval().to(dtype),
        torch.randn(64, 16).to(dtype),
    )
    assert close(model, x)(x).dtype == dtype
    training = prepare_qat(model, x)
    assert training(x).dtype == dtype
    assert convert(training)(x).dtype == dtype


def test_arguments_are_bound_by_name_and_others_than_the_examples_are_refused():
    def forward(s, x, shift=None, times=1):
        return s.b(s.a(x) * times) + (0 if shift is None else shift)

    model, x = Own(forward).eval(), torch.randn(8, 16)
    made = prepare(model, {"x": x, "shift": torch.ones(16), "times": 2})
    torch.testing.assert_close(made(x, times=2, shift=torch.ones(16)), model(x, shift=torch.ones(16), times=2))
    for call in (lambda: made(x), lambda: made(x, shift=torch.ones(16), times=3), lambda: made(x, [x], times=2)):
        with pytest.raises(ValueError, match="model is called with"):
            call()
    with pytest.raises(ValueError, match=r"x has shape \(3, 15\); accepted: \(…, 16\)"):
        made(torch.ones(3, 15), shift=torch.ones(16), times=2)
    with pytest.raises(TypeError, match="example is 3; accepted: a tensor"):
        prepare(model, 3)


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_any_batch_goes_through_whatever_the_examples(rows):
    model = nn.Sequential(nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 16)).eval()
    made = prepare(model, torch.randn(rows, 16))
    for batch in (1, 3, 16):
        x = torch.randn(batch, 16)
        torch.testing.assert_close(made(x), model(x))


def test_a_model_that_fixes_its_batch_says_so_where_another_comes():
    made = prepare(Own(lambda s, x: s.b(s.a(x)).reshape(4, 8, 8)).eval(), torch.randn(16, 16))
    with pytest.raises(ValueError, match=r"x has shape \(5, 16\); accepted: \(16, 16\), as in the example"):
        made(torch.randn(5, 16))


def test_a_graph_is_copied_pickled_and_saved_without_the_float_model():
    model, x = nn.Sequential(nn.Linear(16, 400), nn.ReLU(), nn.Linear(400, 4)).eval(), torch.randn(64, 16)
    prepared = prepare(model, x)
    prepared(x)
    made = convert(prepared)
    for again in (copy.deepcopy(made), pickle.loads(pickle.dumps(made)), saved_whole(made)):
        assert torch.equal(again(x), made(x))
    assert torch.equal(convert(pickle.loads(pickle.dumps(prepared)))(x), made(x))
    learning = prepare_qat(model, x)
    learning(x)
    assert torch.equal(convert(pickle.loads(pickle.dumps(learning)))(x), convert(copy.deepcopy(learning))(x))
    assert len(pickle.dumps(made)) < sum(4 * p.numel() for p in model.parameters())
    assert pickle.loads(pickle.dumps(made)).float_origin.model is None
    assert copy.deepcopy(made).float_origin.model is model
    made.float_origin.pickled = True
    assert type(pickle.loads(pickle.dumps(made)).float_origin.model) is nn.Sequential


def saved_whole(model):
    file = io.BytesIO()
    torch.save(model, file)
    return torch.load(io.BytesIO(file.getvalue()), weights_only=False)


def test_exclude_leaves_a_layer_in_float_by_name_or_pattern():
    model, x = Own(lambda s, x: s.b(torch.relu(s.a(x)))).eval(), torch.randn(64, 16)
    assert list(static(model, x, exclude=["b"]).called_layers()) == ["a", "a.output"]
    assert list(static(nn.Sequential(model), x, exclude=["*.a"]).called_layers()) == ["0.b", "0.b.output"]
    notes = {row.name: row.note for row in report(static(model, x, exclude=["b"]), x).layers}
    assert notes["b"].startswith("in float: excluded")
    for exclude, kind, says in ((["c"], ValueError, "'c', which no module"), ("b", TypeError, "exclude is 'b'")):
        with pytest.raises(kind, match=says):
            prepare(model, x, exclude=exclude)
    with pytest.raises(ValueError, match="model holds only Linear, Own; accepted"):
        prepare(model, x, exclude=["*"])


@pytest.mark.parametrize(
    "rewrite",
    [
        nn.utils.weight_norm,
        nn.utils.spectral_norm,
        nn.utils.parametrizations.weight_norm,
        lambda layer: prune.l1_unstructured(layer, "weight", 0.5),
    ],
    ids=["weight_norm", "spectral_norm", "parametrization", "pruning"],
)
def test_a_weight_that_is_computed_before_each_call_is_refused_or_left_out(rewrite):
    model, x = nn.Sequential(rewrite(nn.Linear(16, 16)), nn.ReLU(), nn.Linear(16, 4)).eval(), torch.randn(64, 16)
    with pytest.raises(ValueError, match=r"layer '0' has a weight that is computed before each call.*exclude=\['0'\]"):
        prepare(model, x)
    assert list(close(model, x, exclude=["0"]).called_layers()) == ["2", "2.output"]


def test_hooks_run_in_the_graph():
    model = nn.Sequential(nn.Linear(16, 16), nn.Linear(16, 4)).eval()
    model[0].register_forward_hook(lambda layer, given, out: out * 10)
    model[1].register_forward_pre_hook(lambda layer, given: (given[0].abs(),))
    model.register_forward_hook(lambda layer, given, out: {"logits": out})
    x = torch.randn(64, 16)
    assert report(static(model, x), x).output_db > 30


def test_tied_weights_stay_one_parameter_in_training():
    embedding, head = nn.Embedding(12, 16), nn.Linear(16, 12, bias=False)
    head.weight = embedding.weight
    training = prepare_qat(nn.Sequential(embedding, head), torch.arange(12))
    assert len({id(parameter) for parameter in training.parameters()}) == len(list(training.parameters())) == 1
    training(torch.arange(12)).sum().backward()
    assert convert(training)(torch.arange(12)).shape == (12, 12)


def test_dropout_drops_in_training_and_frozen_parameters_stay_frozen():
    model = nn.Sequential(nn.Linear(16, 16), nn.Dropout(0.5), nn.Linear(16, 4))
    model[2].bias.requires_grad_(False)
    training, x = prepare_qat(model, torch.randn(4, 16)), torch.randn(64, 16)
    assert not torch.equal(training(x), training(x))
    training.eval()
    assert torch.equal(training(x), training(x))
    assert not training["2"].layer.bias.requires_grad
    assert training["2"].layer.weight.requires_grad
    assert model[2].weight.requires_grad


def test_a_layer_alone_is_the_model():
    x = torch.randn(64, 16)
    made = close(nn.Linear(16, 4), x)
    assert list(made.called_layers(StaticLinear)) == ["(model)"]
    assert [row.name for row in report(made, x).layers] == ["(model)"]


def test_a_prepared_model_says_what_it_holds():
    text = repr(traced(nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4)), torch.ones(2, 4)))
    assert "(0): Site" in text


def test_a_graph_compiles():
    x = torch.randn(64, 16)
    made = close(nn.Sequential(nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 4)), x)
    assert torch.equal(torch.compile(made, backend="eager")(x), made(x))
    assert isinstance(traced(nn.Linear(4, 4), torch.ones(2, 4)).called_layers(Site)["(model)"], Site)
