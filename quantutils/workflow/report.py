"""What quantization did to a model, layer by layer: bits, bytes, noise, and what was left in float and why."""

import math
from dataclasses import dataclass

import torch
from torch import nn

from quantutils.errors import sqnr_db
from quantutils.nn import as_float
from quantutils.workflow.folding import hooked
from quantutils.workflow.progress import with_progress
from quantutils.workflow.replacing import DYNAMIC_TWINS, need_module
from quantutils.workflow.running import first_tensor, run


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
        lines.append(f"output {_shown(self.output_db) or 'is all zero'}, {self.float_size:,} bytes to {self.size:,}")
        return "\n".join(lines)


def report(model, data, float_model=None):
    """How the quantized `model` differs from the float model on `data`: a Report.

    data: one input: a tensor, a tuple of positional or a dict of keyword arguments. float_model: what it was made
    from; by default the model that the workflow was given (kept as model.float_model, not saved with it).
    Raises TypeError for what is no module, ValueError without a float model or without a quantized layer.
    """
    need_module(model)
    float_model = float_model if float_model is not None else getattr(model, "float_model", None)
    if float_model is None:
        raise ValueError("float_model is None and the model does not remember one; accepted: the float model")
    need_module(float_model, "float_model")
    quantized = {name: module for name, module in model.named_modules() if hasattr(module, "recipe")}
    if not quantized:
        raise ValueError("model holds no quantized layer; accepted: what a quantutils.workflow function returned")
    missing = set(quantized) - {name for name, _ in float_model.named_modules(remove_duplicate=False)}
    if missing:
        raise ValueError(
            f"float_model lacks {', '.join(sorted(missing))}; accepted: the model that model was made from"
        )
    with torch.no_grad():
        lasts = {layer.recipe.get("stands_for", name) for name, layer in quantized.items()}
        wanted, inputs, output = _recorded(float_model, lasts | set(quantized), data)
        found, _, quantized_output = _recorded(model, quantized, data)
        rows = []
        for name, layer in with_progress(quantized.items(), "comparing layers"):
            source = float_model.get_submodule(name)
            last = layer.recipe.get("stands_for", name)
            running = alone = None
            if name in found and last in wanted:
                running = _db(wanted[last], found[name])
                alone = _db(wanted[last], first_tensor(layer(*inputs[name])))
            bits, kind = layer.recipe["weights"]["bits"], type(layer).__name__
            loudest = _loudest(source, inputs.get(name))
            rows.append(LayerReport(name, kind, bits, _bytes(layer), _bytes(source), running, alone, "", *loudest))
        rows += _left_in_float(model, quantized)
    return Report(tuple(rows), _db(output, quantized_output), _bytes(model), _bytes(float_model))


def _shown(db):
    return "" if db is None else "exact" if math.isinf(db) else f"{db:.1f} dB"


def _recorded(model, names, data):
    """Outputs and inputs of the named layers during one run, and the output of the model."""
    outputs, inputs, hooks = {}, {}, []

    def keep(name):
        def hook(_module, given, result):
            outputs.setdefault(name, first_tensor(result).clone())
            inputs.setdefault(name, given)

        return hook

    for name in names:
        hooks.append(model.get_submodule(name).register_forward_hook(keep(name)))
    try:
        result = first_tensor(run(model, data))
    finally:
        for hook in hooks:
            hook.remove()
    return outputs, inputs, result


def _loudest(source, given):
    """How many times the loudest channel of a Linear's input exceeds the median one, and which it is; or Nones."""
    if type(source) is not nn.Linear or not given:
        return None, None
    peaks = as_float(given[0]).abs().reshape(-1, source.in_features).amax(0)
    typical = peaks.median()
    return (float(peaks.max() / typical), int(peaks.argmax())) if typical > 0 else (None, None)


def _db(wanted, found):
    return sqnr_db(wanted, found) if bool((wanted != 0).any()) else None


def _bytes(module):
    tensors = {id(tensor): tensor for tensor in [*module.parameters(), *module.buffers()]}
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())


def _left_in_float(model, quantized):
    rows = []
    for name, module in model.named_modules():
        inside = any(name == other or name.startswith(f"{other}." if other else "") for other in quantized)
        own = sum(p.numel() * p.element_size() for p in module.parameters(recurse=False))
        if inside or not own:
            continue
        rows.append(LayerReport(name, type(module).__name__, 32, own, own, None, None, f"in float: {_reason(module)}"))
    return rows


def _reason(module):
    if hooked(module):
        return "has forward hooks, which a quantized layer would not run"
    if isinstance(module, nn.MultiheadAttention):
        return "reads its float weights directly; rebuild it from Linear layers"
    if isinstance(module, (nn.LayerNorm, nn.modules.batchnorm._BatchNorm, nn.GroupNorm)):
        return "a normalization has few weights and needs their precision"
    if type(module) in DYNAMIC_TWINS:
        return "its type was not among the layers asked for, or its owner reads its float weight"
    return f"no quantized form of {type(module).__name__}: see quantutils.workflow for those that have one"
