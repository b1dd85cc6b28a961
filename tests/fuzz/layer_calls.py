"""Calls of layers, workflow and storage: arguments each must accept, and what its result must be."""

import tempfile
from functools import cache
from pathlib import Path

import torch
from fuzz.kernel_calls import activation_qparams
from fuzz.table import Call, finite, within

from quantutils import MinMax, Percentile, QParams, kernels, nn, workflow
from quantutils.nn import gptq
from quantutils.workflow import storage

FOLDER = Path(tempfile.mkdtemp(prefix="quantutils-fuzz-"))
EXAMPLE = torch.linspace(-1, 1, 40).reshape(10, 4)
INPUT, OUTPUT = QParams(0.05, 128, 0, 255), QParams(0.1, 100, 0, 255)


@cache
def float_model():
    """A small model whose every layer has a quantized form; in eval mode, never changed."""
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(4, 6), torch.nn.ReLU(), torch.nn.Linear(6, 3)).eval()


@cache
def quantized_model():
    return workflow.quantize_dynamic(float_model())


def observing_model():
    prepared = workflow.prepare(float_model(), EXAMPLE)
    prepared(EXAMPLE)
    return prepared


def learning_model():
    prepared = workflow.prepare_qat(float_model(), EXAMPLE)
    prepared(EXAMPLE)
    return prepared


@cache
def checkpoint():
    storage.save(quantized_model(), FOLDER / "model.safetensors")
    return FOLDER / "model.safetensors"


def held_weight(shape=(3, 4)):
    torch.manual_seed(1)
    return nn.QuantizedWeight.from_float(torch.randn(shape), nn.WeightScheme())


def codes(given, *shape):
    return given.codes(shape, 0, 255, "torch", "uint8") if not given.hard else torch.zeros(shape).byte()


def numbers(given, *shape):
    return given.real(shape, library="torch")


def schemes(given):
    return {"weights": nn.WeightScheme(given.choice(2, 4, 8)), "activations": nn.ActivationScheme()}


def made(kind):
    """The result is a module of that kind, and what it computes is finite."""
    return lambda result, a: isinstance(result, kind)


def real_output(result, a):
    result = result[0] if isinstance(result, tuple) else result
    assert finite(result)


def recurrent(kind, source):
    """Calls of DynamicLSTM or DynamicGRU."""
    layer = source(4, 3)
    arguments = {"source": layer, "weights": None, "activations": None, "rule": None}

    def given_state(given):
        h = torch.zeros(1, 2, 3)
        state = given.choice(None, (h, h) if source is torch.nn.LSTM else h)
        return {"self": kind.from_float(layer), "input": numbers(given, 5, 2, 4), "hx": state}

    return {
        "": Call(kind, lambda g: dict(arguments), made(kind)),
        ".from_float": Call(kind.from_float, lambda g: dict(arguments), made(kind)),
        ".flatten_parameters": Call(
            kind.flatten_parameters, lambda g: {"self": kind.from_float(layer)}, lambda r, a: True
        ),
        ".forward": Call(kind.forward, given_state, real_output, also=("x", "state")),
    }


def static_arguments(given, shape):
    return {"weight": held_weight(shape), "bias": given.choice(None, torch.zeros(3)), "input_qparams": INPUT} | {
        "output_qparams": OUTPUT,
        "relu": given.flag(),
        "rule": given.choice(*kernels.NAMES[:4]),
    }


def static_input(kind, shape, weight_shape):
    def arguments(given):
        layer = kind(held_weight(weight_shape), None, INPUT, OUTPUT)
        return {"self": layer, "input": given.choice(codes(given, *shape), numbers(given, *shape))}

    return arguments


def linear_arguments(given):
    return {"weight": held_weight(), "bias": given.choice(None, torch.zeros(3))} | {
        "activations": nn.ActivationScheme(per=given.choice("tensor", "token")),
        "rule": given.choice(None, "fbgemm"),
    }


def linear_input(given):
    return {"self": nn.DynamicLinear(**linear_arguments(given)), "input": numbers(given, 3, 4)}


def embedding_input(given):
    layer = nn.QuantizedEmbedding(held_weight())
    return {"self": layer, "input": given.codes((2, 5), 0, 2, "torch", "int64")}


def float_weight(given):
    return {
        "weight": numbers(given, 3, 4),
        "scheme": nn.WeightScheme(given.choice(2, 3, 8), given.choice("tensor", "channel")),
    }


