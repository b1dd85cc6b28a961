"""Train the models whose weights ship in quantutils/course/zoo/weights, one thread, fixed seeds; print how good.

Usage: .venv/bin/python tools/train_zoo.py NAME …   (digits_mlp, digits_cnn, char_lstm, char_transformer)
Another machine's arithmetic trains to slightly other weights, which is why the weights ship.
"""

import sys
import time

import torch
from safetensors.torch import save_file
from torch import nn

from quantutils.course.zoo import (
    bits_per_character,
    char_lstm,
    char_transformer,
    correct,
    digits,
    digits_cnn,
    digits_mlp,
    encode,
    frozen_text,
    harder_digits,
    trained_on_digits,
)
from quantutils.course.zoo.classifiers import SEEDS, mlp_prefix
from quantutils.course.zoo.shipped import WEIGHTS

MLPS = [("relu", False), ("relu", True), ("tanh", False), ("sigmoid", False), ("identity", False)]


def right_answers(model):
    """How many images the model reads right: (of the 500 of the test set, of the 2000 harder ones)."""
    data = digits()
    return correct(model, data.test_images, data.test_labels), correct(model, *harder_digits())


def train_digits_mlp():
    """Every activation that ships, five seeds of each, in one file."""
    tensors, record = {}, {}
    for activation, norm in MLPS:
        scores = []
        for seed in range(SEEDS):
            model = digits_mlp(False, activation=activation, norm=norm, seed=seed)
            trained_on_digits(model, epochs=60, rate=4e-3, seed=seed)
            prefix = mlp_prefix(activation, norm, seed)
            tensors |= {prefix + name: tensor for name, tensor in model.state_dict().items()}
            scores.append(right_answers(model))
        name = prefix.split(".")[0]
        record[f"{name}.correct_of_500"] = " ".join(str(score[0]) for score in scores)
        record[f"{name}.correct_of_2000_harder"] = " ".join(str(score[1]) for score in scores)
    return tensors, record


def train_digits_cnn():
    """The CNN, one seed."""
    model = trained_on_digits(digits_cnn(False), epochs=40, rate=3e-3, seed=0, moved=1)
    test, harder = right_answers(model)
    return model.state_dict(), {"correct_of_500": str(test), "correct_of_2000_harder": str(harder)}


def trained_on_text(model, steps, rate, batch=32, window=128):
    """The character model, trained with Adam on random windows of the training text."""
    generator = torch.Generator().manual_seed(0)
    codes = encode(frozen_text("train"))
    optimizer = torch.optim.AdamW(model.parameters(), rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, steps, pct_start=0.1)
    start = time.perf_counter()
    for step in range(steps):
        places = torch.randint(0, len(codes) - window, (batch, 1), generator=generator) + torch.arange(window + 1)
        logits = model(codes[places[:, :-1]])
        loss = nn.functional.cross_entropy(logits.flatten(0, 1), codes[places[:, 1:]].flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % 100 == 99:
            print(f"\r  step {step + 1} of {steps}, {time.perf_counter() - start:.0f} s", end="", file=sys.stderr)
    print(file=sys.stderr)
    return model.eval()


def train_char_lstm():
    """The LSTM."""
    model = trained_on_text(char_lstm(False), steps=3000, rate=5e-3)
    return model.state_dict(), {"test_bits_per_character": f"{bits_per_character(model):.3f}"}


def train_char_transformer():
    """The transformer."""
    model = trained_on_text(char_transformer(False), steps=3000, rate=4e-3, batch=16)
    return model.state_dict(), {"test_bits_per_character": f"{bits_per_character(model):.3f}"}


TRAININGS = {
    "digits_mlp": train_digits_mlp,
    "digits_cnn": train_digits_cnn,
    "char_lstm": train_char_lstm,
    "char_transformer": train_char_transformer,
}


def main(names):
    """Train each of `names`, write its file and print its record."""
    unknown = sorted(set(names) - set(TRAININGS))
    if unknown or not names:
        sys.exit(f"no such model: {', '.join(unknown) or 'none given'}; accepted: {', '.join(TRAININGS)}")
    torch.set_num_threads(1)
    for name in names:
        tensors, scores = TRAININGS[name]()
        record = {"command": f"tools/train_zoo.py {name}", "torch": torch.__version__.split("+")[0], **scores}
        save_file(
            {key: tensor.contiguous() for key, tensor in tensors.items()}, WEIGHTS / f"{name}.safetensors", record
        )
        print(name, *(f"{key}: {value}" for key, value in scores.items()), sep="\n  ", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
