"""Calls of matmul, packing, floats, blocks and decisions: arguments each must accept, what results must be."""

import math

import numpy as np
from fuzz.mapping_calls import decibels, pair
from fuzz.table import Call, as_numpy, finite, shape_of, within

from quantutils import QParams, matmul, packing
from quantutils.course import decisions
from quantutils.formats import blocks, floats


def quantized_factors(given):
    m, k, n = given.sizes(3, 5, 4)
    library = given.library()
    qa, qb = given.qparams(-128, 127), given.qparams(0, 255)
    if not given.hard and given.flag():
        qb = QParams(np.linspace(0.1, 1, n), np.arange(n), 0, 255, axis=1)
    arguments = {"qa": given.codes((m, k), -128, 127, library), "a_qparams": qa}
    return arguments | {"qb": given.codes((k, n), 0, 255, library), "b_qparams": qb}


def centred_sum(a):
    """Σ(qa − za)(qb − zb), written once more, in Python's integers."""
    qa = as_numpy(a["qa"]).astype(object) - a["a_qparams"].zero_point
    qb = as_numpy(a["qb"]).astype(object) - as_numpy(a["b_qparams"].zero_point).astype(object)
    return (qa[..., :, :, None] * qb[..., None, :, :]).sum(axis=-2) if qa.shape[-1] else 0


def codes_to_multiply(given):
    """As `quantized_factors`, without the QParams."""
    arguments = quantized_factors(given)
    return {"qa": arguments["qa"], "qb": arguments["qb"]}


def terms_hold(result, a):
    if as_numpy(a["qa"]).ndim == as_numpy(a["qb"]).ndim == 2 and a["b_qparams"].axis in (None, 1):
        assert np.all(as_numpy(sum(result)) == centred_sum(a))


def product_holds(result, a):
    assert str(result.dtype).endswith("float32")
    assert tuple(result.shape)[-1] == a["qb"].shape[-1]


def requantized(result, a):
    within(result, a["out_qparams"].qmin, a["out_qparams"].qmax, shape_of(a["accumulator"]))


def multiplier(given):
    made = matmul.FixedPointMultiplier(given.whole(2**30, 2**31 - 1), given.whole(1, 62))
    return given.choice(made, given.number(1e-6, 3.0))


def codes_to_pack(given):
    bits = given.choice(2, 4, 8)
    low = given.choice(0, -(2 ** (bits - 1)))
    return {"codes": given.codes(given.sizes(5, 3), low, low + 2**bits - 1), "bits": bits}


