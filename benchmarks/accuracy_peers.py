"""The peers of benchmarks/accuracy.py, each on the same trained float CNN: torch.ao, ONNX Runtime, torchao, brevitas.

A peer's `make(given, bits, calibration, train)` returns images → logits. given: the float nn.Sequential in eval mode,
not to be changed. calibration: images, float32 (images, 1, side, side). train: trains a model in place with the recipe
that quantutils gets, and returns it in eval mode. A peer that is not installed is skipped, with the reason.
"""

import copy
import importlib.util
import tempfile
import warnings
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn

LOW = (4, 3, 2)
ENGINE = "fbgemm"


class Peer(NamedTuple):
    """version: what is installed. models: {(way, bits): (note, make)}."""

    version: str
    models: dict


def installed():
    """The peers that can be measured here, {name: Peer}, and why the others cannot, {name: reason}."""
    able, skipped = {}, {}
    for name, (needed, models) in PEERS.items():
        missing = [package for package in needed if importlib.util.find_spec(package) is None]
        if missing:
            skipped[name] = f"{', '.join(missing)} not installed; benchmarks/requirements.txt says how to install it"
        else:
            able[name] = Peer(version(needed[0]), models)
    return able, skipped


# torch.ao, eager mode: integers at 8 bits; below, where it has no kernels, its own FakeQuantize with fewer codes


@contextmanager
def _engine():
    before = torch.backends.quantized.engine
    torch.backends.quantized.engine = ENGINE
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch.ao says at every call that it is deprecated
            yield
    finally:
        torch.backends.quantized.engine = before


def _between_stubs(given, training):
    """A copy between QuantStub and DeQuantStub, its Conv, BatchNorm and ReLU fused."""
    from torch.ao import quantization as ao

    model = nn.Sequential(ao.QuantStub(), *copy.deepcopy(given), ao.DeQuantStub()).train(training)
    kinds, groups, place = [type(layer) for layer in model], [], 0
    while place < len(kinds):
        for group in ([nn.Conv2d, nn.BatchNorm2d, nn.ReLU], [nn.Linear, nn.ReLU]):
            if kinds[place : place + len(group)] == group:
                groups.append([str(place + step) for step in range(len(group))])
                place += len(group) - 1
                break
        place += 1
    return (ao.fuse_modules_qat if training else ao.fuse_modules)(model, groups)


def torch_ao_static(given, _bits, calibration, _train):
    """Static quantization with the default qconfig of fbgemm."""
    from torch.ao import quantization as ao

    with _engine(), torch.no_grad():
        model = _between_stubs(given, training=False)
        model.qconfig = ao.get_default_qconfig(ENGINE)
        prepared = ao.prepare(model)
        prepared(calibration)
        return ao.convert(prepared)


def torch_ao_trained(given, bits, _calibration, train):
    """QAT: at 8 bits the default QAT qconfig of fbgemm, converted; below, simulated."""
    from torch.ao import quantization as ao

    with _engine():
        model = _between_stubs(given, training=True)
        default = ao.get_default_qat_qconfig(ENGINE)
        model.qconfig = default if bits == 8 else _narrow(bits, ao.MovingAverageMinMaxObserver)
        trained = train(ao.prepare_qat(model))
        return ao.convert(trained) if bits == 8 else trained.apply(ao.disable_observer)


def torch_ao_simulated(given, bits, calibration, _train):
    """Post-training with fewer codes: ranges watched in float, then weights and activations rounded."""
    from torch.ao import quantization as ao

    with _engine(), torch.no_grad():
        model = _between_stubs(given, training=True)
        model.qconfig = _narrow(bits, ao.MinMaxObserver)
        prepared = ao.prepare_qat(model).eval().apply(ao.disable_fake_quant)
        prepared(calibration)
        return prepared.apply(ao.disable_observer).apply(ao.enable_fake_quant)


def _narrow(bits, observer):
    from torch.ao import quantization as ao

    half = 2 ** (bits - 1)
    activation = ao.FakeQuantize.with_args(observer=observer, quant_min=0, quant_max=2 * half - 1, dtype=torch.quint8)
    weight = ao.FakeQuantize.with_args(
        observer=ao.PerChannelMinMaxObserver,
        quant_min=-half,
        quant_max=half - 1,
        dtype=torch.qint8,
        qscheme=torch.per_channel_symmetric,
        ch_axis=0,
    )
    return ao.QConfig(activation=activation, weight=weight)


# ONNX Runtime


def onnx_runtime_static(given, _bits, calibration, _train):
    """quantize_static, per channel, everything else by default, on a graph written by hand; run by ONNX Runtime."""
    import onnx
    import onnxruntime
    from onnxruntime.quantization import CalibrationDataReader, quantize_static

    class Reader(CalibrationDataReader):
        """Gives the calibration images once, in one batch."""

        batches = iter([{"images": calibration.numpy()}])

        def get_next(self):
            """The next batch, or None."""
            return next(self.batches, None)

    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "float.onnx", Path(folder) / "integers.onnx"
        onnx.save(graph_of(given, calibration.shape[2]), source)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            quantize_static(source, target, Reader(), per_channel=True)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        session = onnxruntime.InferenceSession(target.read_bytes(), options, providers=["CPUExecutionProvider"])
    return lambda images: torch.from_numpy(session.run(None, {"images": images.numpy()})[0])


