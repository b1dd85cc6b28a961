"""A frozen English text, its characters as numbers, and how well a model predicts them."""

import math
from functools import cache
from pathlib import Path

import torch
from torch import nn

from quantutils.checks import one_of, whole_number

TEXT = Path(__file__).parent / "frozen" / "python_topics.txt"
PARTS = ("all", "train", "test")
ALPHABET = "\n" + "".join(chr(code) for code in range(32, 127))  # 96 characters: newline and printable ASCII
_CODES = {character: code for code, character in enumerate(ALPHABET)}


@cache
def _text():
    return TEXT.read_text(encoding="ascii")


def frozen_text(part="all"):
    """The Python language reference of Python 3.11.7, 399,767 characters of ALPHABET (PSF licence, see frozen/).

    part: "all", "train" (the first nine tenths) or "test" (the last tenth). Raises ValueError for another part.

    >>> frozen_text()[:22]
    'The "assert" statement'
    """
    one_of(part, "part", PARTS)
    border = 9 * len(_text()) // 10
    return {"all": _text(), "train": _text()[:border], "test": _text()[border:]}[part]


def encode(text):
    """The places of the characters in ALPHABET: int64 (characters,). ValueError for a character outside it.

    >>> encode("Hi!").tolist()
    [41, 74, 2]
    """
    if not isinstance(text, str):
        raise TypeError(f"text is a {type(text).__name__}; accepted: a str")
    foreign = sorted(set(text) - set(ALPHABET))
    if foreign:
        raise ValueError(f"text holds {foreign[:5]}; accepted: newline and printable ASCII")
    return torch.tensor([_CODES[character] for character in text], dtype=torch.int64)


def decode(codes):
    """The text of places in ALPHABET, (characters,): what `encode` undoes. ValueError for other numbers.

    >>> decode(torch.tensor([41, 74, 2]))
    'Hi!'
    """
    places = [whole_number(code, "codes", 0, len(ALPHABET) - 1) for code in torch.as_tensor(codes).tolist()]
    return "".join(ALPHABET[place] for place in places)


def bits_per_character(model, text=None, window=128):
    """Mean of −log2(probability that the model gave to the next character), over windows that each start afresh.

    model: (batch, time) places in ALPHABET to (batch, time, 96) logits, run in its present mode.
    text: a str of more than `window` characters; None is frozen_text("test"). What is left after the last whole
    window is not used. 6.6 bits is guessing; lower is better.
    """
    codes = encode(frozen_text("test") if text is None else text)
    window = whole_number(window, "window", 1)
    count = (len(codes) - 1) // window
    if count < 1:
        raise ValueError(f"text has {len(codes)} characters; accepted: more than window, {window}")
    inputs, targets = (codes[shift : shift + count * window].reshape(count, window) for shift in (0, 1))
    with torch.no_grad():
        logits = model(inputs)
    return float(nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten())) / math.log(2)