def bytes_to_unpack(given):
    bits, count = given.choice(2, 4, 8), given.whole(0, 20)
    length = -(-min(count, 50) * bits // 8) if count > 0 else 0
    return {
        "packed": given.codes((length,), 0, 255, dtype=np.uint8),
        "bits": bits,
        "count": count,
        "signed": given.flag(),
    }


def float_format(given):
    return floats.FLOAT_FORMATS[given.choice(*floats.FLOAT_FORMATS)]


def float_scale(given):
    return given.choice(given.number(0.1, 9.0), given.real((1,), 0.1, 9))


def small_codes(given):
    """Codes of finite numbers only, unless hard."""
    form = float_format(given)
    return {"self": form, "codes": given.codes(given.sizes(3, 4), 0, 2 ** (form.bits - 1) - 5)}


def real_blocks(given):
    columns = 32 * given.whole(0, 3) if not given.hard else given.choice(0, 1, 31, 32, 64)
    return {"x": given.real((*given.sizes(3), columns)), "name": given.choice(*blocks.BLOCK_FORMATS)}


def block_bytes(given):
    name = given.choice(*blocks.BLOCK_FORMATS)
    data = given.codes((2, 3 * blocks.BLOCK_FORMATS[name].block_bytes), 0, 123, dtype=np.uint8)
    return {"data": data, "name": name}


def logits(given):
    shape, library = (given.sizes(4)[0], 3), given.library()
    x = given.real(shape, library=library)
    return {"logits": x, "noisy": given.real(shape, 5, 9, library)}


def one_logits(given):
    return {"logits": given.real((given.sizes(4)[0], 3), library=given.library())}


FACTORS = {"matmul.product_terms": terms_hold, "matmul.quantized_matmul": product_holds}
PRODUCT_CALLS = {
    "matmul.largest_safe_k": Call(
        matmul.largest_safe_k,
        lambda g: {"max_abs_a": g.whole(1, 2**15), "max_abs_b": g.whole(1, 2**15)},
        lambda result, a: result * a["max_abs_a"] * a["max_abs_b"] < 2**31,
    ),
    "matmul.integer_matmul": Call(
        matmul.integer_matmul,
        codes_to_multiply,
        lambda result, a: np.array_equal(
            as_numpy(result), np.matmul(as_numpy(a["qa"]).astype(np.int64), as_numpy(a["qb"]).astype(np.int64))
        ),
    ),
    **{
        name: Call(getattr(matmul, name.partition(".")[2]), quantized_factors, holds) for name, holds in FACTORS.items()
    },
    "matmul.fixed_point_multiplier": Call(
        matmul.fixed_point_multiplier,
        lambda g: {"multiplier": g.number(1e-9, 1e6)},
        lambda result, a: math.isclose(result.mantissa * 2.0**-result.shift, a["multiplier"], rel_tol=2**-31),
    ),
    "matmul.requantize": Call(
        matmul.requantize,
        lambda g: {
            "accumulator": g.codes(g.sizes(3, 4), -(2**31), 2**31 - 1, g.library()),
            "multiplier": multiplier(g),
            "out_qparams": g.qparams(),
        },
        requantized,
    ),
    "matmul.operation_count": Call(
        matmul.operation_count,
        lambda g: {name: g.whole(1, 99) for name in "mkn"} | {"a_symmetric": g.flag(), "b_symmetric": g.flag()},
        lambda result, a: result.added >= 0,
    ),
    "packing.weight_bytes": Call(
        packing.weight_bytes,
        lambda g: (
            {"parameters": g.whole(1, 10**12), "bits": g.whole(1, 64)}
            | {"group_size": g.choice(None, 32), "scale_bits": g.whole(1, 64)}
        ),
        lambda result, a: result * 8 >= a["parameters"] * a["bits"],
    ),
    "packing.pack_codes": Call(
        packing.pack_codes,
        codes_to_pack,
        lambda result, a: within(result, 0, 255, (-(-np.size(a["codes"]) * a["bits"] // 8),)),
    ),
    "packing.unpack_codes": Call(
        packing.unpack_codes,
        bytes_to_unpack,
        lambda result, a: np.array_equal(packing.pack_codes(result, a["bits"])[:-1], as_numpy(a["packed"])[:-1]),
    ),
    "formats.floats.FloatFormat": Call(
        floats.FloatFormat,
        lambda g: (
            {"name": "new", "exponent_bits": g.whole(1, 4), "mantissa_bits": g.whole(1, 3)}
            | {"bias": g.whole(-9, 9), "specials": g.choice(*floats.SPECIALS)}
        ),
        lambda result, a: len(result.values) == 2**result.bits,
        fixed=("name",),
    ),
    "formats.floats.FloatFormat.encode": Call(
        floats.FloatFormat.encode,
        lambda g: {"self": float_format(g), "x": g.real(g.sizes(3, 4)), "saturate": True},
        lambda result, a: within(result, 0, 2 ** a["self"].bits - 1, shape_of(a["x"])),
    ),
    "formats.floats.FloatFormat.decode": Call(
        floats.FloatFormat.decode, small_codes, lambda result, a: result.shape == shape_of(a["codes"])
    ),
    "formats.floats.FloatFormat.quantize": Call(
        floats.FloatFormat.quantize,
        lambda g: {"self": float_format(g), "x": g.real(g.sizes(3, 4)), "scale": float_scale(g)},
        lambda result, a: finite(a["self"].decode(result)),
    ),
    "formats.floats.FloatFormat.dequantize": Call(
        floats.FloatFormat.dequantize,
        lambda g: small_codes(g) | {"scale": float_scale(g)},
        lambda result, a: finite(result),
    ),
    "formats.blocks.quantize_blocks": Call(
        blocks.quantize_blocks,
        real_blocks,
        lambda result, a: finite(blocks.dequantize_blocks(result, a["name"])),
    ),
    "formats.blocks.dequantize_blocks": Call(blocks.dequantize_blocks, block_bytes, lambda result, a: finite(result)),
    "course.decisions.logit_error": Call(decisions.logit_error, logits, lambda result, a: result >= 0),
    "course.decisions.margins": Call(
        decisions.margins, lambda g: one_logits(g) | {"winners": None}, lambda result, a: finite(result)
    ),
    "course.decisions.margins_in_errors": Call(decisions.margins_in_errors, logits, lambda result, a: finite(result)),
    "course.decisions.with_noise": Call(
        decisions.with_noise,
        lambda g: one_logits(g) | {"size": g.number(0.01, 2.0), "seed": g.whole(0, 99)},
        lambda result, a: result.shape == tuple(a["logits"].shape) and finite(result),
    ),
    "course.decisions.changed": Call(decisions.changed, logits, lambda result, a: 0 <= result <= len(a["logits"])),
    "course.decisions.variation_sqnr_db": Call(decisions.variation_sqnr_db, lambda g: pair(g, least=2), decibels),
}
