"""A model as its graph: what `torch.export` finds of it, with the layers to quantize as modules in it.

In-place writes, views, hooks and the structure of outputs are the exporter's business, so they come out right by
construction. Integers travel along the edges whose both ends take codes; every other edge is float.
"""

import contextlib
import inspect
import io
import logging
import re
import warnings

import torch
from torch import fx, nn
from torch.export import Dim, export
from torch.nn.utils import fusion, parametrize

from quantutils.workflow.nested import mapped, run, tensors, with_tensors
from quantutils.workflow.recipe import row_of
from quantutils.workflow.replacing import check_batch_norm, copied_model, excluded, need_module

aten = torch.ops.aten
# Operations that move numbers about without computing with them: codes go through as they are.
MOVES = (
    "|view|reshape|_unsafe_view|permute|transpose|t|squeeze|unsqueeze|slice|select|expand|flatten|clone|contiguous|alias"
    "|split|split_with_sizes|chunk|index_select|narrow|movedim|unflatten|unbind|"
)
OPERATIONS = (aten.linear.default, aten.addmm.default, aten.conv2d.default, aten.conv2d.padding)  # of layers
ROOT = "(model)"  # the name of the model itself where it is the one layer
CONSTANTS = (type(None), bool, int, float, str, torch.dtype, torch.device)


class Site(nn.Module):
    """A layer to quantize, in its place in the graph. layer: an nn.Linear or nn.Conv2d, with what was folded into it.
    relu: whether a ReLU is fused. stands_for: name, in the given model, of the layer or of a BatchNorm folded into it.
    It computes in float.
    """

    def __init__(self, layer, name, relu, stands_for):
        super().__init__()
        self.layer, self.name, self.relu, self.stands_for = layer, name, relu, stands_for

    def forward(self, x):
        """What the float layer returns, ReLU included where it is fused."""
        out = self.layer(x)
        return torch.relu(out) if self.relu else out


class Ref:
    """A node inside the arguments of another, in a pickle."""

    def __init__(self, name):
        self.name = name


class Graph(nn.Module):
    """A model that runs a graph of operations; its modules and tensors keep the names they have in the given model.

    graph: fx.Graph. arguments: {name: what the example gave}, each tensor empty; shapes: of its tensors, None where any
    size will do. parameters: of the model's forward. structure: of its output, each tensor empty.
    """

    def __init__(self, graph, arguments, shapes, parameters, structure):
        super().__init__()
        self._graph, self._arguments, self._shapes = graph, arguments, shapes
        self._forward_parameters, self._structure = parameters, structure

    def __getstate__(self):
        state = dict(vars(self), _graph=as_plain(self._graph))
        state.pop("_function", None)
        return state

    def __setstate__(self, state):
        super().__setstate__(dict(state, _graph=from_plain(state["_graph"])))

    def _bound(self, args, kwargs):
        """{name: argument} of a call, without those that are left at None."""
        return bound(inspect.Signature(self._forward_parameters), args, kwargs)

    def forward(self, *args, **kwargs):
        """As the given model's forward. Raises ValueError for arguments of other kinds or shapes than the example's."""
        arguments = self._bound(args, kwargs)
        given = tensors(arguments)
        if not torch.compiler.is_compiling():
            self._check(arguments, given)
        if "_function" not in vars(self):
            self._recompile()
        return with_tensors(self._structure, self._function(self, *given))

    def _recompile(self):
        """The graph as a function, to be called after each change of it."""
        self._graph.lint()
        code = self._graph.python_code("self")
        names = dict(code.globals)
        exec(code.src, names)
        self.__dict__["_function"] = names["forward"]

    def _check(self, arguments, given):
        if _outline(arguments) != _outline(self._arguments):
            raise ValueError(
                f"model is called with {_outline(arguments)}; accepted: the same kinds of arguments as in the example,"
                f" {_outline(self._arguments)}"
            )
        for x, shape in zip(given, self._shapes, strict=True):
            if len(shape) != x.ndim or any(size not in (None, own) for own, size in zip(x.shape, shape, strict=True)):
                sizes = ", ".join("…" if size is None else str(size) for size in shape)
                raise ValueError(f"x has shape {tuple(x.shape)}; accepted: ({sizes}), as in the example")

    def called_layers(self, kind=nn.Module):
        """{name: module} of the modules that the graph calls and that are a `kind`, in the order in which they run."""
        called = [node.target for node in self._graph.nodes if node.op == "call_module"]
        found = {name: self.get_submodule(name) for name in dict.fromkeys(called)}
        return {name: module for name, module in found.items() if isinstance(module, kind)}

    def codes_of(self, *args, **kwargs):
        """{name: what each layer that it calls returned} in one run: the codes of an integer layer."""
        found, layers = {}, self.called_layers()
        hooks = [
            layer.register_forward_hook(lambda _layer, _given, out, name=name: found.update({name: out}))
            for name, layer in layers.items()
        ]
        self(*args, **kwargs)
        for hook in hooks:
            hook.remove()
        return found

    def __getitem__(self, name):
        """The layer of that name; a number serves for a model that was an nn.Sequential."""
        return self.get_submodule(str(name))

    def _on_grid(self, kind):
        """{node: name of the layer whose codes it carries}, where layers of class `kind` return codes."""
        carried, sites = {}, self.called_layers(kind)
        for node in self._graph.nodes:
            if node.op == "call_module" and node.target in sites:
                carried[node] = node.target
            elif node.op == "call_function" and node.args and node.args[0] in carried and _takes_codes(node.target):
                carried[node] = carried[node.args[0]]
        return carried


