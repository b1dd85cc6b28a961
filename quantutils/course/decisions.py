"""What an error does to the decisions of a classifier, and what is left of an error once constants are taken off."""

import numpy as np

from quantutils.arrays import as_array, real_array, same_shape
from quantutils.checks import real_number, whole_number

LARGEST = 1e150  # float64 holds the sum of many squares of it


def logit_error(logits, noisy):
    """Root mean square of the error over that of the logits, after each row's mean is taken off both: 0.1 is 10 %.

    logits, noisy: real numbers, (images, classes), NumPy or torch. What is added to all logits of a row moves no
    probability, so it counts neither as signal nor as error. Raises TypeError or ValueError for other arguments.
    """
    logits, noisy = _pair(logits, noisy)
    centered = logits - logits.mean(axis=1, keepdims=True)
    size = float(np.sqrt(np.mean(centered**2)))
    if size == 0:
        raise ValueError("logits holds the same number in every class; accepted: rows that say something")
    error = noisy - noisy.mean(axis=1, keepdims=True) - centered
    return float(np.sqrt(np.mean(error**2))) / size


def margins(logits, winners=None):
    """The winner's logit minus the largest of the others: float64 (images,).

    winners: which class counts as the winner of each row; None is the largest. With the winners of the undisturbed
    logits, a negative margin is a changed decision. Raises TypeError or ValueError for other arguments.
    """
    logits = _rows(logits, "logits")
    winners = logits.argmax(axis=1) if winners is None else np.asarray(as_array(winners, "winners"))
    if winners.shape != logits.shape[:1] or winners.dtype.kind not in "iu":
        raise ValueError(
            f"winners has shape {winners.shape}; accepted: one whole number for each of {len(logits)} rows"
        )
    if winners.size and not 0 <= winners.min() <= winners.max() < logits.shape[1]:
        raise ValueError(
            f"winners holds {winners.min()} to {winners.max()}; accepted: 0 to {logits.shape[1] - 1}, a class each"
        )
    rows = np.arange(len(logits))
    others = logits.copy()
    others[rows, winners] = -np.inf
    return logits[rows, winners] - others.max(axis=1)


def margins_in_errors(logits, noisy):
    """Every margin in units of the error: margins over the root mean square error of a logit, float64 (images,).

    Arguments as `logit_error`. Below about 2 a decision is in danger. Raises ValueError where noisy equals logits.
    """
    logits, noisy = _pair(logits, noisy)
    error = noisy - logits
    size = float(np.sqrt(np.mean((error - error.mean(axis=1, keepdims=True)) ** 2)))
    if size == 0:
        raise ValueError("noisy equals logits; accepted: logits with some error, the unit of the margins")
    return margins(logits) / size


def with_noise(logits, size, seed):
    """The logits with normal noise whose `logit_error` is `size`, 0.1 for 10 %: float64 (images, classes).

    seed: of the noise, always the same for one seed. Raises TypeError or ValueError for other arguments.
    """
    logits = _rows(logits, "logits")
    real_number(size, "size", "a number above 0, as logit_error gives it", lambda x: 0 < x <= LARGEST)
    noise = np.random.default_rng(whole_number(seed, "seed", 0)).normal(size=logits.shape)
    unscaled = logit_error(logits, logits + noise)
    if unscaled == 0:
        raise ValueError(f"logits reaches {np.abs(logits).max():g}, where noise of about 1 is lost in rounding")
    return logits + size / unscaled * noise


def changed(logits, noisy):
    """How many rows have their largest logit in another place: a count. Arguments as `logit_error`."""
    logits, noisy = _pair(logits, noisy)
    return int((logits.argmax(axis=1) != noisy.argmax(axis=1)).sum())


def variation_sqnr_db(x, x_hat):
    """SQNR in decibels that counts as signal only how x varies from row to row: the mean over axis 0 is taken off.

    x, x_hat: real numbers of one shape, (rows, …). A constant that is added to every row carries no information, and
    here it buys no decibels. Raises TypeError or ValueError for other arguments; ValueError if x does not vary.
    """
    x, x_hat = (_numbers(values, name) for values, name in ((x, "x"), (x_hat, "x_hat")))
    same_shape(x, x_hat, "x", "x_hat")
    if x.ndim == 0:
        raise ValueError("x has shape (); accepted: (rows, …)")
    signal, noise = np.sum((x - x.mean(axis=0)) ** 2), np.sum((x_hat - x) ** 2)
    if signal == 0:
        raise ValueError("x is the same in every row; accepted: something that varies")
    return float(10 * np.log10(signal / noise)) if noise > 0 else float("inf")


def _numbers(values, name):
    x, xp = real_array(values, name, allow_empty=False)
    x = np.asarray(xp.astype(x, xp.float64))
    if np.abs(x).max() > LARGEST:
        raise ValueError(f"{name} reaches {np.abs(x).max():g}; accepted: magnitudes up to {LARGEST:g}")
    return x


def _rows(logits, name):
    logits = _numbers(logits, name)
    if logits.ndim != 2 or logits.shape[1] < 2:
        raise ValueError(f"{name} has shape {logits.shape}; accepted: (images, classes), two classes or more")
    return logits


def _pair(logits, noisy):
    logits, noisy = _rows(logits, "logits"), _rows(noisy, "noisy")
    same_shape(logits, noisy, "logits", "noisy")
    return logits, noisy
