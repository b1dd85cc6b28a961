"""Lesson 08, Quantization-aware training: a gradient passed straight through, one for the scale, and a fair control."""

import numpy as np

from quantutils.course.exercises.judging import Wrong, exercise, near, the_array, the_number, the_numbers, the_result_of


@exercise("08.1")
def straight_through_backward(answer):
    """A function of (x, gradient, scale, qmin, qmax): the gradient where the rounded code is in range, 0 elsewhere."""
    x = np.array([0.0, 0.26, -0.74, 1.4, 1.6, -1.9, -2.2, 2.6, -9.0, 40.0])
    gradient = np.array([0.5, -2.0, 3.0, 1.5, -0.25, 4.0, 7.0, -5.0, 6.0, 8.0])
    scale, qmin, qmax = 0.5, -4, 3
    codes = np.round(x / scale)
    inside = (codes >= qmin) & (codes <= qmax)
    given = the_array(
        the_result_of(answer, x.copy(), gradient.copy(), scale, qmin, qmax), "the gradient for x", x.shape
    )
    steps = x / scale
    within = (steps >= qmin) & (steps <= qmax)
    mistakes = (
        (gradient, "clipped numbers get a gradient too; far outside the range the staircase is flat, so pass 0 there."),
        (
            np.where(inside, 0.0, gradient),
            "the wrong way round: inside the range the gradient passes, outside it is 0.",
        ),
        (inside * 1.0, "that is the slope, 1 or 0; multiply it by the gradient that comes in."),
        (np.zeros(x.size), "all zero: that is the true slope of the staircase, with which nothing is ever trained."),
        (
            np.where(inside, gradient / scale, 0.0),
            "the scale cancels: divided by before rounding, multiplied by after.",
        ),
        (
            np.where(inside, gradient * scale, 0.0),
            "the scale cancels: divided by before rounding, multiplied by after.",
        ),
        (
            np.where((x >= qmin) & (x <= qmax), gradient, 0.0),
            "x was compared with qmin and qmax, but these are codes: divide x by the scale first.",
        ),
        (
            np.where(within, gradient, 0.0),
            "1.6 is 3.2 steps: it rounds to the last code, 3, so it counts as inside. Round before you compare.",
        ),
        (
            np.where((codes > qmin) & (codes < qmax), gradient, 0.0),
            "the last codes themselves, qmin and qmax, are inside.",
        ),
    )
    if np.allclose(given, np.where(inside, gradient, 0.0)):
        return "the gradient passes where the code lies within −4 … 3, at 3.2 steps too, and is 0 where x is clipped."
    for wrong, text in mistakes:
        if np.allclose(given, wrong):
            raise Wrong(text)
    place = int(np.argmax(~np.isclose(given, np.where(inside, gradient, 0.0))))
    raise Wrong(
        f"x = {x[place]} with the gradient {gradient[place]} got {given[place]:.3g};"
        f" its rounded code is {codes[place]:.0f}, and the codes reach from −4 to 3."
    )


@exercise("08.2")
def slope_for_the_scale(answer):
    """LSQ's slope for x = 0.6 and x = −2 at scale 0.25, codes −4 … 3: −0.4 and −4."""
    inside, outside = the_numbers(answer, "the slope for x = 0.6", "the slope for x = −2")
    if near(inside, -4) and near(outside, -0.4, 1e-3):
        raise Wrong("right numbers, wrong order: first x = 0.6, then x = −2.")
    if near(inside, 0.4, 1e-3):
        raise Wrong("x = 0.6: wrong sign. It is round(x/s) − x/s, not the other way round.")
    if near(inside, 2):
        raise Wrong("x = 0.6: 2 is the rounded code; x/s = 2.4 depends on the scale as well, so subtract it.")
    if near(inside, -0.1, 1e-3):
        raise Wrong("x = 0.6: −0.1 is in real units; the slope is counted in steps, so divide by the scale.")
    if not near(inside, -0.4, 1e-3):
        raise Wrong("x = 0.6: it is x/s = 2.4 steps, inside the range. The slope is round(x/s) − x/s.")
    if near(outside, 0):
        raise Wrong("x = −2: 0 is the slope for x. For the scale it is the last code, because x̂ = s · code.")
    if near(outside, -8):
        raise Wrong("x = −2: −8 steps would be its place, but the codes end at −4: it is clipped.")
    if near(outside, 4):
        raise Wrong("x = −2: it lies at the lower end, so the last code is negative.")
    if not near(outside, -4):
        raise Wrong("x = −2: it is clipped, so x̂ = s · (last code), and the slope is that code.")
    return "inside −0.4, a pull of less than half a step; clipped −4, the last code."


@exercise("08.3")
def given_by_the_method(answer):
    """Right answers of QAT less those of the control: 492 − 179 = 313."""
    count = the_number(answer, "the number of right answers")
    if count == 428:
        raise Wrong("that compares with a network that was trained less; the difference has two causes then.")
    if count == 115:
        raise Wrong("that is what more training gave without rounding: the part to leave out.")
    if count == -313:
        raise Wrong("right size, wrong sign: training with rounding has more right answers than the control.")
    if near(count, 0.626, 1e-2) or near(count, 62.6, 1e-2):
        raise Wrong("the question asks for a number of answers, not for a share.")
    if near(count, 313 / 428, 1e-2) or near(count, 31300 / 428, 1e-2):
        raise Wrong("that is the share of the whole gain; the question asks for a number of answers.")
    if count != 313:
        raise Wrong("subtract the count of the control from that of the network with trained scales.")
    return "492 − 179: against the control, which had as much training, the gain is 313."
