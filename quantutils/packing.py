"""What codes weigh: the bytes of a model, and codes narrower than a byte really packed, two or four in each."""

import numpy as np

from quantutils.arrays import as_array, code_array, dtype_name
from quantutils.checks import flag, whole_number


def weight_bytes(parameters, bits, group_size=None, scale_bits=16):
    """Bytes of `parameters` weights of `bits` bits, with one scale of `scale_bits` bits for every group; rounded up.

    parameters · bits / 8, and ⌈parameters / group_size⌉ · scale_bits / 8 more with a group_size.
    Computed, not measured: a file adds a header. Raises TypeError or ValueError unless all are whole
    and positive, bits at most 64.

    >>> weight_bytes(7_000_000_000, 4), weight_bytes(7_000_000_000, 4, group_size=32)
    (3500000000, 3937500000)
    """
    parameters = whole_number(parameters, "parameters", 1)  # a Python int: a NumPy uint8 would wrap round below
    total, scale_bits = parameters * whole_number(bits, "bits", 1, 64), whole_number(scale_bits, "scale_bits", 1, 64)
    if group_size is not None:
        groups = -(-parameters // whole_number(group_size, "group_size", 1))
        total += groups * scale_bits
    return -(-total // 8)


def pack_codes(codes, bits):
    """`codes` packed into bytes: uint8, shape (⌈codes.size · bits / 8⌉,).

    codes: NumPy integers, any shape, that fit `bits` bits, all signed (two's complement) or all unsigned.
    bits: 2, 4 or 8. The first code goes into the lowest bits of the first byte; the last byte is padded with 0.
    Raises ValueError for other bits or for codes that do not fit, TypeError for codes that are not integers.

    >>> pack_codes(np.array([1, -2, 7]), bits=4)
    array([225,   7], dtype=uint8)
    """
    codes, bits = _numpy_codes(codes, "codes"), _packable(bits)
    signed = codes.size > 0 and int(codes.min()) < 0
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    code_array(codes, "codes", low, high)
    per_byte = 8 // bits
    flat = codes.astype(np.int64).ravel() & (2**bits - 1)
    padded = np.zeros(-(-flat.size // per_byte) * per_byte, np.int64)
    padded[: flat.size] = flat
    shifts = np.arange(per_byte) * bits
    return (padded.reshape(-1, per_byte) << shifts).sum(axis=1).astype(np.uint8)  # a byte from each row


def unpack_codes(packed, bits, count, signed=True):
    """The `count` codes that `pack_codes` packed: int8 if `signed`, else uint8, shape (count,).

    packed: uint8, 1-D. Raises ValueError unless it holds just `count` codes of `bits` bits, TypeError for other dtypes.

    >>> unpack_codes(np.array([225, 7], np.uint8), bits=4, count=3)
    array([ 1, -2,  7], dtype=int8)
    """
    packed, bits, count = _numpy_codes(packed, "packed"), _packable(bits), whole_number(count, "count", 0)
    if dtype_name(packed) != "uint8":
        raise TypeError(f"packed has dtype {dtype_name(packed)}; accepted: uint8")
    per_byte = 8 // bits
    if packed.shape != (-(-count // per_byte),):
        raise ValueError(
            f"packed has shape {packed.shape}; accepted: ({-(-count // per_byte)},) for {count} codes of {bits} bits"
        )
    # Shifted to the top of its byte and back down, a code loses its neighbours; int8 brings its sign along.
    codes = np.empty((packed.size, per_byte), np.int8 if flag(signed, "signed") else np.uint8)
    for place in range(per_byte):
        lifted = packed << np.uint8(8 - bits * (place + 1))
        np.right_shift(lifted.view(codes.dtype), codes.dtype.type(8 - bits), out=codes[:, place])
    return codes.ravel()[:count]


def _numpy_codes(values, name):
    array = as_array(values, name)
    if not isinstance(array, np.ndarray):
        raise TypeError(f"{name} is a {type(values).__name__}; accepted: a NumPy array of integers")
    return code_array(array, name)[0]


def _packable(bits):
    if whole_number(bits, "bits", 2, 8) not in (2, 4, 8):
        raise ValueError(f"bits is {bits}; accepted: 2, 4 or 8, which fill a byte without a gap")
    return int(bits)
