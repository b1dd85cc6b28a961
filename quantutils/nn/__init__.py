"""torch layers that hold integers, dynamic and static, and what their weights and activations are kept in."""

from quantutils.kernels.product import centred_product, integer_product
from quantutils.nn.dynamic import DynamicLinear, QuantizedEmbedding, activation_codes
from quantutils.nn.recurrent import DynamicGRU, DynamicLSTM
from quantutils.nn.schemes import ActivationScheme, WeightScheme
from quantutils.nn.static import HeldQParams, StaticConv2d, StaticLinear
from quantutils.nn.weight_only import WeightOnlyLinear
from quantutils.nn.weights import QuantizedWeight, storage_bits

__all__ = [
    "ActivationScheme",
    "DynamicGRU",
    "DynamicLSTM",
    "DynamicLinear",
    "HeldQParams",
    "QuantizedEmbedding",
    "QuantizedWeight",
    "StaticConv2d",
    "StaticLinear",
    "WeightOnlyLinear",
    "WeightScheme",
    "activation_codes",
    "centred_product",
    "integer_product",
    "storage_bits",
]
