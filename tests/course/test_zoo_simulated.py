"""Simulated quantization of a whole network, against the same steps by hand and torch's own fake_quantize."""

import pytest
import torch
from torch import nn

from quantutils.course import zoo


def by_torch(model, images, bits, weights=True, activations=True):
    """The same run with torch's kernel in place of ours; ours divides by the scale, torch multiplies by 1 / scale."""
    x, codes = images, 2**bits
    for layer in model:
        if not isinstance(layer, nn.Linear):
            x = layer(x)
            continue
        low, high = min(float(x.min()), 0.0), max(float(x.max()), 0.0)
        scale = (high - low) / (codes - 1)
        qmin, qmax = -codes // 2, codes // 2 - 1
        if activations:
            x = torch.fake_quantize_per_tensor_affine(x, scale, round(qmin - low / scale), qmin, qmax)
        weight = layer.weight
        if weights:
            weight = torch.fake_quantize_per_tensor_affine(weight, float(weight.abs().max()) / qmax, 0, -qmax, qmax)
        x = nn.functional.linear(x, weight, layer.bias)
    return x


@pytest.mark.parametrize("bits", [8, 5, 3])
@pytest.mark.parametrize(("weights", "activations"), [(True, True), (True, False), (False, True), (False, False)])
def test_the_run_is_the_one_with_torchs_kernel(bits, weights, activations):
    images = zoo.digits().test_images[:100]
    for kind in zoo.MLP_KINDS.values():
        model = zoo.digits_mlp(**kind)
        ours = zoo.fake_quantized_run(model, images, bits, weights=weights, activations=activations)
        with torch.no_grad():
            theirs = by_torch(model, images, bits, weights, activations)
        # A tie may fall on the other side in one of them, so a row or two may differ by a step.
        assert ((ours - theirs).abs().amax(dim=1) > 1e-3).sum() <= 2


def test_without_any_rounding_it_is_the_model_itself_which_stays_as_it_was():
    model, images = zoo.digits_mlp(), zoo.digits().test_images[:20]
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    plain = zoo.fake_quantized_run(model, images, weights=False, activations=False)
    assert torch.equal(plain, model(images))
    zoo.fake_quantized_run(model, images, 2)
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert not plain.requires_grad


def test_every_bit_width_is_run():
    model, images = zoo.digits_mlp(seed=1), zoo.digits().test_images[:20]
    runs = zoo.runs_by_bits(model, images, bits=(4, 8))
    assert list(runs) == ["float", 4, 8]
    assert torch.equal(runs["float"], model(images))
    assert torch.equal(runs[4], zoo.fake_quantized_run(model, images, 4))


def test_five_trainings_are_run():
    images = zoo.digits().test_images[:20]
    pairs = zoo.five_runs(images, 4, activation="tanh")
    assert len(pairs) == 5
    for seed, (logits, quantized) in enumerate(pairs):
        model = zoo.digits_mlp(activation="tanh", seed=seed)
        assert torch.equal(logits, model(images))
        assert torch.equal(quantized, zoo.fake_quantized_run(model, images, 4))


def test_layers_of_zeros_are_run():
    model = nn.Sequential(nn.Linear(3, 2, bias=False))
    nn.init.zeros_(model[0].weight)
    assert not zoo.fake_quantized_run(model, torch.zeros(2, 3)).any()


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda m, x: zoo.fake_quantized_run(m[1], x), TypeError, "model is a Linear; accepted: an nn.Sequential"),
        (lambda m, x: zoo.fake_quantized_run(m, x.numpy()), TypeError, "images is ndarray; accepted: a tensor"),
        (lambda m, x: zoo.fake_quantized_run(m, x.long()), TypeError, "images is Tensor of torch.int64"),
        (lambda m, x: zoo.fake_quantized_run(m, x, 1), ValueError, "bits is 1; accepted"),
        (lambda m, x: zoo.fake_quantized_run(m, x, weights="no"), TypeError, "weights is 'no'"),
    ],
)
def test_what_cannot_be_run_is_refused(call, error, words):
    with pytest.raises(error, match=words):
        call(zoo.digits_mlp(), zoo.digits().test_images[:2])
