"""What production kernels answered, recorded, so that a lesson compares itself with them on NumPy alone.

tools/record_kernels.py recorded the files beside this one; tests/parity asks the live kernels again and
compares every element.
"""

from pathlib import Path

from safetensors import safe_open

from quantutils.checks import one_of

FOLDER = Path(__file__).parent


def kernel_names():
    """The names of all recordings, in order.

    >>> kernel_names()[0]
    'onnx_dynamic_quantize_linear'
    """
    return sorted(path.stem for path in FOLDER.glob("*.safetensors"))


def recorded_kernel(name):
    """The inputs and outputs of one recorded kernel: ({array name: NumPy array}, {"kernel": …, "versions": …}).

    Raises ValueError for a name that is not recorded.

    >>> arrays, source = recorded_kernel("onnx_quantize_linear")
    >>> source["kernel"], arrays["codes"].dtype
    ('ONNX Runtime QuantizeLinear', dtype('uint8'))
    """
    one_of(name, "name", kernel_names())
    with safe_open(FOLDER / f"{name}.safetensors", framework="numpy") as file:
        return {key: file.get_tensor(key) for key in sorted(file.keys())}, dict(file.metadata())
