"""Lesson NN, TITLE: what its two exercises ask, and which mistakes they name."""

from quantutils.course.exercises.judging import Wrong, exercise, near, the_number


@exercise("NN.1")
def step(answer):
    """The step of 4-bit codes for 0 … 6: 6 / 15 = 0.4."""
    value = the_number(answer, "a step")
    if near(value, 6 / 16):
        raise Wrong("16 codes have 15 steps between them.")
    if near(value, 6 / 4):
        raise Wrong("4 is the number of bits; count the codes that they make.")
    if near(value, 0.2):
        raise Wrong("that is half a step.")
    if not near(value, 0.4):
        raise Wrong("share the width of the range out over the steps between the codes.")
    return "6 / 15 = 0.4 real units."


@exercise("NN.2")
def largest_error(answer):
    """The largest error of rounding to those codes: half a step, 0.2."""
    value = the_number(answer, "the largest error")
    if near(value, 0.4):
        raise Wrong("that is the whole step; the nearest code is never farther than half of it.")
    if near(value, 0.5):
        raise Wrong("half a step is right in codes; multiply it by the step to get real units.")
    if value < 0:
        raise Wrong("an error bound is a distance, so it is positive.")
    if not near(value, 0.2):
        raise Wrong("how far can a number be from the nearer of two codes?")
    return "half a step, 0.2 real units."