def bound(signature, args, kwargs):
    """{name: argument} of a call of that signature, without those that are left at None."""
    try:
        found = signature.bind(*args, **kwargs).arguments
    except TypeError as error:
        raise ValueError(f"model is called with arguments that its forward does not take: {error}") from None
    return {name: value for name, value in found.items() if value is not None}


def _outline(value):
    """What kinds of arguments there are: plain values as they are, and "tensor" for each tensor."""
    return mapped(lambda _tensor: "tensor", value)


def _takes_codes(target):
    """Whether an operation gives codes for codes: ReLU, max pooling and moves."""
    if target in (aten.relu.default, aten.max_pool2d.default):
        return True
    name = getattr(target, "__name__", "").split(".")[0]
    return f"|{name}|" in MOVES if isinstance(target, torch._ops.OpOverload) else name == "getitem"


def as_plain(graph):
    """The nodes of a graph as tuples that pickle."""

    def plain(node):
        target = str(node.target) if isinstance(node.target, torch._ops.OpOverload) else node.target
        return node.op, node.name, target, *fx.map_arg((node.args, node.kwargs), lambda each: Ref(each.name))

    return [plain(node) for node in graph.nodes]


def from_plain(nodes):
    """The graph of such tuples."""
    graph, made = fx.Graph(), {}
    for op, name, target, args, kwargs in nodes:
        if op == "call_function" and isinstance(target, str):
            space, packet, overload = target.split(".")
            target = getattr(getattr(getattr(torch.ops, space), packet), overload)
        args, kwargs = fx.node.map_aggregate(
            (args, kwargs), lambda each: made[each.name] if isinstance(each, Ref) else each
        )
        made[name] = graph.create_node(op, target, args, kwargs, name)
    return graph


class _Flat(nn.Module):
    """A model that takes and returns tensors one after another; the structure of its output is kept aside."""

    def __init__(self, model, arguments, signature):
        super().__init__()
        self.model, self._arguments, self.signature = model, arguments, signature

    def forward(self, *given):
        call = inspect.BoundArguments(self.signature, with_tensors(self._arguments, given))
        self.kept = [self.model(*call.args, **call.kwargs)]
        return tuple(tensors(self.kept[0]))


def traced(model, example, exclude=()):
    """The Graph of `model` in eval mode, its Linear and Conv2d layers as `Site`s that compute in float.

    example: a tensor, a tuple of positional or a dict of keyword arguments. exclude: names or patterns of layers that
    stay in float. A BatchNorm right after a layer is folded into it where its channels are the layer's outputs, and a
    ReLU after that is fused, each where nothing else uses what it takes. The given model is left as it was.
    Raises ValueError, in words of its own, for a model that torch.export cannot follow, most of all one whose path
    depends on the values of tensors, and, by name, for a layer that has no static form.
    """
    need_module(model)
    left_out = excluded(model, exclude)
    check_batch_norm(model)
    signature = inspect.signature(model.forward)
    # Annotations and defaults may not pickle; whether there is a default is all that is needed.
    parameters = [
        inspect.Parameter(each.name, each.kind, default=each.empty if each.default is each.empty else None)
        for each in signature.parameters.values()
    ]
    arguments = run(lambda *args, **kwargs: bound(signature, args, kwargs), example)
    given = [x.detach().clone() for x in tensors(arguments)]
    if not given:
        raise TypeError(f"example is {example!r:.80}; accepted: a tensor, or a tuple or dict of arguments with tensors")
    flat = _Flat(copied_model(model).eval().requires_grad_(False), arguments, inspect.Signature(parameters))
    module = _exported(flat, given)
    for node in module.graph.nodes:
        if node.op == "get_attr" and isinstance(_attribute(module, node.target), nn.Module):
            raise ValueError("model uses an operation of torch that runs a part of it; accepted: plain operations")
    structure = mapped(lambda _tensor: torch.empty(0), flat.kept[0], _refuse_opaque)
    graph = module.graph
    graph.owning_module = None
    graph.set_codegen(fx.graph.CodeGen())
    held = {}
    for node in list(graph.nodes):
        if node.op == "get_attr":
            held[node] = _attribute(module, node.target)
        elif node.op == "call_module":  # torch's own check of shapes
            graph.erase_node(node)
        elif node.target in (aten.view.default, aten._unsafe_view.default):
            node.target = aten.reshape.default  # what an integer layer returns may lie otherwise in memory
    shapes = [
        tuple(size if isinstance(size, int) else size.node.maybe_as_int() for size in node.meta["val"].shape)
        for node in graph.nodes
        if node.op == "placeholder"
    ]
    empty = mapped(lambda _tensor: torch.empty(0), arguments)
    made = Graph(graph, empty, shapes, parameters, structure)
    made._example_shapes = [tuple(x.shape) for x in given]  # with which `storage` traces the model again
    _place_sites(made, model, held, left_out)
    for node in [node for node in held if not node.users]:
        graph.erase_node(node)
        del held[node]
    for node, tensor in held.items():
        node.target = _hold(made, node.target.removeprefix("model."), tensor)
    frozen = {name for name, each in model.named_parameters(remove_duplicate=False) if not each.requires_grad}
    for name, parameter in made.named_parameters():
        own = re.sub(r"@\w+", "", name).replace(".layer.", ".").removeprefix(f"{ROOT}.layer.")
        parameter.requires_grad_(own not in frozen and parameter.is_floating_point())
    made._recompile()
    return made


