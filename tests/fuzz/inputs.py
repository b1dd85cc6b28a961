"""What fuzzing draws: arrays of every kind and layout, numbers at every edge, and things that are no numbers at all."""

import datetime

import ml_dtypes
import numpy as np
import torch
from hypothesis import strategies as st

from quantutils import QParams

EDGES = [0.0, -0.0, 5e-324, 1e-45, 1e-40, 1.2e-38, 6e-8, 1.0, -1.0, 255.0, 65504.0, 2.0**24, 3.4e38, -3.4e38, 1e300]
WHOLE_EDGES = [0, 1, -1, 2, 7, 8, 127, -128, 255, 256, 2**15, 2**16, 2**31 - 1, -(2**31), 2**32, 2**63, 10**400]
LAYOUTS = ("plain", "every second", "transposed", "backwards", "read-only", "broadcast")
# Nothing that any argument of quantutils accepts.
HOPELESS = {
    "a dict": {"a": 1},
    "a set": {1, 2},
    "an object": object(),
    "complex numbers": np.array([1 + 2j]),
    "complex tensor": torch.tensor([1 + 2j]),
    "strings": np.array(["a", "b"]),
    "dates": np.array([datetime.date(2026, 1, 1)], "datetime64[D]"),
    "objects": np.array([None, {}], dtype=object),
    "records": np.zeros(2, [("a", int), ("b", float)]),
    "an ellipsis": ...,
    "bytes": b"12",
    "a class": int,
}
# Wrong for most arguments, right for a few.
JUNK = {
    "None": None,
    "text": "text",
    "True": True,
    "NaN": float("nan"),
    "infinity": float("inf"),
    "a complex number": 2j,
    "a fraction": 2.5,
    "ragged": [[1], [2, 3]],
    "empty": [],
    "nested empty": [[], []],
    "flags": np.array([True, False]),
    "flag tensor": torch.tensor([True]),
    "no axes": np.array(3.0),
    "no axes, NaN": np.float32(np.nan),
    "long integers": np.array([2**63], np.uint64),
    "five axes": np.ones((1, 1, 1, 1, 1)),
    "bfloat16 of ml_dtypes": np.ones(2, ml_dtypes.bfloat16),
    "a tuple": (1, 2),
    "a range": range(3),
    "a QParams": QParams(1.0, 0, -8, 7),
    "nothing stored": torch.empty(0),
    "a module": torch.nn.ReLU(),
} | {f"{number}": number for number in (*WHOLE_EDGES, -0.0, 1e-320, -1e308)}


