"""Each rule of scaling against its sentence in plain NumPy numbers, one output and one rounding at a time.

tests/parity asks the live kernels whether these are the right sentences; here no kernel needs to be installed.
"""

from fractions import Fraction

import numpy as np
import pytest
import torch

from quantutils.kernels import scaling

F32 = np.float32
ZERO_POINT = 90


def nearest(exact):
    """A fraction rounded once to float32, ties to even."""
    near = F32(float(exact))
    candidates = [near, np.nextafter(near, F32(-np.inf)), np.nextafter(near, F32(np.inf))]
    return min(candidates, key=lambda one: (abs(Fraction(float(one)) - exact), int(one.view(np.uint32)) & 1))


def fused(a, b, c):
    return nearest(Fraction(float(a)) * Fraction(float(b)) + Fraction(float(c)))


def one_over(value):
    """1 / value, a float64 or a float32 number, rounded to float32."""
    return F32(type(value)(1) / value)


def twice(value):
    return one_over(one_over(value))


def bias_steps(exact):
    return int(np.clip(np.round(exact), -(2**31), 2**31 - 1))


def to_int32(steps):
    return -(2.0**31) if steps >= 2.0**31 else np.round(steps)


def fbgemm_static(a, sx, sw, b, sy, per_channel):
    product = F32(sx) * F32(sw)
    steps = F32(a) + b / product if per_channel else fused(b, one_over(product), F32(a))
    return to_int32(steps * (product / F32(sy))) + ZERO_POINT


def qnnpack_static(a, sx, sw, b, sy, per_channel):
    steps = F32(a + bias_steps(b * one_over(F32(sx * sw))))
    return to_int32(steps * ((F32(sx) * F32(sw)) * one_over(F32(sy)))) + ZERO_POINT


def onnx_static(a, sx, sw, b, sy, per_channel):
    product = F32(sx) * F32(sw)
    steps = F32(a + bias_steps(np.float64(b) / np.float64(product)))
    return np.round(steps * (product / F32(sy))) + ZERO_POINT


def onednn(a, sx, w, b, amx):
    return F32(a) * (twice(sx) * w) + b if amx else F32(a) * twice(sx) * w + b


def onednn_weight(sw, per_channel):
    return twice(F32(sw)) if per_channel else twice(sw)


def onednn_codes(out, sy):
    return np.round(out * one_over(one_over(one_over(sy))) + F32(ZERO_POINT))


DYNAMIC = {
    "dynamic_fbgemm": lambda a, sx, sw, b, each: fused(F32(a), F32(sx) * F32(sw), b),
    "dynamic_qnnpack": lambda a, sx, sw, b, each: F32(a) * (F32(sx) * F32(sw)) + b,
    "dynamic_onnx": lambda a, sx, sw, b, each: F32(a) * (F32(sx) * F32(sw)) + b,
    "dynamic_torchao": lambda a, sx, sw, b, each: F32(a) * F32(sx) * F32(sw) + b,
    "dynamic_onednn_vnni": lambda a, sx, sw, b, each: onednn(a, sx, onednn_weight(sw, each), b, False),
    "dynamic_onednn_amx": lambda a, sx, sw, b, each: onednn(a, sx, onednn_weight(sw, each), b, True),
}
STATIC = {
    "static_fbgemm": fbgemm_static,
    "static_qnnpack": qnnpack_static,
    "static_onnx": onnx_static,
    "static_onednn_vnni": lambda a, sx, sw, b, sy, each: onednn_codes(
        onednn(a, sx, onednn_weight(sw, each), b, False), sy
    ),
    "static_onednn_amx": lambda a, sx, sw, b, sy, each: onednn_codes(
        onednn(a, sx, onednn_weight(sw, each), b, True), sy
    ),
    "conv_onednn_vnni": lambda a, sx, sw, b, sy, each: onednn_codes(onednn(a, sx, F32(sw), b, False), sy),
    "conv_onednn_amx": lambda a, sx, sw, b, sy, each: onednn_codes(onednn(a, sx, F32(sw), b, True), sy),
}


def case(per_channel):
    """Sums of all sizes (float32 holds not all of them), scales and biases: a, sx, sw, b, sy."""
    rng = np.random.default_rng(7 + per_channel)
    size = 10 ** rng.uniform(0, 9.3, (40, 25))
    a = (np.sign(rng.normal(size=size.shape)) * size).astype(np.int64)
    a[0, :4] = 2**31 - 1, -(2**31), 0, 2**24 + 1
    sw = np.array(rng.uniform(0.001, 0.02, 25 if per_channel else None))
    b = rng.normal(0, 5, 25).astype(F32)
    b[:2] = 1e12, -1e12  # in steps of the sum beyond int32
    return a, np.array(rng.uniform(0.01, 0.1)), sw, b, np.array(rng.uniform(0.1, 0.3))


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("name", [*DYNAMIC, *STATIC])
def test_every_output_is_the_rule_s_sentence(name, per_channel):
    a, sx, sw, b, sy = case(per_channel)
    static = name in STATIC
    if static:
        # So small an output scale sends the largest sums beyond int32, where the processor's conversion shows.
        scales, rule = [sy, np.array(1e-5)], STATIC[name]
    else:
        scales, rule = [None], DYNAMIC[name]
    for out_scale in scales:
        wanted = np.empty(a.shape)
        for place in np.ndindex(*a.shape):
            weight = np.float64(sw[place[1]] if per_channel else sw)
            given = int(a[place]), np.float64(sx), weight, b[place[1]]
            wanted[place] = rule(*given, *([np.float64(out_scale)] if static else []), per_channel)
        rest = (out_scale, ZERO_POINT) if static else ()
        found = getattr(scaling, name)(a, sx, sw, b, *rest)
        assert found.dtype == F32
        np.testing.assert_array_equal(found.astype(np.float64), wanted.astype(F32).astype(np.float64))
        tensors = [torch.from_numpy(np.asarray(value)) for value in (a, sx, sw, b)]
        rest = (torch.tensor(float(out_scale), dtype=torch.float64), ZERO_POINT) if static else ()
        np.testing.assert_array_equal(getattr(scaling, name)(*tensors, *rest).numpy(), found)
