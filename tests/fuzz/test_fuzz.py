"""Every public function of quantutils, given everything: a sound result, or an error that names the argument.

Three ways to be called: as documented, which must succeed; with hard numbers, shapes, dtypes and layouts; and with one
argument replaced by what it is not. No call changes what it is given. A few hundred calls here; HYPOTHESIS_PROFILE=
nightly makes some 30,000.
"""

import inspect
import re
import warnings

import pytest
from fuzz.inputs import Given, corrupted, snapshot
from fuzz.kernel_calls import KERNEL_CALLS
from fuzz.layer_calls import LAYER_CALLS
from fuzz.mapping_calls import MAPPING_CALLS
from fuzz.product_calls import PRODUCT_CALLS
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import quantutils
from quantutils import affine, errors, histogram, kernels, matmul, nn, observers, packing, workflow
from quantutils.course import decisions
from quantutils.formats import blocks, floats
from quantutils.nn import gptq
from quantutils.workflow import storage

CALLS = MAPPING_CALLS | PRODUCT_CALLS | KERNEL_CALLS | LAYER_CALLS
MODULES = (affine, errors, histogram, observers, matmul, packing, floats, blocks, decisions)
MODULES += (kernels, nn, gptq, workflow, storage)
# What functions hand out: nobody makes one, so there is nothing to check.
RESULTS = {
    "errors.CodeUsage",
    "matmul.FixedPointMultiplier",
    "matmul.OperationCount",
    "matmul.ProductTerms",
    "formats.blocks.BlockFormat",
    "kernels.Activations",
    "workflow.LayerReport",
    "workflow.Report",
    # Of a scheme, on weights that its callers have checked.
    *(f"nn.WeightScheme.{name}" for name in ("codes", "covering_scale", "grouped", "spread")),
}
# The formula itself, a step a line: what only this package calls asks nothing of its arguments.
FORMULA = {"affine.quantized", "affine.dequantized"}
NIGHTLY = 400


def public_functions():
    """{name: what it names}: functions, classes, and the methods of classes that quantutils itself defines."""
    found = {}
    for module in MODULES:
        own = module.__name__.partition(".")[2]
        names = getattr(module, "__all__", None) or [
            name for name, value in vars(module).items() if getattr(value, "__module__", None) == module.__name__
        ]
        for name in names:
            value = getattr(module, name)
            # storage offers the functions of packing again.
            if name.startswith("_") or not callable(value) or (own != "packing" and hasattr(packing, name)):
                continue
            found[f"{own}.{name}"] = value
            if inspect.isclass(value) and f"{own}.{name}" not in RESULTS:
                found.update({f"{own}.{name}.{method}": function for method, function in methods(value)})
    return {name: value for name, value in found.items() if name not in RESULTS | FORMULA}


def methods(kind):
    """(name, function) of the public methods that a class of quantutils defines or inherits from another of its."""
    for owner in kind.__mro__:
        if owner.__module__.startswith("quantutils"):
            for name, value in vars(owner).items():
                shown = isinstance(value, (classmethod, staticmethod)) or inspect.isfunction(value)
                if shown and not name.startswith("_") and name != "extra_repr":
                    yield name, value


def test_every_public_function_is_in_the_table():
    assert set(CALLS) == set(public_functions())


def test_every_name_of_the_package_is_covered():
    names = {name.rpartition(".")[2] for name in set(CALLS) | RESULTS}
    assert set(quantutils.__all__) <= names


def test_the_nightly_setting_makes_20_000_examples():
    assert settings.get_profile("nightly").max_examples == NIGHTLY
    assert NIGHTLY * len(CALLS) >= 20_000


def names_an_argument(message, names):
    """Whether a message speaks of one of the arguments, by its name."""
    return any(re.search(rf"(?<![\w.]){re.escape(name)}\b", message) for name in names)


def examine(call, given, how):
    """Make one call and check everything about it; whether it returned."""
    arguments = call.arguments(given)
    fixed, spoilt, hopeless = ("self", *call.fixed), None, False
    if how == "corrupt" and set(arguments) - set(fixed):
        arguments, spoilt, hopeless = corrupted(given, arguments, fixed)
    watched = {name: value for name, value in arguments.items() if not (call.changes_self and name == "self")}
    before, error, result = snapshot(watched), None, None
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)  # a warning is neither a result nor a refusal
        try:
            result = call.function(**arguments)
        except call.refusals as refusal:
            error = refusal
            if how == "as documented":
                raise
    assert snapshot(watched) == before
    if error is None:
        assert not hopeless, f"{spoilt} was taken"
        assert call.holds(result, arguments) is not False
    elif hopeless:
        assert names_an_argument(str(error), [spoilt, *call.also]), f"{spoilt}: {error!r}"
    else:
        assert names_an_argument(str(error), (*arguments, *call.also)), repr(error)
    return error is None


@pytest.mark.parametrize("name", sorted(CALLS))
def test_result_or_named_refusal(name):
    call, returned = CALLS[name], []

    # Fewer than usual, since there are so many functions; all of them in the nightly profile.
    @settings(
        max_examples=NIGHTLY if settings().max_examples == NIGHTLY else 24,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink),
    )
    @given(st.data())
    def run(data):
        how = data.draw(st.sampled_from(["as documented", "hard", "corrupt", "hard", "corrupt"]), label="how")
        returned.append(examine(call, Given(data.draw, hard=how == "hard"), how))

    run()
    assert any(returned)