class Given:
    """Draws the arguments of one call. hard: anything may be drawn; otherwise only what the call must accept."""

    def __init__(self, draw, hard):
        self.draw, self.hard = draw, hard

    def chance(self, one_in):
        """Whether something rare happens."""
        return self.hard and self.draw(st.integers(1, one_in)) == one_in

    def choice(self, *values):
        """One of the values."""
        return self.draw(st.sampled_from(values))

    def flag(self):
        """True or False."""
        return self.draw(st.booleans())

    def whole(self, low, high):
        """A whole number from low to high; a hard one may be any."""
        return self.choice(*WHOLE_EDGES) if self.chance(6) else self.draw(st.integers(low, high))

    def number(self, low, high):
        """A float from low to high; a hard one may be any."""
        if self.chance(3):
            return self.draw(st.one_of(st.sampled_from([*EDGES, np.nan, np.inf, -np.inf]), st.floats()))
        return self.draw(st.floats(low, high, allow_subnormal=False))

    def shape(self, *shape):
        """The shape; a hard one may be any, with empty axes too."""
        if self.chance(4):
            return tuple(self.draw(st.lists(st.integers(0, 4), max_size=4)))
        return shape

    def sizes(self, *sizes):
        """A shape of sizes from 1 to each of these; hard ones from 0."""
        return tuple(self.draw(st.integers(0 if self.hard else 1, size)) for size in sizes)

    def generator(self):
        """NumPy's generator with a seed of hypothesis."""
        return np.random.default_rng(self.draw(st.integers(0, 2**32 - 1)))

    def real(self, shape, low=-4.0, high=4.0, library=None, dtype=None):
        """Real numbers of a shape, in some dtype, layout and library."""
        shape, rng = self.shape(*shape), self.generator()
        if dtype is None or self.hard:
            dtype = self.choice("float32", "float64", "float16")
        x = rng.uniform(low, high, shape)
        if self.chance(2):
            kind = self.choice("edges", "wide", "one value", "one odd value", "halves")
            if kind == "edges":
                x = rng.choice(EDGES, shape)
            elif kind == "wide":
                x = rng.normal(size=shape) * 10.0 ** rng.uniform(-320, 307, shape)
            elif kind == "one value":
                x = np.full(shape, self.choice(*EDGES))
            elif kind == "one odd value" and x.size:
                x.flat[rng.integers(x.size)] = self.choice(np.nan, np.inf, -np.inf, 1e-320, 1e308)
            elif kind == "halves":
                x = rng.integers(-9, 9, shape) + 0.5
        with np.errstate(over="ignore", invalid="ignore"):
            x = x.astype("int64" if self.chance(12) else dtype)
        return self.laid_out(np.asarray(x), library)

    def codes(self, shape, low, high, library=None, dtype=None):
        """Integer codes from low to high; hard ones may lie outside."""
        shape, rng = self.shape(*shape), self.generator()
        fits = [each for each in (np.int8, np.uint8, np.int16, np.int32, np.int64) if _holds(each, low, high)]
        dtype = np.dtype(dtype or self.choice(*fits))
        if self.chance(4):
            low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
        return self.laid_out(rng.integers(low, high, shape, dtype, endpoint=True), library)

    def laid_out(self, x, library=None):
        """The same array in some layout of memory, NumPy's or torch's."""
        layout = self.choice(*LAYOUTS)
        if layout == "every second" and x.ndim:
            doubled = np.repeat(x, 2, axis=-1)
            x = doubled[..., ::2]
        elif layout == "transposed" and x.ndim:
            x = np.ascontiguousarray(x.T).T
        elif layout == "backwards" and x.ndim:
            x = np.ascontiguousarray(x[::-1])[::-1]
        elif layout == "read-only":
            x = x.copy()
            x.flags.writeable = False
        elif layout == "broadcast" and x.ndim and x.shape[0] == 1:
            x = np.broadcast_to(x[0], x.shape)
        if (library or "numpy") == "numpy":
            return x
        tensor = torch.from_numpy(np.array(x, order="K"))
        if tensor.is_floating_point() and self.chance(6):
            tensor = tensor.bfloat16()
        return tensor.requires_grad_() if tensor.is_floating_point() and self.flag() else tensor

    def library(self):
        """Which library the arrays of a call come from."""
        return self.choice("numpy", "torch")

    def qparams(self, low=None, high=None):
        """Per-tensor QParams, with codes from low to high or of any width."""
        if low is None:
            bits = self.draw(st.integers(2, 16))
            low, high = self.choice((-(2 ** (bits - 1)), 2 ** (bits - 1) - 1), (0, 2**bits - 1))
        scale = self.draw(st.floats(1e-30, 1e30) if self.hard else st.floats(1e-3, 10.0))
        return QParams(scale, self.draw(st.integers(low, high)), low, high)


def _holds(dtype, low, high):
    return np.iinfo(dtype).min <= low and high <= np.iinfo(dtype).max


def corrupted(given, arguments, fixed):
    """(arguments with one of them replaced by junk, its name, whether nothing can be done with it)."""
    name = given.choice(*[name for name in arguments if name not in fixed])
    hopeless = given.flag()
    wrong = given.choice(*sorted(HOPELESS if hopeless else JUNK))
    return arguments | {name: (HOPELESS if hopeless else JUNK)[wrong]}, name, hopeless


def snapshot(value):
    """A value's content, to be compared after the call; equal for equal contents, NaN included."""
    if isinstance(value, np.ndarray):
        content = value.tobytes() if value.dtype != object else repr(value)
        return (str(value.dtype), value.shape, value.strides, value.flags.writeable, content)
    if isinstance(value, torch.Tensor):
        raw = value.detach().contiguous().reshape(-1)
        content = raw.view(torch.uint8).numpy().tobytes() if raw.numel() else b""
        return (str(value.dtype), tuple(value.shape), value.stride(), value.requires_grad, content)
    if isinstance(value, torch.nn.Module):
        return (value.training, {name: snapshot(tensor) for name, tensor in value.state_dict().items()})
    if isinstance(value, (tuple, list)):
        return tuple(map(snapshot, value))
    if isinstance(value, dict):
        return {name: snapshot(each) for name, each in value.items()}
    return repr(value)
