"""LSTM and GRU with integer weights: two dynamic linear layers a direction, gates in float."""

import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence

from quantutils.arrays import real_array
from quantutils.checks import instance
from quantutils.nn.dynamic import DynamicLinear


class _DynamicRecurrent(nn.Module):
    """What the two share: layers, directions, batch_first, and the loop over time.

    As in torch.ao, the products with a layer's input are made for the whole sequence at once, so that its activations
    have one range a sequence; those with the state have one a step.
    """

    twin_of = nn.RNNBase

    def __init__(self, source, weights, activations, rule):
        super().__init__()
        instance(source, self.twin_of, "source")
        if getattr(source, "proj_size", 0):
            raise ValueError(f"proj_size is {source.proj_size}; accepted: 0, a projection has no quantized form here")
        for name in ("input_size", "hidden_size", "num_layers", "bias", "batch_first", "dropout", "bidirectional"):
            setattr(self, name, getattr(source, name))
        self.mode, self.proj_size, self.dtype = source.mode, 0, source.weight_ih_l0.dtype
        self.products = nn.ModuleDict()
        for ending in self._endings():
            for part in ("ih", "hh"):
                linear = nn.Linear(1, 1, bias=source.bias, device="meta")
                linear.weight = getattr(source, f"weight_{part}_{ending}")
                if source.bias:
                    linear.bias = getattr(source, f"bias_{part}_{ending}")
                self.products[f"{part}_{ending}"] = DynamicLinear.from_float(linear, weights, activations, rule)

    @classmethod
    def from_float(cls, source, weights=None, activations=None, rule=None):
        """The dynamically quantized twin of the torch layer."""
        return cls(source, weights, activations, rule)

    def _endings(self):
        directions = ("", "_reverse") if self.bidirectional else ("",)
        return [f"l{layer}{direction}" for layer in range(self.num_layers) for direction in directions]

    @property
    def all_weights(self):
        """The quantized weights and the biases, a list for each layer and direction."""
        both = [[self.products[f"{part}_{ending}"] for part in ("ih", "hh")] for ending in self._endings()]
        return [[one.weight for one in pair] + [one.bias for one in pair if self.bias] for pair in both]

    def flatten_parameters(self):
        """Nothing to do: nn.LSTM's weights may need to lie in one piece, these do not."""

    def _run(self, x, sizes, states):
        """x: (rows, input), the steps one after another, sizes[t] rows at step t; states: a tuple of (batch, hidden)
        for each layer and direction. Returns (rows, directions · hidden) and the last states.
        """
        ends, starts = [], [0]
        for size in sizes:
            starts.append(starts[-1] + size)
        for layer in range(self.num_layers):
            outputs = []
            for direction in range(1 + self.bidirectional):
                place = layer * (1 + self.bidirectional) + direction
                ending = self._endings()[place]
                given, from_state = self.products[f"ih_{ending}"](x), self.products[f"hh_{ending}"]
                state, seen = states[place], {}
                for step in reversed(range(len(sizes))) if direction else range(len(sizes)):
                    size = sizes[step]  # sequences that have ended, or not begun, keep their state
                    running = tuple(each[:size] for each in state)
                    running = self._step(given[starts[step] : starts[step + 1]], from_state(running[0]), running)
                    seen[step] = running[0]
                    state = tuple(torch.cat([new, old[size:]]) for new, old in zip(running, state, strict=True))
                outputs.append(torch.cat([seen[step] for step in range(len(sizes))]))
                ends.append(state)
            x = torch.cat(outputs, dim=-1)
            if self.training and self.dropout and layer + 1 < self.num_layers:
                x = nn.functional.dropout(x, self.dropout)
        return x, ends

    def forward(self, input, hx=None):
        """(output, state), arguments and results as torch's layer; a PackedSequence gives one back."""
        if isinstance(input, PackedSequence):
            data, sizes, order, back = input
            rows, batch, unbatched = self._checked(data, 2), int(sizes[0]), False
        else:
            rows, batch, unbatched = self._shaped(input)
            data, order, back = input, None, None
            sizes = [batch] * rows.shape[0]
            rows = rows.reshape(-1, self.input_size)  # (time, batch, input) to (time · batch, input)
        states = [each if order is None else each[:, order] for each in self._states(hx, batch, unbatched, data)]
        sizes = [int(size) for size in sizes]
        out, ends = self._run(rows.float(), sizes, list(zip(*(each.float() for each in states), strict=True)))
        state = tuple(torch.stack([end[place] for end in ends]).to(data.dtype) for place in range(len(states)))
        state = tuple(each if back is None else each[:, back] for each in state)
        out = out.to(data.dtype)
        if isinstance(input, PackedSequence):
            out = PackedSequence(out, *input[1:])
        else:
            out = out.reshape(len(sizes), batch, -1)
            out = out[:, 0] if unbatched else out.transpose(0, 1) if self.batch_first else out
        state = tuple(each[:, 0] for each in state) if unbatched else state
        return out, (state if len(state) > 1 else state[0])

    def _checked(self, x, *axes):
        real_array(instance(x, torch.Tensor, "x"), "x")
        if x.ndim not in axes or x.shape[-1] != self.input_size:
            raise ValueError(
                f"x has shape {tuple(x.shape)}; accepted: (…, …, {self.input_size}) or (…, {self.input_size})"
            )
        return x

    def _shaped(self, x):
        """x as (time, batch, input), how many sequences, and whether it came without a batch axis."""
        unbatched = self._checked(x, 2, 3).ndim == 2
        x = x[:, None] if unbatched else x.transpose(0, 1) if self.batch_first else x
        if x.shape[0] == 0:
            raise ValueError(f"x has no time steps (shape {tuple(x.shape)}, time first); accepted: one or more")
        return x, x.shape[1], unbatched

    def _states(self, hx, batch, unbatched, x):
        """The states that were given, or zeros: one (layers · directions, batch, hidden) for each part of a state."""
        wanted = (self.num_layers * (1 + self.bidirectional), batch, self.hidden_size)
        if hx is None:
            return [torch.zeros(wanted, dtype=x.dtype, device=x.device)] * self.parts
        parts = [hx] if self.parts == 1 else hx
        if not isinstance(parts, (tuple, list)) or len(parts) != self.parts:
            raise TypeError(f"state is a {type(hx).__name__}; accepted: None or a pair of tensors (h, c)")
        states = []
        for state in parts:
            real_array(instance(state, torch.Tensor, "state"), "state")
            state = state[:, None] if unbatched and state.ndim == 2 else state
            if state.shape != wanted:
                raise ValueError(
                    f"state has shape {tuple(state.shape)}; accepted: {wanted}, without batch where x has none"
                )
            states.append(state)
        return states

    def extra_repr(self):
        """What a printed model shows of this layer."""
        both = ", both directions" if self.bidirectional else ""
        return f"{self.input_size} → {self.hidden_size}, {self.num_layers} layers{both}"


class DynamicLSTM(_DynamicRecurrent):
    """nn.LSTM with integer weights; arguments and results as nn.LSTM's."""

    twin_of, parts = nn.LSTM, 2

    @staticmethod
    def _step(from_input, from_state, state):
        i, f, g, o = (from_state + from_input).chunk(4, dim=-1)
        c = torch.sigmoid(f) * state[1] + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(c), c


class DynamicGRU(_DynamicRecurrent):
    """nn.GRU with integer weights; arguments and results as nn.GRU's."""

    twin_of, parts = nn.GRU, 1

    @staticmethod
    def _step(from_input, from_state, state):
        # In torch.ao's order and, as there, in place: a sigmoid of rows that lie apart may end in another last bit.
        from_state = from_state.clone() if from_state.requires_grad else from_state
        (ri, zi, ni), (rh, zh, nh) = from_input.chunk(3, dim=-1), from_state.unsafe_chunk(3, dim=-1)
        r, z = rh.add_(ri).sigmoid_(), zh.add_(zi).sigmoid_()
        n = torch.tanh(ni + nh * r)
        return ((state[0] - n) * z + n,)
