"""Lesson 03, Wasted range: wasted codes and bits, data far from zero, and a search for the clipping range."""

import numpy as np

from quantutils.affine import choose_qparams
from quantutils.course.exercises.judging import Wrong, exercise, near, the_number, the_numbers, the_result_of
from quantutils.errors import mse


@exercise("03.1")
def wasted_codes_and_bits(answer):
    """(codes, bits) wasted by −0.3 … 1.0 on −127 … 127: 255 − 166 = 89 codes and log2(255 / 166) = 0.62 bits."""
    wasted, bits = the_numbers(answer, "wasted codes", "wasted bits")
    if near(bits, 89):
        raise Wrong("the order is (wasted codes, wasted bits); yours is the other way round.")
    if near(wasted, 166):
        raise Wrong("wasted codes: 166 codes are reachable; the wasted ones are the other codes of the 255.")
    if wasted in (38, 39):
        raise Wrong("wasted codes: that many negative codes are reachable; the ones below them are wasted.")
    if wasted in (88, 90):
        raise Wrong("wasted codes: off by one. From −38 to 127 there are 38 + 1 + 127 codes, 0 included.")
    if near(wasted, 0):
        raise Wrong("wasted codes: 0 would be the asymmetric mapping; a symmetric one reaches as far down as up.")
    if near(wasted, 127):
        raise Wrong("wasted codes: 127 would be data without negative numbers; −0.3 gets a code too. Which?")
    if not near(wasted, 89):
        raise Wrong("wasted codes: the scale is 1.0 / 127; find the code of −0.3 and count the codes below it.")
    if near(bits, 89 / 255, 5e-3):
        raise Wrong("wasted bits: that is the share of the codes; a bit doubles the codes, so take a logarithm.")
    if near(bits, np.log2(89), 5e-3):
        raise Wrong("wasted bits: that is log2 of the wasted codes; take log2 of all codes / reachable codes.")
    if near(bits, -np.log2(255 / 166), 5e-3):
        raise Wrong("wasted bits: wrong sign, the fraction is upside down: all codes / reachable codes.")
    if near(bits, np.log(255 / 166), 5e-3) or near(bits, np.log10(255 / 166), 5e-3):
        raise Wrong("wasted bits: a logarithm of another base; bits are counted with log2.")
    if near(bits, np.log2(256 / 166), 5e-3):
        raise Wrong("wasted bits: the symmetric mapping has 255 codes, not 256, since it gives up −128.")
    if not near(bits, np.log2(255 / 166), 5e-3):
        raise Wrong("wasted bits: log2(all codes / reachable codes).")
    return "166 of 255 codes are reachable, so 89 codes and log2(255/166) = 0.62 bits are wasted."


@exercise("03.2")
def codes_of_data_far_from_zero(answer):
    """How many of the codes 0 … 255 data between 6 and 10 can reach: the range is 0 … 10, so 153 … 255, 103 codes."""
    codes = the_number(answer, "the number of reachable codes")
    if codes in (255, 256):
        raise Wrong("that needs a range 6 … 10; but the range is widened to contain 0, so that 0.0 has a code.")
    if codes == 153:
        raise Wrong("153 is the code of 6, and so many codes below it are wasted; the question is what remains.")
    if codes in (102, 104):
        raise Wrong("off by one: from 153 to 255, both included, there are 255 − 153 + 1 codes.")
    if codes in (51, 52, 77):
        raise Wrong("that is close to what a symmetric mapping leaves; here the codes 0 … 255 share out 0 … 10.")
    if codes != 103:
        raise Wrong("the range is 0 … 10 and a step is 10 / 255; which code does 6 get, and which does 10?")
    return "6 gets the code 153, so 103 of 256 codes are reachable: 1.3 bits are wasted by an asymmetric mapping."


@exercise("03.3")
def clipping_range(answer):
    """A function (x, bits) → the symmetric clipping range with the least mean squared error, within 5 % of it."""
    cases = [(x, bits) for x in _unseen_data() for bits in (8, 4, 3)]
    found = []
    for x, bits in cases:
        found.append(the_number(the_result_of(answer, x.copy(), bits), "the clipping range c"))
        _judge_range(found[-1], x, bits)
    for (x, bits), c in zip(cases, found, strict=True):
        least = min(_error_of(x, some_c, bits) for some_c in _candidates(x))
        ratio = _error_of(x, c, bits) / least
        if ratio > 1.05:
            if len({round(some_c, 6) for some_c in found[:3]}) == 1:
                raise Wrong(f"c = {c:.3f} for 8, 4 and 3 bits alike; the best range moves with the bit-width.")
            raise Wrong(f"at {bits} bits c = {c:.3f} makes {ratio:.2f} times the least mean squared error.")
    return "within 5 % of the least error on six cases: the range is chosen anew for each bit-width."


def _judge_range(c, x, bits):
    """Raise for a number that cannot be a clipping range of `x` or that one usual slip explains."""
    peak = float(np.abs(x).max())
    if c <= 0:
        raise Wrong(f"c = {c:.3f}, but the range is −c … c, so c is above 0.")
    if near(c, peak) and bits < 8:
        raise Wrong(f"c = {c:.3f} is the largest magnitude at {bits} bits: nothing is clipped, as MinMax does it.")
    if c > 1.001 * peak:
        raise Wrong(f"c = {c:.3f} lies beyond the largest magnitude, {peak:.3f}: a place in a list, or a code?")
    if near(c, min(_error_of(x, some_c, bits) for some_c in _candidates(x)), 0.05):
        raise Wrong("that is the smallest error itself; return the c at which it occurs.")
    if c < 0.1 * peak:
        raise Wrong(f"c = {c:.3f} at {bits} bits clips nearly everything: the error must hold the clipped values too.")


def _unseen_data():
    rng = np.random.default_rng(303)
    return rng.normal(0, 2, 4000), rng.laplace(0, 0.5, 4000)


def _candidates(x):
    return np.linspace(0.02, 1, 50) * float(np.abs(x).max())


def _error_of(x, c, bits):
    return mse(x, choose_qparams(-c, c, bits, symmetric=True).fake_quantize(x))
