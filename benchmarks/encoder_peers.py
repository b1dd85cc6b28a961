"""The peers of benchmarks/encoder.py: the same float encoder, quantized as each library documents it.

Each `make(encoder, folder)` returns {way: (model, bytes on disk, note)}; a model takes what the tokenizer returns and
answers with `last_hidden_state`. A library that is not installed is skipped, with the reason.
"""

import copy
import importlib
import logging
import warnings
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import torch
from torch import nn

ENGINE = "fbgemm"
INPUTS = ["input_ids", "attention_mask", "token_type_ids"]


@contextmanager
def quiet():
    """Without the deprecations and the lists of optional libraries that these libraries print."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def torch_ao(encoder, folder):
    """torch.ao.quantization.quantize_dynamic with its defaults: the Linear layers, a scale a tensor for both."""
    torch.backends.quantized.engine = ENGINE
    model = torch.ao.quantization.quantize_dynamic(encoder.model, {nn.Linear}, dtype=torch.qint8)
    return {"dynamic int8": (model, _saved(model, folder), "Linear layers only, its defaults")}


def torchao(encoder, folder):
    """Int8DynamicActivationInt8WeightConfig: a symmetric scale a token, a scale a channel; the Linear layers."""
    library = importlib.import_module("torchao.quantization")
    model = copy.deepcopy(encoder.model)
    library.quantize_(model, library.Int8DynamicActivationInt8WeightConfig())
    return {"dynamic int8": (model, _saved(model, folder), "Linear layers only")}


def onnx_runtime(encoder, folder):
    """quantize_dynamic of the exported graph, embedding included, with a scale a tensor and with one a channel."""
    import onnxruntime
    from onnxruntime.quantization import QuantType, quantize_dynamic

    graph = Path(folder) / "float.onnx"
    _export(encoder, graph)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    made = {"float32": (_Session(graph, options), graph.stat().st_size, "the exported graph, not quantized")}
    for per_channel, note in ((False, "embedding too, its defaults"), (True, "embedding too, per_channel=True")):
        path = Path(folder) / f"int8_{per_channel}.onnx"
        quantize_dynamic(graph, path, weight_type=QuantType.QInt8, per_channel=per_channel)
        way = "dynamic int8, per channel" if per_channel else "dynamic int8"
        made[way] = (_Session(path, options), path.stat().st_size, note)
    return made


def optimum_quanto(encoder, folder):
    """Weights in int8, activations in float: its way without calibration."""
    quanto = importlib.import_module("optimum.quanto")
    model = copy.deepcopy(encoder.model)
    quanto.quantize(model, weights=quanto.qint8)
    quanto.freeze(model)
    return {"int8 weights": (model, _saved(model, folder), "Linear layers only, float activations")}


class _Session(nn.Module):
    """An ONNX graph as a model."""

    def __init__(self, path, options):
        import onnxruntime

        super().__init__()
        self.session = onnxruntime.InferenceSession(path, options)

    def forward(self, **given):
        out = self.session.run(None, {name: value.numpy() for name, value in given.items()})
        return SimpleNamespace(last_hidden_state=torch.from_numpy(out[0]))


class _States(nn.Module):
    """A transformer as the exporter wants it: positional tensors in, one tensor out."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, *given):
        return self.model(**dict(zip(INPUTS, given, strict=True))).last_hidden_state


def _export(encoder, path):
    model = copy.deepcopy(encoder.model)
    model.set_attn_implementation("eager")  # the fused one has no ONNX form that takes any length
    given = encoder.inputs(["one sentence.", "another, somewhat longer sentence."])
    axes = {name: {0: "batch", 1: "tokens"} for name in (*INPUTS, "states")}
    names = {"input_names": INPUTS, "output_names": ["states"], "dynamic_axes": axes}
    torch.onnx.export(_States(model), tuple(given[name] for name in INPUTS), path, dynamo=False, **names)


def _saved(model, folder):
    path = Path(folder) / "state.pt"
    torch.save(model.state_dict(), path)
    return path.stat().st_size


# By name: the package that must be there, the distribution with its version, and how its models are made.
PEERS = {
    "torch.ao": ("torch", "torch", torch_ao),
    "torchao": ("torchao", "torchao", torchao),
    "ONNX Runtime": ("onnxruntime", "onnxruntime", onnx_runtime),
    "optimum-quanto": ("optimum", "optimum-quanto", optimum_quanto),
}
