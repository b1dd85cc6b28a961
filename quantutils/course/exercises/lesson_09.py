"""Lesson 09, A real model: what a weight really takes, one step of GPTQ, and a budget of bytes."""

import os
import tempfile

import numpy as np

from quantutils.course.exercises.judging import Wrong, exercise, near, the_array, the_number, the_result_of

BUDGET, LEAST_COSINE, SENTENCES = 15_000_000, 0.98, slice(1, None, 8)


@exercise("09.1")
def bits_a_weight(answer):
    """4-bit codes in groups of 64 with float32 scales: 4 + 32 / 64 = 4.5 bits a weight."""
    bits = the_number(answer, "the bits a weight takes")
    if near(bits, 4):
        raise Wrong("that is the code alone; every 64 weights also need their scale.")
    if near(bits, 36):
        raise Wrong("the scale's 32 bits are shared by 64 weights; divide them.")
    if near(bits, 5):
        raise Wrong("that is for groups of 32, as in the lesson. Here 64 weights share a scale.")
    if near(bits, 4.25):
        raise Wrong("that is with 16-bit scales; here a scale is a float32.")
    if near(bits, 4.5 / 8):
        raise Wrong("those are bytes; the question asks for bits.")
    if not near(bits, 4.5):
        raise Wrong("add the bits of the code and a weight's share of its group's scale: 4 + 32 / 64.")
    return "4 + 32 / 64 = 4.5 bits: an eighth more than the codes alone."


@exercise("09.2")
def one_step_of_gptq(answer):
    """A function of (weights, scale, factor): the first weight rounded, the others making up for its error."""
    weights, scale = np.array([0.9, -0.4, 1.3, 0.2]), 0.5
    factor = np.array([[2.0, -0.5, 0.8, 0.0], [0, 1.6, 0.3, 0.2], [0, 0, 1.2, -0.4], [0, 0, 0, 1.0]])
    given = the_array(the_result_of(answer, weights.copy(), scale, factor.copy()), "the new weights", weights.shape)
    rounded = np.round(weights[0] / scale) * scale
    error = (weights[0] - rounded) / factor[0, 0]
    right = np.concatenate([[rounded], weights[1:] - error * factor[0, 1:]])
    unscaled, opposite = error * factor[0, 0], weights[1:] + error * factor[0, 1:]
    mistakes = (
        (weights, "these are the weights as they came: round the first one and move the others."),
        (
            np.concatenate([[rounded], weights[1:]]),
            "the first is rounded, but the others do not make up for its error.",
        ),
        (np.concatenate([[weights[0]], right[1:]]), "the others have moved, but the first weight is not rounded yet."),
        (
            np.concatenate([[np.round(weights[0] / scale)], right[1:]]),
            "the first entry is its code; put the weight that the code stands for, code · scale.",
        ),
        (
            np.concatenate([[rounded], weights[1:] - unscaled * factor[0, 1:]]),
            "the error is not divided by the factor's own entry, factor[0, 0].",
        ),
        (np.concatenate([[rounded], opposite]), "wrong sign: the others move by minus e times the factor's row."),
        (np.round(weights / scale) * scale, "all weights are rounded: that is rounding to nearest, not GPTQ."),
        (
            np.concatenate([[rounded], weights[1:] - error * factor[1:, 0]]),
            "that is the factor's first column, which is zero below its corner; take its first row.",
        ),
    )
    if np.allclose(given, right):
        return "the first weight became 1.0, and the others moved against its error, as far as the factor's row says."
    for wrong, text in mistakes:
        if np.allclose(given, wrong):
            raise Wrong(text)
    place = int(np.argmax(~np.isclose(given, right)))
    raise Wrong(f"weight {place} is {given[place]:.4g} in your answer; here it should become {right[place]:.4g}.")


@exercise("09.3")
def within_the_budget(answer):
    """A quantized encoder whose checkpoint has at most 15 MB and whose mean cosine is at least 0.98."""
    # Here, because the first lessons do without torch.
    import torch

    from quantutils.course import zoo
    from quantutils.workflow import storage

    model = getattr(answer, "model", answer)
    if isinstance(answer, (str, os.PathLike)):
        raise Wrong("give the quantized model itself; it is saved and measured here.")
    if not isinstance(model, torch.nn.Module):
        raise Wrong(f"the answer is a quantized model; yours is a {type(answer).__name__}.")
    if not any(hasattr(layer, "recipe") for layer in model.modules()):
        raise Wrong("this model holds no quantized layer: 90.9 MB. Start with quantize_weights(encoder.model, …).")
    with tempfile.TemporaryDirectory() as folder:
        size = storage.save(model, os.path.join(folder, "small.safetensors"))
    if size > BUDGET:
        raise Wrong(
            f"the file has {size / 1e6:.2f} MB, {(size - BUDGET) / 1e6:.2f} MB too many."
            " The embedding holds half of all parameters: does it have 4 bits too?"
        )
    encoder, sentences = zoo.sentence_encoder(), zoo.frozen_sentences("test")[SENTENCES]
    try:
        cosine = zoo.mean_cosine(encoder.with_model(model).embed(sentences), encoder.embed(sentences))
    except Exception as error:  # whatever a learner's model raises
        raise Wrong(f"the encoder cannot run with this model: {type(error).__name__}: {error}") from None
    if not cosine >= LEAST_COSINE:  # NaN is no near miss
        raise Wrong(
            f"the file fits with {size / 1e6:.2f} MB, but the mean cosine is {cosine:.3f}; at least {LEAST_COSINE} is"
            ' asked for. Where is rounding to nearest still at work? See method="gptq" and search=True.'
        )
    return f"{size / 1e6:.2f} MB and a mean cosine of {cosine:.3f} on sentences that the lesson did not use."
