"""What quantization did to a model, layer by layer: bits, bytes, noise, and what was left in float and why."""

import math
from dataclasses import dataclass

import torch
from torch import nn

from quantutils.errors import sqnr_db
from quantutils.nn import StaticConv2d, StaticLinear
from quantutils.workflow.graph import Graph, calls, source_of
from quantutils.workflow.nested import copied, first_tensor, run
from quantutils.workflow.progress import with_progress
from quantutils.workflow.recipe import is_linear, row_of
from quantutils.workflow.replacing import need_module, origin


@dataclass(frozen=True)
class LayerReport:
    """One layer. bits: of its weights. size, float_size: bytes after and before. running_db: SQNR of its output in
    the running network, where its input is already noisy; alone_db: SQNR fed with the float network's input.
    note: why it was left in float, or "". outlier: how many times the largest magnitude of its input's loudest channel
    (at `outlier_channel`) exceeds the median channel's; None for what is no Linear.
    """

    name: str
    kind: str
    bits: int
    size: int
    float_size: int
    running_db: float
    alone_db: float
    note: str = ""
    outlier: float | None = None
    outlier_channel: int | None = None


@dataclass(frozen=True, repr=False)
class Report:
    """The layers of a quantized model; printed, it is a table.

    layers: tuple of LayerReport. output_db: SQNR of the model's output. size, float_size: bytes of all parameters.
    """

    layers: tuple
    output_db: float
    size: int
    float_size: int

    def __repr__(self):
        width = max([24, *(len(row.name) for row in self.layers)])
        head = f"{'layer':{width}} {'kind':18} {'bits':>4} {'bytes':>10} {'was':>10} {'alone':>8} {'running':>8}"
        lines = [head]
        for row in self.layers:
            noise = [_shown(row.alone_db), _shown(row.running_db)]
            lines.append(
                f"{row.name or '(model)':{width}} {row.kind:18} {row.bits:>4} {row.size:>10,} {row.float_size:>10,}"
                f" {noise[0]:>8} {noise[1]:>8}" + (f"  {row.note}" if row.note else "")
            )
        output = _shown(self.output_db) or "is all zero, or no number"
        lines.append(f"output {output}, {self.float_size:,} bytes to {self.size:,}")
        return "\n".join(lines)


def report(model, data, float_model=None):
    """How the quantized `model` differs from the float model on `data`: a Report.

    data: one input: a tensor, a tuple of positional or a dict of keyword arguments; the models get copies of it.
    float_model: what it was made from; by default the model that the workflow was given (kept aside, not saved or
    pickled with it). Raises TypeError for what is no module, ValueError without a float model or a quantized layer.
    """
    need_module(model)
    float_model = float_model if float_model is not None else origin(model)
    if float_model is None or float_model is model:
        raise ValueError("float_model is None and the model does not remember one; accepted: the float model")
    need_module(float_model, "float_model")
    quantized = {name: module for name, module in model.named_modules() if hasattr(module, "recipe")}
    if not quantized:
        raise ValueError("model holds no quantized layer; accepted: what a quantutils.workflow function returned")
    order = [name for name in (model.called_layers() if isinstance(model, Graph) else quantized) if name in quantized]
    sources = {name: source_of(name) for name in order}
    missing = set(sources.values()) - {name for name, _ in float_model.named_modules(remove_duplicate=False)}
    if missing:
        raise ValueError(
            f"float_model lacks {', '.join(sorted(missing))}; accepted: the model that model was made from"
        )
    lasts = {name: quantized[name].recipe.stands_for or source for name, source in sources.items()}
    wanted, inputs, output = _recorded(float_model, {*lasts.values(), *sources.values()}, data)
    found, _, quantized_output = _recorded(model, quantized, data)
    places = zip(order, calls(float_model, sources.values()), calls(float_model, lasts.values()), strict=True)
    rows = []
    for name, first, last in with_progress(places, "comparing layers"):
        layer, source = quantized[name], float_model.get_submodule(sources[name])
        running = alone = given = None
        if found[name] and len(wanted[lasts[name]]) > last:
            given, reference = inputs[sources[name]][first], wanted[lasts[name]][last]
            reference = reference.relu() if layer.recipe.relu else reference
            with torch.no_grad():
                again = first_tensor(layer(*given[0], **given[1]))
            running, alone = (_db(reference, _floats(layer, each)) for each in (found[name][0], again))
        bits, kind = layer.recipe.weights.bits, type(layer).__name__
        loudest = _loudest(source, given)
        rows.append(LayerReport(name, kind, bits, _bytes(layer), _bytes(source), running, alone, "", *loudest))
    rows += _left_in_float(model, quantized, float_model)
    return Report(tuple(rows), _db(output, quantized_output), _bytes(model), _bytes(float_model))


def _floats(layer, result):
    """What a layer returned, as floats: a static one returns codes."""
    return layer.output(result) if isinstance(layer, (StaticLinear, StaticConv2d)) else result


def _shown(db):
    return "" if db is None else "exact" if math.isinf(db) else f"{db:.1f} dB"


def _recorded(model, names, data):
    """({name: first tensor of each call}, {name: (args, kwargs) of each call}, first tensor of the model): copies."""
    outputs, inputs, hooks = {name: [] for name in names}, {name: [] for name in names}, []

    def keep(name):
        def hook(_module, args, kwargs, result):
            inputs[name].append(copied((args, kwargs)))
            outputs[name].append(first_tensor(copied(result)))

        return hook

    for name in names:
        hooks.append(model.get_submodule(name).register_forward_hook(keep(name), with_kwargs=True, prepend=True))
    try:
        with torch.no_grad():
            return outputs, inputs, first_tensor(copied(run(model, copied(data))))
    finally:
        for hook in hooks:
            hook.remove()


def _loudest(source, given):
    """How many times the loudest channel of a Linear's input exceeds the median one, and which it is; or Nones."""
    if not is_linear(source) or given is None:
        return None, None
    x = first_tensor(given)
    peaks = x.abs().reshape(-1, x.shape[-1]).amax(0)
    typical = peaks.median()
    return (float(peaks.max() / typical), int(peaks.argmax())) if typical > 0 else (None, None)


def _db(wanted, found):
    if wanted is None or found is None or not wanted.dtype.is_floating_point:
        return None
    return sqnr_db(wanted.float(), found.float()) if bool((wanted != 0).any()) else None


def _bytes(module):
    tensors = {id(tensor): tensor for tensor in [*module.parameters(), *module.buffers()]}
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())


def _left_in_float(model, quantized, float_model):
    """A row for each module that keeps parameters of its own in float; a graph holds them under the module's name."""
    rows, sources = [], dict(float_model.named_modules())
    for name, module in model.named_modules():
        inside = any(name == other or name.startswith(f"{other}." if other else "") for other in quantized)
        own = sum(p.numel() * p.element_size() for p in module.parameters(recurse=False))
        if not inside and own:
            source = sources.get(name.removesuffix("@float"), module)
            rows.append(
                LayerReport(name, type(source).__name__, 32, own, own, None, None, f"in float: {_reason(source)}")
            )
    return rows


def _reason(module):
    if isinstance(module, nn.MultiheadAttention):
        return "reads its float weights directly; rebuild it from Linear layers"
    if isinstance(module, (nn.LayerNorm, nn.modules.batchnorm._BatchNorm, nn.GroupNorm)):
        return "a normalization has few weights and needs their precision"
    if any(vars(row_of(type(module))).values()):
        return "excluded, or its type was not among the layers asked for, or its owner reads its float weight"
    return f"no quantized form of {type(module).__name__}: see quantutils.workflow for those that have one"
