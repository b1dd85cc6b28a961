"""Lesson 00, Start here: a first code and a first step size."""

from quantutils.course.exercises.judging import Wrong, exercise, near, the_number


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
