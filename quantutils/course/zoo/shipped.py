"""Trained weights that ship with the package: one safetensors file a model, with a record of how it was trained."""

from pathlib import Path

import torch
from safetensors import safe_open

from quantutils.checks import one_of

WEIGHTS = Path(__file__).parent / "weights"


def shipped_names():
    """The names of all models whose trained weights ship, in order."""
    return sorted(path.stem for path in WEIGHTS.glob("*.safetensors"))


def training_record(name):
    """How the shipped weights were made and how good they are: {"command": …, "torch": …, and their scores}, texts.

    Raises ValueError for a name without shipped weights.
    """
    with _opened(name) as file:
        return dict(file.metadata())


def fill(model, name, prefix=""):
    """Put the shipped weights called `name`, those whose names begin with `prefix`, into `model`; return it in eval."""
    with _opened(name) as file:
        tensors = {key: file.get_tensor(key) for key in file.keys() if key.startswith(prefix)}  # noqa: SIM118 - no dict
    model.load_state_dict({key.removeprefix(prefix): tensor for key, tensor in tensors.items()})
    return model.eval()


def built_with_seed(build, seed):
    """What `build()` returns with torch's generator at `seed`; the generator goes on afterwards as if nothing was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build()


def _opened(name):
    one_of(name, "name", shipped_names())
    return safe_open(WEIGHTS / f"{name}.safetensors", framework="pt")
