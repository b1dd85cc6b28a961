"""Semantic search: the passages whose vectors lie nearest to a question's."""

import torch

from quantutils.checks import instance, whole_number
from quantutils.course.zoo.encoder import SentenceEncoder


class Search:
    """Passages as an encoder sees them, embedded once.

    encoder: SentenceEncoder. passages: (source, text) pairs, as `course_passages` gives them.
    """

    def __init__(self, encoder, passages):
        self.encoder, self.passages = instance(encoder, SentenceEncoder, "encoder"), tuple(passages)
        self.vectors = encoder.embed([text for _, text in self.passages])

    def ranked(self, questions, count=5):
        """The places of the `count` nearest passages, nearest first, and their cosines: both (questions, count)."""
        whole_number(count, "count", 1, len(self.passages))
        found = (self.encoder.embed(questions) @ self.vectors.T).topk(count)  # (questions, passages)
        return found.indices, found.values


def agreement(places, wanted):
    """How far two searches agree: (share of questions with the same first passage, mean share of `wanted` found).

    places, wanted: int64 (questions, count), from `Search.ranked`; the order within a row counts for the first only.

    >>> agreement(torch.tensor([[4, 7], [1, 2]]), torch.tensor([[4, 9], [2, 1]]))
    (0.5, 0.75)
    """
    for name, value in (("places", places), ("wanted", wanted)):
        if instance(value, torch.Tensor, name).ndim != 2 or value.numel() == 0:
            raise ValueError(f"{name} has shape {tuple(value.shape)}; accepted: (questions, count)")
    if places.shape != wanted.shape:
        raise ValueError(f"places has shape {tuple(places.shape)}; accepted: {tuple(wanted.shape)}, as wanted has")
    shared = (wanted[:, :, None] == places[:, None, :]).any(2).float().mean()
    return float((places[:, 0] == wanted[:, 0]).float().mean()), float(shared)
