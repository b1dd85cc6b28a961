"""What counts as an array here: NumPy arrays and torch tensors, checked before anything is computed.

Every public function calls these checks first, so that one wording names the argument,
what was given and what is accepted. torch is never imported: a tensor brings its own namespace.
"""

import math

import numpy as np
from array_api_compat import array_namespace, device, is_array_api_obj

REAL_DTYPES = ("float16", "bfloat16", "float32", "float64")
CODE_DTYPES = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64")
CACHE_BLOCK = 2**18  # numbers worked on at a time, few enough to stay in the processor's cache from step to step


def dtype_name(x):
    """The dtype of a NumPy array or torch tensor as one word.

    >>> dtype_name(np.zeros(2, np.int8))
    'int8'
    """
    return str(x.dtype).removeprefix("torch.")


def as_array(x, name):
    """`x` as it is if it is a NumPy array or torch tensor, as a NumPy array if it is a number or a list.

    Raises TypeError, naming the argument, for anything that does not become an array of numbers.
    """
    if isinstance(x, np.ma.MaskedArray):
        raise TypeError(f"{name} is a masked array, whose mask would be lost; accepted: a plain array")
    if isinstance(x, np.generic) or not is_array_api_obj(x):
        if isinstance(x, (str, bytes, dict, set)) or x is None or x is Ellipsis:
            raise TypeError(f"{name} is {x!r}; accepted: a NumPy array, a torch tensor or a list of numbers")
        try:
            x = np.asarray(x)
        except (ValueError, TypeError) as error:
            raise TypeError(f"{name} does not form an array ({error}); accepted: rows of equal length") from None
    return x


def real_array(x, name, *, allow_empty=True, look=True):
    """`x` as an array of finite real numbers, and its namespace: (array, namespace).

    Half-precision input is returned as it is; the caller computes in float32. A gradient is left behind.
    look: whether to look for NaN and infinities; False where the caller will see them.
    Raises TypeError for another dtype than float16, bfloat16, float32, float64;
    ValueError for NaN, infinities and, unless `allow_empty`, for an array without elements.
    """
    x = as_array(x, name)
    if dtype_name(x) not in REAL_DTYPES or _foreign(x):
        raise TypeError(f"{name} has dtype {dtype_name(x)}; accepted: real numbers ({', '.join(REAL_DTYPES)})")
    xp = array_namespace(x)
    if hasattr(x, "detach"):
        x = x.detach()  # codes carry no gradient, and a tensor that does would refuse to become a NumPy array
    size = int(np.prod(x.shape))
    if size == 0 and not allow_empty:
        raise ValueError(f"{name} is empty (shape {tuple(x.shape)}); accepted: at least one element")
    if look and not is_finite(x, xp):
        nans = int(xp.sum(xp.astype(xp.isnan(x), xp.int64)))
        infinities = int(xp.sum(xp.astype(xp.isinf(x), xp.int64)))
        raise ValueError(f"{name} holds {nans} NaN and {infinities} infinite values; accepted: finite numbers")
    return x, xp


def real_range(x, name):
    """`x`, its namespace, smallest and largest value (floats): (array, namespace, low, high), in two passes.

    Raises as `real_array`, and ValueError for an array without elements.
    """
    x, xp = real_array(x, name, allow_empty=False, look=False)
    low, high = float(xp.min(x)), float(xp.max(x))
    if not math.isfinite(low) or not math.isfinite(high):  # NaN is both, infinity one of them
        real_array(x, name)
    return x, xp, low, high


def is_finite(x, xp):
    """Whether every number of a real array is finite."""
    if 0 in x.shape:
        return True
    if isinstance(x, np.ndarray):  # whose extremes are found sooner than its sum; NaN is both
        return math.isfinite(x.max()) and math.isfinite(x.min())
    # One fast pass says yes: NaN and infinities make every sum one. Finite numbers may too, and are then looked at.
    return math.isfinite(float(x.sum())) or bool(xp.all(xp.isfinite(x)))


def at_least_float32(x, xp):
    """Half types as float32, in which they are computed; float32 and float64 as they are."""
    return x if dtype_name(x) in ("float32", "float64") else xp.astype(x, xp.float32)


