"""Which layers follow each other: BatchNorm folded into the layer before it, and the ReLU that can be fused."""

from itertools import pairwise

from torch import fx, nn
from torch.nn.utils import fusion

FOLDABLE = {nn.Conv2d: nn.BatchNorm2d, nn.Linear: nn.BatchNorm1d}


class FoldedIntoLinear(nn.Identity):
    """What is left of a BatchNorm1d that was folded into a Linear, which is right for rows and for nothing else."""

    def forward(self, x):
        """x as it is; ValueError unless it is (rows, features): BatchNorm1d's channels are always the second axis."""
        if len(x.shape) != 2:
            raise ValueError(
                f"x has shape {tuple(x.shape)} where a BatchNorm1d was folded into the Linear before it;"
                " accepted: (rows, features)"
            )
        return x


def hooked(layer):
    """Whether something runs before or after the layer that a layer in its place would not run."""
    return bool(layer._forward_hooks or layer._forward_pre_hooks)


def chains(model):
    """(layer, batch norm or None, ReLU or None) by name, for each Linear and Conv2d that one of these follows.

    A follower counts only where it alone uses what the layer returns. The order is traced with torch.fx; where a
    model cannot be traced, only neighbours in an nn.Sequential are found.
    """
    followers = _traced(model)
    if followers is None:
        followers = _sequential(model)
    own = {name for name, module in model.named_modules() if hooked(module)}
    followers = {name: after for name, after in followers.items() if not {name, after} & own}
    found = []
    for name, layer in model.named_modules():
        if type(layer) not in FOLDABLE:
            continue
        norm = relu = None
        after = followers.get(name)
        if after is not None and type(model.get_submodule(after)) is FOLDABLE[type(layer)]:
            norm, after = after, followers.get(after)
        if after is not None and type(model.get_submodule(after)) is nn.ReLU:
            relu = after
        if norm or relu:
            found.append((name, norm, relu))
    return found


def fold(model):
    """Fold every foldable BatchNorm into its layer and take out every ReLU that can be fused, in place.

    Returns {layer: name of the last module it now stands for}, a ReLU where one was fused. The model must be in eval
    mode for BatchNorm.
    """
    stands_for = {}
    for name, norm, relu in chains(model):
        layer = model.get_submodule(name)
        if norm is not None:
            merge = fusion.fuse_conv_bn_eval if isinstance(layer, nn.Conv2d) else fusion.fuse_linear_bn_eval
            _put(model, name, merge(layer, model.get_submodule(norm)))
            _put(model, norm, nn.Identity() if isinstance(layer, nn.Conv2d) else FoldedIntoLinear())
        if relu is not None:
            _put(model, relu, nn.Identity())
        stands_for[name] = relu or norm
    return stands_for


def _put(model, name, module):
    parent, _, child = name.rpartition(".")
    setattr(model.get_submodule(parent), child, module)


def _traced(model):
    """{module name: the one module that uses its output}, or None where torch.fx cannot trace the model."""
    try:
        graph = fx.Tracer().trace(model)
    except Exception:  # fx raises whatever the model's own code raises on a stand-in for a tensor
        return None
    calls, followers = {}, {}
    for node in graph.nodes:
        if node.op == "call_module":
            calls[node.target] = calls.get(node.target, 0) + 1
            users = list(node.users)
            if len(users) == 1 and users[0].op == "call_module":
                followers[node.target] = users[0].target
    once = {name for name, count in calls.items() if count == 1}
    return {name: after for name, after in followers.items() if name in once and after in once}


def _sequential(model):
    followers = {}
    for name, module in model.named_modules():
        if isinstance(module, nn.Sequential):
            names = [f"{name}.{child}".lstrip(".") for child in module._modules]
            followers.update(pairwise(names))
    uses = {}
    for name, module in model.named_modules(remove_duplicate=False):
        uses.setdefault(id(module), []).append(name)
    shared = {name for names in uses.values() if len(names) > 1 for name in names}
    return {name: after for name, after in followers.items() if name not in shared and after not in shared}