def weight_holds(result, a):
    assert result.codes().shape == a["weight"].shape
    assert finite(result.dequantize())


def rounded(result, a):
    within(result, 0, 255, result.shape)


def prepared_holds(result, a):
    assert finite(result(torch.ones(2, 4)))


def gptq_arguments(given):
    """A weight of four inputs, the Gram matrix of as many vectors as it takes, and one of the schemes that serve."""
    torch.manual_seed(given.whole(0, 5) if not given.hard else 0)
    scheme = given.choice(nn.WeightScheme(4), nn.WeightScheme(3, full_range=True), nn.WeightScheme(4, "group", 2))
    gram = gptq.gram_matrix(torch.randn(20, 4))
    return {"weight": numbers(given, 3, 4), "gram": gram, "scheme": scheme, "search": given.flag(), "damping": 0.01}


def search_arguments(given):
    scheme = given.choice(nn.WeightScheme(4), nn.WeightScheme(4, "group", 2))
    return {"weight": numbers(given, 3, 4), "importance": given.choice(torch.ones(4), torch.zeros(4)), "scheme": scheme}


def held_codes(given):
    codes = given.codes((3, 4), -7, 7, "torch", "int8")
    return {"codes": codes, "scale": torch.full((3,), 0.5), "scheme": nn.WeightScheme(4)}


def rounding_arguments(given):
    method, x = given.choice("nearest", "gptq"), torch.linspace(-1, 1, 40).reshape(10, 4)
    return {
        "model": float_model(),
        "weights": nn.WeightScheme(given.choice(2, 4, 8)),
        "method": method,
        "data": [x] if method == "gptq" else given.choice(None, [x, (x,)]),
        "search": method == "gptq",
        "layers": given.choice(None, [torch.nn.Linear]),
    }