def row_blocks(x):
    """Slices of a few rows each: so many that what lies between the steps of a formula stays in the processor's cache.

    Half a CACHE_BLOCK of numbers, since a formula holds more than one array in between.

    >>> row_blocks(np.zeros((3, CACHE_BLOCK // 4)))
    [slice(0, 2, None), slice(2, 4, None)]
    """
    rows = max(len(x), 1)
    step = max(1, CACHE_BLOCK // 2 * rows // max(math.prod(x.shape), 1))
    return [slice(row, row + step) for row in range(0, rows, step)]


def in_blocks(formula, x, parameters, dtype):
    """formula(block of x, *parameters, out) over all of x, a cache's worth at a time: an array of `dtype`, as x shaped.

    formula: returns floating point numbers, computed in `out` where that is not None. x: float32 or float64.
    parameters: numbers, or arrays that broadcast against x. Raises ValueError for NaN and infinities in x.
    """
    xp = array_namespace(x)
    out = xp.empty(x.shape, dtype=dtype, device=device(x))
    in_place = dtype == x.dtype
    for whole, made, own in _cut(x, out, parameters, xp):
        if not is_finite(whole, xp):
            real_array(x, "x")  # which raises, and says how many are not
        with np.errstate(over="ignore"):  # x / scale may leave float32; the clip brings it back
            result = formula(whole, *own, made if in_place else None)
        if result is not made:
            made[...] = result
    return out


def _cut(x, out, parameters, xp):
    """(block of x, the same of out, what of the parameters belongs to it), block after block."""
    if not is_array_api_obj(parameters[0]):
        flat, made = xp.reshape(x, (-1,)), xp.reshape(out, (-1,))
        for start in range(0, flat.shape[0], CACHE_BLOCK):
            yield flat[start : start + CACHE_BLOCK], made[start : start + CACHE_BLOCK], parameters
        return
    for part in row_blocks(x):
        yield x[part], out[part], [values if len(values) == 1 else values[part] for values in parameters]


def clip(x, low, high, out):
    """The library's own clip: the array API's goes by masks in NumPy, which is slow."""
    return (np if isinstance(x, np.ndarray) else array_namespace(x)).clip(x, low, high, out=out)


def _foreign(x):
    """Whether NumPy holds a dtype that is not its own (ml_dtypes' bfloat16), which its functions know only in part."""
    return isinstance(x, (np.ndarray, np.generic)) and x.dtype.kind == "V"


def real_numbers(values, name, *, allow_empty=True):
    """Parameters given as ints or floats, as a float64 NumPy array of their own: a scale of 1 is as good as 1.0.

    Raises TypeError for what is not numbers (bool included), ValueError as `real_array`.
    """
    x = as_array(values, name)
    if dtype_name(x) not in REAL_DTYPES + CODE_DTYPES or _foreign(x):
        raise TypeError(f"{name} has dtype {dtype_name(x)}; accepted: a real number or an array of them")
    xp = array_namespace(x)
    x, _ = real_array(xp.astype(x, xp.float64), name, allow_empty=allow_empty)
    return np.asarray(x).copy()


def code_array(q, name, qmin=None, qmax=None):
    """`q` as an array of integer codes, and its namespace: (array, namespace).

    Raises TypeError for a dtype that is not an integer (bool included), ValueError for
    a code below `qmin` or above `qmax` where these are given.
    """
    q = as_array(q, name)
    if dtype_name(q) not in CODE_DTYPES:
        raise TypeError(f"{name} has dtype {dtype_name(q)}; accepted: integer codes ({', '.join(CODE_DTYPES)})")
    xp = array_namespace(q)
    if qmin is None:
        return q, xp
    limits = np.iinfo(dtype_name(q))
    if (limits.min < qmin or limits.max > qmax) and int(np.prod(q.shape)) > 0:
        wide = q if limits.bits == 8 else xp.astype(q, xp.int64)  # torch finds no extremes of uint16 and uint32
        low, high = int(xp.min(wide)), int(xp.max(wide))
        if low < qmin or high > qmax:
            raise ValueError(f"{name} holds codes from {low} to {high}; accepted: {qmin} to {qmax}")
    return q, xp


def same_shape(x, y, x_name, y_name):
    """Raise ValueError unless both arrays have one shape, TypeError unless both come from one library."""
    if tuple(x.shape) != tuple(y.shape):
        raise ValueError(f"{y_name} has shape {tuple(y.shape)}; accepted: that of {x_name}, {tuple(x.shape)}")
    same_library(x, y, x_name, y_name)


def same_library(x, y, x_name, y_name):
    """Raise TypeError unless both arrays are NumPy's or both are torch's."""
    if array_namespace(x) is not array_namespace(y):
        raise TypeError(f"{x_name} and {y_name} come from different libraries; accepted: both NumPy or both torch")
