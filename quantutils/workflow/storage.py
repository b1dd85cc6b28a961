"""Quantized models on disk: one safetensors file with packed integers, scales, and how each layer was quantized.

Nothing is unpickled: the file holds tensors and a JSON header of plain values, and the class of the model comes from
the caller.
"""

import contextlib
import inspect
import json
import math
import os
import tempfile
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from quantutils.affine import QParams
from quantutils.nn import QuantizedWeight, StaticConv2d, StaticLinear
from quantutils.nn.layers import float_parts
from quantutils.nn.static import HeldQParams
from quantutils.packing import pack_codes, unpack_codes, weight_bytes
from quantutils.workflow.conversion import with_integers
from quantutils.workflow.graph import Graph, Site, source_of, traced
from quantutils.workflow.recipe import Recipe, dynamic_twin, is_linear, row_of, static_twin
from quantutils.workflow.replacing import Origin, need_module, with_twins

__all__ = ["load", "pack_codes", "save", "unpack_codes", "weight_bytes"]

FORMAT = "quantutils.1"
LARGEST_EXAMPLE = 2**28  # numbers: a damaged header may ask for any
UNFILLED = QParams(1.0, 0, 0, 255)


def save(model, path):
    """Write a quantized model to `path` and return how many bytes the file has.

    model: what a quantutils.workflow function returned. The file is written beside `path` first and then moved, so a
    full disk leaves no half-written file. Raises TypeError for what is no module, ValueError for a model without
    quantized layers, FileNotFoundError for a folder that is not there, OSError where nothing can be written.
    """
    need_module(model)
    layers = {
        name: layer.recipe.plain()
        for name, layer in model.named_modules(remove_duplicate=False)
        if hasattr(layer, "recipe")
    }
    if not layers:
        raise ValueError("model holds no quantized layer; accepted: what a quantutils.workflow function returned")
    header = {"format": FORMAT, "layers": json.dumps(layers)}
    if isinstance(model, Graph):
        header["example"] = json.dumps(_outline(model._arguments, iter(model._example_shapes)))
    state, firsts, same = model.state_dict(), {}, {}
    for name, tensor in state.items():
        if not isinstance(tensor, torch.Tensor):
            raise ValueError(f"model holds extra state {name!r}, a {type(tensor).__name__}; accepted: tensors")
        first = firsts.setdefault((tensor.data_ptr(), tensor.shape, tensor.stride(), tensor.dtype), name)
        if first != name and tensor.numel():
            same[name] = first  # tied weights and blocks that are used twice are written once
    if same:
        header["same"] = json.dumps(same)
    tensors = {name: each.detach().clone().contiguous() for name, each in state.items() if name not in same}
    path = _as_path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"path is {str(path)!r}, whose folder does not exist; accepted: an existing folder")
    unfinished = None
    try:
        handle, unfinished = tempfile.mkstemp(dir=path.parent, suffix=".unfinished")
        os.close(handle)
        save_file(tensors, unfinished, header)
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


def load(path, model, example=None):
    """The quantized model stored at `path`: a copy of the float `model` with its layers replaced and filled.

    model: the float model of the same class and sizes, trained or not; it is left as it was. example: an input, for a
    static model in a file of an earlier edition, which did not keep the shapes of one.
    Raises FileNotFoundError for a missing file, TypeError for what is no module, and ValueError for a file that is
    truncated or no safetensors, that holds no quantized model, or whose layers or shapes are not those of `model`.
    """
    need_module(model)
    path = _as_path(path)
    if not path.is_file():
        raise FileNotFoundError(f"path is {str(path)!r}, where no file exists; accepted: a file that save wrote")
    recipes, tensors, outline = _read(path)
    names = {name for name, _ in model.named_modules(remove_duplicate=False)}
    missing = sorted(name for name in recipes if source_of(name) not in names)
    if missing:
        raise ValueError(f"path holds layers that model lacks: {', '.join(missing)}; accepted: the model saved there")
    if not any(recipe.kind in ("StaticLinear", "StaticConv2d") for recipe in recipes.values()):
        new = _dynamic_shell(model, recipes)
        _fill(new, tensors)
        _check_parameters(new)
        return new
    if outline is None and example is None:
        raise ValueError(
            f"path is {str(path)!r}, a static model of an earlier edition, without the shapes of an input; accepted:"
            " load(path, model, example)"
        )
    if example is None:
        try:
            signature = inspect.signature(model.forward)
            call = inspect.BoundArguments(signature, _example(outline))
            example = (
                dict(zip(signature.parameters, call.args, strict=False)) | call.kwargs if call.kwargs else call.args
            )
        except (TypeError, ValueError, KeyError, AttributeError, StopIteration, RuntimeError) as error:
            raise ValueError(f"path is {str(path)!r}, whose header is damaged ({error!r})") from None
        try:
            return _static(model, recipes, tensors, example)
        except ValueError as error:  # of another model, or damaged: what does not fit came from the file
            raise ValueError(f"path is {str(path)!r}, which does not fit model: {error}") from None
    return _static(model, recipes, tensors, example)


