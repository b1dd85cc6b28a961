"""Lesson 04, Quantized matrix product: the terms put together, a safe K, and a noise budget."""

import numpy as np

from quantutils.course.exercises.judging import Wrong, exercise, near, the_array, the_number, the_result_of


@exercise("04.1")
def corrected_product(answer):
    """A function of (qa, qb, za, zb) that returns Σ(qa − za)(qb − zb) as integers."""
    rng = np.random.default_rng(41)
    qa = rng.integers(0, 256, (3, 40)).astype(np.uint8)
    qb = rng.integers(-128, 128, (40, 5)).astype(np.int8)
    za, zb = 117, -9
    a, b = qa.astype(np.int64), qb.astype(np.int64)
    product, rows, columns = a @ b, a.sum(1, keepdims=True), b.sum(0, keepdims=True)
    constant = qa.shape[1] * za * zb
    right = (a - za) @ (b - zb)
    given = the_array(the_result_of(answer, qa.copy(), qb.copy(), za, zb), "the product", right.shape)
    mistakes = (
        (product, "that is Σ qa·qb alone: the zero points are still inside. Three terms are missing."),
        (
            product - zb * rows - za * columns,
            "the constant K·za·zb is missing: it was subtracted twice, so add it once.",
        ),
        (
            product - zb * rows - za * columns + za * zb,
            "the constant is K·za·zb: za·zb once for each of the K products.",
        ),
        (product - zb * rows - za * columns - constant, "the constant has the wrong sign: (−za)·(−zb) is positive."),
        (
            product + zb * rows + za * columns + constant,
            "the row and column terms have the wrong sign: they are subtracted.",
        ),
        (
            product - za * rows - zb * columns + constant,
            "za and zb are swapped: Σ qa over a row goes with zb, Σ qb with za.",
        ),
    )
    for wrong, text in mistakes:
        if np.array_equal(given, wrong):
            raise Wrong(text)
    if np.max(np.abs(given)) < 256 and np.max(np.abs(right)) > 256:
        raise Wrong("all results are tiny: an 8-bit product wrapped round. Convert the codes to a wider integer first.")
    if not np.array_equal(given, right):
        raise Wrong(
            f"the first element is {given[0, 0]:.0f}, and {right[0, 0]} is right. Try it on a 1 × 2 by 2 × 1 case."
        )
    return "all 15 elements equal Σ(qa − za)(qb − zb), from sums of codes alone."


@exercise("04.2")
def safe_k(answer):
    """The longest safe sum of products of two restricted int8 codes: ⌊(2³¹ − 1) / 127²⌋ = 133144."""
    k = the_number(answer, "K")
    if k == 131071 or k == 131072:
        raise Wrong("that is for codes down to −128; the restricted range ends at −127.")
    if k == 66311:
        raise Wrong("that is u8 · s8, 255 · 127. Here both factors are signed.")
    if k == 133145 or near(k, 2**31 / 127**2, 1e-7):
        raise Wrong("one product too many: round down, since the sum must stay at or below 2³¹ − 1.")
    if near(k, 2**32 / 127**2):
        raise Wrong("an int32 spends one of its 32 bits on the sign: the largest value is 2³¹ − 1.")
    if k == 2:
        raise Wrong("that is for an int16 accumulator; production kernels add up in int32.")
    if k != 133144:
        raise Wrong("how large can one product get, and how many of these fit below 2³¹ − 1?")
    return "⌊2147483647 / 16129⌋ = 133144: longer than any layer in common use."


@exercise("04.3")
def noise_budget(answer):
    """The SQNR of a product of factors at 30 and 36 dB: −10·log10(10⁻³ + 10⁻³·⁶) = 29.03 dB."""
    db = the_number(answer, "the SQNR in decibels")
    if near(db, 66):
        raise Wrong("decibels of noise do not add up like that: the product cannot be cleaner than its factors.")
    if near(db, 33):
        raise Wrong("the mean of the two is not it: noise powers add, and the louder noise decides.")
    if near(db, 30):
        raise Wrong("close: the noisier factor alone would give 30 dB, but the other one adds its noise as well.")
    right = -10 * np.log10(10**-3.0 + 10**-3.6)
    if near(db, -right, 2e-3):
        raise Wrong(
            "right size, wrong sign: the noise is 29 dB below the signal, so the ratio signal to noise is positive."
        )
    if near(db, 26.99, 2e-3):
        raise Wrong("that is for two factors at 30 dB each; one of them is quieter.")
    if not near(db, right, 2e-3):  # 29.0 will do
        raise Wrong("turn both into noise shares, 10^(−dB/10), add them, and turn the sum back.")
    return "10⁻³ + 10⁻³·⁶ = 0.00125, which is 29.0 dB: spend bits on the noisier factor."
