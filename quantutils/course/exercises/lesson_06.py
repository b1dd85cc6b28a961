"""Lesson 06, Dynamic quantization: a layer by hand, its bytes, and the price of one large token."""

import numpy as np

from quantutils.course.exercises.judging import Wrong, exercise, near, the_array, the_number, the_result_of


@exercise("06.1")
def dynamic_layer(answer):
    """A function of (x, w_codes, w_scale, bias): one dynamic layer, unsigned asymmetric activations per tensor."""
    rng = np.random.default_rng(61)
    w_codes, w_scale, bias = rng.integers(-127, 128, (6, 40)).astype(np.int8), 0.013, rng.normal(size=6)
    for x in (rng.normal(0.5, 1.0, (5, 40)), rng.uniform(0.5, 3.0, (5, 40))):
        low, high = min(x.min(), 0.0), max(x.max(), 0.0)
        scale = (high - low) / 255
        zero_point = np.round(-low / scale)
        codes = np.clip(np.round(x / scale) + zero_point, 0, 255)
        sums = (codes - zero_point) @ w_codes.T.astype(np.float64)
        right, in_float = sums * scale * w_scale + bias, x @ w_codes.T * w_scale + bias
        given = the_array(
            the_result_of(answer, x.copy(), w_codes.copy(), w_scale, bias.copy()), "the output", right.shape
        )
        mistakes = (
            (right - bias, "the bias is missing: it is added after the sums are back in real units."),
            (sums * scale + bias, "the scale of the weights is missing: a sum counts steps of x times steps of w."),
            (
                sums * w_scale + bias,
                "the scale of the activations is missing: a sum counts steps of x times steps of w.",
            ),
            (sums, "these are the integer sums; times both scales, plus the bias, they become real numbers."),
            (
                codes @ w_codes.T * scale * w_scale + bias,
                "the zero point is still inside: subtract it from the codes of x.",
            ),
            (in_float, "that is the float layer: x was never quantized."),
        )
        for wrong, text in mistakes:
            if np.allclose(given, wrong, rtol=1e-6, atol=1e-9) and not np.allclose(wrong, right, rtol=1e-6, atol=1e-9):
                raise Wrong(text)
        if not np.allclose(given, right, rtol=1e-4, atol=1e-4):
            if x.min() > 0:
                raise Wrong("right for mixed signs, wrong where all of x is positive: the range must contain 0.")
            raise Wrong(
                f"the first output is {given[0, 0]:.4f}, and {right[0, 0]:.4f} is right. Is the range that of the whole"
                " x, are there 255 steps in it, and were the codes converted before the product?"
            )
    return "both batches agree with the five steps, the all-positive one too."


@exercise("06.2")
def bytes_of_a_layer(answer):
    """1000 × 1000 weights at 8 bits per channel, float32 scales and bias: 1 008 000 bytes."""
    size = the_number(answer, "the number of bytes")
    if size == 4_004_000:
        raise Wrong("that is the float layer: 4 bytes a weight and a bias.")
    if size == 1_000_000:
        raise Wrong("the codes alone; scales and bias stay in FP32 and take bytes too.")
    if size == 1_004_000:
        raise Wrong("there are 1000 scales as well as 1000 biases, 4 bytes each.")
    if size == 1_004_004:
        raise Wrong("one scale is per tensor; per channel there is one for each output.")
    if size == 1_002_000:
        raise Wrong("scales and biases are FP32: 4 bytes each, not 1.")
    if near(size, 1.008) or near(size, 1008):
        raise Wrong("the question asks for bytes.")
    if size != 1_008_000:
        raise Wrong("one byte for each of 1000 · 1000 weights, 4 for each scale, 4 for each bias.")
    return "1,000,000 + 4000 + 4000: the scales add 0.4 %."


@exercise("06.3")
def codes_left_for_the_others(answer):
    """One token at ±100 and the others within ±1, 8 bits per tensor: 3 codes."""
    codes = the_number(answer, "the number of codes")
    if codes in (255, 256):
        raise Wrong("that would be so with one scale for each token; here one scale serves the whole tensor.")
    if codes == 2:
        raise Wrong("count 0 as well: its code is used too.")
    if codes == 1:
        raise Wrong("1 is 1.3 steps from 0, so it rounds to one step, not to none.")
    if near(codes, 2.55):
        raise Wrong("2.55 is the width of −1 … 1 in steps; codes are whole, so round the place of each end.")
    if codes != 3:
        raise Wrong("one step is 200 / 255 = 0.78; how many steps is 1 away from 0, on either side?")
    return "−1, 0 and 1 step: three codes for everything but one token."