LAYER_CALLS = {
    "nn.gptq.gram_matrix": Call(gptq.gram_matrix, lambda g: {"x": numbers(g, 5, 4)}, lambda r, a: r.shape == (4, 4)),
    "nn.gptq.searched_scale": Call(
        gptq.searched_scale, search_arguments, lambda r, a: finite(r) and bool((r > 0).all()), also=("group_size",)
    ),
    "nn.gptq.gptq": Call(gptq.gptq, gptq_arguments, weight_holds, also=("group_size",)),
    "nn.QuantizedWeight.from_codes": Call(nn.QuantizedWeight.from_codes, held_codes, lambda r, a: finite(r.scale)),
    "nn.WeightOnlyLinear": Call(
        nn.WeightOnlyLinear, lambda g: {"weight": held_weight(), "bias": None}, made(nn.WeightOnlyLinear)
    ),
    "nn.WeightOnlyLinear.from_float": Call(
        nn.WeightOnlyLinear.from_float,
        lambda g: {"linear": torch.nn.Linear(4, 3), "weights": nn.WeightScheme(4)},
        made(nn.WeightOnlyLinear),
    ),
    "nn.WeightOnlyLinear.forward": Call(
        nn.WeightOnlyLinear.forward,
        lambda g: {"self": nn.WeightOnlyLinear(held_weight()), "input": numbers(g, 3, 4)},
        real_output,
        also=("x",),
    ),
    "workflow.quantize_weights": Call(
        workflow.quantize_weights,
        rounding_arguments,
        prepared_holds,
        fixed=("data",),  # handed to the model as they are, so errors are the model's
    ),
    "nn.QuantizedWeight": Call(
        nn.QuantizedWeight, lambda g: {"shape": g.sizes(3, 4), "scheme": nn.WeightScheme()}, made(nn.QuantizedWeight)
    ),
    "nn.QuantizedWeight.from_float": Call(nn.QuantizedWeight.from_float, float_weight, weight_holds),
    **{
        f"nn.QuantizedWeight.{name}": Call(
            getattr(nn.QuantizedWeight, name), lambda g: {"self": held_weight()}, lambda result, a: True
        )
        for name in ("codes", "dequantize", "nbytes")
    },
    "nn.DynamicLinear": Call(nn.DynamicLinear, linear_arguments, made(nn.DynamicLinear)),
    "nn.DynamicLinear.from_float": Call(
        nn.DynamicLinear.from_float,
        lambda g: {"linear": torch.nn.Linear(4, 3), "rule": None} | schemes(g),
        made(torch.nn.Module),
    ),
    "nn.DynamicLinear.forward": Call(nn.DynamicLinear.forward, linear_input, real_output, also=("x",)),
    "nn.QuantizedEmbedding": Call(
        nn.QuantizedEmbedding, lambda g: {"weight": held_weight(), "padding_idx": None}, made(nn.QuantizedEmbedding)
    ),
    "nn.QuantizedEmbedding.from_float": Call(
        nn.QuantizedEmbedding.from_float,
        lambda g: {"embedding": torch.nn.Embedding(5, 4), "weights": nn.WeightScheme(4)},
        made(nn.QuantizedEmbedding),
    ),
    "nn.QuantizedEmbedding.forward": Call(
        nn.QuantizedEmbedding.forward, embedding_input, real_output, also=("indices",)
    ),
    **{f"nn.DynamicLSTM{name}": call for name, call in recurrent(nn.DynamicLSTM, torch.nn.LSTM).items()},
    **{f"nn.DynamicGRU{name}": call for name, call in recurrent(nn.DynamicGRU, torch.nn.GRU).items()},
    "nn.StaticLinear": Call(nn.StaticLinear, lambda g: static_arguments(g, (3, 4)), made(nn.StaticLinear)),
    "nn.StaticLinear.forward": Call(
        nn.StaticLinear.forward, static_input(nn.StaticLinear, (2, 4), (3, 4)), rounded, also=("x",)
    ),
    "nn.StaticConv2d": Call(nn.StaticConv2d, lambda g: static_arguments(g, (3, 4, 2, 2)), made(nn.StaticConv2d)),
    "nn.StaticConv2d.forward": Call(
        nn.StaticConv2d.forward,
        static_input(nn.StaticConv2d, (2, 4, 3, 3), (3, 4, 2, 2)),
        rounded,
        also=("x", "x_codes"),
    ),
    "nn.HeldQParams": Call(nn.HeldQParams, lambda g: {"qparams": activation_qparams(g)}, made(nn.HeldQParams)),
    "nn.HeldQParams.quantize": Call(
        nn.HeldQParams.quantize, lambda g: {"self": nn.HeldQParams(INPUT), "x": numbers(g, 2, 3)}, rounded
    ),
    "nn.HeldQParams.forward": Call(
        nn.HeldQParams.forward,
        lambda g: {"self": nn.HeldQParams(INPUT), "codes": codes(g, 2, 3)},
        real_output,
        also=("q",),
    ),
    "workflow.quantize_dynamic": Call(
        workflow.quantize_dynamic,
        lambda g: (
            {"model": float_model(), "layers": g.choice(None, [torch.nn.Linear]), "rule": None, "exclude": ()}
            | schemes(g)
        ),
        prepared_holds,
    ),
    "workflow.prepare": Call(
        workflow.prepare,
        lambda g: {
            "model": float_model(),
            "example": EXAMPLE,
            "observer": g.choice(MinMax, Percentile),
            "rule": "fbgemm",
            **schemes(g),
        },
        prepared_holds,
        fixed=("example",),  # handed to the model as it is, so errors are the model's
    ),
    "workflow.prepare_qat": Call(
        workflow.prepare_qat,
        lambda g: {
            "model": float_model(),
            "example": EXAMPLE,
            "method": g.choice("ste", "lsq"),
            "rule": "fbgemm",
            "momentum": g.number(0.01, 1.0),
            **schemes(g),
        },
        prepared_holds,
        fixed=("example",),
    ),
    "workflow.convert": Call(
        workflow.convert, lambda g: {"prepared": g.choice(observing_model, learning_model)()}, prepared_holds
    ),
    "workflow.report": Call(
        workflow.report,
        lambda g: {"model": quantized_model(), "data": torch.ones(2, 4), "float_model": None},
        lambda result, a: len(result.layers) == 2,
        fixed=("data",),  # handed to the model as it is, so errors are the model's
    ),
    "workflow.storage.save": Call(
        storage.save,
        lambda g: {"model": quantized_model(), "path": FOLDER / "saved.safetensors"},
        lambda result, a: result == Path(a["path"]).stat().st_size,
        fixed=("path",),  # it would write files of any name
    ),
    "workflow.storage.load": Call(
        storage.load,
        lambda g: {"path": checkpoint(), "model": float_model()},
        prepared_holds,
        refusals=(TypeError, ValueError, FileNotFoundError),
    ),
}
