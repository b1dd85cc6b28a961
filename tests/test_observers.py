"""Observers: the ranges they choose against NumPy's own answers and a search value by value."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import as_library, seeds

from quantutils import MSE, MinMax, MovingAverageMinMax, Percentile, choose_qparams, mse

OBSERVERS = [MinMax, MovingAverageMinMax, Percentile, MSE]
LIBRARIES = ["numpy", "torch"]


def sample(name, size=4000):
    rng = np.random.default_rng(7)
    return {
        "normal": lambda: rng.normal(size=size),
        "laplace": lambda: rng.laplace(size=size),
        "relu": lambda: np.maximum(rng.normal(size=size), 0.0),
        "outliers": lambda: np.append(rng.normal(size=size), [40.0, -25.0]),
    }[name]()


# MinMax


@given(seeds(), st.integers(1, 4), st.sampled_from(LIBRARIES), st.sampled_from(["float16", "float32", "float64"]))
def test_minmax_of_batches_is_min_and_max_of_the_whole(seed, count, library, dtype):
    x = np.random.default_rng(seed).normal(size=(count, 3, 5)).astype(dtype)
    observer = MinMax()
    for batch in x:
        observer.observe(as_library(batch, library))
    assert (observer.low, observer.high) == (float(np.min(x)), float(np.max(x)))
    assert observer.qparams() == choose_qparams(float(np.min(x)), float(np.max(x)))


@given(seeds(), st.integers(-3, 2), st.sampled_from(LIBRARIES), st.booleans())
def test_minmax_per_channel_is_min_and_max_of_every_slice(seed, axis, library, symmetric):
    x = np.random.default_rng(seed).normal(size=(2, 3, 4)).astype(np.float32)
    observer = MinMax(axis=axis).observe(as_library(x, library))
    slices = np.moveaxis(x, axis, 0)
    assert observer.low.tolist() == [float(part.min()) for part in slices]
    assert observer.high.tolist() == [float(part.max()) for part in slices]
    qparams = observer.qparams(8, symmetric)
    alone = [choose_qparams(float(part.min()), float(part.max()), 8, symmetric) for part in slices]
    assert (qparams.axis, qparams.scale.tolist()) == (axis, [one.scale for one in alone])
    assert qparams.zero_point.tolist() == [one.zero_point for one in alone]
    qparams.quantize(as_library(x, library))


@given(seeds(), st.sampled_from([(0, 2), (1, 3), (-1, 2), (2, 4), (-3, 1)]), st.sampled_from(LIBRARIES))
def test_minmax_group_wise_is_min_and_max_of_neighbours(seed, layout, library):
    axis, size = layout
    x = np.random.default_rng(seed).normal(size=(4, 6, 8)).astype(np.float32)
    observer = MinMax(axis, size).observe(as_library(x, library))
    moved = np.moveaxis(x, axis, -1)
    groups = moved.reshape(*moved.shape[:-1], -1, size)
    assert np.array_equal(observer.low, np.moveaxis(groups.min(-1), -1, axis))
    assert np.array_equal(observer.high, np.moveaxis(groups.max(-1), -1, axis))
    x_hat = observer.qparams(8, symmetric=True).fake_quantize(x)
    assert np.all(np.abs(x - x_hat) <= np.repeat(observer.qparams(8, symmetric=True).scale, size, axis) / 2 * 1.0001)


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_minmax_of_single_numbers_keeps_no_view_of_the_data(library, dtype):
    x = as_library(np.array([1.0, -2.0], dtype), library)
    observer = MinMax(axis=0).observe(x)
    x[0] = 99.0
    assert observer.low.tolist() == observer.high.tolist() == [1.0, -2.0]
    assert observer.observe(x).high.tolist() == [99.0, -2.0]
    assert x.tolist() == [99.0, -2.0]


def test_all_zero_channels_take_the_scale_they_are_given():
    x = np.array([[0.0, 0.0], [-1.0, 1.27]])
    assert MinMax(axis=0).observe(x).qparams(symmetric=True, if_all_zero=1.0).scale.tolist() == [1.0, 0.01]
    with pytest.raises(ValueError, match=r"low and high are both 0 in 1 of 2 ranges; accepted: .*if_all_zero"):
        MinMax(axis=0).observe(x).qparams()


# MovingAverageMinMax


@given(seeds(), st.floats(0.001, 1), st.integers(1, 5), st.sampled_from([None, 1]))
def test_moving_average_is_its_formula(seed, momentum, count, axis):
    batches = np.random.default_rng(seed).normal(size=(count, 6, 3))
    observer = MovingAverageMinMax(momentum, axis)
    over = None if axis is None else 0
    low, high = batches[0].min(over), batches[0].max(over)
    observer.observe(batches[0])
    for batch in batches[1:]:
        observer.observe(batch)
        low = low + momentum * (batch.min(over) - low)
        high = high + momentum * (batch.max(over) - high)
    assert np.array_equal(observer.low, low)
    assert np.array_equal(observer.high, high)


def test_momentum_one_forgets_all_but_the_last_batch():
    observer = MovingAverageMinMax(1.0).observe([-100.0, 100.0]).observe([-1.0, 2.0])
    assert (observer.low, observer.high) == (-1.0, 2.0)


# Percentile


@pytest.mark.parametrize("name", ["normal", "laplace", "relu", "outliers"])
@pytest.mark.parametrize("percentile", [60, 99.0, 99.9, 100])
@pytest.mark.parametrize("library", LIBRARIES)
def test_percentile_is_numpys_within_one_bin(name, percentile, library):
    x = sample(name)
    observer = Percentile(percentile).observe(as_library(x, library))
    low, high = (np.quantile(x, p, method="inverted_cdf") for p in (1 - percentile / 100, percentile / 100))
    found_low, found_high = observer._chosen_range(8, False, True, False)
    width = observer.histogram.width
    assert width <= 4 * np.abs(x).max() / 8192
    assert abs(found_low - low) <= width
    assert abs(found_high - high) <= width
    assert observer.qparams() == choose_qparams(found_low, found_high)


@pytest.mark.parametrize("name", ["normal", "relu", "outliers"])
@pytest.mark.parametrize("symmetric", [False, True])
def test_percentile_100_is_minmax(name, symmetric):
    x = sample(name)
    assert Percentile(100).observe(x).qparams(8, symmetric) == MinMax().observe(x).qparams(8, symmetric)


@given(seeds())
def test_histogram_observers_see_batches_as_one_whole_where_bins_do_not_move(seed):
    rng = np.random.default_rng(seed)
    batches = rng.uniform(-1, 1, (3, 50))
    batches[:, 0] = 1.0  # the same reach from the first batch on
    for observer in (Percentile, MSE):
        parts, whole = observer(bins=256), observer(bins=256).observe(batches)
        for batch in batches:
            parts.observe(batch)
        assert np.array_equal(parts.histogram.counts, whole.histogram.counts)
        assert parts.qparams(4, symmetric=True) == whole.qparams(4, symmetric=True)


# MSE

# Bins and 64 candidates an end against every value and another, finer or coarser, grid: measured 0.9985 to 1.0071.
NEAR_BEST = 1.02


def error_of(x, qparams):
    return mse(x, qparams.fake_quantize(x))


@pytest.mark.parametrize("name", ["normal", "laplace", "relu", "outliers"])
@pytest.mark.parametrize("bits", [2, 4, 8])
def test_symmetric_mse_is_near_the_best_of_a_search_value_by_value(name, bits):
    x = sample(name)
    reach = np.abs(x).max()
    best = min(
        error_of(x, choose_qparams(-reach * f, reach * f, bits, symmetric=True)) for f in np.arange(1, 201) / 200
    )
    assert error_of(x, MSE().observe(x).qparams(bits, symmetric=True)) <= NEAR_BEST * best


@pytest.mark.parametrize("name", ["normal", "laplace", "relu", "outliers"])
@pytest.mark.parametrize("bits", [2, 4])
def test_asymmetric_mse_is_near_the_best_of_a_search_value_by_value(name, bits):
    x = sample(name, size=2000)
    low, high, factors = min(x.min(), 0.0), x.max(), np.arange(1, 33) / 32
    ranges = [(low * f, high * g) for f in (factors if low < 0 else [1.0]) for g in factors]
    best = min(error_of(x, choose_qparams(*ends, bits)) for ends in ranges)
    assert error_of(x, MSE().observe(x).qparams(bits)) <= NEAR_BEST * best


@pytest.mark.parametrize("name", ["normal", "laplace", "relu", "outliers"])
@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("symmetric", [False, True])
def test_mse_is_never_worse_than_minmax(name, bits, symmetric):
    x = sample(name)
    chosen, widest = (observer().observe(x).qparams(bits, symmetric) for observer in (MSE, MinMax))
    assert error_of(x, chosen) <= error_of(x, widest)


def test_mse_with_one_candidate_is_minmax():
    x = sample("normal")
    for arguments in ((8, False), (8, True), (4, False, False)):
        assert MSE(candidates=1).observe(x).qparams(*arguments) == MinMax().observe(x).qparams(*arguments)


def test_mse_works_where_a_clipped_range_would_be_too_narrow_for_a_scale():
    x = np.linspace(-5e-36, 5e-36, 101)
    for symmetric in (False, True):
        assert math.isclose(MSE().observe(x).qparams(8, symmetric).scale, 1e-35 / 255, rel_tol=0.3)


# What all of them share


@pytest.mark.parametrize("observer", OBSERVERS)
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_torch_tensors_of_every_real_dtype_give_numpys_ranges(observer, dtype):
    x = torch.from_numpy(sample("normal", 500)).to(getattr(torch, dtype))
    wanted = observer().observe(x.to(torch.float64).numpy()).qparams(4, symmetric=True)
    assert observer().observe(x).qparams(4, symmetric=True) == wanted
    assert observer().observe(torch.nn.Parameter(x)).qparams(4, symmetric=True) == wanted


def test_parameters_of_a_layer_are_observed_per_channel_without_a_warning(recwarn):
    weight = torch.nn.Parameter(torch.tensor([[1.0, -2.0], [3.0, 0.5]]))
    observer = MinMax(axis=0).observe(weight)
    assert (observer.low.tolist(), observer.high.tolist()) == ([-2.0, 0.5], [1.0, 3.0])
    MinMax().observe(weight)
    assert [str(warning.message) for warning in recwarn] == []


@pytest.mark.parametrize("observer", OBSERVERS)
def test_observers_leave_the_data_as_it_is_and_return_themselves(observer):
    x = sample("normal", 100)
    kept = x.copy()
    watching = observer()
    assert watching.observe(x) is watching
    watching.qparams(symmetric=True)
    assert np.array_equal(x, kept)


@pytest.mark.parametrize("observer", OBSERVERS)
def test_views_and_single_numbers_are_observed(observer):
    x = sample("normal", 100)
    view, copy = observer().observe(x[::-2]), observer().observe(x[::-2].copy())
    assert view.qparams(symmetric=True) == copy.qparams(symmetric=True)
    assert observer().observe(5.0).qparams(symmetric=True).real_range[1] == pytest.approx(5.0)


@pytest.mark.parametrize("observer", OBSERVERS)
def test_qparams_before_the_first_batch_are_refused(observer):
    with pytest.raises(ValueError, match=rf"^{observer.__name__} has observed no data; call observe\(x\)"):
        observer().qparams()


@pytest.mark.parametrize("observer", OBSERVERS)
@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        ([], ValueError, "x is empty .*; accepted: at least one element"),
        (np.zeros((0, 3)), ValueError, r"x is empty \(shape \(0, 3\)\)"),
        ([float("nan")], ValueError, "x holds 1 NaN and 0 infinite values; accepted: finite"),
        ([float("-inf")], ValueError, "x holds 0 NaN and 1 infinite values; accepted: finite"),
        ([1, 2], TypeError, "x has dtype int64; accepted: real numbers"),
        ([True], TypeError, "x has dtype bool; accepted: real numbers"),
        ([1j], TypeError, "x has dtype complex128; accepted: real numbers"),
        ("data", TypeError, "x is 'data'; accepted"),
        (None, TypeError, "x is None; accepted"),
        ([[1.0], [2.0, 3.0]], TypeError, "x does not form an array"),
    ],
)
def test_observe_refuses(observer, x, error, message):
    with pytest.raises(error, match=f"^{message}"):
        observer().observe(x)


@pytest.mark.parametrize("observer", OBSERVERS)
@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"bits": 1}, ValueError, "bits is 1; accepted: a whole number from 2 to 16"),
        ({"bits": 8.0}, TypeError, "bits is 8.0; accepted: a whole number from 2 to 16"),
        ({"symmetric": "yes"}, TypeError, "symmetric is 'yes'; accepted: True or False"),
        ({"symmetric": True, "signed": False}, ValueError, "low is -.* with symmetric=True, signed=False"),
        ({"full_range": 1}, TypeError, "full_range is 1; accepted: True or False"),
    ],
)
def test_qparams_refuse(observer, arguments, error, message):
    with pytest.raises(error, match=f"^{message}"):
        observer().observe([-1.0, 1.0]).qparams(**arguments)


@pytest.mark.parametrize("observer", OBSERVERS)
def test_all_zero_data_need_if_all_zero(observer):
    watching = observer().observe(np.zeros(5))
    with pytest.raises(ValueError, match=r"low and high are both 0 in 1 of 1 ranges; accepted: .*if_all_zero"):
        watching.qparams()
    assert watching.qparams(if_all_zero=0.5).scale == 0.5


def test_a_batch_of_another_channel_count_is_refused():
    observer = MinMax(axis=1).observe(np.ones((2, 3)))
    with pytest.raises(ValueError, match=r"^x gives ranges of shape \(4,\); accepted: \(3,\), as before"):
        observer.observe(np.ones((2, 4)))
    assert observer.observe(np.full((5, 3), 2.0)).high.tolist() == [2.0, 2.0, 2.0]


@pytest.mark.parametrize("observer", [MinMax, MovingAverageMinMax])
@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"group_size": 2}, ValueError, "group_size is 2 but axis is None; accepted: give axis"),
        ({"axis": 0, "group_size": 0}, ValueError, "group_size is 0; accepted: a whole number of at least 1"),
        ({"axis": 0, "group_size": 2.0}, TypeError, "group_size is 2.0; accepted: a whole number"),
        ({"axis": "0"}, TypeError, "axis is '0'; accepted: a whole number"),
        ({"axis": 64}, ValueError, "axis is 64; accepted: a whole number from -64 to 63"),
    ],
)
def test_ranges_along_an_axis_are_checked(observer, arguments, error, message):
    with pytest.raises(error, match=f"^{message}"):
        observer(**arguments)


@pytest.mark.parametrize("library", LIBRARIES)
def test_data_that_do_not_fit_the_axis_are_refused(library):
    x = as_library(np.ones((2, 5)), library)
    with pytest.raises(ValueError, match=r"^x has 5 elements along axis 1; accepted: a multiple of group_size 2"):
        MinMax(1, 2).observe(x)
    for axis in (2, -3):
        with pytest.raises(ValueError, match=rf"^x has shape \(2, 5\); accepted: one that has axis {axis}"):
            MinMax(axis).observe(x)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: MovingAverageMinMax(0.0), ValueError, "momentum is 0.0; accepted: a number above 0, at most 1"),
        (lambda: MovingAverageMinMax(1.5), ValueError, "momentum is 1.5; accepted"),
        (lambda: MovingAverageMinMax(math.nan), ValueError, "momentum is nan; accepted"),
        (lambda: MovingAverageMinMax("0.1"), TypeError, "momentum is '0.1'; accepted"),
        (lambda: MovingAverageMinMax(True), TypeError, "momentum is True; accepted"),
        (lambda: Percentile(50), ValueError, "percentile is 50; accepted: a number above 50, at most 100"),
        (lambda: Percentile(100.1), ValueError, "percentile is 100.1; accepted"),
        (lambda: Percentile(None), TypeError, "percentile is None; accepted"),
        (lambda: Percentile(bins=6), ValueError, "bins is 6; accepted: a multiple of 4"),
        (lambda: MSE(bins=2.0), TypeError, "bins is 2.0; accepted: a whole number"),
        (lambda: MSE(candidates=0), ValueError, "candidates is 0; accepted: a whole number from 1 to 1024"),
    ],
)
def test_settings_of_observers_are_checked(make, error, message):
    with pytest.raises(error, match=f"^{message}"):
        make()
