"""The histogram: every value is counted once, however often it widens itself."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from quantutils.histogram import Histogram

# Without subnormal numbers: between those a bin can be narrower than the distance of two floats.
ordinary = st.one_of(
    st.floats(-1e6, 1e6, allow_subnormal=False),
    st.floats(-1e300, 1e300, allow_subnormal=False),
    st.sampled_from([0.0, -0.0, 1.0, -1.0, 0.5, 2.0]),
)
batches = st.lists(st.lists(ordinary, min_size=1, max_size=8), min_size=1, max_size=6)
all_batches = st.lists(
    st.lists(st.one_of(ordinary, st.sampled_from([5e-324, -5e-324])), min_size=1, max_size=8), min_size=1, max_size=6
)


def filled(data, bins=64):
    histogram = Histogram(bins)
    for batch in data:
        histogram.add(np.array(batch))
    return histogram


@given(all_batches)
def test_no_count_is_lost_and_the_ends_are_exact(data):
    histogram, values = filled(data), np.concatenate(data)
    assert histogram.total == len(values)
    assert np.all(histogram.counts >= 0)
    assert (histogram.low, histogram.high) == (values.min(), values.max())
    assert histogram.reach >= np.abs(values).max()


@given(batches)
def test_every_value_stays_in_its_bin_when_the_range_doubles(data):
    histogram, values = filled(data), np.sort(np.concatenate(data))
    places = np.repeat(np.arange(len(histogram.counts)), histogram.counts)
    # Counts keep the order of the values, so the k-th count is the k-th value, within its bin and float rounding.
    slack = histogram.width / 2 + 4 * np.finfo(np.float64).eps * histogram.reach
    assert np.all(np.abs(values - histogram.centres[places]) <= slack)


@pytest.mark.parametrize("dtype", ["float16", "float32"])
@pytest.mark.parametrize("bins", [64, 2048, 8192, 2**16])
def test_narrow_data_are_counted_within_a_thousandth_of_a_bin(bins, dtype):
    rng = np.random.default_rng(bins)
    values = [rng.normal(size=70_000).astype(dtype), (-0.25 * np.arange(40)).astype(dtype)]
    histogram = Histogram(bins).add(values[0]).add(values[1])
    places = np.repeat(np.arange(bins), histogram.counts)
    far = np.abs(np.sort(np.concatenate(values).astype(np.float64)) - histogram.centres[places])
    assert far.max() <= histogram.width * (0.5 + 1e-3)


def test_reach_that_float32_does_not_hold_is_worked_on_in_float64():
    histogram = Histogram(8).add(np.array([1e200])).add(np.array([-1.0, 2.0], np.float32))
    assert histogram.counts[[3, 4, 7]].sum() == histogram.total == 3


@given(batches, st.floats(0, 1))
def test_quantile_lies_in_the_bin_of_the_order_statistic(data, share):
    histogram, values = filled(data), np.sort(np.concatenate(data))
    # The position in the sorted values is share · total, rounded as the histogram rounds it.
    wanted = values[max(int(np.ceil(share * len(values))) - 1, 0)]
    slack = histogram.width + 4 * np.finfo(np.float64).eps * histogram.reach
    assert abs(histogram.quantile(share) - wanted) <= slack


@given(all_batches)
def test_quantiles_of_0_and_1_are_low_and_high(data):
    histogram = filled(data)
    assert (histogram.quantile(0), histogram.quantile(1.0)) == (histogram.low, histogram.high)


def test_all_zero_data_have_a_place_before_anything_else_comes():
    histogram = Histogram(8).add([0.0, 0.0])
    assert (histogram.total, histogram.reach, histogram.quantile(0.5)) == (2, 0.0, 0.0)
    assert histogram.add([3.0]).counts.tolist() == [0, 0, 0, 0, 2, 0, 0, 1]


def test_torch_tensors_and_shapes_count_alike():
    x = np.random.default_rng(0).normal(size=(4, 50)).astype(np.float32)
    counts = Histogram(64).add(x).counts.tolist()
    assert Histogram(64).add(torch.from_numpy(x)).counts.tolist() == counts
    assert Histogram(64).add(torch.from_numpy(x).requires_grad_()).counts.tolist() == counts
    assert Histogram(64).add(x.T[::1]).counts.tolist() == counts
    assert Histogram(64).add(1.5).total == 1


@pytest.mark.parametrize(
    ("bins", "error"),
    [(0, ValueError), (6, ValueError), (2**23, ValueError), (-4, ValueError), (8.0, TypeError), ("8", TypeError)],
)
def test_bins_are_a_multiple_of_four(bins, error):
    with pytest.raises(error, match=r"^bins is .*; accepted: a (multiple of 4|whole number from 4)"):
        Histogram(bins)


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        ([], ValueError, r"x is empty \(shape \(0,\)\); accepted: at least one element"),
        ([1.0, float("nan")], ValueError, "x holds 1 NaN and 0 infinite"),
        ([1.0, float("inf")], ValueError, "x holds 0 NaN and 1 infinite"),
        ([1e301], ValueError, r"x reaches from 1e\+301 to 1e\+301; accepted: magnitudes up to 1e300"),
        ([1], TypeError, "x has dtype int64; accepted: real numbers"),
        (None, TypeError, "x is None; accepted"),
    ],
)
def test_add_refuses_and_counts_nothing(x, error, message):
    histogram = Histogram(8).add([1.0])
    with pytest.raises(error, match=f"^{message}"):
        histogram.add(x)
    assert (histogram.total, histogram.reach, histogram.low, histogram.high) == (1, 1.0, 1.0, 1.0)


@pytest.mark.parametrize(
    ("share", "error"),
    [(-0.1, ValueError), (1.1, ValueError), (float("nan"), ValueError), ("0.5", TypeError), (None, TypeError)],
)
def test_quantile_refuses_what_is_no_share(share, error):
    with pytest.raises(error, match=r"^share is .*; accepted: a number from 0 to 1"):
        Histogram(8).add([1.0]).quantile(share)


def test_quantile_needs_data():
    with pytest.raises(ValueError, match=r"histogram is empty; call add\(x\) first"):
        Histogram(8).quantile(0.5)
