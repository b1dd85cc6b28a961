"""Two models that predict the next character of frozen_text(): an LSTM and a transformer made of Linear layers."""

import torch
from torch import nn

from quantutils.checks import flag
from quantutils.course.zoo.shipped import built_with_seed, fill
from quantutils.course.zoo.text import ALPHABET

CONTEXT = 128  # characters: the longest text that CharTransformer takes


class CharLSTM(nn.Module):
    """Embedding, one LSTM layer, Linear: (batch, time) places in ALPHABET to (batch, time, 96) logits."""

    def __init__(self, hidden=160, embedding=32):
        super().__init__()
        self.embedding = nn.Embedding(len(ALPHABET), embedding)
        self.lstm = nn.LSTM(embedding, hidden, batch_first=True)
        self.head = nn.Linear(hidden, len(ALPHABET))

    def forward(self, codes):
        """Logits of the character that follows each of `codes`."""
        outputs, _ = self.lstm(self.embedding(codes))
        return self.head(outputs)


class CharTransformer(nn.Module):
    """Embeddings, causal blocks, Linear: (batch, time) places in ALPHABET to (batch, time, 96) logits, time ≤ 128."""

    def __init__(self, width=64, heads=4, blocks=2):
        super().__init__()
        self.embedding = nn.Embedding(len(ALPHABET), width)
        self.position = nn.Embedding(CONTEXT, width)
        self.blocks = nn.ModuleList([Block(width, heads) for _ in range(blocks)])
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, len(ALPHABET))

    def forward(self, codes):
        """Logits of the character that follows each of `codes`. ValueError for more than 128 of them."""
        time = codes.shape[1]
        if time > CONTEXT:
            raise ValueError(f"codes has {time} characters a row; accepted: at most {CONTEXT}")
        x = self.embedding(codes) + self.position(torch.arange(time, device=codes.device))
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


class Block(nn.Module):
    """Causal self-attention and a feed-forward part, each behind a LayerNorm and added to what came in.

    Query, key, value and output are Linear layers of their own, so that whatever quantizes Linear quantizes them.
    """

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query, self.key, self.value, self.output = (nn.Linear(width, width) for _ in range(4))
        self.up, self.down, self.activation = nn.Linear(width, 4 * width), nn.Linear(4 * width, width), nn.GELU()

    def forward(self, x):
        """x: (batch, time, width). Returns the same shape."""
        x = x + self._attention(self.norm1(x))
        return x + self.down(self.activation(self.up(self.norm2(x))))

    def _attention(self, x):
        batch, time, width = x.shape
        query, key, value = (
            linear(x).reshape(batch, time, self.heads, width // self.heads).transpose(1, 2)
            for linear in (self.query, self.key, self.value)
        )
        scores = query @ key.transpose(-1, -2) / (width // self.heads) ** 0.5  # (batch, heads, time, time)
        future = torch.ones(time, time, dtype=torch.bool, device=x.device).triu(1)
        weights = scores.masked_fill(future, float("-inf")).softmax(dim=-1)
        return self.output((weights @ value).transpose(1, 2).reshape(batch, time, width))  # heads side by side again


def char_lstm(trained=True):
    """A CharLSTM with 160 units, 142,688 parameters; with the shipped weights in eval mode, or as initialized.

    training_record("char_lstm")["test_bits_per_character"] says how well it predicts frozen_text("test").
    """
    model = built_with_seed(CharLSTM, 0)
    return fill(model, "char_lstm") if flag(trained, "trained") else model


def char_transformer(trained=True):
    """A CharTransformer of width 64 with two blocks; with the shipped weights in eval mode, or as initialized.

    training_record("char_transformer")["test_bits_per_character"] says how well it predicts frozen_text("test").
    """
    model = built_with_seed(CharTransformer, 0)
    return fill(model, "char_transformer") if flag(trained, "trained") else model
