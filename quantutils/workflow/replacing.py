"""Replacing layers inside a copy of a model, and refusing, before that, what a replacement would lose."""

import copy
from fnmatch import fnmatchcase

from torch import nn
from torch.nn.utils import parametrize

from quantutils.workflow.nested import tensors
from quantutils.workflow.recipe import row_of

HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks", "_state_dict_hooks")
REMEDIES = {
    "WeightNorm": "torch.nn.utils.remove_weight_norm(layer)",
    "SpectralNorm": "torch.nn.utils.remove_spectral_norm(layer)",
    "BasePruningMethod": "torch.nn.utils.prune.remove(layer, 'weight')",
}


class Origin:
    """Where a quantized model came from: `model`, the float model. Copies share it; a pickle leaves it out.

    It is no module, so that it is neither saved, moved nor trained with the quantized model. pickled: True for a
    pickle that carries the float model along.
    """

    def __init__(self, model=None, pickled=False):
        self.model, self.pickled = model, pickled

    def __deepcopy__(self, _memo):
        return self

    def __reduce__(self):
        return Origin, (self.model if self.pickled else None, self.pickled)


def origin(model):
    """The float model that `model` was made from; itself if no workflow made it; None if it was not kept."""
    return model.float_origin.model if isinstance(getattr(model, "float_origin", None), Origin) else model


def need_module(model, name="model"):
    """Raise TypeError unless `model` is an nn.Module."""
    if not isinstance(model, nn.Module):
        raise TypeError(f"{name} is a {type(model).__name__}; accepted: a torch.nn.Module")


def excluded(model, exclude):
    """The names of all modules that `exclude` leaves out: names or patterns (fnmatch), with all that is in them.

    Raises TypeError for what is no list of words, ValueError for one that no module of the model has.
    """
    if not isinstance(exclude, (list, tuple, set)) or not all(isinstance(each, str) for each in exclude):
        raise TypeError(f"exclude is {exclude!r}; accepted: a list of names of modules, or of patterns")
    names = [name for name, _ in model.named_modules(remove_duplicate=False)]
    left_out = set()
    for pattern in exclude:
        found = [name for name in names if fnmatchcase(name, pattern)]
        if not found:
            raise ValueError(
                f"exclude holds {pattern!r}, which no module of model is called; accepted: names of modules"
            )
        left_out.update(name for name in names if any(name == own or name.startswith(f"{own}.") for own in found))
    return left_out


def check_batch_norm(model, left_out=()):
    """Raise ValueError for a BatchNorm that takes its statistics from each batch, in a model that is in eval mode."""
    for name, module in model.named_modules():
        if not isinstance(module, nn.modules.batchnorm._BatchNorm) or name in left_out:
            continue
        if module.running_mean is None or (module.training and not model.training):
            raise ValueError(
                f"module {name!r} is a {type(module).__name__} that takes its statistics from each batch; accepted:"
                " stored statistics, in eval mode (model.eval())"
            )


def why_not(layer):
    """What a layer in this one's place would lose, and what to do about it; "" if nothing."""
    if parametrize.is_parametrized(layer):
        return "is parametrized; accepted: after torch.nn.utils.parametrize.remove_parametrizations"
    for hook in layer._forward_pre_hooks.values():
        for kind in type(hook).__mro__:
            if kind.__name__ in REMEDIES:
                return f"has its weight rewritten before each call; accepted: after {REMEDIES[kind.__name__]}"
    if any(getattr(layer, hooks, None) for hooks in HOOKS):
        return "has hooks, which a layer in its place would not run; accepted: without hooks"
    if "forward" in vars(layer):
        return "has a forward of its own on the instance; accepted: that of its class"
    if getattr(layer, "max_norm", None) is not None:
        return "has max_norm, which rewrites rows at look-up; accepted: max_norm=None"
    if getattr(layer, "proj_size", 0):
        return f"has proj_size={layer.proj_size}, a projection; accepted: proj_size=0"
    return ""


def replaceable(model, form, exclude=(), types=None):
    """[(name, layer)] of the layers that get a twin, each once, by its first name; form: "dynamic" or "weights_only".

    types: only these. Raises ValueError, naming the layer, for one whose twin would lose something.
    """
    left_out, found = excluded(model, exclude), {}
    rows = [row_of(kind) for kind in types or ()]
    check_batch_norm(model, left_out)
    kept = {id(model.get_submodule(name)) for name in left_out}
    for name, layer in model.named_modules(remove_duplicate=False):
        kind = type(layer)
        if parametrize.is_parametrized(layer):
            kind = kind.__bases__[0]
        row = row_of(kind)
        if getattr(row, form) is None or (rows and row not in rows) or belongs_to_attention(name, model):
            continue
        if id(layer) in found or id(layer) in kept:
            continue
        reason = why_not(layer)
        if reason:
            raise ValueError(f"layer {name!r} ({kind.__name__}) {reason}, or exclude=[{name!r}]")
        found[id(layer)] = (name, layer)
    return list(found.values())


def belongs_to_attention(name, model):
    """nn.MultiheadAttention reads its projection's float weight directly, so its layers must stay as they are."""
    parent = name.rpartition(".")[0]
    return isinstance(model.get_submodule(parent), nn.MultiheadAttention) if parent else False


def copied_model(model, twins=()):
    """A copy of `model`. twins: {layer: what stands in its place}, wherever the model refers to the layer.

    deepcopy is told that a layer was copied already: so every alias, in lists and dicts too, becomes the same twin.
    """
    memo = {id(layer): twin for layer, twin in dict(twins).items()}
    for module in model.modules():  # an output that was kept is no leaf, and deepcopy would refuse it
        for tensor in tensors({key: value for key, value in vars(module).items() if key[0] != "_"}):
            if not tensor.is_leaf:
                memo[id(tensor)] = tensor.detach().clone()
    try:
        return copy.deepcopy(model, memo)
    except RuntimeError as error:
        raise ValueError(
            f"model cannot be copied ({str(error).splitlines()[0]}); accepted: weights that are parameters, as after"
            " torch.nn.utils.remove_weight_norm"
        ) from None


def with_twins(model, twins):
    """A copy of `model` with the layers of {layer: twin} replaced under every name that they have."""
    new = copied_model(model, twins)
    for module in new.modules():
        if isinstance(module, nn.TransformerEncoderLayer):
            # Its fast path reads linear1.weight as a float tensor; this flag is what it checks first.
            module.activation_relu_or_gelu = 0
        if isinstance(module, nn.TransformerEncoder):
            module.use_nested_tensor = False  # the fast path's own form, which no other layer takes
    new.float_origin = Origin(origin(model))
    return new
