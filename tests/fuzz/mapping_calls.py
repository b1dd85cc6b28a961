"""Calls of affine, errors, histogram and observers: arguments each must accept, and what its result must be."""

import math

import numpy as np
from fuzz.table import Call, as_numpy, finite, shape_of, within

from quantutils import QParams, affine, errors, histogram, observers


def layout(given):
    """QParams of some granularity, as arguments, and the shape of an array that they fit."""
    bits, symmetric, signed = given.whole(2, 16), given.flag(), given.flag()
    granularity = given.choice("tensor", "channel", "group")
    shape = given.sizes(3, 4)
    if granularity == "tensor":
        return {"bits": bits, "symmetric": symmetric, "signed": signed}, (), shape
    axis = given.choice(0, 1, -1)
    ranges = (shape[axis],) if granularity == "channel" else shape
    size = given.whole(1, 3) if granularity == "group" else None
    return {"bits": bits, "symmetric": symmetric, "signed": signed, "axis": axis, "group_size": size}, ranges, shape


def range_arguments(given):
    settings, ranges, _ = layout(given)
    low = np.zeros(ranges) if settings["symmetric"] and not settings["signed"] else given.real(ranges, -9, -0.1)
    high = given.real(ranges, 0.1, 9)
    return {"low": low, "high": high} | settings | {"full_range": given.flag(), "if_all_zero": given.choice(None, 1.0)}


def parameters(given):
    """Arguments of QParams itself."""
    low, high = given.choice((-128, 127), (0, 255), (-8, 7), (0, 65535))
    shape = given.choice((), (3,), (2, 2))
    axis, size = {0: (None, None), 1: (0, None), 2: (1, 4)}[len(shape)]
    scale, zero_point = given.real(shape, 0.01, 9), given.codes(shape, low, high)
    return {"scale": scale, "zero_point": zero_point, "qmin": low, "qmax": high, "axis": axis, "group_size": size}


def any_qparams(given):
    """QParams of any granularity and the shape of an array that they fit."""
    if given.flag():
        return given.qparams(), given.sizes(3, 4)
    low, high = given.choice((-128, 127), (0, 255), (0, 65535))
    rng, shape = given.generator(), (2, 6)
    axis, size = given.choice((0, None), (1, None), (1, 3), (-2, 2))
    groups = list(shape)
    if size:
        groups[axis] //= size
    layout = groups if size else (shape[axis],)
    return QParams(rng.uniform(0.01, 9, layout), rng.integers(low, high, layout), low, high, axis, size), shape


def mapping_of_numbers(given):
    qparams, shape = any_qparams(given)
    return {"self": qparams, "x": given.real(shape, library=given.library())}


def mapping_of_codes(given):
    qparams, shape = any_qparams(given)
    codes = given.codes(shape, qparams.qmin, qparams.qmax, given.library())
    return {"self": qparams, "q": codes, "dtype": given.choice("float32", "float64")}


def fake_quantized(result, a):
    assert as_numpy(result).dtype == as_numpy(a["x"]).dtype
    assert finite(result)
    again = a["self"].fake_quantize(result)
    if str(result.dtype).endswith("64"):  # in float32 and float16 a scale near 1 unit of the number may round twice
        assert np.array_equal(as_numpy(again), as_numpy(result))


def pair(given, names=("x", "x_hat"), least=1):
    shape, library = (given.sizes(3)[0] + least - 1, 3), given.library()
    return {name: given.real(shape, 0.5, 4, library) for name in names}


def one_row(given):
    return {"x": given.real(given.sizes(20), 0.5, 4), "qparams": given.qparams()}


def decibels(result, a):
    assert isinstance(result, float)
    assert not math.isnan(result)


def fed_histogram(given):
    return {"self": histogram.Histogram(64).add([-1.0, 0.5, 3.0]), "share": given.number(0.0, 1.0)}


def observer_made(kind):
    def arguments(given):
        made = {"axis": given.choice(None, 0), "group_size": None}
        if kind in (observers.Percentile, observers.MSE):
            made = {"bins": 4 * given.whole(1, 20)}
        if kind is observers.Percentile:
            made |= {"percentile": given.number(51.0, 100.0)}
        if kind is observers.MSE:
            made |= {"candidates": given.whole(1, 30)}
        if kind is observers.MovingAverageMinMax:
            made |= {"momentum": given.number(0.01, 1.0)}
        return made

    return arguments


def new_observer(kind, given):
    if kind in (observers.Percentile, observers.MSE):
        return kind(bins=64)
    return kind(**given.choice({}, {"axis": 0}, {"axis": 1, "group_size": 2}))