def _exported(flat, given):
    """The module that torch.export makes of a _Flat: with any size for each axis where it can have one."""
    tries = [(given, True), (given, False)]
    if all(x.shape[:1] == (1,) for x in given if x.ndim):  # export takes a batch of 1 for a constant
        tries.insert(0, ([torch.cat([x, x]) if x.ndim else x for x in given], True))
    quiet = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        for inputs, any_size in tries:
            shapes = tuple(dict.fromkeys(range(x.ndim), Dim.AUTO) if any_size else None for x in inputs)
            try:
                with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
                    warnings.simplefilter("ignore")
                    program = export(flat, tuple(inputs), dynamic_shapes=(shapes,), strict=False)
                    return program.run_decompositions({}).module(check_guards=False)
            except Exception as error:  # export raises whatever the model's own code raises on a stand-in for a tensor
                trouble = error
    finally:
        logging.disable(quiet)
    reason = next((line.strip() for line in str(trouble).splitlines() if line.strip()), type(trouble).__name__)
    raise ValueError(
        f"model cannot be followed by torch.export ({reason:.160}); accepted: a forward whose path does not depend on"
        " the values of tensors. quantize_dynamic and quantize_weights take any forward"
    ) from trouble


def _attribute(module, path):
    for name in path.split("."):
        module = getattr(module, name)
    return module


def _refuse_opaque(value):
    if not isinstance(value, CONSTANTS):
        raise ValueError(
            f"model returns a {type(value).__name__}; accepted: tensors and plain values, in tuples, lists, dicts and"
            " dataclasses (use_cache=False in transformers)"
        )
    return value


def _hold(root, path, value):
    """Set a module, a parameter or a buffer at a dotted path, with modules on the way where there are none; return the
    path, which is beside a layer of that name, where its tensor serves elsewhere too.
    """
    *parents, last = path.split(".")
    for place, name in enumerate(parents):
        if isinstance(root._modules.get(name), Site):
            parents[place] = name = f"{name}@float"
        if name not in root._modules:
            root.add_module(name, nn.Module())
        root = root._modules[name]
    if isinstance(value, (nn.Module, nn.Parameter)):
        setattr(root, last, value)
    else:
        root.register_buffer(last, value.detach())
    return ".".join([*parents, last])


def calls(model, names):
    """[which call of its module each name stands for]; names: of modules of `model`, in the order in which they run."""
    counts, found = {}, []
    for name in names:
        module = model.get_submodule(name)
        counts[module] = counts.get(module, -1) + 1
        found.append(counts[module])
    return found


def source_of(name):
    """The name in the given model of a layer of a graph: "layer" for "layer@1", its second call."""
    return re.sub(r"@\d+$", "", name).removeprefix(ROOT)


