"""Models of users' own under quantize_dynamic and quantize_weights: right, or refused by name beforehand."""

import copy
import io
import pickle

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, prune
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from quantutils.nn import (
    ActivationScheme,
    DynamicGRU,
    DynamicLinear,
    DynamicLSTM,
    QuantizedEmbedding,
    QuantizedWeight,
    StaticConv2d,
    WeightOnlyLinear,
    WeightScheme,
)
from quantutils.workflow import convert, prepare, quantize_dynamic, quantize_weights, report, storage
from quantutils.workflow.nested import run


@pytest.fixture(autouse=True)
def _one_thread_and_a_seed():
    torch.set_num_threads(1)
    torch.manual_seed(0)


def weights_only(model, **choices):
    return quantize_weights(model, WeightScheme(8), **choices)


WAYS = {"dynamic": quantize_dynamic, "weights only": weights_only}
both = pytest.mark.parametrize("quantize", WAYS.values(), ids=WAYS)


def rows(count=64, width=8):
    return torch.randn(count, width)


def two_layers():
    return nn.Sequential(nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 4)).eval()


def close(found, wanted, part=0.05):
    assert found.dtype == wanted.dtype
    assert float((found - wanted).float().norm() / wanted.float().norm()) < part


HOOKS = {
    "forward hook": lambda layer: layer.register_forward_hook(lambda *_: None),
    "forward pre-hook": lambda layer: layer.register_forward_pre_hook(lambda *_: None),
    "backward hook": lambda layer: layer.register_full_backward_hook(lambda *_: None),
    "a forward of its own": lambda layer: setattr(layer, "forward", lambda x: x),
}


@both
@pytest.mark.parametrize("hook", HOOKS.values(), ids=HOOKS)
def test_what_a_twin_would_not_run_is_refused_or_left_out(quantize, hook):
    model = two_layers()
    hook(model[0])
    with pytest.raises(ValueError, match=r"layer '0' \(Linear\) has .*; accepted: .*, or exclude=\['0'\]"):
        quantize(model)
    assert type(quantize(model, exclude=["0"])[0]) is nn.Linear
    assert quantize(model, exclude=["0"])(rows()).shape == (64, 4)


REWRITES = {
    "weight_norm": (nn.utils.weight_norm, "remove_weight_norm"),
    "spectral_norm": (nn.utils.spectral_norm, "remove_spectral_norm"),
    "pruning": (lambda layer: prune.l1_unstructured(layer, "weight", 0.5), r"prune\.remove"),
    "parametrization": (parametrizations.weight_norm, "remove_parametrizations"),
}


@both
@pytest.mark.parametrize("name", REWRITES)
def test_a_weight_that_is_rewritten_is_refused_with_its_remedy(quantize, name):
    rewrite, remedy = REWRITES[name]
    model, x = nn.Sequential(rewrite(nn.Linear(8, 8)), nn.Linear(8, 4)), rows()
    model.train()(x)  # after which the weight is no leaf
    with pytest.raises(ValueError, match=f"layer '0' .*{remedy}"):
        quantize(model.eval())
    close(quantize(model, exclude=["0"])(x), model(x))


def test_other_layers_that_have_no_twin_are_named():
    with pytest.raises(ValueError, match=r"layer '0' \(Embedding\) has max_norm, which rewrites rows"):
        weights_only(nn.Sequential(nn.Embedding(6, 8, max_norm=1.0)))
    with pytest.raises(ValueError, match=r"layer '0' \(LSTM\) has proj_size=4, a projection"):
        quantize_dynamic(nn.Sequential(nn.LSTM(8, 8, proj_size=4)))
    with pytest.raises(ValueError, match="layer '': group_size is 32 for a weight of shape"):
        quantize_weights(nn.Linear(8, 4))


@both
def test_batch_norm_by_hand_is_refused(quantize):
    model = nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8)).eval()
    model[1].train()
    with pytest.raises(ValueError, match="module '1' is a BatchNorm1d that takes its statistics from each batch"):
        quantize(model)
    assert quantize(model.train()).training


