"""A whole network with quantization simulated in it: what its Linear layers see is rounded, the rest is float."""

import torch
from torch import nn

from quantutils.affine import choose_qparams
from quantutils.checks import flag
from quantutils.course.zoo.classifiers import SEEDS, digits_mlp


def fake_quantized_run(model, images, bits=8, *, weights=True, activations=True):
    """The output of an nn.Sequential whose Linear layers see what `bits` bits leave of their numbers.

    weights: each Linear's weights are quantized and dequantized, symmetric, per tensor. activations: so is what
    goes into each Linear, asymmetric, with the range of this batch. Biases, sums and other layers stay in float.
    The model is run in its present mode and left as it was. Raises TypeError for a model that is no nn.Sequential
    or for images that are no float tensor, ValueError as choose_qparams does.
    """
    if not isinstance(model, nn.Sequential):
        raise TypeError(f"model is a {type(model).__name__}; accepted: an nn.Sequential")
    if not isinstance(images, torch.Tensor) or not images.is_floating_point():
        of = f" of {images.dtype}" if isinstance(images, torch.Tensor) else ""
        raise TypeError(f"images is {type(images).__name__}{of}; accepted: a tensor of real numbers")
    flag(weights, "weights"), flag(activations, "activations")
    x = images
    with torch.no_grad():
        for layer in model:
            if not isinstance(layer, nn.Linear):
                x = layer(x)
                continue
            weight = _round_trip(layer.weight, bits, symmetric=True) if weights else layer.weight
            x = nn.functional.linear(_round_trip(x, bits) if activations else x, weight, layer.bias)
    return x


def runs_by_bits(model, images, bits=range(2, 9)):
    """Outputs of the model in float and at every bit-width: {"float": …, 2: …, 3: …}, as fake_quantized_run's."""
    with torch.no_grad():
        runs = {"float": model(images)}
    return runs | {width: fake_quantized_run(model, images, width) for width in bits}


def five_runs(images, bits, **kind):
    """Every training of one kind of digits_mlp, in float and quantized: [(logits, quantized logits), …], five pairs.

    kind: arguments of digits_mlp, as MLP_KINDS holds them. bits: as fake_quantized_run.
    """
    models = [digits_mlp(seed=seed, **kind) for seed in range(SEEDS)]
    with torch.no_grad():
        return [(model(images), fake_quantized_run(model, images, bits)) for model in models]


def _round_trip(x, bits, symmetric=False):
    x = x.detach()
    return choose_qparams(float(x.min()), float(x.max()), bits, symmetric, if_all_zero=1.0).fake_quantize(x)
