"""The integer product of a layer, which the kernels share."""

from quantutils.kernels.product import centred_product, int_mm_is_exact, integer_product

__all__ = ["centred_product", "int_mm_is_exact", "integer_product"]