class Aliases(nn.Module):
    """One layer under four names, three of them where no module is looked for."""

    def __init__(self):
        super().__init__()
        self.e = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 4))
        self.first = self.e[0]
        self.kept, self.named, self.call = [self.e[0]], {"last": self.e[2]}, self.e[2].forward

    def forward(self, x):
        return self.named["last"](torch.relu(self.kept[0](x))) + self.call(self.first(x))


@both
def test_every_name_of_a_layer_becomes_the_same_twin(quantize):
    model, x = Aliases().eval(), rows()
    small = quantize(model)
    assert small.first is small.e[0] is small.kept[0]
    assert small.named["last"] is small.e[2] is small.call.__self__
    close(small(x), model(x))
    assert type(model.first) is nn.Linear


@both
def test_a_block_used_twice_is_saved_and_loaded(quantize, tmp_path):
    block, x = nn.Sequential(nn.Linear(8, 8), nn.Tanh()), rows()
    model = nn.Sequential(block, block).eval()
    small = quantize(model)
    storage.save(small, tmp_path / "m")
    again = storage.load(tmp_path / "m", model)
    assert torch.equal(again(x), small(x))
    assert again[0][0] is again[1][0]


@both
@pytest.mark.parametrize("order", [1, -1])
def test_tied_weights_are_held_and_written_once(quantize, order, tmp_path):
    head, embedding = nn.Linear(64, 2000, bias=False), nn.Embedding(2000, 64)
    head.weight = embedding.weight
    model = nn.ModuleDict({"a": embedding, "b": head} if order == 1 else {"b": head, "a": embedding})
    small = quantize(model)
    assert small["a"].weight is small["b"].weight
    assert storage.save(small, tmp_path / "m") < 1.2 * 2000 * 64
    again = storage.load(tmp_path / "m", model)
    assert again["a"].weight is again["b"].weight
    assert torch.equal(again["b"](torch.ones(1, 64)), small["b"](torch.ones(1, 64)))
    assert torch.equal(again["a"](torch.arange(9)), small["a"](torch.arange(9)))


class Extra(nn.Linear):
    """Not an nn.Linear to the table, and with a state that only state_dict hands out."""

    value = 3.0

    def get_extra_state(self):
        return torch.tensor(self.value)

    def set_extra_state(self, state):
        self.value = float(state)

    def forward(self, x):
        return super().forward(x) * self.value


def test_extra_state_is_restored_or_refused(tmp_path):
    model, x = nn.Sequential(nn.Linear(8, 8), Extra(8, 4)), rows()
    model[1].value = 7.0
    storage.save(quantize_dynamic(model), tmp_path / "m")
    fresh = nn.Sequential(nn.Linear(8, 8), Extra(8, 4))
    assert torch.equal(storage.load(tmp_path / "m", fresh)(x), quantize_dynamic(model)(x))
    model[1].get_extra_state = lambda: {"a": 1}
    with pytest.raises(ValueError, match=r"model holds extra state '1\._extra_state', a dict; accepted: tensors"):
        storage.save(quantize_dynamic(model), tmp_path / "m")


@both
def test_exclude_takes_names_patterns_and_whole_modules(quantize):
    model = nn.Sequential(two_layers(), nn.Linear(4, 4))
    kinds = [type(layer) is nn.Linear for layer in (model[0][0], model[1])]
    assert kinds == [True, True]
    for exclude, left in ((["0"], [True, False]), (["0.*"], [True, False]), (["1"], [False, True]), ((), [False] * 2)):
        small = quantize(model, exclude=exclude)
        assert [type(layer) is nn.Linear for layer in (small[0][0], small[1])] == left
    with pytest.raises(ValueError, match="exclude holds 'lm_head', which no module of model is called"):
        quantize(model, exclude=["lm_head"])
    with pytest.raises(ValueError, match="model holds only Linear"):
        quantize(model, exclude=["*"])
    with pytest.raises(TypeError, match="exclude is 'a'; accepted: a list"):
        quantize(model, exclude="a")


