"""Small classifiers: the four-layer network of the lessons on workflows, and networks that read digits."""

import torch
from torch import nn

from quantutils.checks import flag, one_of, whole_number
from quantutils.course.zoo.shipped import built_with_seed, fill

ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid, "identity": nn.Identity}
# The kinds of digits_mlp whose weights ship, by the name a figure gives them: the arguments that choose them.
MLP_KINDS = {
    "ReLU": {"activation": "relu"},
    "BatchNorm": {"activation": "relu", "norm": True},
    "tanh": {"activation": "tanh"},
    "sigmoid": {"activation": "sigmoid"},
    "no activation": {"activation": "identity"},
}
SEEDS = 5  # of each digits_mlp, so many trainings ship


def mlp_768():
    """Four untrained Linear layers, 768-512-314-128-64, ReLU between and a sigmoid at the end: (model, data).

    data: float32 (4, 768), standard normal. Built after torch.manual_seed(100), data first, then the layers from
    first to last; the global generator is left where it was. The model is in eval mode.
    """

    def build():
        data = torch.randn(4, 768)
        layers = []
        for inputs, outputs in ((768, 512), (512, 314), (314, 128), (128, 64)):
            layers += [nn.Linear(inputs, outputs), nn.ReLU()]
        return nn.Sequential(*layers[:-1], nn.Sigmoid()).eval(), data

    return built_with_seed(build, 100)


def digits_mlp(trained=True, *, activation="relu", norm=False, seed=0):
    """A classifier of digits() with two hidden layers of 32: an nn.Sequential, (images, 1, 8, 8) to (images, 10).

    activation: a name in ACTIVATIONS. norm: BatchNorm1d after each hidden Linear. seed: which of five trainings,
    0 … 4. trained: with the shipped weights and in eval mode; otherwise as initialized from seed, in training mode.
    Raises ValueError for another activation, seed or (with norm) an activation that was not trained.
    """
    one_of(activation, "activation", ACTIVATIONS)
    seed = whole_number(seed, "seed", 0, SEEDS - 1)
    if flag(norm, "norm") and flag(trained, "trained") and activation != "relu":
        raise ValueError(f"activation is {activation!r} with norm=True; accepted: 'relu', the one that was trained")

    def build():
        layers = [nn.Flatten()]
        for inputs, outputs in ((64, 32), (32, 32)):
            layers += [nn.Linear(inputs, outputs), *([nn.BatchNorm1d(outputs)] if norm else [])]
            layers.append(ACTIVATIONS[activation]())
        return nn.Sequential(*layers, nn.Linear(32, 10))

    model = built_with_seed(build, seed)
    return fill(model, "digits_mlp", mlp_prefix(activation, norm, seed)) if flag(trained, "trained") else model


def mlp_prefix(activation, norm, seed):
    """What the names of one digits_mlp's tensors begin with in the file of all of them."""
    return f"{activation}{'_norm' if norm else ''}.{seed}."


def digits_cnn(trained=True, *, seed=0):
    """A classifier of digits(): three convolutions with BatchNorm and two Linear layers, 39,010 parameters.

    An nn.Sequential, (images, 1, 8, 8) to (images, 10). trained: with the shipped weights and in eval mode;
    otherwise as initialized from seed, in training mode. Raises ValueError for a seed that was not trained, which is
    every one but 0.
    """
    seed = whole_number(seed, "seed", 0)
    if flag(trained, "trained") and seed != 0:
        raise ValueError(f"seed is {seed} with trained=True; accepted: 0, the one that was trained")
    model = _cnn(((1, 32, False), (32, 32, True), (32, 64, True)), (256, 40), seed)
    return fill(model, "digits_cnn") if trained else model


def mnist_cnn(*, seed=0):
    """An untrained classifier of mnist_5000(), built as digits_cnn: 61,098 parameters, in training mode.

    An nn.Sequential, (images, 1, 28, 28) to (images, 10). seed: of its first weights.
    """
    return _cnn(((1, 16, True), (16, 32, True), (32, 64, True)), (576, 64), whole_number(seed, "seed", 0))


def _cnn(convolutions, linear, seed):
    """convolutions: (inputs, outputs, whether a max pooling follows); linear: (inputs, outputs) of the first Linear."""

    def build():
        layers = []
        for inputs, outputs, pool in convolutions:
            layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU()]
            layers += [nn.MaxPool2d(2)] if pool else []
        return nn.Sequential(*layers, nn.Flatten(), nn.Linear(*linear), nn.ReLU(), nn.Linear(linear[1], 10))

    return built_with_seed(build, seed)