def _place_sites(made, model, held, left_out):
    """Put a Site in the place of every operation of a layer that has a static form."""
    graph, layers, uses = made._graph, {}, {}
    for node in list(graph.nodes):
        path = path_of(node)
        if node.op != "call_function" or path is None or node.target not in OPERATIONS:
            continue
        source = model.get_submodule(path)
        kind = type(source).__bases__[0] if parametrize.is_parametrized(source) else type(source)
        if row_of(kind).static is None or path in left_out:
            continue
        layer, x = _float_layer(node, held, path, layers)
        name = path or ROOT
        uses[name] = uses.get(name, 0) + 1
        name = name if uses[name] == 1 else f"{name}@{uses[name] - 1}"
        chain, stands_for = [node], path
        norm = _follower(node, aten._native_batch_norm_legit_no_training.default)
        if norm is not None and path_of(norm) not in left_out and _folds(layer, node, norm, held):
            layer, stands_for = _folded(layer, norm, held), path_of(norm)
            chain += [norm, next(iter(norm.users))]  # it returns its statistics too
        relu = _follower(chain[-1], aten.relu.default)
        chain += [] if relu is None else [relu]
        with graph.inserting_before(node):
            call = graph.call_module(name, (x,))
        call.meta = dict(chain[-1].meta)
        _hold(made, name, Site(layer, name, relu is not None, stands_for))
        chain[-1].replace_all_uses_with(call)
        for each in reversed(chain):
            graph.erase_node(each)


def path_of(node):
    """The path, in the given model, of the innermost module that an operation belongs to; None for none."""
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    path = stack[-1][0] if stack else ""
    return path.removeprefix("model").removeprefix(".") if path == "model" or path.startswith("model.") else None


def _follower(node, target):
    """The one node that uses `node`, if it is a call of `target`."""
    users = list(node.users)
    return users[0] if len(users) == 1 and users[0].target is target and users[0].args[0] is node else None


def _float_layer(node, held, path, layers):
    """(nn.Linear or nn.Conv2d, the node that it takes) of an operation; one layer where its tensors serve again."""
    inputs_first = node.target is aten.addmm.default  # transformers' Conv1D
    bias, x, weight = node.args if inputs_first else (node.args[2] if len(node.args) > 2 else None, *node.args[:2])
    if weight not in held or (bias is not None and bias not in held):
        raise ValueError(
            f"layer {path!r} has a weight that is computed before each call (weight_norm, spectral_norm, pruning or a"
            f" parametrization); accepted: after torch.nn.utils.remove_weight_norm, remove_parametrizations or"
            f" prune.remove, or exclude=[{path!r}]"
        )
    key = (id(held[weight]), bias and id(held[bias]), repr(node.args[3:]))
    if key not in layers:
        tensor = held[weight].detach().T.contiguous() if inputs_first else held[weight]
        if tensor.ndim == 2:
            layer = nn.Linear(*tensor.shape[::-1], bias=False, device="meta")
        else:
            geometry = _geometry(node, tensor, path)
            channels = tensor.shape[1] * geometry[3], len(tensor)
            layer = nn.Conv2d(*channels, tensor.shape[2:], *geometry, bias=False, device="meta")
        layer.weight, layer.bias = (
            each if each is None or isinstance(each, nn.Parameter) else nn.Parameter(each, False)
            for each in (tensor, held.get(bias))
        )
        layers[key] = layer
    return layers[key], x


def _geometry(node, weight, path):
    """(stride, padding, dilation, groups) of a convolution, the padding in numbers."""
    defaults = (1, 1), (0, 0), (1, 1), 1
    stride, padding, dilation, groups = (*node.args[3:], *defaults[len(node.args[3:]) :])
    reach = [step * (size - 1) for step, size in zip(dilation, weight.shape[2:], strict=True)]
    trouble = "takes pictures without a batch axis" if node.args[0].meta["val"].ndim != 4 else ""
    if padding == "same" and any(each % 2 for each in reach):
        trouble = "has padding='same' with a kernel that is wider on one side"
    if trouble:
        raise ValueError(
            f"layer {path!r} {trouble}; accepted: (batch, …) and padding in numbers, or exclude=[{path!r}]"
        )
    if isinstance(padding, str):
        padding = [each // 2 for each in reach] if padding == "same" else (0, 0)
    return tuple(stride), tuple(padding), tuple(dilation), groups


def _folds(layer, node, norm, held):
    """Whether a BatchNorm's channels (the second axis) are a layer's outputs, and its tensors stand fast."""
    fast = all(each in held for each in norm.args[1:5] if each is not None)
    return fast and norm.args[3] is not None and (isinstance(layer, nn.Conv2d) or node.meta["val"].ndim == 2)


def _folded(layer, norm, held):
    """A layer of its own with the BatchNorm folded into it, by its stored statistics."""
    scale, shift, mean, variance = (None if each is None else held[each] for each in norm.args[1:5])
    stand_in = nn.BatchNorm2d(len(mean), norm.args[6], affine=scale is not None, device="meta").eval()
    stand_in.weight, stand_in.bias = (None if each is None else nn.Parameter(each, False) for each in (scale, shift))
    stand_in.running_mean, stand_in.running_var = mean, variance
    fold = fusion.fuse_conv_bn_eval if isinstance(layer, nn.Conv2d) else fusion.fuse_linear_bn_eval
    return fold(layer.eval(), stand_in)
