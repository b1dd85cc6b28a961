"""Sentences to embed and passages to search: frozen texts, the same on every machine."""

import json
import re
from functools import cache
from pathlib import Path

from quantutils.checks import one_of
from quantutils.course.zoo.text import frozen_text

COURSE = Path(__file__).parent / "frozen" / "course.json"
PARTS = ("calibration", "test")
SHORTEST, LONGEST = 30, 200


def frozen_sentences(part):
    """Whole sentences of the Python language reference, 30 to 200 characters each, none twice: a tuple of texts.

    part: "calibration", the sentences of its first six tenths, to choose things with, or "test", those of the rest,
    to measure with. Raises ValueError for another part.

    >>> len(frozen_sentences("calibration")), len(frozen_sentences("test"))
    (1066, 499)
    """
    one_of(part, "part", PARTS)
    border = 6 * len(frozen_text()) // 10
    first = _sentences(frozen_text()[:border])
    if part == "calibration":
        return first
    return tuple(sentence for sentence in _sentences(frozen_text()[border:]) if sentence not in set(first))


def course_passages():
    """The glossary and the explaining paragraphs of lessons 00 to 08: a tuple of (source, text), as once recorded."""
    return tuple((passage["source"], passage["text"]) for passage in _course()["passages"])


def course_questions():
    """A hundred questions about the course, of which the first 41 are in a reader's own words: a tuple of texts."""
    return tuple(_course()["questions"])


@cache
def _course():
    return json.loads(COURSE.read_text(encoding="utf-8"))


@cache
def _sentences(text):
    paragraphs = (re.sub(r"\s+", " ", paragraph).strip() for paragraph in text.split("\n\n"))
    found = (part for paragraph in paragraphs for part in re.split(r"(?<=[.:;!?])\s+(?=[A-Z])", paragraph))
    whole = (part for part in found if re.match("[A-Z]", part) and part.endswith(".") and ">>>" not in part)
    return tuple(dict.fromkeys(part for part in whole if SHORTEST <= len(part) <= LONGEST))
