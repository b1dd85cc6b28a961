"""The digits CNN in integers, trained with quantization simulated and otherwise; tools/train_qat.py made the files."""

import json

from quantutils.checks import one_of
from quantutils.course.zoo.shipped import WEIGHTS

WAYS = ("ptq", "control", "ste", "lsq")
BITS = (8, 4, 3, 2)


def qat_file(way, bits):
    """The file of the converted digits_cnn, for quantutils.workflow.storage.load.

    way: "ptq", quantized after training; "control", the same after 40 more epochs in float; "ste" or "lsq", 40 more
    epochs with quantization simulated. bits: of weights and activations, 8, 4, 3 or 2.
    Raises ValueError for another way or another number of bits.
    """
    one_of(way, "way", WAYS)
    if bits not in BITS:
        raise ValueError(f"bits is {bits!r}; accepted: one of {', '.join(map(str, BITS))}")
    return WEIGHTS / "qat" / f"digits_cnn_{way}_{bits}.safetensors"


def qat_record():
    """How these files were made: {"command": …, "torch": …, "recipe": …, "correct_of_500": {"lsq 2": …, …}}."""
    return json.loads((WEIGHTS / "qat" / "record.json").read_text(encoding="utf-8"))