def _dynamic_shell(model, recipes):
    """A copy of the model with the layers of the recipes, not yet filled."""
    twins, held = {}, {}
    for name, recipe in recipes.items():
        layer = model.get_submodule(name)
        row = row_of(type(layer))
        if recipe.kind not in [kind.__name__ for kind in (row.dynamic, row.weights_only) if kind]:
            raise ValueError(f"path holds a {recipe.kind} at {name!r}, where model has a {type(layer).__name__}")
        key, weight = (id(getattr(layer, "weight", layer)), recipe.weights), None
        if recipe.kind not in ("DynamicLSTM", "DynamicGRU"):
            weight = float_parts(layer)[0] if is_linear(layer) else layer.weight
            weight = held.setdefault(key, QuantizedWeight(tuple(weight.shape), recipe.weights, weight.dtype))
        if layer not in twins:
            twins[layer] = dynamic_twin(layer, recipe, weight)
    return with_twins(model, twins)


def _static(model, recipes, tensors, example):
    """The static model: the graph of `model`, traced again, its layers filled."""
    # What the example cannot decide: layers that were left out stay in float, or their names would differ.
    graph = traced(model, example, [name for name in _static_names(model) if name not in recipes])
    sites, twins = graph.called_layers(Site), {}
    stubs = tuple(f"{name}." for name, recipe in recipes.items() if recipe.kind == "Quantize")  # of earlier editions
    recipes = {name: recipe for name, recipe in recipes.items() if recipe.kind != "Quantize"}
    tensors = {name: tensor for name, tensor in tensors.items() if not name.startswith(stubs or "\0")}
    for name, recipe in recipes.items():
        if name not in sites:
            source = type(model.get_submodule(source_of(name))).__name__
            raise ValueError(f"path holds a {recipe.kind} at {name!r}, where model has a {source}")
        site = sites[name]
        if recipe.kind != row_of(type(site.layer)).static.__name__:
            raise ValueError(f"path holds a {recipe.kind} at {name!r}, where model has a {type(site.layer).__name__}")
        held = QuantizedWeight(tuple(site.layer.weight.shape), recipe.weights, site.layer.weight.dtype)
        twins[name] = static_twin(site.layer, recipe, UNFILLED, UNFILLED, held)
        graph.set_submodule(name, twins[name])
    _fill(graph, tensors)
    _check_parameters(graph)
    carried = graph._on_grid((StaticLinear, StaticConv2d))
    for node in carried:
        if node.op == "call_module" and node.args[0] in carried:  # earlier editions kept a range of their own here
            twins[node.target].input._hold(twins[carried[node.args[0]]].output)
    new = with_integers(graph, twins)
    new.float_origin = Origin(model)
    return new


def _static_names(model):
    return [name for name, layer in model.named_modules() if name and row_of(type(layer)).static]


def _outline(value, shapes):
    """Plain values for JSON: each tensor as its shape and dtype. shapes: of the tensors, one after another."""
    if isinstance(value, torch.Tensor):
        return {"shape": list(next(shapes)), "dtype": str(value.dtype).removeprefix("torch.")}
    if isinstance(value, dict):
        return {"dict": {key: _outline(each, shapes) for key, each in value.items()}}
    if isinstance(value, (tuple, list)):
        return {type(value).__name__: [_outline(each, shapes) for each in value]}
    return value


def _example(outline):
    """The arguments that `_outline` wrote, of ones."""
    if not isinstance(outline, dict):
        return outline
    if "shape" in outline:
        if math.prod(outline["shape"]) > LARGEST_EXAMPLE:
            raise ValueError(f"an example of shape {outline['shape']}")
        return torch.ones(outline["shape"], dtype=getattr(torch, outline["dtype"]))
    if "dict" in outline:
        return {key: _example(each) for key, each in outline["dict"].items()}
    return {"list": list, "tuple": tuple}[next(iter(outline))](map(_example, next(iter(outline.values()))))


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
            " accepted: a file that quantutils.workflow.storage.save wrote"
        )
    try:
        layers, outline, same = (json.loads(header.get(key, "null")) for key in ("layers", "example", "same"))
        if not isinstance(layers, dict) or not layers or not isinstance(same or {}, dict):
            raise ValueError(f"layers {layers!r:.80}")
        tensors |= {name: tensors[first] for name, first in (same or {}).items()}
    except (json.JSONDecodeError, RecursionError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"path is {str(path)!r}, whose header is damaged ({error!r})") from None
    recipes = {}
    for name, recipe in layers.items():
        try:
            recipes[name] = Recipe.of(recipe)
        except (TypeError, KeyError, ValueError, AttributeError) as error:
            raise ValueError(
                f"path holds a damaged recipe of layer {name!r} ({error!r}); accepted: what save wrote"
            ) from None
    return recipes, tensors, outline


def _fill(model, tensors):
    """Give the model every tensor, or raise ValueError before the first is touched."""
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
    model.load_state_dict(tensors)  # which also restores what a module keeps as extra state


def _check_parameters(model):
    """Raise ValueError for scales and zero points that no quantized layer can have: the tensors are damaged."""
    for name, module in model.named_modules():
        try:
            if isinstance(module, (HeldQParams, QuantizedWeight)):
                _ = module.qparams
        except ValueError as error:
            raise ValueError(f"path holds damaged parameters of {name!r} ({error})") from None
