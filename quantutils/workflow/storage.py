"""Quantized models on disk: one safetensors file with packed integers, scales, and how each layer was quantized.

Nothing is unpickled: the file holds tensors and a JSON header of plain values, and the class of the model comes from
the caller.
"""

import contextlib
import json
import os
import tempfile
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from quantutils.nn import QuantizedWeight
from quantutils.nn.static import HeldQParams
from quantutils.packing import pack_codes, unpack_codes, weight_bytes
from quantutils.workflow.rebuilding import check_recipes, rebuilt
from quantutils.workflow.replacing import need_module

__all__ = ["load", "pack_codes", "save", "unpack_codes", "weight_bytes"]

FORMAT = "quantutils.1"


def save(model, path):
    """Write a quantized model to `path` and return how many bytes the file has.

    model: what a quantutils.workflow function returned. The file is written beside `path` first and then moved, so a
    full disk leaves no half-written file. Raises TypeError for what is no module, ValueError for a model without
    quantized layers, FileNotFoundError for a folder that is not there, OSError where nothing can be written.
    """
    need_module(model)
    layers = {
        name: layer.recipe for name, layer in model.named_modules(remove_duplicate=False) if hasattr(layer, "recipe")
    }
    if not layers:
        raise ValueError("model holds no quantized layer; accepted: what a quantutils.workflow function returned")
    path = _as_path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"path is {str(path)!r}, whose folder does not exist; accepted: an existing folder")
    # A tensor that is shared by two layers is written twice: safetensors keeps no aliases.
    tensors = {name: tensor.detach().clone().contiguous() for name, tensor in model.state_dict().items()}
    unfinished = None
    try:
        handle, unfinished = tempfile.mkstemp(dir=path.parent, suffix=".unfinished")
        os.close(handle)
        save_file(tensors, unfinished, {"format": FORMAT, "layers": json.dumps(layers)})
        os.chmod(unfinished, 0o666 & ~_umask())  # a temporary file is its owner's alone; a checkpoint is shared
        os.replace(unfinished, path)
    except (OSError, SafetensorError) as error:  # a full disk, most of all
        raise OSError(f"path is {str(path)!r}, which could not be written ({error}); nothing was left there") from None
    finally:
        if unfinished is not None:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(unfinished)
    return path.stat().st_size


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def load(path, model):
    """The quantized model stored at `path`: a copy of the float `model` with its layers replaced and filled.

    model: the float model of the same class and sizes, trained or not; it is left as it was.
    Raises FileNotFoundError for a missing file, TypeError for what is no module, and ValueError for a file that is
    truncated or no safetensors, that holds no quantized model, or whose layers or shapes are not those of `model`.
    """
    need_module(model)
    path = _as_path(path)
    if not path.is_file():
        raise FileNotFoundError(f"path is {str(path)!r}, where no file exists; accepted: a file that save wrote")
    layers, tensors = _read(path)
    check_recipes(layers)

    new, made = rebuilt(model, layers)
    missing = sorted(set(layers) - made)
    if missing:
        raise ValueError(f"path holds layers that model lacks: {', '.join(missing)}; accepted: the model saved there")
    _fill(new, tensors)
    _check_parameters(new)
    return new


def _as_path(path):
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"path is {path!r}; accepted: a str or a pathlib.Path")
    return Path(path)


def _read(path):
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    except SafetensorError as error:
        raise ValueError(f"path is {str(path)!r}, which is damaged or no safetensors file ({error})") from None
    if header.get("format") != FORMAT:
        raise ValueError(
            f"path is {str(path)!r}, which holds no quantized model (a float checkpoint?);"
            " accepted: a file that quantutils.storage.save wrote"
        )
    try:
        layers = json.loads(header["layers"])
    except (KeyError, json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"path is {str(path)!r}, whose header is damaged ({error})") from None
    return layers, tensors


def _fill(model, tensors):
    """Copy every tensor into the model's own, or raise ValueError before the first is touched."""
    own = model.state_dict()
    if set(own) != set(tensors):
        extra, missing = sorted(set(tensors) - set(own)), sorted(set(own) - set(tensors))
        raise ValueError(f"path holds tensors that model lacks: {extra or 'none'}; model has more: {missing or 'none'}")
    for name, tensor in tensors.items():
        if tensor.shape != own[name].shape or tensor.dtype != own[name].dtype:
            raise ValueError(
                f"path holds {name!r} as {tensor.dtype} of shape {tuple(tensor.shape)};"
                f" accepted: {own[name].dtype} of shape {tuple(own[name].shape)}, as model has it"
            )
    with torch.no_grad():
        for name, tensor in tensors.items():
            own[name].copy_(tensor)


def _check_parameters(model):
    """Raise ValueError for scales and zero points that no quantized layer can have: the tensors are damaged."""
    for name, module in model.named_modules():
        try:
            if isinstance(module, (HeldQParams, QuantizedWeight)):
                _ = module.qparams
        except ValueError as error:
            raise ValueError(f"path holds damaged parameters of {name!r} ({error})") from None
