"""Exercise 09.3, a model within 15 MB: right models pass in every form, and each usual mistake is named."""

import pytest
import torch
from torch import nn

from quantutils.course import zoo
from quantutils.course.exercises import check
from quantutils.nn import ActivationScheme, WeightScheme
from quantutils.workflow import quantize_dynamic, quantize_weights


@pytest.fixture(scope="module")
def encoder():
    torch.set_num_threads(1)
    return zoo.sentence_encoder()


def test_a_model_within_budget_passes_alone_and_inside_its_encoder(encoder):
    data = encoder.batches(zoo.frozen_sentences("calibration")[::7], 16)
    products = quantize_weights(encoder.model, method="gptq", data=data, search=True, layers=[nn.Linear])
    model = quantize_weights(products, search=True, layers=[nn.Embedding])
    verdict = check("09.3", model)
    assert verdict.passed, verdict
    assert "14.32 MB" in verdict.message
    assert check("09.3", encoder.with_model(model)).message == verdict.message


def test_usual_mistakes_are_named(encoder):
    wrong = {
        "is saved and measured here": "small.safetensors",
        "no quantized layer": encoder.model,
        "MB too many": quantize_dynamic(encoder.model, WeightScheme(), ActivationScheme(per="token")),
        "the mean cosine is 0.9": quantize_weights(encoder.model),
        "cannot run with this model": quantize_dynamic(nn.Sequential(nn.Linear(4, 4))),
    }
    for phrase, answer in wrong.items():
        verdict = check("09.3", answer)
        assert not verdict.passed
        assert phrase in verdict.message