@both
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_dtypes_run_and_stay(quantize, dtype):
    model, x = nn.Sequential(nn.Embedding(9, 8), nn.Linear(8, 8), nn.LayerNorm(8)).eval(), torch.arange(9)
    close(quantize(model.to(dtype))(x), model(x))
    moved = quantize(copy.deepcopy(model).float()).to(dtype)
    close(moved(x), model(x))
    assert moved[1].weight.dtype == moved[0].weight.dtype == dtype
    assert moved[1].weight.scale.dtype == torch.float32  # in half precision it would be another scale
    assert quantize(model)[1].weight.dtype == dtype


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
def test_recurrent_layers_keep_the_dtype(kind, dtype):
    layer, x = kind(8, 6).to(dtype), torch.randn(5, 3, 8, dtype=dtype)
    close(quantize_dynamic(layer)(x)[0], layer(x)[0])


@both
def test_gradients_reach_inputs_and_adapters(quantize):
    model, x = two_layers(), rows().requires_grad_()
    wanted = torch.autograd.grad(model(x).square().sum(), x)[0]
    small = quantize(model)
    close(torch.autograd.grad(small(x).square().sum(), x)[0], wanted, 0.1)
    adapter = nn.Linear(8, 8)
    small(adapter(x.detach())).sum().backward()
    own = copy.deepcopy(adapter.weight.grad)
    adapter.zero_grad()
    model(adapter(x.detach())).sum().backward()
    close(own, adapter.weight.grad, 0.1)


@both
def test_copies_and_pickles_do_not_carry_the_float_model(quantize):
    model, x = nn.Sequential(nn.Linear(64, 400), nn.Linear(400, 64)).eval(), rows(4, 64)
    small = quantize(model)
    small(x)
    file = io.BytesIO()
    torch.save(small, file)
    again = torch.load(io.BytesIO(file.getvalue()), weights_only=False)
    for other in (copy.deepcopy(small), pickle.loads(pickle.dumps(small)), again):
        assert torch.equal(other(x), small(x))
    assert len(file.getvalue()) < 1.4 * 2 * 64 * 400
    assert copy.deepcopy(small).float_origin.model is model
    assert again.float_origin.model is None
    with pytest.raises(ValueError, match="float_model is None"):
        report(again, x)
    assert report(again, x, model).output_db > 20


@both
def test_a_state_dict_that_is_loaded_counts_at_once(quantize):
    one, other, x = two_layers(), two_layers(), rows()
    small, fresh = quantize(one), quantize(other)
    fresh(x)
    fresh.load_state_dict(small.state_dict())
    assert torch.equal(fresh(x), small(x))
    assert torch.equal(small.to("cpu")(x), fresh(x))
    assert small.to("meta")[0].weight.device.type == "meta"


@both
def test_torch_compile_breaks_the_graph_at_each_layer_and_is_right(quantize):
    small, x = quantize(two_layers()), rows()
    assert torch.equal(torch.compile(small, backend="eager")(x), small(x))
    with pytest.raises(ValueError, match=r"traced by torch\.jit, which would keep this input's ranges"):
        torch.jit.trace(small, (x,))


def test_layers_answer_what_models_read():
    linear = DynamicLinear.from_float(nn.Linear(8, 4))
    assert (linear.in_features, linear.out_features, linear.weight.dtype) == (8, 4, torch.float32)
    assert linear.weight.device.type == "cpu"
    assert WeightOnlyLinear.from_float(nn.Linear(8, 4)).out_features == 4
    embedding = QuantizedEmbedding.from_float(nn.Embedding(9, 8, padding_idx=0))
    assert (embedding.num_embeddings, embedding.embedding_dim, embedding.padding_idx) == (9, 8, 0)
    assert embedding.max_norm is None
    lstm = DynamicLSTM.from_float(nn.LSTM(8, 6, 2, bidirectional=True, batch_first=True))
    assert (lstm.bidirectional, lstm.bias, lstm.num_layers, lstm.hidden_size, lstm.batch_first) == (
        True,
        True,
        2,
        6,
        True,
    )
    assert lstm.flatten_parameters() is None
    assert [len(weights) for weights in lstm.all_weights] == [4] * 4
    assert [len(weights) for weights in DynamicGRU.from_float(nn.GRU(8, 6, bias=False)).all_weights] == [2]
    conv = nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1)).eval()
    prepared = prepare(conv, torch.randn(2, 3, 8, 8))
    prepared(torch.randn(2, 3, 8, 8))
    static = convert(prepared)["0"]
    assert isinstance(static, StaticConv2d)
    assert (static.geometry["stride"], tuple(static.weight.shape[2:])) == ((2, 2), (3, 3))


