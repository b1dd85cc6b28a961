"""prepare, calibrate, convert: integers between layers, equal to torch.ao's, and errors that say what to do."""

import copy
import re
import warnings

import pytest
import torch
from torch import nn
from torch.ao import quantization as torch_ao

from quantutils.nn import ActivationScheme, StaticConv2d, StaticLinear, WeightScheme
from quantutils.observers import MSE, MinMax, Percentile
from quantutils.workflow import convert, prepare, report, storage

X = torch.ones(2, 4)


@pytest.fixture(autouse=True)
def _one_thread_a_seed_and_an_engine():
    torch.set_num_threads(1)
    torch.manual_seed(0)
    torch.backends.quantized.engine = "fbgemm"


class Stubs(nn.Module):
    """A model written for torch.ao: QuantStub and DeQuantStub, fusable pairs, a convolution and a linear layer."""

    def __init__(self):
        super().__init__()
        self.quant, self.dequant = torch_ao.QuantStub(), torch_ao.DeQuantStub()
        self.conv, self.bn, self.relu = nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU()
        self.pool, self.flat, self.fc = nn.MaxPool2d(2), nn.Flatten(), nn.Linear(8 * 16, 10)

    def forward(self, x):
        x = self.pool(self.relu(self.bn(self.conv(self.quant(x)))))
        return self.dequant(self.fc(self.flat(x)))


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 4, 1))
        self.head = nn.Linear(4, 5)

    def forward(self, x):
        return self.head(torch.relu(x + self.inner(x)).mean((2, 3)))


class WithLSTM(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner, self.lstm, self.head = nn.Linear(6, 8), nn.LSTM(8, 8, batch_first=True), nn.Linear(8, 3)

    def forward(self, x):
        return self.head(self.lstm(torch.relu(self.inner(x)))[0])


def small_cnn():
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, stride=2, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Conv2d(8, 8, 3, groups=8),
        nn.Flatten(),
        nn.Linear(32, 4),
    )


MODELS = {
    "sequential": (lambda: nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 4), nn.Sigmoid()), (64, 16)),
    "cnn": (small_cnn, (32, 1, 8, 8)),
    "stubs": (Stubs, (32, 3, 8, 8)),
    "residual": (Residual, (32, 4, 6, 6)),
    "lstm": (WithLSTM, (16, 5, 6)),
}


def with_statistics(model, shape):
    """The model in eval mode, its BatchNorm statistics no longer those of the start."""
    model.train()(torch.randn(shape) * 2 + 0.3)
    return model.eval()


@pytest.mark.parametrize("name", MODELS)
def test_converted_model_is_close_and_the_given_ones_are_untouched(name, tmp_path):
    make, shape = MODELS[name]
    model, x = with_statistics(make(), shape), torch.randn(shape)
    before, wanted = copy.deepcopy(model.state_dict()), model(x).detach()
    prepared = prepare(model, x)
    torch.testing.assert_close(prepared(x).detach(), wanted, rtol=1e-4, atol=1e-5)
    converted = convert(prepared)
    found = converted(x)
    assert isinstance(found, torch.Tensor)
    assert 0 < float((found - wanted).norm() / wanted.norm()) < 0.06
    assert torch.equal(model(x), wanted)
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    storage.save(converted, tmp_path / "m")
    assert torch.equal(storage.load(tmp_path / "m", with_statistics(make(), shape))(x), found)
    assert report(converted, x).output_db > 20


def test_integers_travel_between_layers():
    model = with_statistics(small_cnn(), (32, 1, 8, 8))
    x = torch.randn(32, 1, 8, 8)
    prepared = prepare(model, x)
    prepared(x)
    converted = convert(prepared)
    layers = {name: converted.get_submodule(name) for name in ("0", "3", "5")}
    assert [type(layer) for layer in layers.values()] == [StaticConv2d, StaticConv2d, StaticLinear]
    assert list(converted.called_layers(StaticConv2d)) == ["0", "3"]
    seen = []
    for layer in layers.values():
        layer.register_forward_hook(lambda _layer, given, out: seen.append((given[0].dtype, out.dtype)))
    converted(torch.randn(2, 1, 8, 8))
    assert seen == [(torch.float32, torch.uint8), (torch.uint8, torch.uint8), (torch.uint8, torch.uint8)]
    assert layers["0"].relu
    assert not layers["3"].relu


@pytest.mark.parametrize("reduce_range", [False, True])
@pytest.mark.parametrize("per", ["channel", "tensor"])
def test_integers_are_those_of_torch_ao(reduce_range, per):
    model = with_statistics(Stubs(), (64, 3, 8, 8))
    data, fresh = torch.randn(64, 3, 8, 8), torch.randn(100, 3, 8, 8)
    weight = torch_ao.default_per_channel_weight_observer if per == "channel" else torch_ao.default_weight_observer
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        observer = torch_ao.MinMaxObserver.with_args(dtype=torch.quint8, reduce_range=reduce_range)
        theirs = torch_ao.fuse_modules(copy.deepcopy(model), [["conv", "bn", "relu"]])
        theirs.qconfig = torch_ao.QConfig(activation=observer, weight=weight)
        theirs = torch_ao.prepare(theirs)
        theirs(data)
        theirs = torch_ao.convert(theirs)
    prepared = prepare(model, data, WeightScheme(per=per, full_range=True), ActivationScheme(reduce_range=reduce_range))
    prepared(data)
    ours = convert(prepared)
    codes, their_codes = ours.conv(fresh), theirs.conv(theirs.quant(fresh))
    assert int((codes != their_codes.int_repr()).sum()) == 0
    assert torch.equal(ours(fresh), theirs(fresh))


