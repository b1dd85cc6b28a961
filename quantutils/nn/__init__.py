"""torch layers that hold integers, dynamic and static, and what their weights and activations are kept in."""

from quantutils.nn.codes import Codes, as_float
from quantutils.nn.dynamic import DynamicLinear, QuantizedEmbedding, activation_codes
from quantutils.nn.product import centred_product, integer_product
from quantutils.nn.recurrent import DynamicGRU, DynamicLSTM
from quantutils.nn.schemes import ActivationScheme, WeightScheme
from quantutils.nn.static import Dequantize, Quantize, StaticConv2d, StaticLinear
from quantutils.nn.weight_only import WeightOnlyLinear
from quantutils.nn.weights import QuantizedWeight, storage_bits

__all__ = [
    "ActivationScheme",
    "Codes",
    "Dequantize",
    "DynamicGRU",
    "DynamicLSTM",
    "DynamicLinear",
    "Quantize",
    "QuantizedEmbedding",
    "QuantizedWeight",
    "StaticConv2d",
    "StaticLinear",
    "WeightOnlyLinear",
    "WeightScheme",
    "activation_codes",
    "as_float",
    "centred_product",
    "integer_product",
    "storage_bits",
]
