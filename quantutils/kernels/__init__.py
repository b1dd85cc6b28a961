"""Integer layers with the rounding rules of production kernels, bit for bit: which "round" is it?

Every rule adds products up exactly and rounds half to even; they differ in how they make codes of activations
(activations.py) and in how they scale the exact sum (scaling.py). tests/parity compares each with the live kernel.
"""

from quantutils.kernels.activations import Activations, torch_range_qparams
from quantutils.kernels.conv import conv2d_static, integer_conv2d
from quantutils.kernels.linear import linear_dynamic, linear_static, quantize_activations
from quantutils.kernels.rules import NAMES, RULES, onednn_conv_path, onednn_path

__all__ = [
    "NAMES",
    "RULES",
    "Activations",
    "conv2d_static",
    "integer_conv2d",
    "linear_dynamic",
    "linear_static",
    "onednn_conv_path",
    "onednn_path",
    "quantize_activations",
    "torch_range_qparams",
]
