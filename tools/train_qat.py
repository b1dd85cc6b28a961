"""Train the digits CNN with quantization simulated, and ship the integers, with two things to compare them with.

Usage: .venv/bin/python tools/train_qat.py   (about four minutes on one core; writes quantutils/course/zoo/weights/qat)
ptq: the shipped float model, quantized after training. control: the same after as much more training in float.
ste, lsq: trained with quantization simulated. One recipe for all, one seed. Another machine's arithmetic trains to
slightly other weights, which is why the integers ship: they give the same answers on every processor.
"""

import copy
import json
import sys

import torch

from quantutils.course.zoo import correct, digits, digits_cnn, qat_file, trained_on_digits
from quantutils.course.zoo.trained import BITS
from quantutils.nn import ActivationScheme, WeightScheme
from quantutils.workflow import convert, prepare, prepare_qat, storage

EPOCHS, RATE, SEED, CALIBRATION = 40, 3e-3, 0, 256


def schemes(bits):
    """Weights a channel, symmetric; activations a tensor, asymmetric: the same bits for both, in every layer."""
    return WeightScheme(bits), ActivationScheme(bits)


def trained(model):
    """The model, trained with the one recipe."""
    return trained_on_digits(model, EPOCHS, RATE, SEED)


def after_training(model, bits):
    """The float model quantized after training, calibrated with the first training images."""
    prepared = prepare(model, digits().train_images[:CALIBRATION], *schemes(bits))
    prepared(digits().train_images[:CALIBRATION])
    return convert(prepared)


def main():
    """Train everything, save it, and print how many of the 500 test images each reads right."""
    torch.set_num_threads(1)
    data, given = digits(), digits_cnn()
    control = trained(copy.deepcopy(given).train())
    counts = {"float": right(given, data), "control in float": right(control, data)}
    for bits in BITS:
        made = {"ptq": after_training(given, bits), "control": after_training(control, bits)}
        for method in ("ste", "lsq"):
            made[method] = convert(trained(prepare_qat(given, data.train_images[:CALIBRATION], *schemes(bits), method)))
        for way, model in made.items():
            path = qat_file(way, bits)
            path.parent.mkdir(exist_ok=True)
            storage.save(model, path)
            counts[f"{way} {bits}"] = right(model, data)
            print(f"{way:8} {bits} bits: {counts[f'{way} {bits}']} of 500", file=sys.stderr)
    recipe = f"Adam, rate {RATE} falling to 0, {EPOCHS} epochs of batches of 64, seed {SEED}"
    record = {"command": "tools/train_qat.py", "torch": torch.__version__, "recipe": recipe, "correct_of_500": counts}
    qat_file("ptq", 8).with_name("record.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def right(model, data):
    """How many test images the model reads right."""
    return correct(model, data.test_images, data.test_labels)


if __name__ == "__main__":
    main()