def observed(kind):
    def arguments(given):
        return {"self": new_observer(kind, given), "x": given.real((3, 4), -4, 4, given.library())}

    return arguments


def fed_observer(kind):
    def arguments(given):
        rng = given.generator()
        scale = 10.0 ** rng.uniform(-44, 38) if given.hard else 1.0
        with np.errstate(over="ignore"):
            made = new_observer(kind, given).observe(np.clip(rng.uniform(0.1, 1, (3, 4)) * scale, 0, 1e300))
        return {"self": made, "bits": given.whole(2, 16), "symmetric": given.flag(), "signed": given.flag()} | {
            "full_range": given.flag(),
            "if_all_zero": given.choice(None, 1.0),
        }

    return arguments


def usage_holds(result, a):
    assert 1 <= result.used <= result.reachable <= result.total
    assert result.reachable + result.wasted == result.total


def parts_hold(result, a):
    rounding, clipping, share = result
    assert rounding >= -1e-9 * abs(clipping)
    assert clipping >= 0
    assert 0 <= share <= 1


def sane_qparams(result, a):
    low, high = result.real_range
    assert np.all(np.asarray(low) <= 0)
    assert np.all(np.asarray(high) >= 0)
    assert np.isfinite(low).all()
    assert np.isfinite(high).all()


def histogram_added(result, a):
    assert result is a["self"]
    assert result.total == as_numpy(a["x"]).size
    assert result.low <= result.high


MAPPING_CALLS = {
    "affine.code_limits": Call(
        affine.code_limits,
        lambda g: {"bits": g.whole(2, 16), "symmetric": g.flag(), "signed": g.flag(), "full_range": g.flag()},
        lambda result, a: math.isclose(math.log2(result[1] - result[0] + 2), a["bits"], abs_tol=0.5),
    ),
    "affine.QParams": Call(QParams, parameters, sane_qparams),
    "affine.choose_qparams": Call(affine.choose_qparams, range_arguments, sane_qparams),
    "affine.per_tensor": Call(
        lambda value: affine.per_tensor(value, "value"), lambda g: {"value": g.qparams()}, lambda result, a: None
    ),
    "affine.need_qparams": Call(
        lambda value: affine.need_qparams(value, "value"), lambda g: {"value": g.qparams()}, lambda result, a: None
    ),
    "affine.QParams.quantize": Call(
        QParams.quantize,
        mapping_of_numbers,
        lambda result, a: within(result, a["self"].qmin, a["self"].qmax, shape_of(a["x"])),
    ),
    "affine.QParams.dequantize": Call(
        QParams.dequantize, mapping_of_codes, lambda result, a: finite(result) and shape_of(result) == shape_of(a["q"])
    ),
    "affine.QParams.fake_quantize": Call(QParams.fake_quantize, mapping_of_numbers, fake_quantized),
    **{f"errors.{name}": Call(getattr(errors, name), pair, decibels) for name in ("mse", "max_abs_error", "sqnr_db")},
    "errors.product_sqnr_db": Call(
        errors.product_sqnr_db,
        lambda g: {"sqnr_a_db": g.number(-200, 200), "sqnr_b_db": g.number(-200, 200)},
        lambda result, a: result <= min(a["sqnr_a_db"], a["sqnr_b_db"]),
    ),
    "errors.code_usage": Call(errors.code_usage, one_row, usage_holds),
    "errors.error_parts": Call(errors.error_parts, one_row, parts_hold),
    "histogram.Histogram": Call(
        histogram.Histogram, lambda g: {"bins": 4 * g.whole(1, 500)}, lambda result, a: result.total == 0
    ),
    "histogram.Histogram.add": Call(
        histogram.Histogram.add,
        lambda g: {"self": histogram.Histogram(64), "x": g.real(g.sizes(4), library=g.library())},
        histogram_added,
        changes_self=True,
    ),
    "histogram.Histogram.quantile": Call(
        histogram.Histogram.quantile, fed_histogram, lambda result, a: -1.0 <= result <= 3.0
    ),
    **{
        f"observers.{kind.__name__}{method}": call
        for kind in (observers.MinMax, observers.MovingAverageMinMax, observers.Percentile, observers.MSE)
        for method, call in {
            "": Call(kind, observer_made(kind), lambda result, a: hasattr(result, "observe")),
            ".observe": Call(kind.observe, observed(kind), lambda result, a: result is a["self"], changes_self=True),
            ".qparams": Call(kind.qparams, fed_observer(kind), sane_qparams, also=("low", "high")),
        }.items()
    },
}
