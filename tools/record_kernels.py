"""Ask production kernels (ONNX Runtime, torch) and record their answers for the lessons that run on NumPy alone.

Inputs are random and tie-heavy: x = (k + 0.5)·scale sits exactly between two codes, where rounding rules differ.
Usage: .venv/bin/python tools/record_kernels.py
"""

import warnings

import ml_dtypes
import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper
from safetensors.numpy import save_file

from quantutils.course.recorded import FOLDER

ELEMENT_TYPES = {
    "float32": TensorProto.FLOAT,
    "uint8": TensorProto.UINT8,
    "int8": TensorProto.INT8,
    "int32": TensorProto.INT32,
}
ORT, TORCH = f"onnxruntime {onnxruntime.__version__}", f"torch {torch.__version__.split('+')[0]}"


def onnx_outputs(operator, inputs, output_types):
    """What ONNX Runtime's CPU kernel of one operator returns for `inputs` ({name: array}, in the operator's order)."""
    element = {name: ELEMENT_TYPES[array.dtype.name] for name, array in inputs.items()}
    graph = helper.make_graph(
        [helper.make_node(operator, list(inputs), [f"out{i}" for i in range(len(output_types))])],
        operator,
        [helper.make_tensor_value_info(name, element[name], array.shape) for name, array in inputs.items()],
        [helper.make_tensor_value_info(f"out{i}", ELEMENT_TYPES[kind], None) for i, kind in enumerate(output_types)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {name: np.asarray(array) for name, array in inputs.items()})


def tie_heavy(rng, scale, count):
    """`count` float32 numbers: half normal, half exactly between two codes."""
    ties = (rng.integers(-140, 140, count // 2) + 0.5).astype(np.float32) * np.float32(scale)
    return np.concatenate([rng.normal(0, 50 * scale, count - count // 2).astype(np.float32), ties])


def quantize_linear():
    """Rule DIV (ONNX Runtime) and rule FMA (torch) on the same numbers."""
    scale, zero_point = np.float32(0.1), np.uint8(120)
    x = tie_heavy(np.random.default_rng(2), scale, 4096)
    codes = onnx_outputs("QuantizeLinear", {"x": x, "scale": scale, "zero_point": zero_point}, ["uint8"])[0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.quantize_per_tensor is deprecated; the recording stays
        quantized = torch.quantize_per_tensor(torch.from_numpy(x), float(scale), int(zero_point), torch.quint8)
        torch_codes = quantized.int_repr().numpy()
    arrays = {"x": x, "scale": scale, "zero_point": zero_point, "codes": codes, "torch_codes": torch_codes}
    return arrays, {"kernel": "ONNX Runtime QuantizeLinear", "torch kernel": "torch.quantize_per_tensor"}


def dynamic_quantize_linear():
    """Range, scale, zero point and codes chosen by the kernel itself."""
    x = np.random.default_rng(3).normal(0.4, 1.0, 4096).astype(np.float32)
    codes, scale, zero_point = onnx_outputs("DynamicQuantizeLinear", {"x": x}, ["uint8", "float32", "uint8"])
    return {"x": x, "scale": scale, "zero_point": zero_point, "codes": codes}, {
        "kernel": "ONNX Runtime DynamicQuantizeLinear"
    }


def qlinear_matmul():
    """The int32 sums of a quantized product, and its output codes."""
    rng = np.random.default_rng(4)
    inputs = {
        "qa": rng.integers(0, 256, (64, 128), dtype=np.uint8),
        "a_scale": np.float32(0.021),
        "a_zero_point": np.uint8(117),
        "qb": rng.integers(-127, 128, (128, 96)).astype(np.int8),
        "b_scale": np.float32(0.0073),
        "b_zero_point": np.int8(0),
        "out_scale": np.float32(0.31),
        "out_zero_point": np.uint8(131),
    }
    product = {name: inputs[name] for name in ("qa", "qb", "a_zero_point", "b_zero_point")}
    (accumulator,) = onnx_outputs("MatMulInteger", product, ["int32"])
    (codes,) = onnx_outputs("QLinearMatMul", inputs, ["uint8"])
    plain = torch._int_mm(torch.from_numpy(inputs["qa"] // 2).to(torch.int8), torch.from_numpy(inputs["qb"])).numpy()
    return {**inputs, "accumulator": accumulator, "codes": codes, "torch_int_mm_of_half": plain}, {
        "kernel": "ONNX Runtime MatMulInteger and QLinearMatMul",
        "torch kernel": "torch._int_mm",
    }


def int4_packing():
    """The bytes of an INT4 tensor in an ONNX file."""
    codes = np.random.default_rng(1).integers(-8, 8, 4096).astype(np.int8)
    tensor = onnx.numpy_helper.from_array(codes.astype(ml_dtypes.int4), "codes")
    return {"codes": codes, "packed": np.frombuffer(tensor.raw_data, np.uint8)}, {"kernel": "ONNX INT4 tensor"}


RECORDINGS = {
    "onnx_quantize_linear": quantize_linear,
    "onnx_dynamic_quantize_linear": dynamic_quantize_linear,
    "onnx_qlinear_matmul": qlinear_matmul,
    "onnx_int4_packing": int4_packing,
}


def main():
    """Write every recording beside quantutils.course.recorded."""
    torch.set_num_threads(1)
    for name, record in RECORDINGS.items():
        arrays, source = record()
        source["versions"] = f"{ORT}, {TORCH}, onnx {onnx.__version__}"
        save_file(
            {key: np.array(value, order="C") for key, value in arrays.items()}, FOLDER / f"{name}.safetensors", source
        )
        print(f"{name}: {source['kernel']}, {sum(array.nbytes for array in arrays.values()):,} bytes")


if __name__ == "__main__":
    main()
