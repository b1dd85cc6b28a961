"""torch layers that hold integers: dynamic Linear, LSTM, GRU and Embedding, and what their weights are kept in."""

from quantutils.nn.dynamic import DynamicLinear, QuantizedEmbedding, activation_codes
from quantutils.nn.product import centred_product, integer_product
from quantutils.nn.recurrent import DynamicGRU, DynamicLSTM
from quantutils.nn.schemes import ActivationScheme, WeightScheme
from quantutils.nn.weights import QuantizedWeight, storage_bits

__all__ = [
    "ActivationScheme",
    "DynamicGRU",
    "DynamicLSTM",
    "DynamicLinear",
    "QuantizedEmbedding",
    "QuantizedWeight",
    "WeightScheme",
    "activation_codes",
    "centred_product",
    "integer_product",
    "storage_bits",
]
