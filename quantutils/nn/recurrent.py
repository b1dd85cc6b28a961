"""LSTM and GRU with integer weights: two dynamic linear layers a direction, gates in float."""

import torch
from torch import nn

from quantutils.arrays import real_array
from quantutils.checks import instance
from quantutils.nn.dynamic import DynamicLinear


class _DynamicRecurrent(nn.Module):
    """What the two share: layers, directions, batch_first, and the loop over time."""

    twin_of = nn.RNNBase

    def __init__(self, source, weights, activations, rule):
        super().__init__()
        instance(source, self.twin_of, "source")
        if getattr(source, "proj_size", 0):
            raise ValueError(f"proj_size is {source.proj_size}; accepted: 0, a projection has no quantized form here")
        self.hidden_size, self.num_layers, self.input_size = source.hidden_size, source.num_layers, source.input_size
        self.batch_first, self.directions = source.batch_first, 2 if source.bidirectional else 1
        self.dropout = source.dropout
        self.products = nn.ModuleDict()
        for layer in range(self.num_layers):
            for direction in range(self.directions):
                ending = f"l{layer}" + ("_reverse" if direction else "")
                for part in ("ih", "hh"):
                    linear = nn.Linear(1, 1, bias=source.bias)
                    linear.weight = getattr(source, f"weight_{part}_{ending}")
                    if source.bias:
                        linear.bias = getattr(source, f"bias_{part}_{ending}")
                    product = DynamicLinear.from_float(linear, weights, activations, rule)
                    self.products[f"{part}_{ending}"] = product

    @classmethod
    def from_float(cls, source, weights=None, activations=None, rule=None):
        """The dynamically quantized twin of the torch layer."""
        return cls(source, weights, activations, rule)

    def _start(self, batch, like):
        return torch.zeros(self.num_layers * self.directions, batch, self.hidden_size, dtype=like.dtype)

    def _run(self, x, states):
        """x: (time, batch, input); states: one tuple of (batch, hidden) for each layer and direction."""
        ends = []
        for layer in range(self.num_layers):
            outputs = []
            for direction in range(self.directions):
                ending = f"l{layer}" + ("_reverse" if direction else "")
                ih, hh = self.products[f"ih_{ending}"], self.products[f"hh_{ending}"]
                steps = range(x.shape[0]) if not direction else range(x.shape[0] - 1, -1, -1)
                state, seen = states[layer * self.directions + direction], {}
                for step in steps:
                    state = self._step(ih(x[step]), hh(state[0]), state)
                    seen[step] = state[0]
                outputs.append(torch.stack([seen[step] for step in range(x.shape[0])]))
                ends.append(state)
            x = torch.cat(outputs, dim=-1)
            if self.training and self.dropout and layer + 1 < self.num_layers:
                x = nn.functional.dropout(x, self.dropout)
        return x, ends

    def _shaped(self, x):
        real_array(instance(x, torch.Tensor, "x"), "x")
        if x.ndim not in (2, 3) or x.shape[-1] != self.input_size:
            raise ValueError(
                f"x has shape {tuple(x.shape)}; accepted: (…, …, {self.input_size}) or (…, {self.input_size})"
            )
        unbatched = x.ndim == 2
        if unbatched:
            x = x[:, None]
        elif self.batch_first:
            x = x.transpose(0, 1)
        if x.shape[0] == 0:
            raise ValueError(f"x has no time steps (shape {tuple(x.shape)}, time first); accepted: one or more")
        return x, unbatched

    def _given_state(self, state, x, unbatched):
        """One given state, with a batch axis. Raises TypeError or ValueError for one of another shape or kind."""
        real_array(instance(state, torch.Tensor, "state"), "state")
        state = state[:, None] if unbatched and state.ndim == 2 else state
        wanted = (self.num_layers * self.directions, x.shape[1], self.hidden_size)
        if state.shape != wanted:
            raise ValueError(
                f"state has shape {tuple(state.shape)}; accepted: {wanted}, without batch where x has none"
            )
        return state

    def _unshaped(self, out, unbatched):
        if unbatched:
            return out[:, 0]
        return out.transpose(0, 1) if self.batch_first else out

    def extra_repr(self):
        """What a printed model shows of this layer."""
        both = ", both directions" if self.directions == 2 else ""
        return f"{self.input_size} → {self.hidden_size}, {self.num_layers} layers{both}"


class DynamicLSTM(_DynamicRecurrent):
    """nn.LSTM with integer weights; arguments and results as nn.LSTM's."""

    twin_of = nn.LSTM

    def forward(self, x, state=None):
        """(output, (h, c)), shapes as nn.LSTM."""
        x, unbatched = self._shaped(x)
        if state is None:
            h, c = self._start(x.shape[1], x), self._start(x.shape[1], x)
        elif isinstance(state, (tuple, list)) and len(state) == 2:
            h, c = (self._given_state(each, x, unbatched) for each in state)
        else:
            raise TypeError(f"state is a {type(state).__name__}; accepted: None or a pair of tensors (h, c)")
        out, ends = self._run(x, list(zip(h, c, strict=True)))
        h, c = (torch.stack([end[place] for end in ends]) for place in (0, 1))
        if unbatched:
            h, c = h[:, 0], c[:, 0]
        return self._unshaped(out, unbatched), (h, c)

    @staticmethod
    def _step(from_input, from_state, state):
        i, f, g, o = (from_input + from_state).chunk(4, dim=-1)
        c = torch.sigmoid(f) * state[1] + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(c), c


class DynamicGRU(_DynamicRecurrent):
    """nn.GRU with integer weights; arguments and results as nn.GRU's."""

    twin_of = nn.GRU

    def forward(self, x, state=None):
        """(output, h), shapes as nn.GRU."""
        x, unbatched = self._shaped(x)
        h = self._start(x.shape[1], x) if state is None else self._given_state(state, x, unbatched)
        out, ends = self._run(x, [(each,) for each in h])
        h = torch.stack([end[0] for end in ends])
        return self._unshaped(out, unbatched), h[:, 0] if unbatched else h

    @staticmethod
    def _step(from_input, from_state, state):
        (ri, zi, ni), (rh, zh, nh) = from_input.chunk(3, dim=-1), from_state.chunk(3, dim=-1)
        r, z = torch.sigmoid(ri + rh), torch.sigmoid(zi + zh)
        return ((1 - z) * torch.tanh(ni + r * nh) + z * state[0],)
