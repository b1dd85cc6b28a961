"""Errors of logits, margins and changed decisions, against plain Python on small cases and by their invariants."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from quantutils import sqnr_db
from quantutils.course.decisions import changed, logit_error, margins, margins_in_errors, variation_sqnr_db, with_noise

LOGITS = np.array([[1.0, 3.0, 2.0], [5.0, -1.0, 2.0], [0.0, 0.5, 4.0]])
rows = arrays(np.float64, (4, 3), elements=st.floats(-100, 100, width=16))


def plain_error(logits, noisy):
    signal = error = 0.0
    for row, other in zip(logits.tolist(), noisy.tolist(), strict=True):
        mean, other_mean = sum(row) / len(row), sum(other) / len(other)
        for a, b in zip(row, other, strict=True):
            signal += (a - mean) ** 2
            error += ((b - other_mean) - (a - mean)) ** 2
    return math.sqrt(error / signal)


def test_the_error_is_that_of_plain_python():
    noisy = LOGITS + np.array([[0.1, -0.2, 0.3], [0.0, 0.4, 0.0], [-0.1, 0.0, 0.2]])
    assert logit_error(LOGITS, noisy) == pytest.approx(plain_error(LOGITS, noisy), rel=1e-12)
    assert logit_error(torch.tensor(LOGITS), torch.tensor(noisy)) == logit_error(LOGITS, noisy)
    assert logit_error(LOGITS, LOGITS) == 0


@given(rows, st.floats(-50, 50))
def test_what_is_added_to_all_logits_of_a_row_does_not_count(noise, shift):
    moved = LOGITS + shift
    assert logit_error(LOGITS, moved) == pytest.approx(0, abs=1e-12)
    assert changed(LOGITS, moved) == 0
    disturbed = np.vstack([LOGITS, LOGITS[:1]]) + noise
    both = np.vstack([LOGITS, LOGITS[:1]])
    assert logit_error(both, disturbed + shift) == pytest.approx(logit_error(both, disturbed), abs=1e-9)


@given(rows, rows)
def test_a_decision_changes_where_the_winners_margin_turns_negative(before, after):
    winners = before.argmax(axis=1)
    margin = margins(after, winners)
    assert (margins(before) >= 0).all()
    flipped = before.argmax(axis=1) != after.argmax(axis=1)
    assert changed(before, after) == flipped.sum()
    assert flipped[margin < 0].all()
    assert not flipped[margin > 0].any()


@given(rows, rows)
def test_no_decision_changes_while_the_largest_error_is_below_half_the_margin(before, noise):
    limit = margins(before)[:, None] / 2
    after = before + np.clip(noise, -0.99 * limit, 0.99 * limit)
    assert (before.argmax(axis=1) == after.argmax(axis=1))[margins(before) > 1e-6].all()


def test_margins_are_the_distance_to_the_next_logit():
    assert margins(LOGITS).tolist() == [1.0, 3.0, 3.5]
    assert margins(LOGITS, [0, 0, 1]).tolist() == [-2.0, 3.0, -3.5]
    assert margins(torch.tensor(LOGITS, requires_grad=True)).tolist() == [1.0, 3.0, 3.5]


def test_margins_in_errors_are_margins_over_the_root_mean_square():
    noisy = LOGITS + np.array([[0.3, -0.3, 0.0], [0.3, -0.3, 0.0], [0.3, -0.3, 0.0]]) + 7
    assert margins_in_errors(LOGITS, noisy) == pytest.approx(margins(LOGITS) / math.sqrt(0.06))


@given(st.floats(0.001, 10), st.integers(0, 99))
def test_noise_has_the_size_that_is_asked_for(size, seed):
    noisy = with_noise(LOGITS, size, seed)
    assert logit_error(LOGITS, noisy) == pytest.approx(size, rel=1e-9)
    assert np.array_equal(noisy, with_noise(torch.tensor(LOGITS), size, seed))


@given(st.floats(-1000, 1000))
def test_a_constant_buys_no_decibels_when_only_variation_counts(constant):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(50, 4))
    noisy = x + 0.1 * rng.normal(size=x.shape)
    assert variation_sqnr_db(x + constant, noisy + constant) == pytest.approx(variation_sqnr_db(x, noisy), abs=1e-6)


def test_variation_of_data_around_zero_is_the_signal_itself():
    x = np.array([[1.0, -2.0], [-1.0, 2.0]])
    noisy = x + 0.1
    assert variation_sqnr_db(x, noisy) == pytest.approx(sqnr_db(x, noisy), abs=1e-9)
    assert variation_sqnr_db(x, x) == math.inf


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: logit_error(LOGITS[0], LOGITS[0]), ValueError, r"logits has shape \(3,\); accepted: \(images, cl"),
        (lambda: logit_error(LOGITS, LOGITS[:2]), ValueError, "noisy has shape"),
        (lambda: logit_error(np.ones((2, 3)), LOGITS[:2]), ValueError, "logits holds the same number"),
        (lambda: changed(LOGITS[:, :1], LOGITS[:, :1]), ValueError, "two classes or more"),
        (lambda: changed(LOGITS, LOGITS * np.nan), ValueError, "noisy holds 9 NaN"),
        (lambda: changed("a", LOGITS), TypeError, "logits is 'a'"),
        (lambda: margins(LOGITS, [0, 1]), ValueError, r"winners has shape \(2,\)"),
        (lambda: margins(LOGITS, [0.0, 1.0, 2.0]), ValueError, "one whole number for each of 3 rows"),
        (lambda: margins(LOGITS, [0, 1, 3]), ValueError, "winners holds 0 to 3; accepted: 0 to 2"),
        (lambda: margins_in_errors(LOGITS, LOGITS), ValueError, "noisy equals logits"),
        (lambda: with_noise(LOGITS, 0, 1), ValueError, "size is 0; accepted: a number above 0"),
        (lambda: with_noise(LOGITS, True, 1), TypeError, "size is True"),
        (
            lambda: with_noise(LOGITS * 1e100, 0.1, 1),
            ValueError,
            r"logits reaches 5e\+100, where noise of about 1 is lost",
        ),
        (lambda: changed(LOGITS, LOGITS * 1e300), ValueError, r"noisy reaches 5e\+300; accepted: magnitudes up to"),
        (lambda: variation_sqnr_db(1.0, 1.0), ValueError, r"x has shape \(\); accepted: \(rows, …\)"),
        (lambda: variation_sqnr_db(np.ones((3, 2)), np.ones((3, 2))), ValueError, "x is the same in every row"),
        (lambda: variation_sqnr_db(LOGITS, LOGITS[:2]), ValueError, "x_hat has shape"),
    ],
)
def test_what_is_not_logits_is_refused(call, error, words):
    with pytest.raises(error, match=words):
        call()
