"""A small model with an Embedding, a GRU, a LayerNorm and a Linear, for the tests of checkpoints."""

from torch import nn


class Tagger(nn.Module):
    def __init__(self, hidden=24):
        super().__init__()
        self.embedding = nn.Embedding(30, 16)
        self.gru = nn.GRU(16, hidden, batch_first=True, bidirectional=True)
        self.norm = nn.LayerNorm(2 * hidden)
        self.head = nn.Linear(2 * hidden, 5)

    def forward(self, indices):
        return self.head(self.norm(self.gru(self.embedding(indices))[0]))