def test_a_quantized_weight_is_read_as_a_tensor_and_not_written():
    held, x = QuantizedWeight.from_float(torch.randn(4, 8), WeightScheme()), rows()
    weight = held.dequantize()
    assert torch.equal(nn.functional.linear(x, held), nn.functional.linear(x, weight))
    assert torch.equal(torch.stack([held, held]), torch.stack([weight, weight]))
    for function in (
        lambda w: w[1:3],
        lambda w: w.T,
        lambda w: w.unsqueeze(0),
        lambda w: w * 2,
        lambda w: 1 - w,
        lambda w: x @ w.t(),
        lambda w: -w,
    ):
        assert torch.equal(function(held), function(weight))
    assert held.size(1) == 8
    assert held.numel() == 32
    for name in ("normal_", "data", "no_such_name"):
        with pytest.raises(AttributeError):
            getattr(held, name)


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan"), float("inf")])
def test_scales_that_no_weight_can_have_are_refused(scale):
    with pytest.raises(ValueError, match=r"scale has shape.*each above 0"):
        QuantizedWeight.from_float(torch.ones(2, 3), WeightScheme(), torch.tensor([scale, 1.0]))


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
@pytest.mark.parametrize("choices", [{}, {"num_layers": 2, "bidirectional": True}, {"batch_first": True}])
def test_recurrent_layers_are_torch_aos_bit_for_bit(kind, choices):
    torch.backends.quantized.engine = "fbgemm"
    model, x = nn.Sequential(kind(8, 6, **choices)).eval(), torch.randn(7, 3, 8)
    theirs = torch.ao.quantization.quantize_dynamic(model, {kind}, dtype=torch.qint8)
    ours = quantize_dynamic(model)
    assert torch.equal(theirs(x)[0], ours(x)[0])
    lengths = {"batch_first": choices.get("batch_first", False), "enforce_sorted": False}
    packed = pack_padded_sequence(x, [3, 2, 1, 3, 1, 2, 3] if lengths["batch_first"] else [5, 7, 2], **lengths)
    mine, other = (pad_packed_sequence(made(packed)[0])[0] for made in (ours, theirs))
    assert torch.equal(mine, other)
    state, wanted = (made(packed)[1] for made in (ours, theirs))
    for one, two in zip(*((each,) if kind is nn.GRU else each for each in (state, wanted)), strict=True):
        assert torch.equal(one, two)


def test_layers_take_keywords():
    x, h = torch.randn(5, 3, 8), torch.zeros(1, 3, 6)
    linear, lstm, embedding = nn.Linear(8, 4), nn.LSTM(8, 6), nn.Embedding(9, 8)
    close(quantize_dynamic(linear)(input=x), linear(input=x))
    close(quantize_dynamic(lstm)(input=x, hx=(h, h))[0], lstm(input=x, hx=(h, h))[0])
    close(quantize_dynamic(embedding)(input=torch.arange(9)), embedding(input=torch.arange(9)))
    grams = nn.Sequential(nn.Linear(8, 8))
    grams.forward = lambda x: grams[0](input=x)
    with pytest.raises(ValueError, match="model holds only"):
        quantize_weights(grams, exclude=["*"])


