"""prepare_qat, train, convert: the simulation is what the integers compute, whatever the model."""

import copy

import pytest
import test_workflow_static as static
import torch
from torch import nn
from torch.ao.quantization import DeQuantStub, QuantStub

from quantutils import MinMax
from quantutils.course import zoo
from quantutils.course.zoo.trained import BITS, WAYS
from quantutils.nn import ActivationScheme, StaticConv2d, StaticLinear, WeightScheme
from quantutils.nn.fake import FakeActivation, FakeQuantized, FakeWeight
from quantutils.workflow import convert, prepare_qat, report, storage
from quantutils.workflow.checking import outputs_of

X = torch.ones(2, 4)
METHODS = ("ste", "lsq")


@pytest.fixture(autouse=True)
def _one_thread_and_a_seed():
    torch.set_num_threads(1)
    torch.manual_seed(0)


def trained(model, shape, steps=6, **choices):
    """A prepared copy of the model after a few steps towards random targets."""
    prepared = prepare_qat(model, torch.randn(shape), **choices)
    optimizer = torch.optim.Adam(prepared.parameters(), 1e-3)
    for _ in range(steps):
        out = prepared(torch.randn(shape))
        optimizer.zero_grad()
        (out - torch.randn(out.shape)).square().mean().backward()
        optimizer.step()
    return prepared.eval()


@pytest.mark.parametrize("bits", [8, 4, 3, 2])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", static.MODELS)
def test_simulation_is_the_converted_model_and_the_given_one_is_untouched(name, method, bits, tmp_path):
    make, shape = static.MODELS[name]
    model = static.with_statistics(make(), shape)
    before = copy.deepcopy(model.state_dict())
    schemes = {"weights": WeightScheme(bits), "activations": ActivationScheme(bits), "method": method}
    prepared = trained(model, shape, **schemes)
    x = torch.randn(shape)
    with torch.no_grad():
        simulated = prepared(x)
    state = copy.deepcopy(prepared.state_dict())
    integers = convert(prepared)
    real = integers(x)
    assert type(simulated) is type(real) is torch.Tensor
    # A float sum that falls on the other side of a tie moves one code; nothing else may differ.
    step = max(layer.output_qparams.scale for layer in integers.modules() if hasattr(layer, "output_qparams"))
    off = (simulated - real).abs()
    assert float((off > 1e-4).float().mean()) < 0.02
    assert float(off.max()) <= 2.01 * step
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    assert all(torch.equal(state[key], value) for key, value in prepared.state_dict().items())
    assert not model.training
    storage.save(integers, tmp_path / "m")
    assert torch.equal(storage.load(tmp_path / "m", static.with_statistics(make(), shape))(x), real)
    assert report(integers, x).output_db > -20


@pytest.mark.parametrize("method", METHODS)
def test_codes_of_every_layer_are_those_that_were_simulated(method):
    model = static.with_statistics(static.small_cnn(), (32, 1, 8, 8))
    prepared = trained(model, (32, 1, 8, 8), weights=WeightScheme(4), activations=ActivationScheme(4), method=method)
    integers, x = convert(prepared), torch.randn(64, 1, 8, 8)
    layers = integers.called_layers((StaticConv2d, StaticLinear))
    seen = {model: outputs_of(model, layers, x)[0] for model in (prepared, integers)}
    for name, layer in layers.items():
        codes = layer.output_qparams.quantize(seen[prepared][name][0])
        assert float((codes != seen[integers][name][0]).float().mean()) < 0.01
    assert [type(layer) for layer in layers.values()] == [StaticConv2d, StaticConv2d, StaticLinear]
    assert [layer.relu for layer in layers.values()] == [True, False, False]
    assert [prepared.get_submodule(name).input is None for name in layers] == [False, True, True]


def test_ranges_follow_the_batches_by_the_momentum_that_was_asked_for():
    prepared = prepare_qat(nn.Sequential(nn.Linear(6, 5)), torch.ones(2, 6), momentum=0.25)
    prepared(torch.full((2, 6), 4.0))
    prepared(torch.full((2, 6), 8.0))
    layer = prepared.get_submodule("0")
    assert float(layer.input.high) == 5.0
    assert layer.output.momentum == 0.25


def test_weights_of_the_integers_are_the_trained_weights_rounded():
    prepared = trained(nn.Sequential(nn.Linear(6, 5)), (20, 6), weights=WeightScheme(3), method="lsq")
    held, fake = convert(prepared).get_submodule("0").weight, prepared.get_submodule("0")
    scale = fake.weight.scales(fake.layer.weight).detach()
    codes = torch.round(fake.layer.weight.detach() / scale[:, None]).clamp(-3, 3)
    assert torch.equal(held.codes().float(), codes)
    torch.testing.assert_close(held.scale.flatten(), scale)


def test_a_layer_that_was_given_other_bits_keeps_them_in_integers_and_in_a_file(tmp_path):
    model, x = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3)), torch.randn(32, 6)
    prepared = prepare_qat(model, x, WeightScheme(2), ActivationScheme(2), method="lsq")
    last = prepared.get_submodule("2")
    last.weight, last.output = FakeWeight(last.layer.weight, WeightScheme(8), "lsq"), FakeActivation(8, "lsq")
    prepared(x)
    with torch.no_grad():
        simulated = prepared.eval()(x)
    integers = convert(prepared)
    layers = list(integers.called_layers(StaticLinear).values())
    assert [layer.weight.scheme.bits for layer in layers] == [2, 8]
    assert [layer.output_qparams.qmax for layer in layers] == [3, 255]
    torch.testing.assert_close(integers(x), simulated, atol=1.01 * layers[1].output_qparams.scale, rtol=0)
    storage.save(integers, tmp_path / "m")
    assert torch.equal(storage.load(tmp_path / "m", model)(x), integers(x))