def graph_of(model, side):
    """The ONNX model of a float nn.Sequential in eval mode, BatchNorm folded: images (n, 1, side, side) to logits."""
    from onnx import TensorProto, checker, helper, numpy_helper

    nodes, constants, x = [], [], "images"

    def constant(name, tensor):
        constants.append(numpy_helper.from_array(tensor.detach().numpy(), name))
        return name

    for place, layer in enumerate(folded(model)):
        kind, attributes, inputs, out = None, {}, [x], f"out{place}"
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            inputs += [constant(f"weight{place}", layer.weight), constant(f"bias{place}", layer.bias)]
        if isinstance(layer, nn.Conv2d):
            kind, attributes = "Conv", {"kernel_shape": layer.kernel_size, "pads": layer.padding * 2}
        elif isinstance(layer, nn.Linear):
            kind, attributes = "Gemm", {"transB": 1}
        elif isinstance(layer, nn.MaxPool2d):
            kind, attributes = "MaxPool", {"kernel_shape": [layer.kernel_size] * 2, "strides": [layer.stride] * 2}
        else:
            kind = {nn.ReLU: "Relu", nn.Flatten: "Flatten"}[type(layer)]
        nodes.append(helper.make_node(kind, inputs, [out], f"{kind}{place}", **attributes))
        x = out
    images = helper.make_tensor_value_info("images", TensorProto.FLOAT, ["n", 1, side, side])
    logits = helper.make_tensor_value_info(x, TensorProto.FLOAT, ["n", model[-1].out_features])
    graph = helper.make_graph(nodes, "classifier", [images], [logits], constants)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    checker.check_model(made)
    return made


def folded(model):
    """The layers of a float nn.Sequential in eval mode, each BatchNorm folded into the convolution before it."""
    layers = []
    for layer in model:
        if isinstance(layer, nn.BatchNorm2d):
            layers[-1] = nn.utils.fuse_conv_bn_eval(layers[-1], layer)
        else:
            layers.append(copy.deepcopy(layer))
    return layers


# torchao: Linear layers only


def torchao_dynamic(given, _bits, _calibration, _train):
    """Int8DynamicActivationInt8WeightConfig."""
    from torchao.quantization import Int8DynamicActivationInt8WeightConfig, quantize_

    model = copy.deepcopy(given)
    quantize_(model, Int8DynamicActivationInt8WeightConfig())
    return model


def torchao_weights(given, bits, _calibration, _train):
    """IntxWeightOnlyConfig, one scale an output."""
    from torchao.quantization import IntxWeightOnlyConfig, quantize_
    from torchao.quantization.granularity import PerAxis

    model = copy.deepcopy(given)
    quantize_(model, IntxWeightOnlyConfig(weight_dtype=getattr(torch, f"int{bits}"), granularity=PerAxis(0)))
    return model


# brevitas


def brevitas_trained(given, bits, _calibration, train):
    """QAT from the folded float weights: weights per channel, activations with a trained scale; simulated."""
    from brevitas import nn as qnn
    from brevitas.quant import Int8WeightPerChannelFloat, Uint8ActPerTensorFloat

    weights = {"weight_quant": Int8WeightPerChannelFloat, "weight_bit_width": bits}
    layers = [qnn.QuantIdentity(act_quant=Uint8ActPerTensorFloat, bit_width=bits)]
    for layer in folded(given):
        if isinstance(layer, nn.Conv2d):
            kernel = {"kernel_size": layer.kernel_size, "padding": layer.padding}
            layers.append(qnn.QuantConv2d(layer.in_channels, layer.out_channels, **kernel, **weights))
        elif isinstance(layer, nn.Linear):
            layers.append(qnn.QuantLinear(layer.in_features, layer.out_features, bias=True, **weights))
        elif isinstance(layer, nn.ReLU):
            layers.append(qnn.QuantReLU(bit_width=bits))
            continue
        else:
            layers.append(layer)
            continue
        with torch.no_grad():
            layers[-1].weight.copy_(layer.weight)
            layers[-1].bias.copy_(layer.bias)
    return train(nn.Sequential(*layers).train())


SIMULATED = "simulated with its own FakeQuantize: torch.ao has no kernels below 8 bits"
LINEAR_ONLY = "the 2 Linear layers only; the 3 convolutions stay in float"
FLOAT_LOGITS = "simulated; the logits stay in float, where quantutils rounds them too"
# By name: the packages it needs, the first of which has the version, and its models.
PEERS = {
    "torch.ao": (
        ("torch",),
        {("ptq", 8): (f"integers, engine {ENGINE}", torch_ao_static)}
        | {("ptq", bits): (SIMULATED, torch_ao_simulated) for bits in LOW}
        | {("ste", 8): (f"integers, engine {ENGINE}", torch_ao_trained)}
        | {("ste", bits): (SIMULATED, torch_ao_trained) for bits in LOW},
    ),
    "ONNX Runtime": (("onnxruntime", "onnx"), {("ptq", 8): ("integers", onnx_runtime_static)}),
    "torchao": (
        ("torchao",),
        {("ptq", 8): (f"weights and activations of {LINEAR_ONLY}", torchao_dynamic)}
        | {("ptq", bits): (f"weights of {LINEAR_ONLY}", torchao_weights) for bits in LOW},
    ),
    "brevitas": (("brevitas",), {("ste", bits): (FLOAT_LOGITS, brevitas_trained) for bits in LOW}),
}