def test_a_kept_output_does_not_stop_the_copy():
    class Keeps(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer, self.last = nn.Linear(8, 4), None

        def forward(self, x):
            self.last = self.layer(x)
            return self.last

    model, x = Keeps(), rows()
    model(x)
    close(quantize_dynamic(model)(x), model(x))
    prepared = prepare(model.eval(), x)
    close(prepared(x), model(x))


def test_report_shares_nothing_with_the_models():
    class Writes(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(8, 8), nn.Linear(8, 4)

        def forward(self, x):
            h = self.a(x)
            x.zero_()
            out = self.b(h)
            h.zero_()
            return "a word", None, out

    x = rows()
    before = x.clone()
    found = report(quantize_dynamic(Writes(), WeightScheme(), ActivationScheme()), x)
    assert torch.equal(x, before)
    assert found.output_db > 30
    assert all(row.running_db > 30 and row.alone_db > 30 for row in found.layers)
    none = nn.Sequential(nn.Linear(8, 4))
    none.register_forward_hook(lambda *_: "nothing")
    assert report(quantize_dynamic(none), x).output_db is None


def test_reading_torchs_transformer_still_works():
    model = nn.TransformerEncoder(nn.TransformerEncoderLayer(16, 2, 32, batch_first=True), 2).eval()
    x = torch.randn(2, 5, 16)
    with torch.no_grad():
        close(quantize_dynamic(model)(x), model(x))
        prepared = prepare(model, x)
        close(prepared(x), model(x))
        close(convert(prepared)(x), model(x))


def test_many_rows_are_scaled_in_blocks_and_come_out_the_same():
    layer, x = DynamicLinear.from_float(nn.Linear(8, 512), WeightScheme(), ActivationScheme(per="token")), rows(700)
    assert torch.equal(layer(x), torch.cat([layer(part) for part in x.split(70)]))
    plain = DynamicLinear.from_float(nn.Linear(8, 512, bias=False), WeightScheme())
    x[::70] = x.abs().max()  # one range for every part
    x[1::70] = -x.abs().max()
    assert torch.equal(plain(x), torch.cat([plain(part) for part in x.split(70)]))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: WeightOnlyLinear.from_float(nn.ReLU()), "linear is a ReLU; accepted: a layer with one weight"),
        (lambda: QuantizedWeight("shape", WeightScheme()), "shape is 'shape'; accepted"),
        (lambda: QuantizedWeight.from_codes(torch.ones(2, 3), torch.ones(2), WeightScheme()), "codes has dtype"),
        (
            lambda: QuantizedWeight.from_codes(torch.ones(3, dtype=torch.int8), torch.ones(2), WeightScheme()),
            "codes has shape",
        ),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises((ValueError, TypeError), match=message):
        call()


def test_static_layers_alone_take_codes_or_floats_and_refuse_other_shapes():
    model, x = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(16, 5)).eval(), torch.randn(8, 3, 4, 4)
    prepared = prepare(model, x)
    prepared(x)
    made = convert(prepared)
    conv, linear = made["0"], made["2"]
    assert (linear.in_features, linear.out_features) == (16, 5)
    assert torch.equal(conv(x), conv(conv.input.quantize(x)))
    with pytest.raises(ValueError, match=r"x has shape \(8, 2, 4, 4\); accepted: \(batch, 3"):
        conv(x[:, :2])
    with pytest.raises(ValueError, match=r"x has shape \(2, 15\); accepted: \(…, 16\)"):
        linear(torch.ones(2, 15))
    assert "4 → 3, weights 8 bits a channel" in repr(WeightOnlyLinear.from_float(nn.Linear(4, 3)))


def test_a_static_file_of_another_model_is_refused(tmp_path):
    def written(model, x):
        prepared = prepare(model.eval(), x)
        prepared(x)
        storage.save(convert(prepared), tmp_path / "m")

    x = torch.randn(8, 4)
    written(nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 3)), x)
    for other, message in (
        (nn.Sequential(nn.Linear(4, 4)), "path holds layers that model lacks: 1"),
        (nn.Sequential(nn.Linear(4, 4), nn.ReLU()), "path holds a StaticLinear at '1', where model has a ReLU"),
        (nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2)), "path holds '1"),
    ):
        with pytest.raises(ValueError, match=message):
            storage.load(tmp_path / "m", other)


def test_arguments_of_every_kind_are_kept_in_a_static_file(tmp_path):
    class Takes(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(4, 3)

        def forward(self, pair, *rest, more=None, times=1, **shift):
            more, other = {"a": [0.0]} if more is None else more, sum(rest) + sum(shift.values())
            return self.layer(pair[0] + pair[1] + more["a"][0] + other) * times

    model, x = Takes().eval(), torch.randn(8, 4)
    for given in ({"pair": (x, x), "more": {"a": [x]}, "times": 2, "by": x}, ((x, x), x, x), {"pair": [x, x]}):
        prepared = prepare(model, given)
        run(prepared, given)
        made = convert(prepared)
        storage.save(made, tmp_path / "m")
        assert torch.equal(run(storage.load(tmp_path / "m", model), given), run(made, given))