@pytest.mark.parametrize(
    "observer", [MinMax, lambda: Percentile(99.9), lambda: MSE(candidates=16)], ids=["minmax", "percentile", "mse"]
)
def test_every_observer_serves(observer):
    model, x = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 4)), torch.randn(500, 16)
    prepared = prepare(model, x[:100], observer=observer)
    for batch in x.split(100):
        prepared(batch)
    found, wanted = convert(prepared)(x), model(x).detach()
    assert float((found - wanted).norm() / wanted.norm()) < 0.06


def test_fewer_bits_are_noisier():
    model, x = nn.Sequential(nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 8)), torch.randn(200, 32)
    noise = []
    for bits in (8, 6, 4, 2):
        prepared = prepare(model, x, WeightScheme(bits), ActivationScheme(bits))
        prepared(x)
        noise.append(report(convert(prepared), x).output_db)
    assert noise == sorted(noise, reverse=True)
    assert noise[0] > 30 > noise[2]


def test_a_layer_in_two_places_has_one_weight_and_ranges_for_each(tmp_path):
    layer, x = nn.Linear(4, 4), torch.randn(64, 4)
    model = nn.Sequential(layer, nn.ReLU(), layer).eval()
    converted = convert(calibrated(model, x))
    first, again = converted.called_layers(StaticLinear).values()
    assert first.weight is again.weight
    assert first.output_qparams != again.output_qparams
    found = report(converted, x)
    assert found.output_db > 30
    assert [row.name for row in found.layers] == ["0", "2"]
    assert all(row.alone_db > 30 for row in found.layers)
    storage.save(converted, tmp_path / "m")
    assert torch.equal(storage.load(tmp_path / "m", model)(x), converted(x))


def calibrated(model, *batches, **choices):
    prepared = prepare(model, batches[0] if len(batches[0]) else torch.ones(2, 4), **choices)
    for batch in batches:
        prepared(batch)
    return prepared


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: convert(prepare(nn.Linear(4, 2), X)),
            r"layer '\(model\)' saw no data during calibration; run representative inputs",
        ),
        (lambda: convert(calibrated(nn.Linear(4, 2), torch.zeros(3, 4))), "saw only zeros during calibration"),
        (lambda: calibrated(nn.Linear(4, 2), torch.zeros(0, 4)), "got an empty batch; calibrate with at least one"),
        (lambda: convert(nn.Linear(4, 2)), "prepared was not made by prepare"),
        (
            lambda: convert(calibrated(nn.Linear(4, 2), torch.randn(3, 4)))(torch.ones(3, 5)),
            r"x has shape .*\(3, 5\).*; accepted: \(…, 4\)",
        ),
        (
            lambda: prepare(nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2)), X),
            "accepted: eval mode",
        ),
        (
            lambda: prepare(nn.Sequential(nn.ReLU()), X),
            "holds only ReLU, Sequential; accepted",
        ),
        (lambda: prepare(nn.Linear(4, 2), X, WeightScheme(4, "group", 2)), "accepted: per tensor or per channel"),
        (
            lambda: prepare(nn.Linear(4, 2), X, activations=ActivationScheme(per="token")),
            "accepted: per tensor, asymmetric",
        ),
        (lambda: prepare(nn.Linear(4, 2), X, weights="int8"), "weights is 'int8'; accepted: a WeightScheme"),
        (lambda: prepare(nn.Linear(4, 2), X, rule="torchao"), "rule is 'torchao'; accepted: onnx"),
        (lambda: prepare(nn.Linear(4, 2), X, observer=nn.ReLU), "observer is"),
        (
            lambda: prepare(nn.Linear(4, 2), X, observer=MinMax()),
            r"observer is .*; accepted: what makes an observer when c",
        ),
        (lambda: prepare(nn.Conv2d(1, 1, 4, padding="same"), torch.ones(1, 1, 8, 8)), "padding='same'"),
        (lambda: prepare(nn.Conv2d(1, 1, 3), torch.ones(1, 8, 8)), "without a batch axis; accepted"),
        (lambda: prepare(3, X), "model is a int; accepted: a torch.nn.Module"),
    ],
)
def test_errors_say_what_to_do(call, message):
    with pytest.raises((ValueError, TypeError), match=message):
        call()


def test_a_printed_static_model_says_what_its_layers_hold():
    model = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2)).eval()
    text = repr(convert(calibrated(model, torch.randn(16, 4))))
    first, second = (line for line in text.splitlines() if "weights 8 bits a channel" in line)
    assert "ReLU, out scale " in first
    assert "ReLU" not in second
    assert len(re.findall(r"(input|output)\): HeldQParams\(scale=[\d.e-]+, zero_point=\d+\)", text)) == 4


def test_calibration_with_one_constant_that_is_not_zero_works():
    converted = convert(calibrated(nn.Linear(4, 2), torch.full((3, 4), 2.0)))
    assert bool(torch.isfinite(converted(torch.ones(1, 4))).all())
