"""The digits CNN in integers, trained with quantization simulated and otherwise; tools/train_qat.py made the files."""

import json

import torch

from quantutils.zoo.images import digits
from quantutils.zoo.shipped import WEIGHTS

WAYS = ("ptq", "control", "ste", "lsq")
BITS = (8, 4, 3, 2)


def qat_file(way, bits):
    """The file of the converted digits_cnn, for quantutils.storage.load.

    way: "ptq", quantized after training; "control", the same after 40 more epochs in float; "ste" or "lsq", 40 more
    epochs with quantization simulated. bits: of weights and activations, 8, 4, 3 or 2.
    Raises ValueError for another way or another number of bits.
    """
    if way not in WAYS:
        raise ValueError(f"way is {way!r}; accepted: one of {', '.join(map(repr, WAYS))}")
    if bits not in BITS:
        raise ValueError(f"bits is {bits!r}; accepted: one of {', '.join(map(str, BITS))}")
    return WEIGHTS / "qat" / f"digits_cnn_{way}_{bits}.safetensors"


def qat_record():
    """How these files were made: {"command": …, "torch": …, "recipe": …, "correct_of_500": {"lsq 2": …, …}}."""
    return json.loads((WEIGHTS / "qat" / "record.json").read_text(encoding="utf-8"))


def trained_on_digits(model, epochs, rate, seed=0):
    """The model itself, trained in place on digits() with Adam and a rate that falls to 0; in eval mode.

    model: (images, 1, 8, 8) to (images, 10), in training mode. seed: of the order of the batches of 64.
    """
    generator, data = torch.Generator().manual_seed(seed), digits()
    optimizer = torch.optim.Adam(model.parameters(), rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    for _ in range(epochs):
        for batch in torch.randperm(len(data.train_labels), generator=generator).split(64):
            loss = torch.nn.functional.cross_entropy(model(data.train_images[batch]), data.train_labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        schedule.step()
    return model.eval()
