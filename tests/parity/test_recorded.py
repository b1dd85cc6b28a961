"""The recordings that lessons compare themselves with are what the live kernels answer today."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from quantutils import QParams, choose_qparams, integer_matmul, pack_codes, requantize
from quantutils.course.recorded import kernel_names, recorded_kernel
from quantutils.kernels.product import int_mm_is_exact

RECORDER = Path(__file__).resolve().parents[2] / "tools" / "record_kernels.py"


@pytest.fixture(scope="module")
def recorder():
    spec = importlib.util.spec_from_file_location("record_kernels", RECORDER)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_recording_is_recorded_by_the_tool(recorder):
    assert sorted(recorder.RECORDINGS) == kernel_names()


def test_a_name_that_was_not_recorded_is_refused():
    with pytest.raises(ValueError, match=r"name is 'onnx'; accepted: one of 'onnx_dynamic_quantize_linear', "):
        recorded_kernel("onnx")


@pytest.mark.parametrize("name", kernel_names())
def test_live_kernel_still_answers_what_was_recorded(recorder, name):
    if name == "onnx_qlinear_matmul" and not int_mm_is_exact():
        pytest.skip("Without VNNI these kernels add pairs of products in 16 bits, and overflow.")
    live, _ = recorder.RECORDINGS[name]()
    arrays, _ = recorded_kernel(name)
    assert sorted(live) == sorted(arrays)
    for key, array in arrays.items():
        np.testing.assert_array_equal(np.asarray(live[key]), array, strict=True)


def test_quantize_is_onnx_quantize_linear_bit_for_bit():
    arrays, _ = recorded_kernel("onnx_quantize_linear")
    ours = QParams(arrays["scale"], arrays["zero_point"], 0, 255).quantize(arrays["x"])
    np.testing.assert_array_equal(ours, arrays["codes"], strict=True)


def test_torch_rounds_ties_differently_so_the_recording_can_tell_rules_apart():
    arrays, _ = recorded_kernel("onnx_quantize_linear")
    assert np.sum(arrays["codes"] != arrays["torch_codes"]) > 100


def test_dynamic_quantize_linear_bit_for_bit():
    arrays, _ = recorded_kernel("onnx_dynamic_quantize_linear")
    ours = choose_qparams(arrays["x"].min(), arrays["x"].max(), signed=False)
    assert np.float32(ours.scale) == arrays["scale"]
    np.testing.assert_array_equal(ours.quantize(arrays["x"]), arrays["codes"], strict=True)


def test_integer_product_and_requantization_bit_for_bit():
    arrays, _ = recorded_kernel("onnx_qlinear_matmul")
    exact = integer_matmul(arrays["qa"].astype(np.int16) - np.int16(arrays["a_zero_point"]), arrays["qb"])
    np.testing.assert_array_equal(exact, arrays["accumulator"], strict=True)
    np.testing.assert_array_equal(
        integer_matmul((arrays["qa"] // 2).astype(np.int8), arrays["qb"]), arrays["torch_int_mm_of_half"]
    )
    # ONNX Runtime multiplies in float32: fl(fl(sa·sb) / sy).
    multiplier = np.float32(arrays["a_scale"] * arrays["b_scale"]) / arrays["out_scale"]
    out = QParams(arrays["out_scale"], arrays["out_zero_point"], 0, 255)
    np.testing.assert_array_equal(requantize(exact, multiplier, out), arrays["codes"], strict=True)


def test_int4_bytes_are_onnx_bytes():
    arrays, _ = recorded_kernel("onnx_int4_packing")
    np.testing.assert_array_equal(pack_codes(arrays["codes"], bits=4), arrays["packed"], strict=True)
