"""Transformers models with random weights go through every workflow near their float selves, or are refused by name."""

import pytest
import torch
from families import FAMILIES

from quantutils.nn import ActivationScheme, WeightScheme
from quantutils.workflow import convert, prepare, prepare_qat, quantize_dynamic, quantize_weights, storage
from quantutils.workflow.nested import copied, run

pytestmark = [pytest.mark.filterwarnings("ignore")]
# DETR's first decoder layer reads zeros, which say nothing of a range.
ONLY_ZEROS = "model.decoder.layers.0.self_attn"


def static(model, example, how=prepare, exclude=()):
    prepared = how(model, example, exclude=exclude)
    run(prepared, copied(example))
    return convert(prepared.eval())


WAYS = {
    "dynamic": lambda model, x: quantize_dynamic(model, WeightScheme(), ActivationScheme(per="token")),
    "weights only": lambda model, x: quantize_weights(model, WeightScheme(8, "channel")),
    "static": static,
    "QAT": lambda model, x: static(model, x, prepare_qat),
}


def logits(output):
    return output.logits_per_image if hasattr(output, "logits_per_image") else output.logits


@pytest.mark.parametrize("name", FAMILIES)
def test_logits_are_within_five_percent_of_float(name):
    torch.set_num_threads(1)
    model, example = FAMILIES[name]()
    with torch.no_grad():
        wanted = run(model, copied(example))
        for way, quantize in WAYS.items():
            if (name, way) == ("DETR", "static"):
                with pytest.raises(ValueError, match=ONLY_ZEROS):
                    quantize(model, example)
                small = static(model, example, exclude=[ONLY_ZEROS])
            else:
                small = quantize(model, example)
            found = run(small, copied(example))
            assert type(found) is type(wanted), way
            off = (logits(found) - logits(wanted)).norm() / logits(wanted).norm()
            assert float(off) < 0.05, way


def test_bart_is_written_with_its_tied_weights_once(tmp_path):
    from safetensors.torch import save_model
    from transformers import BartConfig, BartForConditionalGeneration

    sizes = {"encoder_layers": 1, "decoder_layers": 1, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64, "d_model": 64}
    model = BartForConditionalGeneration(BartConfig(vocab_size=5000, max_position_embeddings=32, **sizes)).eval()
    save_model(model, str(tmp_path / "float"))
    small, words = quantize_dynamic(model), torch.randint(3, 5000, (2, 8))
    assert storage.save(small, tmp_path / "small") < 0.3 * (tmp_path / "float").stat().st_size
    with torch.no_grad():
        wanted, found = (made(input_ids=words).logits for made in (model, small))
        assert torch.equal(storage.load(tmp_path / "small", model)(input_ids=words).logits, found)
    assert float((found - wanted).norm() / wanted.norm()) < 0.1
    assert small.model.encoder.embed_tokens.weight is small.lm_head.weight


def test_a_conv1d_of_transformers_counts_as_a_linear():
    model, _ = FAMILIES["GPT-2"]()
    kinds = [
        type(quantize(model, layers=[torch.nn.Linear]).transformer.h[0].attn.c_attn).__name__
        for quantize in (
            quantize_dynamic,
            lambda model, layers: quantize_weights(model, WeightScheme(8), layers=layers),
        )
    ]
    assert kinds == ["DynamicLinear", "WeightOnlyLinear"]
