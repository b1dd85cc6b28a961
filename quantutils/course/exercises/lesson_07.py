"""Lesson 07, Static quantization: requantization in integers, bytes between layers, and a shared stub."""

import numpy as np

from quantutils.course.exercises.judging import Wrong, exercise, near, the_array, the_number, the_result_of


@exercise("07.1")
def requantize_in_integers(answer):
    """A function of (sums, mantissa, shift, zero_point): codes 0 … 255 by one product and one rounding shift."""
    rng = np.random.default_rng(71)
    sums, shift, zero_point = rng.integers(-60_000, 60_000, (4, 25)), 38, 100
    mantissa = 1_300_000_000
    steps = (sums * mantissa + (1 << (shift - 1))) >> shift
    right = np.clip(steps + zero_point, 0, 255)
    given = the_array(the_result_of(answer, sums.copy(), mantissa, shift, zero_point), "the codes", right.shape)
    mistakes = (
        (np.clip(((sums * mantissa) >> shift) + zero_point, 0, 255), "the shift rounds down: add half a step first."),
        (steps + zero_point, "codes outside 0 … 255 are left: clip them."),
        (np.clip(steps, 0, 255), "the zero point of the output is missing."),
        (np.clip(steps, 0, 255) + zero_point, "clip after adding the zero point, not before."),
        (np.clip(steps - zero_point, 0, 255), "the zero point is added, not subtracted: 0.0 must become its code."),
    )
    for wrong, text in mistakes:
        if np.array_equal(given, wrong) and not np.array_equal(wrong, right):
            raise Wrong(text)
    if not np.array_equal(given, right):
        count = int(np.sum(given != right))
        raise Wrong(
            f"{count} of {right.size} codes differ. Multiply, add half a step, shift, add the zero point, clip."
        )
    return "all codes agree, the clipped ones too, and no float was needed."


@exercise("07.2")
def bytes_saved(answer):
    """Three tensors of 512, 314 and 128 numbers for each of 32 inputs, 3 bytes saved a number: 91,584."""
    saved = the_number(answer, "the number of bytes")
    numbers = 32 * (512 + 314 + 128)
    if saved == numbers:
        raise Wrong("that is what the codes still take; the question asks for what is saved.")
    if saved == 4 * numbers:
        raise Wrong("that is what the floats take; the codes take a byte each.")
    if saved == 3 * numbers / 32:
        raise Wrong("that is for one input; the batch has 32.")
    if near(saved, 3 * numbers / 1000):
        raise Wrong("the question asks for bytes.")
    if saved != 3 * numbers:
        raise Wrong("count the numbers between the layers, times 32 inputs, times the bytes that each gets shorter.")
    return "32 · 954 numbers, each 3 bytes shorter."


@exercise("07.3")
def decibels_lost(answer):
    """A scale 50 times too coarse costs 20·log10(50) = 33.98 dB."""
    lost = the_number(answer, "the loss in decibels")
    if near(lost, 10 * np.log10(50), 0.01):
        raise Wrong("the step is 50 times as large, so the power of the error is 50 · 50 times as large.")
    if near(lost, -20 * np.log10(50), 0.01):
        raise Wrong("the size is right; a loss is asked for, so the number is positive.")
    if near(lost, np.log2(50), 0.01):
        raise Wrong("that is the loss in bits; a bit is 6.02 dB.")
    if near(lost, 50) or near(lost, 2500):
        raise Wrong("that is a ratio; turn it into decibels.")
    if not near(lost, 20 * np.log10(50), 0.01):
        raise Wrong("how many times as large is the step? The error's power grows with its square.")
    return "a factor of 50 in the step is 34 dB, more than five of the eight bits."
