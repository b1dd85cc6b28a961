"""The peers of benchmarks/product.py, each with the same weights: {kind: function without arguments} for one size.

Every function takes: linear (float nn.Linear), x (float32), codes (uint8, of x), x_qparams, weight (QuantizedWeight)
and out_qparams.
"""

import copy

import numpy as np
import torch
from torch import nn

ENGINE = "fbgemm"


def torch_ao(linear, x, codes, x_qparams, weight, out_qparams):
    """Eager mode, engine fbgemm: quantize_dynamic, and the static kernel from quint8 to quint8."""
    from torch.ao.quantization import quantize_dynamic

    torch.backends.quantized.engine = ENGINE
    dynamic = quantize_dynamic(nn.Sequential(copy.deepcopy(linear)))
    scale, zeros = weight.scale.double(), torch.zeros(len(weight.scale), dtype=torch.int64)
    packed = torch.ops.quantized.linear_prepack(
        torch.quantize_per_channel(linear.weight.detach(), scale, zeros, 0, torch.qint8), linear.bias.detach()
    )
    given = torch.quantize_per_tensor(x, x_qparams.scale, x_qparams.zero_point, torch.quint8)
    out = (out_qparams.scale, out_qparams.zero_point)
    return {
        "dynamic Linear": lambda: dynamic(x),
        "static Linear, codes to codes": lambda: torch.ops.quantized.linear(given, packed, *out),
    }


def onnx_runtime(linear, x, codes, x_qparams, weight, out_qparams):
    """MatMulInteger alone (uint8 by int8, its quickest), as in quantize_dynamic's graphs, and QLinearMatMul."""
    from onnx import TensorProto, helper

    weights = np.ascontiguousarray(weight.codes().numpy().T)
    scales, bias = weight.scale.numpy(), linear.bias.detach().numpy()
    product = _session(
        [helper.make_node("MatMulInteger", ["x", "w"], ["y"])],
        TensorProto.UINT8,
        TensorProto.INT32,
        {"w": weights},
    )
    dynamic = _session(
        [
            helper.make_node("DynamicQuantizeLinear", ["x"], ["codes", "scale", "zero"]),
            helper.make_node("MatMulInteger", ["codes", "w", "zero"], ["sums"]),
            helper.make_node("Cast", ["sums"], ["real"], to=TensorProto.FLOAT),
            helper.make_node("Mul", ["scale", "scales"], ["both"]),
            helper.make_node("Mul", ["real", "both"], ["scaled"]),
            helper.make_node("Add", ["scaled", "bias"], ["y"]),
        ],
        TensorProto.FLOAT,
        TensorProto.FLOAT,
        {"w": weights, "scales": scales, "bias": bias},
    )
    static = _session(
        [helper.make_node("QLinearMatMul", ["x", "sx", "zx", "w", "sw", "zw", "sy", "zy"], ["y"])],
        TensorProto.UINT8,
        TensorProto.UINT8,
        {
            "sx": np.float32(x_qparams.scale),
            "zx": np.uint8(x_qparams.zero_point),
            "w": weights,
            "sw": scales,
            "zw": np.zeros(len(scales), np.int8),
            "sy": np.float32(out_qparams.scale),
            "zy": np.uint8(out_qparams.zero_point),
        },
    )
    return {
        "integer product": lambda: product.run(None, {"x": codes.numpy()}),
        "dynamic Linear": lambda: dynamic.run(None, {"x": x.numpy()}),
        "static Linear, codes to codes": lambda: static.run(None, {"x": codes.numpy()}),
    }


def _session(nodes, given, made, constants):
    import onnxruntime
    from onnx import helper, numpy_helper

    x, y = (helper.make_tensor_value_info(name, kind, [None, None]) for name, kind in (("x", given), ("y", made)))
    held = [numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()]
    graph = helper.make_graph(nodes, "linear", [x], [y], held)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def torchao(linear, x, codes, x_qparams, weight, out_qparams):
    """Int8DynamicActivationInt8WeightConfig, not compiled."""
    from torchao.quantization import Int8DynamicActivationInt8WeightConfig, quantize_

    model = nn.Sequential(copy.deepcopy(linear))
    quantize_(model, Int8DynamicActivationInt8WeightConfig())
    return {"dynamic Linear": lambda: model(x)}