def test_an_lstm_between_two_layers_has_ranges_of_its_own_after_it():
    prepared = trained(static.WithLSTM(), (16, 5, 6))
    assert int(prepared.head.input.seen) > 0  # what an LSTM returns lies on no grid
    assert int(prepared.inner.output.seen) > 0


def test_stubs_vanish_and_layers_are_counted():
    prepared = prepare_qat(static.with_statistics(static.Stubs(), (8, 3, 8, 8)), torch.randn(8, 3, 8, 8))
    assert prepared.training
    assert list(prepared.called_layers(FakeQuantized)) == ["conv", "fc"]


class OutAndIn(nn.Module):
    """Leaves the integers and enters them again at once."""

    def __init__(self):
        super().__init__()
        self.quant, self.dequant, self.again = QuantStub(), DeQuantStub(), QuantStub()
        self.one, self.two = nn.Linear(6, 8), nn.Linear(8, 3)

    def forward(self, x):
        return self.two(self.again(self.dequant(self.one(self.quant(x)))))


def test_a_stub_between_two_layers_is_no_reason_to_leave_the_integers(tmp_path):
    model, x = OutAndIn(), torch.randn(32, 6)
    prepared = trained(model, (32, 6), activations=ActivationScheme(4))
    integers = convert(prepared)
    assert prepared.two.input is None
    with torch.no_grad():
        torch.testing.assert_close(prepared(x), integers(x))
    storage.save(integers, tmp_path / "m")
    assert torch.equal(storage.load(tmp_path / "m", model)(x), integers(x))


def test_training_lowers_the_loss_where_post_training_cannot():
    model = zoo.digits_mlp()
    data = zoo.digits()
    schemes = WeightScheme(2), ActivationScheme(2)
    prepared = prepare_qat(model, data.train_images[:256], *schemes, method="lsq")
    prepared(data.train_images[:256])
    before = zoo.correct(convert(prepared), data.test_images, data.test_labels)
    zoo.trained_on_digits(prepared, epochs=5, rate=3e-3)
    assert zoo.correct(convert(prepared), data.test_images, data.test_labels) > before + 50


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: convert(prepare_qat(nn.Linear(4, 2), X)),
            r"layer '\(model\)' was never run in training mode.*model\.train\(\)",
        ),
        (lambda: only_evaluated(), "layer '\\(model\\)': an activation has no range yet"),
        (lambda: prepare_qat(nn.Linear(4, 2), X, method=MinMax()), "an observer, which watches and simulates nothing"),
        (lambda: prepare_qat(nn.Linear(4, 2), X, method=MinMax), "an observer, which watches and simulates nothing"),
        (lambda: prepare_qat(nn.Linear(4, 2), X, method="qat"), "method is 'qat'; accepted: 'ste', 'lsq'"),
        (lambda: prepare_qat(nn.Linear(4, 2), X, WeightScheme(4, "group", 2)), "accepted: per tensor or per channel"),
        (
            lambda: prepare_qat(nn.Linear(4, 2), X, activations=ActivationScheme(per="token")),
            "accepted: per tensor, asymmetric",
        ),
        (lambda: prepare_qat(nn.Linear(4, 2), X, weights=8), "weights is 8; accepted: a WeightScheme"),
        (lambda: prepare_qat(nn.Sequential(nn.ReLU()), X), "holds only ReLU, Sequential; accepted"),
        (lambda: prepare_qat(nn.Linear(4, 2), X, rule="torchao"), "rule is 'torchao'; accepted: onnx"),
        (lambda: prepare_qat("model", X), "model is a str; accepted"),
        (lambda: prepare_qat(nn.Linear(4, 2), X, momentum=0), "momentum is 0; accepted: a number above 0, at most 1"),
        (lambda: prepare_qat(nn.Linear(4, 2), X, momentum=1.5), "momentum is 1.5; accepted"),
        (lambda: prepare_qat(nn.Linear(4, 2), X, momentum="0.1"), "momentum is '0.1'; accepted"),
        (lambda: prepare_qat(nn.Conv2d(1, 1, 4, padding="same"), torch.ones(1, 1, 8, 8)), "padding='same'"),
    ],
)
def test_errors_say_what_to_do(call, message):
    with pytest.raises((ValueError, TypeError), match=message):
        call()


def only_evaluated():
    prepared = prepare_qat(nn.Linear(4, 2), X).eval()
    prepared(torch.randn(3, 4))
    return prepared


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("way", WAYS)
def test_shipped_integers_answer_as_recorded(way, bits):
    data = zoo.digits()
    model = storage.load(zoo.qat_file(way, bits), zoo.digits_cnn())
    assert zoo.correct(model, data.test_images, data.test_labels) == zoo.qat_record()["correct_of_500"][f"{way} {bits}"]


def test_trained_scales_reach_the_reference_results():
    counts = zoo.qat_record()["correct_of_500"]
    assert [counts[f"lsq {bits}"] for bits in (4, 3, 2)] >= [495, 496, 489]
    assert zoo.qat_record()["command"] == "tools/train_qat.py"


def test_files_that_do_not_ship_are_named():
    with pytest.raises(ValueError, match="way is 'dorefa'; accepted: one of 'ptq'"):
        zoo.qat_file("dorefa", 2)
    with pytest.raises(ValueError, match="bits is 5; accepted: one of 8, 4, 3, 2"):
        zoo.qat_file("lsq", 5)
