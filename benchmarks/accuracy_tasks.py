"""What benchmarks/accuracy.py measures: data and their splits, models, recipes, and the aims.

The recipes were chosen with `python -m benchmarks.accuracy --held-out`, or on folds of the training images of the fixed
split; each task's `chosen` says on how many and how often the test images were read.
"""

from typing import NamedTuple

import torch

from quantutils.course.zoo import Digits, digits, digits_cnn, mnist_5000, mnist_cnn
from quantutils.nn import ActivationScheme, WeightScheme
from quantutils.nn.fake import FakeActivation, FakeQuantized, FakeWeight

HELD_OUT, TEST_OF_EACH_DIGIT, END_BITS = 5, 50, 8
DISTORTING, BY_SEED = "digits, distorted", "digits, distorted, split by seed"
VARIES = (
    "the seed: first weights, order of the batches and movements of the images, in both trainings; the split too where"
    f" the data are {BY_SEED!r}, and nowhere else"
)
# Best found elsewhere for this kind of CNN, five seeds, percent: LSQ, and (None) the float model; its split unknown.
TO_MATCH = {("digits", None): 99.3, ("digits", 4): 99.3, ("digits", 3): 99.2, ("digits", 2): 97.8, ("mnist", 2): 95.9}
TO_MATCH |= {(data, bits): TO_MATCH["digits", bits] for data in (DISTORTING, BY_SEED) for bits in (None, 4, 3, 2)}
ON_HELD_OUT = (
    "on every fifth training image, held out from training; the test images were read twice: a first run, with the"
    " restricted range of codes, was stopped after seed 0, whose LSQ had 98.6, 98.4 and 98.2 % at 4, 3 and 2 bits"
)
ON_FOLDS = (
    "on five folds of the training images, a seed each, by wrong answers of 1297 in simulation. LSQ at 4 bits: as"
    " 'digits' 14; distorted 7; scale_rate 0.3 or 0.1 as well 4. At 2 bits, distorted: scale_rate 1 16, 0.3 12, 0.1 23,"
    " 0.1 with rate 5e-3 17. Float: 9, distorted 8. The test images of the fixed split were read once more, so three"
    " times in all; to learn how hard that split is, the float recipe of 'digits' also read 12 splits of all images"
    " (seeds 100 to 111, mean 99.05 %), and nothing was chosen by it"
)
ON_OTHER_SPLIT = (
    "as 'digits, distorted', on the training images of the fixed split, which are seven in ten of the test images here;"
    " no model is tested with what it was trained with. Each split follows from its seed and was read once"
)


class Task(NamedTuple):
    """What is measured on one data set. float_recipe, extra_recipe: arguments of trained_on, and "taught"."""

    name: str
    load: object  # of the seed
    build: object  # of the seed
    float_recipe: dict
    extra_recipe: dict
    bits: tuple
    ways: tuple
    with_peers: bool
    chosen: str
    note: str = ""  # of the float model's row


def split_by(seed, data=None):
    """All images of `data` (default digits()) split anew, 50 of each digit to test with: a Digits. seed: of the draw.

    The rule is fixed here, so that no split can be picked for what it gives.
    """
    data = digits() if data is None else data
    images, labels = torch.cat([data.train_images, data.test_images]), torch.cat([data.train_labels, data.test_labels])
    generator, test = torch.Generator().manual_seed(seed), torch.zeros(len(labels), dtype=torch.bool)
    for digit in range(10):
        places = torch.nonzero(labels == digit)[:, 0]
        test[places[torch.randperm(len(places), generator=generator)[:TEST_OF_EACH_DIGIT]]] = True
    return Digits(images[~test], labels[~test], images[test], labels[test])


def parts(data, held_out):
    """The data as they are or, held out, the training images alone: every fifth of them takes the test's place."""
    if not held_out:
        return data
    out = torch.arange(len(data.train_labels)) % HELD_OUT == 0
    images, labels = data.train_images, data.train_labels
    return Digits(images[~out], labels[~out], images[out], labels[out])


def schemes(bits):
    """Weights a channel, symmetric, with all 2^bits codes, as torch.ao and LSQ; activations a tensor, asymmetric."""
    return WeightScheme(bits, full_range=True), ActivationScheme(bits)


def with_wide_ends(prepared, method):
    """The prepared model, its first and last layer at 8 bits as in LSQ (Esser et al. 2020, section 3).

    That is their weights and what enters them; the logits too, which LSQ leaves in float.
    """
    layers = list(prepared.called_layers(FakeQuantized).values())
    weights, activations = schemes(END_BITS)
    for layer in (layers[0], layers[-1]):
        layer.weight = FakeWeight(layer.layer.weight, weights, method)
    layers[0].input = FakeActivation(activations.bits, method)
    layers[-2].output = FakeActivation(activations.bits, method)  # what enters the last
    layers[-1].output = FakeActivation(activations.bits, method)
    return prepared


def _digits_cnn(seed):
    return digits_cnn(False, seed=seed)


# Of the two tasks below whose images are distorted: what each image goes through in both trainings.
DISTORTED = {"degrees": 12.0, "scale": 0.12, "shift": 0.75, "shear": 0.1}
BETTER = {
    "build": _digits_cnn,
    "float_recipe": {"epochs": 40, "rate": 3e-3, "affine": DISTORTED},
    "extra_recipe": {"epochs": 40, "rate": 3e-3, "affine": DISTORTED, "taught": True, "scale_rate": 0.3},
    "bits": (4, 3, 2),
    "ways": ("ptq", "control", "lsq", "lsq, 8-bit ends"),
    "with_peers": False,
    "note": "all trained on images turned, stretched and moved by fractions of a pixel; scales at 0.3 of the rate",
}
TASKS = (
    Task(
        name="digits",
        load=lambda _seed: digits(),
        build=_digits_cnn,
        float_recipe={"epochs": 40, "rate": 3e-3, "moved": 1},
        extra_recipe={"epochs": 40, "rate": 3e-3, "moved": 0, "taught": True},
        bits=(8, 4, 3, 2),
        ways=("ptq", "control", "ste", "lsq"),
        with_peers=True,
        chosen=ON_HELD_OUT,
    ),
    Task(name=DISTORTING, load=lambda _seed: digits(), chosen=ON_FOLDS, **BETTER),
    Task(name=BY_SEED, load=split_by, chosen=ON_OTHER_SPLIT, **BETTER),
    Task(
        name="mnist",
        load=lambda _seed: mnist_5000(),
        build=lambda seed: mnist_cnn(seed=seed),
        float_recipe={"epochs": 15, "rate": 3e-3, "moved": 2},
        extra_recipe={"epochs": 20, "rate": 3e-3, "moved": 2, "taught": True},
        bits=(2,),
        ways=("ptq", "lsq"),
        with_peers=False,
        chosen=ON_HELD_OUT,
    ),
)
