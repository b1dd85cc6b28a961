"""GPTQ: it equals the paper's recursion written naively, costs the output less, and refuses what it cannot do."""

import pytest
import torch

from quantutils.nn import QuantizedWeight, WeightScheme
from quantutils.nn.gptq import gptq, gram_matrix, searched_scale

GROUPS = WeightScheme(4, "group", 8, True)
CHANNELS = WeightScheme(4, full_range=True)


@pytest.fixture
def layer():
    """Weights (24, 32) and correlated inputs (200, 32), three of them loud."""
    torch.manual_seed(0)
    x = torch.randn(200, 32) @ torch.randn(32, 32)
    x[:, [3, 11, 30]] *= 8
    return torch.randn(24, 32), x


def output_error(weight, rounded, x):
    return float(((rounded.dequantize() - weight).double() @ gram_matrix(x)).mul(rounded.dequantize() - weight).sum())


def by_the_paper(weight, gram, scale_of, qmin, qmax, damping=0.01):
    """Optimal brain quantization in fixed order: after each input the inverse Hessian loses its row and column."""
    work, codes = weight.double().clone(), torch.zeros(weight.shape)
    hessian = gram + damping * gram.diagonal().mean() * torch.eye(len(gram))
    for j in range(weight.shape[1]):
        inverse = torch.linalg.inv(hessian[j:, j:])
        scale = scale_of(j, work)
        codes[:, j] = torch.round((work[:, j] * (1 / scale).double()).float()).clamp(qmin, qmax)
        error = (work[:, j] - codes[:, j] * scale) / inverse[0, 0]
        work[:, j + 1 :] -= error[:, None] * inverse[0, 1:]
    return codes


@pytest.mark.parametrize("scheme", [GROUPS, CHANNELS], ids=["groups", "channels"])
def test_codes_are_those_of_the_recursion_written_naively(layer, scheme):
    weight, x = layer
    width, scales = scheme.group_size or 32, {}

    def scale_of(j, work):
        group = j // width
        if group not in scales:
            scales[group] = work[:, group * width : (group + 1) * width].float().abs().amax(1) / 7.5
        return scales[group]

    made = gptq(weight, gram_matrix(x), scheme)
    assert torch.equal(made.codes().float(), by_the_paper(weight, gram_matrix(x), scale_of, -8, 7))
    assert torch.equal(made.scale.reshape(24, -1), torch.stack(list(scales.values()), 1))


@pytest.mark.parametrize("scheme", [GROUPS, CHANNELS], ids=["groups", "channels"])
@pytest.mark.parametrize("search", [False, True])
def test_output_error_is_less_than_that_of_rounding_to_nearest(layer, scheme, search):
    weight, x = layer
    nearest = output_error(weight, QuantizedWeight.from_float(weight, scheme), x)
    assert output_error(weight, gptq(weight, gram_matrix(x), scheme, search), x) < nearest


def test_inputs_that_do_not_correlate_and_are_equally_loud_leave_rounding_to_nearest():
    torch.manual_seed(1)
    weight = torch.randn(6, 16)
    made = gptq(weight, torch.eye(16).double(), CHANNELS, damping=0.0)
    assert torch.equal(made.codes(), QuantizedWeight.from_float(weight, CHANNELS).codes())


def test_inputs_that_never_came_are_rounded_to_nearest_and_nothing_is_divided_by_zero(layer):
    weight, x = layer
    x[:, 16:] = 0
    made = gptq(weight, gram_matrix(x), GROUPS)
    nearest = QuantizedWeight.from_float(weight, GROUPS)
    assert torch.equal(made.codes()[:, 16:], nearest.codes()[:, 16:])
    assert torch.isfinite(gptq(weight, torch.zeros(32, 32), GROUPS).dequantize()).all()


def test_searched_scale_never_costs_more_than_the_covering_one_and_is_best_of_the_21(layer):
    weight, x = layer
    importance = gram_matrix(x).diagonal()
    for scheme in (GROUPS, CHANNELS):
        found = searched_scale(weight, scheme, importance)

        def cost(made, scheme=scheme):
            parts = ((made.dequantize() - weight) ** 2 * importance).reshape(24, -1, scheme.group_size or 32)
            return parts.sum(2)

        best = cost(QuantizedWeight.from_float(weight, scheme, found))
        covering = QuantizedWeight.from_float(weight, scheme)
        for shrink in torch.linspace(0.6, 1.0, 21):
            other = cost(QuantizedWeight.from_float(weight, scheme, covering.scale * shrink))
            assert bool((best <= other * (1 + 1e-4)).all())
        assert bool((best < cost(covering)).any())


def test_gram_matrix_adds_over_all_vectors():
    x = torch.arange(12.0).reshape(2, 2, 3)
    wanted = sum(torch.outer(row, row) for row in x.reshape(4, 3))
    assert torch.equal(gram_matrix(x), wanted.double())


def test_weights_of_zero_stay_zero():
    made = gptq(torch.zeros(3, 8), torch.eye(8), GROUPS, search=True)
    assert torch.equal(made.dequantize(), torch.zeros(3, 8))


@pytest.mark.parametrize(
    ("change", "kind", "says"),
    [
        ({"weight": [[1.0]]}, TypeError, "weight"),
        ({"weight": torch.ones(3)}, ValueError, r"weight has shape \(3,\)"),
        ({"weight": torch.full((24, 32), torch.nan)}, ValueError, "weight"),
        ({"gram": torch.eye(5)}, ValueError, r"gram has shape \(5, 5\)"),
        ({"gram": -torch.eye(32)}, ValueError, "gram is no sum"),
        ({"scheme": WeightScheme(per="tensor")}, ValueError, "per channel or per group"),
        ({"scheme": WeightScheme(4, "group", 5)}, ValueError, "group_size 5"),
        ({"scheme": 4}, TypeError, "scheme"),
        ({"search": 1}, TypeError, "search"),
        ({"damping": -0.1}, ValueError, "damping is -0.1"),
        ({"damping": True}, ValueError, "damping is True"),
    ],
)
def test_bad_input_is_named(layer, change, kind, says):
    weight, x = layer
    arguments = {"weight": weight, "gram": gram_matrix(x), "scheme": GROUPS} | change
    with pytest.raises(kind, match=says):
        gptq(**arguments)


def test_importance_of_another_length_or_sign_is_refused():
    with pytest.raises(ValueError, match="importance has shape"):
        searched_scale(torch.ones(2, 8), GROUPS, torch.ones(7))
    with pytest.raises(ValueError, match="none below 0"):
        searched_scale(torch.ones(2, 8), GROUPS, -torch.ones(8))


@pytest.mark.parametrize(("dtype", "value"), [(torch.float16, 300.0), (torch.bfloat16, 300.0), (torch.float32, 1e20)])
def test_a_gram_matrix_does_not_leave_the_numbers_of_its_input(dtype, value):
    x = torch.full((100, 4), value).to(dtype)
    assert gram_matrix(x).dtype == torch.float64
    assert torch.equal(gram_matrix(x), x.double().T @ x.double())
