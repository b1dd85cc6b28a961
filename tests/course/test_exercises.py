"""Every form of a right answer passes, a wrong one never raises, and each usual mistake is named."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
import torch

from quantutils import MSE, choose_qparams
from quantutils.course.exercises import check, exercise_ids
from quantutils.course.exercises.judging import exercise


def wide(codes):
    return codes.astype(np.int64)


def exact(qa, qb, za, zb):
    return (wide(qa) - za) @ (wide(qb) - zb)


def mean_squared_errors(x, bits):
    """Of a symmetric round trip, for fifty clipping ranges up to the largest magnitude."""
    qmax = 2 ** (bits - 1) - 1
    scales = np.linspace(0.02, 1, 50) * np.abs(x).max() / qmax
    return [np.mean((np.clip(np.round(x / scale), -qmax, qmax) * scale - x) ** 2) for scale in scales]


def shifted(sums, mantissa, shift, zero_point, half=1, clip=True):
    steps = ((sums * mantissa + half * (1 << (shift - 1))) >> shift) + zero_point
    return np.clip(steps, 0, 255) if clip else steps


def five_steps(x, w_codes, w_scale, bias, scaled=True, centred=True, with_zero=True, steps=255):
    low, high = (min(x.min(), 0.0), max(x.max(), 0.0)) if with_zero else (x.min(), x.max())
    scale = (high - low) / steps
    zero_point = np.round(-low / scale)
    codes = np.clip(np.round(x / scale) + zero_point, 0, steps)
    return (codes - centred * zero_point) @ w_codes.T.astype(float) * (scale if scaled else 1.0) * w_scale + bias


def in_range(x, scale, qmin, qmax):
    codes = np.round(x / scale)
    return (codes >= qmin) & (codes <= qmax)


def gptq_step(weights, scale, factor, others=True, divided=True, sign=-1):
    rounded = np.round(weights[0] / scale) * scale
    error = (weights[0] - rounded) / (factor[0, 0] if divided else 1)
    return np.concatenate([[rounded], weights[1:] + others * sign * error * factor[0, 1:]])


def round_trip(x, bits, rounded, largest_code=None):
    """x to symmetric codes and back, rounded in one way or another."""
    scale = np.abs(x).max() / (largest_code or 2 ** (bits - 1) - 1)
    return rounded(x / scale) * scale


WRONG = {
    "00.1": [
        (5.2, "round it"),
        (1.3, "dividing"),
        (1, "dividing"),
        (6, "one code too high"),
        (2.5, "what is stored"),
        (9, "2.6 / 0.5"),
    ],
    "00.2": [(-0.01, "positive"), (0.02, "whole step"), (0.5, "real units"), (0.3, "0.02 apart")],
    "00.3": [
        (lambda x, bits: np.round(x / (np.abs(x).max() / (2 ** (bits - 1) - 1))), "these are the codes"),
        (lambda x, bits: x, "unchanged"),
        (lambda x, bits: round_trip(x, bits, np.floor), "round down"),
        (lambda x, bits: round_trip(x, bits, np.ceil), "round up"),
        (lambda x, bits: round_trip(x, bits, np.trunc), "round towards zero"),
        (lambda x, bits: round_trip(x, bits, np.round, 2 ** (bits - 1)), "you took 2^(bits − 1)"),
        (lambda x, bits: round_trip(x, bits, np.round, 2**bits - 1), "you took 2^bits − 1"),
        (lambda x, bits: round_trip(x, bits, np.round, 7), "you took 7"),
        (lambda x, bits: np.round(x / x.max() * (2 ** (bits - 1) - 1)) * x.max() / (2 ** (bits - 1) - 1), "negative"),
        (lambda x, bits: 2 * x, "three lines"),
        (lambda x, bits: round_trip(x, bits, lambda steps: np.floor(steps + 0.5)), "ties go up"),
        (lambda x, bits: None, "returns nothing"),
        (lambda x, bits: round_trip(x, bits, lambda steps: np.round(steps).astype(np.int64).astype(np.int8)), "int8"),
        (lambda x: x, "raised TypeError"),
        (3, "a function"),
        (lambda x, bits: 0.5, "has shape"),
    ],
    "01.1": [
        (52, "bits as bytes"),
        (6.5e9, "right in bytes"),
        (13, "one byte a parameter"),
        (26, "16 bits"),
        (6.05, "GiB"),
        (7, "times bits"),
    ],
    "01.2": [
        (20, "shared"),
        (4, "leaves the scales out"),
        (4.5, "groups of 32"),
        (8, "wrong way round"),
        (0.25, "what the scale adds"),
        (5, "a share of 16 bits"),
    ],
    "01.3": [
        (62, "swapped"),
        (-29, "signed number"),
        (35, "+2"),
        (163, "sign bit"),
        (1, "adding the codes"),
        (9, "lower four bits"),
    ],
    "02.1": [
        ((4 / 256, 64), "255 steps"),
        ((3 / 127, 0), "symmetric"),
        ((255 / 4, 64), "upside down"),
        ((1.0, 64), "width of the range"),
        ((4 / 255, 63.75), "round it"),
        ((4 / 255, -64), "wrong sign"),
        ((4 / 255, 63), "off by one"),
        ((4 / 255, 0), "nothing below 0"),
        ((4 / 255, 7), "qmin"),
        ((0.0156, 64), "255 steps"),
        ((64, 4 / 255), "the other way round"),
        (4 / 255, "2 numbers"),
        ({"scale": 4 / 255, "zero_point": 64}, "2 numbers"),
        ({4 / 255, 64}, "2 numbers"),
    ],
    "02.2": [
        (lambda x: x / 0.1, "whole numbers"),
        (lambda x: np.round(x / 0.1), "clipped"),
        (lambda x: np.clip(np.round(x / 0.1), -8, 7), "−8 is used"),
        (lambda x: np.clip(np.floor(x / 0.1), -7, 7), "instead of rounding"),
        (lambda x: np.clip(x / (0.7 / 7), -7, 7).astype(np.int8), "instead of rounding"),
        (lambda x: np.clip(np.round(x / 0.1) + 1, -7, 7), "0.0 must"),
        (lambda x: np.clip(np.round(x / 0.15), -7, 7), "got the code"),
        (lambda x: np.clip(np.round(x / (0.7 / 8)), -7, 7), "got the code"),
        (lambda x: np.clip(np.round(x / (1.4 / 15)), -7, 7), "got the code"),
        (lambda x: x[:3], "shape"),
        (lambda x: x.no_such_thing, "AttributeError"),
        (7, "a function"),
    ],
    "02.3": [
        (0.0, "rounded to a code first"),
        (0.25, "real units"),
        (-0.25 * 4 / 255, "wrong sign"),
        (-0.75 * 4 / 255, "nearest code"),
        (0.25 * 4 / 256, "255 steps"),
        (1.0, "63.75"),
    ],
    "03.1": [
        ((166, 0.619), "the other codes"),
        ((38, 0.619), "the ones below them"),
        ((88, 0.619), "off by one"),
        ((0, 0.0), "asymmetric"),
        ((127, 1.0), "without negative numbers"),
        ((35, 0.213), "the code of −0.3"),
        ((89, 89 / 255), "share of the codes"),
        ((89, np.log2(89)), "all codes / reachable codes"),
        ((89, -0.619), "upside down"),
        ((89, np.log(255 / 166)), "another base"),
        ((89, np.log2(256 / 166)), "not 256"),
        ((89, 8.0), "log2(all codes"),
        ((0.619, 89), "the other way round"),
        (89, "2 numbers"),
    ],
    "03.2": [
        (256, "contain 0"),
        (153, "what remains"),
        (102, "off by one"),
        (52, "symmetric"),
        (200, "which code does 6 get"),
    ],
    "03.3": [
        (lambda x, bits: np.abs(x).max(), "MinMax"),
        (lambda x, bits: np.quantile(np.abs(x), 0.99), "moves with the bit-width"),
        (lambda x, bits: np.abs(x).max() * (1 - 0.4 / bits), "times the least"),
        (lambda x, bits: -1.0, "above 0"),
        (lambda x, bits: 40, "a place in a list"),
        (lambda x, bits: 0.02 * np.abs(x).max(), "nearly everything"),
        (lambda x, bits: min(mean_squared_errors(x, bits)), "the smallest error itself"),
        (lambda x, bits: x, "one number"),
        (lambda x: 1.0, "TypeError"),
        (2.4, "a function"),
    ],
    "04.1": [
        (lambda qa, qb, za, zb: wide(qa) @ wide(qb), "Three terms are missing"),
        (lambda qa, qb, za, zb: exact(qa, qb, za, zb) - qa.shape[1] * za * zb, "constant K·za·zb is missing"),
        (lambda qa, qb, za, zb: exact(qa, qb, za, zb) - (qa.shape[1] - 1) * za * zb, "za·zb once for each"),
        (lambda qa, qb, za, zb: exact(qa, qb, za, zb) - 2 * qa.shape[1] * za * zb, "wrong sign"),
        (lambda qa, qb, za, zb: exact(qa, qb, -za, -zb), "they are subtracted"),
        (lambda qa, qb, za, zb: exact(qa, qb, zb, za), "swapped"),
        (lambda qa, qb, za, zb: (qa @ qb.view(np.uint8)).astype(np.int8), "wrapped round"),
        (lambda qa, qb, za, zb: exact(qa, qb, za, zb) + 1, "the first element is"),
        (lambda qa, qb: qa @ qb, "TypeError"),
    ],
    "04.2": [
        (131071, "−128"),
        (66311, "u8 · s8"),
        (133145, "one product too many"),
        ((2**31 - 1) / 127**2, "round down"),
        (2**32 // 127**2, "sign"),
        (2, "int16"),
        (7, "how large can one product get"),
    ],
    "04.3": [
        (66, "cleaner than its factors"),
        (33, "the mean"),
        (30, "adds its noise as well"),
        (-29.03, "wrong sign"),
        (26.99, "30 dB each"),
        (12, "noise shares"),
    ],
    "05.1": [
        (1.2, "each may move half"),
        (4.6, "second largest"),
        (2.3, "second largest"),
        (2.9, "the first logit"),
        (5.0, "no zero that matters"),
        (-0.6, "positive"),
        (0.4, "share that distance"),
    ],
    "05.2": [
        (lambda before, after: np.mean(before.argmax(1) != after.argmax(1)), "a share"),
        (lambda before, after: 100 * np.mean(before.argmax(1) != after.argmax(1)), "a percentage"),
        (lambda before, after: np.sum(before.argmax(1) == after.argmax(1)), "stayed the same"),
        (lambda before, after: np.sum(before.argmax(0) != after.argmax(0)), "axis 1"),
        (lambda before, after: np.sum(before != after), "logits that differ"),
        (lambda before, after: np.sum(before.max(1) != after.max(1)), "arg max, not max"),
        (lambda before, after: before.argmax() != after.argmax(), "a bool"),
        (lambda before, after: int(before.argmax() != after.argmax()), "one decision"),
        (lambda before, after: before.argmax(1), "one number"),
        (lambda before, after: 39, "is right"),
        (lambda before: 3, "TypeError"),
        (15, "a function"),
    ],
    "05.3": [
        ((20, 34.15), "the other way round"),
        ((17.07, 10), "20·log10"),
        ((34.15, 10), "20·log10"),
        ((34.15, 34.15), "must not count"),
        ((34.15, -20), "upside down"),
        ((34.15, 32.04), "divided by 4"),
        ((34.15, 8), "divided by 4"),
        ((34.15, 15), "spreads by 0.1"),
        ((20, 20), "the larger part"),
        ((33.98, 20), "constant alone"),
        ((35.56, 20), "powers add"),
        ((30, 20), "0.5² + 0.1²"),
        (34.15, "2 numbers"),
    ],
    "06.1": [
        (lambda x, w, s, b: five_steps(x, w, s, b) - b, "the bias is missing"),
        (lambda x, w, s, b: five_steps(x, w, 1.0, b), "scale of the weights is missing"),
        (lambda x, w, s, b: five_steps(x, w, s, b, scaled=False), "scale of the activations is missing"),
        (lambda x, w, s, b: five_steps(x, w, 1.0, 0.0, scaled=False), "integer sums"),
        (lambda x, w, s, b: five_steps(x, w, s, b, centred=False), "zero point is still inside"),
        (lambda x, w, s, b: x @ w.T * s + b, "never quantized"),
        (lambda x, w, s, b: five_steps(x, w, s, b, with_zero=False), "the range must contain 0"),
        (lambda x, w, s, b: five_steps(x, w, s, b, steps=15), "the first output is"),
        (lambda x, w: x @ w.T, "TypeError"),
    ],
    "06.2": [
        (4_004_000, "float layer"),
        (1_000_000, "codes alone"),
        (1_004_000, "1000 scales"),
        (1_004_004, "per tensor"),
        (1_002_000, "not 1"),
        (1.008, "asks for bytes"),
        (5, "one byte for each"),
    ],
    "06.3": [
        (255, "one scale for each token"),
        (2, "count 0"),
        (1, "rounds to one step"),
        (2.55, "codes are whole"),
        (9, "on either side"),
    ],
    "08.1": [
        (lambda x, g, s, lo, hi: g, "clipped numbers get a gradient too"),
        (lambda x, g, s, lo, hi: np.where(in_range(x, s, lo, hi), 0, g), "the wrong way round"),
        (lambda x, g, s, lo, hi: in_range(x, s, lo, hi) * 1.0, "multiply it by the gradient"),
        (lambda x, g, s, lo, hi: 0 * x, "true slope of the staircase"),
        (lambda x, g, s, lo, hi: np.where(in_range(x, s, lo, hi), g / s, 0), "the scale cancels"),
        (lambda x, g, s, lo, hi: np.where(in_range(x, s, lo, hi), g * s, 0), "the scale cancels"),
        (lambda x, g, s, lo, hi: np.where((x >= lo) & (x <= hi), g, 0), "divide x by the scale first"),
        (lambda x, g, s, lo, hi: np.where((x / s >= lo) & (x / s <= hi), g, 0), "Round before you compare"),
        (lambda x, g, s, lo, hi: np.where(in_range(x, s, lo + 1, hi - 1), g, 0), "are inside"),
        (lambda x, g, s, lo, hi: np.where(in_range(x, s, lo, 100), g, 0), "the codes reach from"),
    ],
    "08.2": [
        ((-4, -0.4), "wrong order"),
        ((0.4, -4), "wrong sign"),
        ((2, -4), "2 is the rounded code"),
        ((-0.1, -4), "real units"),
        ((0.7, -4), "inside the range"),
        ((-0.4, 0), "slope for x"),
        ((-0.4, -8), "it is clipped"),
        ((-0.4, 4), "negative"),
        ((-0.4, 1.5), "the slope is that code"),
    ],
    "08.3": [
        (428, "trained less"),
        (115, "without rounding"),
        (-313, "wrong sign"),
        (0.626, "not for a share"),
        (0.731, "share of the whole gain"),
        (300, "subtract"),
    ],
    "09.1": [(4, "code alone"), (36, "divide"), (5, "groups of 32"), (4.25, "16-bit"), (0.5625, "bytes"), (8, "add")],
    "09.2": [
        (lambda w, s, u: w, "as they came"),
        (lambda w, s, u: gptq_step(w, s, u, others=False), "do not make up"),
        (lambda w, s, u: np.concatenate([w[:1], gptq_step(w, s, u)[1:]]), "not rounded yet"),
        (lambda w, s, u: np.concatenate([np.round(w[:1] / s), gptq_step(w, s, u)[1:]]), "code · scale"),
        (lambda w, s, u: gptq_step(w, s, u, divided=False), "not divided"),
        (lambda w, s, u: gptq_step(w, s, u, sign=1), "wrong sign"),
        (lambda w, s, u: np.round(w / s) * s, "rounding to nearest"),
        (lambda w, s, u: gptq_step(w, s, u) + np.eye(4)[3], "weight 3 is"),
        (lambda w, s, u: gptq_step(w, s, u)[:3], "shape"),
    ],
    "07.1": [
        (lambda a, m, n, z: shifted(a, m, n, z, half=0), "rounds down"),
        (lambda a, m, n, z: shifted(a, m, n, z, clip=False), "clip them"),
        (lambda a, m, n, z: shifted(a, m, n, 0), "zero point of the output is missing"),
        (lambda a, m, n, z: shifted(a, m, n, 0) + z, "clip after adding"),
        (lambda a, m, n, z: shifted(a, m, n, -z), "added, not subtracted"),
        (lambda a, m, n, z: shifted(a, m, n + 1, z), "codes differ"),
        (lambda a: a, "TypeError"),
    ],
    "07.2": [
        (30_528, "still take"),
        (122_112, "floats take"),
        (2862, "batch has 32"),
        (91.584, "asks for bytes"),
        (5, "times 32 inputs"),
    ],
    "07.3": [
        (16.99, "50 · 50 times"),
        (-33.98, "positive"),
        (5.64, "6.02 dB"),
        (50, "into decibels"),
        (12, "with its square"),
    ],
}
NONSENSE = [
    *(None, "five", "5", True, [], {}, float("nan"), float("inf"), 1j, object(), np.zeros((2, 2)), lambda: None, -1e9),
    *(np.True_, np.array("5"), np.complex128(5 + 3j), [1, [2]], b"\xe3", 10**400, [10**400, 1], iter("ab")),
    *(torch.ones(1, requires_grad=True), torch.ones(2, requires_grad=True)),
]


def clipping_search(x, bits, candidates):
    """The candidate with the least error; unlike the judge, in float32 and by hand."""
    x, qmax = x.astype(np.float32), np.float32(2 ** (bits - 1) - 1)
    errors = [np.mean((np.clip(np.round(x * qmax / c), -qmax, qmax) * c / qmax - x) ** 2) for c in candidates]
    return candidates[int(np.argmin(errors))]


def four_terms(qa, qb, za, zb, dtype):
    a, b = qa.astype(dtype), qb.astype(dtype)
    return a @ b - zb * a.sum(1, keepdims=True) - za * b.sum(0) + a.shape[1] * za * zb


RIGHT = {
    "00.1": [5, 5.0, round(2.6 / 0.5), np.int8(5), np.float32(5), np.array(5), [5], Fraction(5), torch.tensor(5)],
    "00.2": [0.01, 0.02 / 2, np.float32(0.01), np.float16(0.01), Fraction(1, 100), Decimal("0.01"), np.array([0.01])],
    "00.3": [
        lambda x, bits: round_trip(x, bits, np.round),
        lambda x, bits: round_trip(x, bits, np.rint).astype(np.float32),
        lambda x, bits: choose_qparams(-np.abs(x).max(), np.abs(x).max(), bits, symmetric=True).fake_quantize(x),
    ],
    "01.1": [6.5, 13e9 * 4 / 8 / 1e9, np.float32(6.5), Fraction(13, 2)],
    "01.2": [4.25, 4 + 16 / 64, 272 / 64, np.float16(4.25)],
    "01.3": [227, 0xE3, 227.0, 3 | 14 << 4, 3 + 16 * (16 - 2), np.uint8(227), np.array([227], np.uint8)],
    "02.1": [
        (4 / 255, 64),
        [0.0157, 64],
        (0.01569, 64.0),
        np.array([4 / 255, 64]),
        (np.float32(4 / 255), np.uint8(64)),
        (np.array([4 / 255]), np.array(64)),
        (4 / 255, round(63.75)),
    ],
    "02.2": [
        lambda x: np.clip(np.round(x / (0.7 / 7)), -7, 7),
        lambda x: np.clip(np.round(x / 0.1), -7, 7).astype(np.int8),
        lambda x: np.clip(np.rint(x * 10), -7, 7).astype(int),
        lambda x: np.clip(np.floor(x / 0.1 + 0.5), -7, 7),
        lambda x: np.round(np.clip(x, -0.7, 0.7) / 0.1).astype(np.int8),
        lambda x: np.sign(x) * np.minimum(np.floor(np.abs(x) / 0.1 + 0.5), 7),
        lambda x: [max(-7, min(7, round(value / 0.1))) for value in x],
        lambda x: tuple(max(-7, min(7, round(float(value) * 7 / 0.7))) for value in x),
        lambda x: torch.clamp(torch.round(torch.tensor(x) / 0.1), -7, 7),
        lambda x: np.clip(np.round(x.astype(np.float32) / np.float32(0.1)), -7, 7),
    ],
    "02.3": [0.25 * 4 / 255, 1 / 255, 0.00392, 0.0039, np.float32(1 / 255), (64 - 63.75) * 4 / 255, [1 / 255]],
    "03.1": [
        (89, np.log2(255 / 166)),
        [89, 0.62],
        (89.0, 0.619),
        np.array([89, 0.6193]),
        (np.int64(89), np.float32(0.619)),
    ],
    "03.2": [103, 103.0, np.int64(103), 255 - round(6 / (10 / 255)) + 1, np.array(103)],
    "03.3": [
        lambda x, bits: clipping_search(x, bits, np.linspace(0.02, 1, 50) * np.abs(x).max()),
        lambda x, bits: clipping_search(x, bits, np.linspace(0.1, 1, 200) * np.abs(x).max()),
        lambda x, bits: clipping_search(x, bits, np.geomspace(0.1, 1, 40) * np.abs(x).max()).astype(np.float32),
        lambda x, bits: MSE().observe(x).qparams(bits, symmetric=True).real_range[1],
        lambda x, bits: [clipping_search(x, bits, np.linspace(0.05, 1, 60) * np.abs(x).max())],
    ],
    "04.1": [
        exact,
        lambda *given: four_terms(*given, np.int64),
        lambda *given: four_terms(*given, np.int32),
        lambda *given: four_terms(*given, np.float32),
        lambda *given: four_terms(*given, np.int64).tolist(),
        lambda *given: torch.tensor(exact(*given)),
    ],
    "04.2": [133144, 133144.0, (2**31 - 1) // 127**2, np.int64(133144), np.floor((2**31 - 1) / 127**2)],
    "04.3": [-10 * np.log10(10**-3.0 + 10**-3.6), 29.03, 29.0, 29, 29.0268, np.float32(29.03)],
    "05.1": [0.6, (5.0 - 3.8) / 2, 3 / 5, np.float32(0.6), Fraction(3, 5), [0.6]],
    "05.2": [
        lambda before, after: int((np.argmax(before, axis=1) != np.argmax(after, axis=1)).sum()),
        lambda before, after: np.sum(before.argmax(1) != after.argmax(1)),
        lambda before, after: sum(int(a.argmax()) != int(b.argmax()) for a, b in zip(before, after, strict=True)),
        lambda before, after: torch.sum(torch.tensor(before).argmax(1) != torch.tensor(after).argmax(1)),
        lambda before, after: float(np.count_nonzero(before.argmax(-1) - after.argmax(-1))),
    ],
    "05.3": [
        (10 * np.log10((0.5**2 + 0.1**2) / 0.01**2), 10 * np.log10(0.1**2 / 0.01**2)),
        (34.15, 20),
        [34.1, 20.0],
        np.array([34.2, 20.0]),
        (20 * np.log10(np.hypot(0.5, 0.1) / 0.01), 20 * np.log10(0.1 / 0.01)),
    ],
    "06.1": [
        lambda x, w, s, b: five_steps(x, w, s, b),
        lambda x, w, s, b: five_steps(x, w, s, b).astype(np.float32),
        lambda x, w, s, b: five_steps(x, w, s, b).tolist(),
    ],
    "06.2": [1_008_000, 1_008_000.0, 1000 * 1000 + 8 * 1000, np.int64(1_008_000)],
    "06.3": [3, 3.0, 2 * round(1 / (200 / 255)) + 1, np.int8(3)],
    "08.1": [
        lambda x, g, s, lo, hi: np.where(in_range(x, s, lo, hi), g, 0.0),
        lambda x, g, s, lo, hi: g * in_range(x, s, lo, hi),
        lambda x, g, s, lo, hi: (g * in_range(x, s, lo, hi)).astype(np.float32),
        lambda x, g, s, lo, hi: [b if lo <= round(a / s) <= hi else 0 for a, b in zip(x, g, strict=True)],
    ],
    "08.2": [(2 - 0.6 / 0.25, -4), (-0.4, -4.0), [-0.4, -4], np.array([-0.4, -4.0])],
    "08.3": [492 - 179, 313.0, np.int64(313)],
    "09.1": [4.5, 4 + 32 / 64, Fraction(9, 2)],
    "09.2": [gptq_step, lambda *given: gptq_step(*given).tolist(), lambda *given: gptq_step(*given).astype("float32")],
    "07.1": [shifted, lambda *given: shifted(*given).astype(np.uint8), lambda *given: shifted(*given).tolist()],
    "07.2": [91_584, 91_584.0, np.int64(91_584)],
    "07.3": [20 * np.log10(50), 33.98, 34, 34.0],
}


def test_every_exercise_has_right_answers_in_several_forms_and_usual_wrong_ones():
    # 09.3 asks for a whole model, which takes its time: tests/course/test_exercise_budget.py.
    assert sorted(RIGHT) == sorted(WRONG) == [key for key in exercise_ids() if key != "09.3"]
    assert all(len(answers) >= 3 for answers in [*RIGHT.values(), *WRONG.values()])


@pytest.mark.parametrize(("exercise_id", "answer"), [(k, answer) for k, answers in RIGHT.items() for answer in answers])
def test_every_form_of_a_right_answer_passes_with_the_same_words(exercise_id, answer):
    verdict = check(exercise_id, answer)
    assert verdict.passed, verdict
    assert verdict.message == check(exercise_id, RIGHT[exercise_id][0]).message


@pytest.mark.parametrize(
    ("exercise_id", "answer", "phrase"), [(k, *pair) for k, pairs in WRONG.items() for pair in pairs]
)
def test_usual_mistake_is_named(exercise_id, answer, phrase):
    verdict = check(exercise_id, answer)
    assert not verdict.passed
    assert phrase in verdict.message


@pytest.mark.parametrize("exercise_id", exercise_ids())
def test_nonsense_never_raises_and_never_passes(exercise_id):
    for answer in [*NONSENSE, ...]:
        verdict = check(exercise_id, answer)
        assert not verdict.passed
        assert len(verdict.message.split()) > 4


def test_unknown_exercise_names_those_that_exist():
    with pytest.raises(ValueError, match=r"exercise_id is '99\.1'; accepted: one of 00\.1"):
        check("99.1", 0)


def test_a_number_of_an_exercise_is_taken_once():
    with pytest.raises(ValueError, match=r"exercise_id is '00\.1', which is taken; accepted: a new one"):
        exercise("00.1")(lambda answer: "right")
    assert check("00.1", RIGHT["00.1"][0]).passed


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_an_array_with_one_number_that_is_not_finite_is_wrong_in_words(bad):
    verdict = check("04.1", lambda *given: np.where(exact(*given) > 0, bad, exact(*given)))
    assert not verdict.passed
    assert "finite numbers only, and your answer holds NaN or infinity" in verdict.message
