"""Lesson 00, Start here: a first code, a first step size, and the round trip as a function."""

import numpy as np

from quantutils.course.exercises.judging import Wrong, exercise, near, the_array, the_number, the_result_of


@exercise("00.1")
def code_of_a_number(answer):
    """The code of 2.6 at scale 0.5: round(2.6 / 0.5) = round(5.2) = 5."""
    code = the_number(answer, "a code")
    if near(code, 5.2):
        raise Wrong("5.2 is 2.6 / scale, not yet a code: codes are whole numbers, so round it.")
    if near(code, 1.3) or code == 1:
        raise Wrong("you multiplied by the scale; real units become codes by dividing by it.")
    if code == 6:
        raise Wrong("6 is one code too high: round goes to the nearest whole number, not up.")
    if near(code, 2.5):
        raise Wrong("2.5 is the number that comes back, in real units; the code is what is stored.")
    if code != 5:
        raise Wrong("compute 2.6 / 0.5 first, then round to the nearest whole number.")
    return "2.6 / 0.5 = 5.2, and the nearest code is 5; it comes back as 2.5."


@exercise("00.2")
def largest_error(answer):
    """The largest error that rounding can make at scale 0.02: half a step, 0.01."""
    error = the_number(answer, "the largest error")
    if error < 0:
        raise Wrong("an error bound is a distance, so it is positive.")
    if near(error, 0.02):
        raise Wrong("0.02 is the whole step between two codes; the nearest code is never farther than half of it.")
    if near(error, 0.5):
        raise Wrong("0.5 is right in codes; in real units multiply it by the scale.")
    if not near(error, 0.01):
        raise Wrong("two neighbouring codes are 0.02 apart; how far can a number be from the nearer one?")
    return "half a step, scale / 2 = 0.01 real units."


# Arrays of one, two and three axes; in one of them the largest magnitude is negative.
TRIED = (
    (np.array([-0.8, -0.33, 0.1, 0.62, 1.0]), 4),
    (np.array([[3.0, -0.5], [-6.0, 2.2]]), 8),
    (np.linspace(-1.3, 2.0, 12).reshape(2, 3, 2), 3),
    (np.array([-0.8, 0.1, 1.0]), 12),  # codes up to 2047: an int8 would overflow
    (np.array([0.75, -1.5, 0.25, 1.25]), 3),  # steps of 0.5: three ties
)


@exercise("00.3")
def round_trip(answer):
    """A function (x, bits) → x̂: scale = max|x| / (2^(b−1) − 1), x̂ = scale · round(x / scale)."""
    for x, bits in TRIED:
        largest_code = 2 ** (bits - 1) - 1
        scale = np.abs(x).max() / largest_code
        given = the_result_of(answer, x.copy(), bits)
        if given is None:
            raise Wrong("your function returns nothing: its last line is return codes * scale.")
        x_hat = the_array(given, f"x̂ at {bits} bits", x.shape)
        if np.allclose(x_hat, np.round(x / scale)):
            raise Wrong("these are the codes; multiply them by the scale to come back to real units.")
        if np.allclose(x_hat, x):
            raise Wrong("x came back unchanged: divide by the scale, round to whole numbers, and multiply back.")
        for rounded, how in ((np.floor, "down"), (np.ceil, "up"), (np.trunc, "towards zero")):
            if np.allclose(x_hat, scale * rounded(x / scale)):
                raise Wrong(f"you round {how}; round to the nearest whole number instead.")
        for other, what in ((largest_code + 1, "2^(bits − 1)"), (2 * largest_code + 1, "2^bits − 1"), (7, "7")):
            step = np.abs(x).max() / other
            if np.allclose(x_hat, step * np.round(x / step)) and other != largest_code:
                raise Wrong(f"at {bits} bits the largest code is {largest_code}, 2^(bits − 1) − 1; you took {what}.")
        right = scale * np.round(x / scale)
        if np.allclose(x_hat, scale * np.round(x / scale).astype(np.int64).astype(np.int8)) and bits > 8:
            raise Wrong(f"at {bits} bits the codes reach {largest_code}, which int8 cannot hold: leave .astype out.")
        if np.allclose(x_hat, scale * np.floor(x / scale + 0.5)) and not np.allclose(x_hat, right):
            raise Wrong("ties go up in your function; np.round sends them to the even code, as section 5 says.")
        step = x.max() / largest_code
        if np.allclose(x_hat, step * np.round(x / step)) and step != scale:
            raise Wrong("the largest magnitude may be negative: take the maximum of np.abs(x).")
        if not np.allclose(x_hat, right):
            raise Wrong(f"at {bits} bits one step of {x.tolist()} is {scale:.4f}; check the three lines of section 5.")
    return "scale, codes and back, for every width; the largest magnitude comes back as it was."
