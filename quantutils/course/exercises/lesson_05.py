"""Lesson 05, Why networks tolerate it: a safe error, changed decisions, and decibels that a constant buys."""

import numpy as np

from quantutils.course.exercises.judging import Wrong, exercise, near, the_number, the_numbers, the_result_of


@exercise("05.1")
def safe_error(answer):
    """The largest error of every logit that cannot change the decision of (2.1, 5.0, 3.8, 0.4): 1.2 / 2."""
    d = the_number(answer, "d")
    if near(d, 1.2):
        raise Wrong("1.2 is the margin. The winner can fall while the second one rises, so each may move half of it.")
    if near(d, 4.6) or near(d, 2.3):
        raise Wrong("you measured the distance to the smallest logit; the second largest is the one that can win.")
    if near(d, 2.9) or near(d, 1.45):
        raise Wrong("you compared the winner with the first logit, 2.1; the second largest is 3.8.")
    if near(d, 5.0) or near(d, 2.5):
        raise Wrong("a logit has no zero that matters: only its distance to the other logits counts.")
    if near(d, -0.6):
        raise Wrong("right size, but the largest possible error is a positive number.")
    if not near(d, 0.6):
        raise Wrong("subtract the second largest logit from the largest, and share that distance between the two.")
    return "the margin is 1.2, and two logits that move towards each other use it up at 0.6 each."


@exercise("05.2")
def changed_decisions(answer):
    """A function that counts the rows whose arg max differs."""
    rng = np.random.default_rng(52)
    before = rng.normal(size=(40, 6))
    after = before + 0.6 * rng.normal(size=before.shape)
    first, last = before.argmax(axis=1), after.argmax(axis=1)
    right = int((first != last).sum())
    count = the_number(the_result_of(answer, before.copy(), after.copy()), "the count")
    if near(count, right / len(before)):
        raise Wrong("that is a share; the answer is a count of images.")
    if near(count, 100 * right / len(before)) and count != right:
        raise Wrong("that is a percentage; the answer is a count of images.")
    if count == len(before) - right:
        raise Wrong("those are the decisions that stayed the same; count the others.")
    if count == int((before.argmax(axis=0) != after.argmax(axis=0)).sum()):
        raise Wrong("your arg max runs over the images; each image decides over its classes, axis 1.")
    if count == int((before != after).sum()):
        raise Wrong("you counted logits that differ; nearly all of them do. A decision is the place of the largest.")
    if count == int((before.max(axis=1) != after.max(axis=1)).sum()):
        raise Wrong("you compared the largest logits; compare their places: arg max, not max.")
    if count == int(before.argmax() != after.argmax()):
        raise Wrong("one arg max over the whole array is one decision; every image has its own: axis 1.")
    if count != right:
        raise Wrong(f"for 40 images of 6 classes your count is {count:g}, and {right} is right.")
    return f"{right} of 40 images have their largest logit in another place, and that is what you counted."


@exercise("05.3")
def decibels_of_a_constant(answer):
    """(whole, variation) in decibels behind a nearly linear sigmoid: 10·log10(0.26 / 0.0001) = 34.15, and 20."""
    whole, variation = the_numbers(answer, "whole", "variation")
    right = 10 * np.log10(0.26 / 1e-4)
    if near(whole, 20, 3e-3) and near(variation, right, 3e-3):
        raise Wrong("the order is (whole, variation); yours is the other way round.")
    if near(whole, right / 2, 3e-3) or near(variation, 10):
        raise Wrong("powers are squares: 10·log10 of a ratio of squares, or 20·log10 of a ratio of sizes.")
    if near(variation, right, 3e-3):
        raise Wrong("variation: the constant 0.5 must not count here; only 0.1 against 0.01 does.")
    if near(variation, -20):
        raise Wrong("variation: upside down, the noise stands below the fraction line.")
    if near(variation, 8, 5e-3) or near(variation, 32, 5e-3):
        raise Wrong("variation: the slope 1/4 makes signal and noise smaller alike, so both are divided by 4.")
    if not near(variation, 20, 3e-3):
        raise Wrong("variation: behind the sigmoid it spreads by 0.1, with a noise of 0.01.")
    if near(whole, 20, 3e-3):
        raise Wrong("whole: the mean 0.5 counts as signal here, and it is the larger part of it.")
    if near(whole, 10 * np.log10(0.25 / 1e-4), 1e-3):
        raise Wrong("whole: that is the constant alone; the variation 0.1 is part of the signal, too.")
    if near(whole, 10 * np.log10(0.36 / 1e-4), 1e-3):
        raise Wrong("whole: powers add, not sizes: 0.5² + 0.1², not (0.5 + 0.1)².")
    if not near(whole, right, 3e-3):  # 34.1 and 34.2 will do
        raise Wrong("whole: the signal's power is 0.5² + 0.1², that of the noise 0.01².")
    return "34.1 dB with the constant and 20 dB without: a mean of 0.5 buys 14 dB and carries no information."
