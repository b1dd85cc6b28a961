"""Checks by running: a copy against its model, integers against their simulation. A difference names its layer."""

import copy

import torch
from torch import nn

from quantutils.nn.fake import float_product
from quantutils.workflow.graph import ROOT, Site, calls
from quantutils.workflow.nested import copied, first_tensor, run, tensors


def outputs_of(model, names, given):
    """({name: [what the module of that name returned, at each call]}, what the model returned), with copies of tensors.

    names: of modules of the model. given: one input. In eval mode and without gradients, both restored afterwards.
    """
    modes = {module: module.training for module in model.modules()}
    seen, hooks = {name: [] for name in names}, []
    for name in seen:
        layer = model.get_submodule(name)
        keep = seen[name].append
        hooks.append(
            layer.register_forward_hook(lambda _module, _given, out, keep=keep: keep(copied(out)), prepend=True)
        )
    try:
        with torch.no_grad():
            model.eval()
            return seen, run(model, copied(given))
    finally:
        for hook in hooks:
            hook.remove()
        for module, mode in modes.items():
            module.training = mode


def check_copy(model, graph, example):
    """Raise ValueError unless the Graph returns what the given model returns on the example, up to float's rounding."""
    sites = graph.called_layers(Site)
    wanted_at, wanted = outputs_of(model, {site.stands_for for site in sites.values()}, example)
    found_at, found = outputs_of(graph, sites, example)
    if _alike(wanted, found):
        return
    places = calls(model, [site.stands_for for site in sites.values()])
    for (name, site), call in zip(sites.items(), places, strict=True):
        reference = first_tensor(wanted_at[site.stands_for][call : call + 1])
        if reference is not None and not _alike(reference.relu() if site.relu else reference, found_at[name]):
            raise ValueError(f"{_where(name)}: the prepared copy differs from the given model here; {_AWAY}")
    raise ValueError(f"the prepared copy differs from the given model after its last layer; {_AWAY}")


_AWAY = (
    "does its forward draw random numbers, or change what it keeps? accepted: a forward that answers alike each time,"
    " or check=False"
)


def _where(name):
    return f"layer {name!r}" if name != ROOT else "the model"


def _alike(wanted, found):
    """Whether two outputs have the same tensors up to rounding: norm of the difference within √eps of their own."""
    wanted, found = tensors(wanted), tensors(found)
    if [(x.shape, x.dtype) for x in wanted] != [(x.shape, x.dtype) for x in found]:
        return False
    for one, other in zip(wanted, found, strict=True):
        if not one.dtype.is_floating_point:
            if not torch.equal(one, other):
                return False
            continue
        finite = torch.isfinite(one) & torch.isfinite(other)
        if not torch.equal(one[~finite].nan_to_num(), other[~finite].nan_to_num()):
            return False
        one, other, eps = one[finite].double(), other[finite].double(), max(torch.finfo(one.dtype).eps, 1e-7)
        if float((one - other).norm()) > eps**0.5 * float(one.norm()) + eps:
            return False
    return True


class Simulated(nn.Module):
    """A static layer in plain float tensors: its roundings, no integer. on_grid: whether what comes in is rounded."""

    def __init__(self, static, site, on_grid):
        super().__init__()
        self.static, self.layer, self.on_grid = static, site.layer, on_grid

    def forward(self, x):
        """The values that the codes of the static layer stand for."""
        static, given = self.static, x.float()
        given = given if self.on_grid else static.input.qparams.dequantize(static.input.quantize(given))
        out = float_product(self.layer, given, static.weight.dequantize(), static.bias)
        out = torch.relu(out) if static.relu else out
        return static.output.qparams.fake_quantize(out).to(x.dtype)


def check_integers(prepared, twins, integers, kind):
    """Raise ValueError unless the integer Graph is near what its layers say in plain float tensors, on the example.

    prepared: the Graph in float, its layers of class `kind`. twins: {name: static layer}. Where a float sum falls on
    the other side of a tie a code moves by one and later layers follow: allowed is half the noise of rounding itself.
    """
    plain = copy.deepcopy(prepared)
    sites, carried = prepared.called_layers(kind), prepared._on_grid(kind)
    on_grid = {node.target: node.args[0] in carried for node in carried if node.op == "call_module"}
    for name, site in sites.items():
        plain.set_submodule(name, Site(site.layer, name, site.relu, name))
    wanted_at, wanted = outputs_of(plain, twins, prepared._example)
    for name, site in sites.items():
        plain.set_submodule(name, Simulated(twins[name], site, on_grid[name]))
    simulated_at, simulated = outputs_of(plain, twins, prepared._example)
    found_at, found = outputs_of(integers, twins, prepared._example)
    if _near(wanted, simulated, found):
        return
    for name, twin in twins.items():
        codes = [twin.output(codes) for codes in found_at[name]]
        if not _near(wanted_at[name], simulated_at[name], codes):
            raise ValueError(f"{_where(name)}: its integers are not what its schemes say in float; {_REPORT}")
    raise ValueError(f"the integer model differs from its simulation after its last layer; {_REPORT}")


_REPORT = "please report this model. check=False converts it all the same"


def _near(wanted, simulated, found):
    for exact, one, other in zip(tensors(wanted), tensors(simulated), tensors(found), strict=True):
        if one.shape != other.shape:
            return False
        if one.dtype.is_floating_point:
            finite = torch.isfinite(one)
            if not torch.equal(finite, torch.isfinite(other)):
                return False
            finite &= torch.isfinite(exact)
            exact, one, other = (each[finite].double() for each in (exact, one, other))
            if float((one - other).norm()) > 0.5 * float((one - exact).norm()) + 1e-3 * float(one.norm()) + 1e-6:
                return False
    return True
