"""Lesson 02, Symmetric and asymmetric mapping: parameters by hand, a quantizer, and a lost zero."""

import numpy as np

from quantutils.affine import choose_qparams
from quantutils.course.exercises.judging import Wrong, exercise, near, the_array, the_number, the_numbers, the_result_of


@exercise("02.1")
def parameters_of_a_range(answer):
    """(scale, zero_point) of −1 … 3 in unsigned 8-bit codes: 4 / 255 and 64."""
    scale, zero_point = the_numbers(answer, "scale", "zero_point")
    if near(zero_point, 4 / 255):
        raise Wrong("the order is (scale, zero_point); yours is the other way round.")
    if near(scale, 4 / 256, 2e-3):
        raise Wrong("scale: you divided by 256, but 256 codes have only 255 steps between them.")
    if near(scale, 3 / 127) or near(scale, 3 / 255):
        raise Wrong("scale: that is the symmetric mapping; here the whole width, 3 − (−1) = 4, is shared out.")
    if near(scale, 255 / 4):
        raise Wrong("scale: upside down. It is real units per code, so width / steps.")
    if not near(scale, 4 / 255):
        raise Wrong("scale: divide the width of the range by the number of steps between 256 codes.")
    if near(zero_point, 63.75):
        raise Wrong("zero_point: 63.75 is the place of 0.0 between two codes; a zero point is a code, so round it.")
    if near(zero_point, -64):
        raise Wrong("zero_point: wrong sign. The lowest code, 0, stands for −1, so 0.0 lies 64 codes above it.")
    if near(zero_point, 63):
        raise Wrong("zero_point: off by one code; 63.75 rounds to the nearest whole number.")
    if near(zero_point, 0):
        raise Wrong("zero_point: 0 would make the lowest code stand for 0.0, and nothing below 0 could be stored.")
    if not near(zero_point, 64):
        raise Wrong("zero_point: qmin − low / scale, rounded; here qmin is 0 and low is −1.")
    return "scale 4/255 = 0.0157, and 0.0 sits at 63.75, so its code is 64."


@exercise("02.2")
def symmetric_quantizer(answer):
    """A function from real numbers to 4-bit symmetric codes, largest magnitude 0.7."""
    # None of them halfway between two codes: x / 0.1, x · 10 and x / (0.7 / 7) differ there in the last bit.
    x = np.array([0.0, 0.04, 0.17, -0.23, 0.44, -0.66, 0.68, 0.9, -2.0], np.float64)
    right = choose_qparams(-0.7, 0.7, bits=4, symmetric=True).quantize(x).astype(np.float64)
    codes = the_array(the_result_of(answer, x.copy()), "the array of codes", x.shape)
    if not np.array_equal(codes, np.round(codes)):
        raise Wrong("codes are whole numbers: round x / scale.")
    steps = x / 0.1
    if np.max(np.abs(codes)) > 8:
        raise Wrong("some codes lie outside −7 … 7: values beyond the range must be clipped.")
    if codes[-1] == -8:
        raise Wrong("−8 is used; the symmetric range gives up the lowest code and ends at −7.")
    if np.array_equal(codes, np.clip(np.floor(steps), -7, 7)) or np.array_equal(codes, np.clip(np.trunc(steps), -7, 7)):
        raise Wrong(
            "you cut off instead of rounding: 0.17 / 0.1 = 1.7 lies nearer to 2, and −0.23 / 0.1 = −2.3 nearer to −2."
        )
    if codes[0] != 0:
        raise Wrong("0.0 must have the code 0: a symmetric mapping has no zero point to add.")
    if not np.array_equal(codes, right):
        place = int(np.argmax(codes != right))
        raise Wrong(
            f"x = {x[place]} got the code {codes[place]:.0f}, and {right[place]:.0f} is right; scale is 0.7 / 7."
        )
    return "divide by scale = 0.7 / 7, round half to even, clip to −7 … 7: all nine codes are right."


@exercise("02.3")
def lost_zero(answer):
    """What 0.0 comes back as if −1 … 3 is mapped to 0 … 255 without rounding the place of zero: 0.25 · 4 / 255."""
    value = the_number(answer, "the number that comes back")
    right = 0.25 * 4 / 255
    if near(value, 0.0) and value == 0.0:
        raise Wrong("0.0 comes back exactly only if its place, 63.75, is rounded to a code first. Here it is not.")
    if near(value, 0.25):
        raise Wrong("0.25 is right in codes (64 − 63.75); multiply by the scale to get real units.")
    if near(value, -right):
        raise Wrong("right size, wrong sign: code 64 lies above 63.75, so the number that comes back is above 0.")
    if near(value, -0.75 * 4 / 255):
        raise Wrong("you rounded 63.75 down to 63; the nearest code is 64.")
    if near(value, 0.25 * 4 / 256, 1e-4):
        raise Wrong("you divided by 256, but 256 codes have only 255 steps between them.")
    if not near(value, right, 6e-3):  # 0.0039 will do
        raise Wrong("code = round(0 / scale + 63.75), and back: scale · (code − 63.75).")
    return "0.25 codes, 0.0039 real units: every zero in the data would come back as 0.0039."
