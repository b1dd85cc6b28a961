"""Fake quantization: gradients against their formulas and finite differences, and what stays on the grid."""

import math

import pytest
import torch
from torch import nn

from quantutils.nn import ActivationScheme, WeightScheme
from quantutils.nn.fake import (
    FakeActivation,
    FakeQuantized,
    FakeWeight,
    fake_quantize_lsq,
    fake_quantize_ste,
    straight_through,
)
from quantutils.nn.fake_in_place import clipped_ends
from quantutils.workflow import prepare_qat

LIMITS = [(0.5, 0, -4, 3), (0.25, 3, 0, 15), (0.1, 0, -1, 1), (0.07, 128, 0, 255)]


@pytest.fixture(autouse=True)
def _one_thread_and_a_seed():
    torch.set_num_threads(1)
    torch.manual_seed(0)


@pytest.mark.parametrize(("scale", "zero_point", "qmin", "qmax"), LIMITS)
def test_straight_through_value_and_gradient_are_the_formula(scale, zero_point, qmin, qmax):
    x, weights = torch.randn(2000).mul(3).requires_grad_(), torch.randn(2000)
    x_hat = fake_quantize_ste(x, scale, zero_point, qmin, qmax)
    codes = torch.round(x.detach() / scale) + zero_point
    assert torch.equal(x_hat, (codes.clamp(qmin, qmax) - zero_point) * scale)
    (x_hat * weights).sum().backward()
    inside = (codes >= qmin) & (codes <= qmax)
    assert torch.equal(x.grad, weights * inside)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("scale", "zero_point", "qmin", "qmax"), LIMITS)
def test_the_fast_estimator_gives_the_plain_ones_numbers_and_gradient(scale, zero_point, qmin, qmax, dtype):
    ties = (torch.arange(qmin - zero_point - 3, qmax - zero_point + 4, dtype=dtype) + 0.5) * scale
    given = torch.cat([ties, -ties, torch.randn(2000, dtype=dtype) * 40 * scale])
    found = []
    for estimator in (straight_through, fake_quantize_ste):
        x = given.clone().requires_grad_()
        x_hat = estimator(x, scale, zero_point, qmin, qmax)
        x_hat.backward(torch.full_like(x_hat, scale))
        found.append((x_hat.detach(), x.grad))
    (plain, plain_slope), (fast, fast_slope) = found
    assert torch.equal(plain, fast)
    assert torch.equal(plain.signbit(), fast.signbit())
    assert torch.equal(plain_slope != 0, fast_slope != 0)
    # The plain one multiplies the gradient by s and divides by it: two roundings.
    torch.testing.assert_close(plain_slope, fast_slope, rtol=2 * torch.finfo(dtype).eps, atol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("scale", "low", "high"), [(0.1, -128, 127), (0.3, 0, 255), (2e-38, -4, 3), (1e36, -100, 90)])
def test_the_ends_part_what_is_clipped_from_what_is_not(scale, low, high, dtype):
    last, first = torch.tensor(clipped_ends(scale, low, high, dtype), dtype=dtype)
    for end, limit, outward in ((last, low, -torch.inf), (first, high, torch.inf)):
        inward = torch.nextafter(end, torch.tensor(-outward, dtype=dtype))
        assert torch.round(inward / scale) == limit
        beyond = torch.round(end / scale)
        assert beyond < low if outward < 0 else beyond > high


def test_no_number_that_float32_holds_is_clipped_where_the_ends_leave_it():
    last, first = clipped_ends(1e37, -128, 127, torch.float32)
    assert (last, first) == (-math.inf, math.inf)


@pytest.mark.parametrize("kernel_scale", [0.02, 0.1, 1 / 3])
def test_gradient_is_that_of_torch_where_both_round_alike(kernel_scale):
    ours, theirs = (torch.randn(20_000).mul(80 * kernel_scale).requires_grad_() for _ in range(2))
    with torch.no_grad():
        theirs.copy_(ours)
    weights = torch.randn(20_000)
    x_hat = fake_quantize_ste(ours, kernel_scale, 3, -128, 127)
    expected = torch.fake_quantize_per_tensor_affine(theirs, kernel_scale, 3, -128, 127)
    (x_hat * weights).sum().backward()
    (expected * weights).sum().backward()
    assert torch.equal(ours.grad, theirs.grad)
    assert 0 < int((ours.grad == 0).sum()) < 10_000


def test_straight_through_a_scale_that_is_trained_gives_it_the_gradient_of_its_formula():
    # x̂ = s·n with n = round(x/s): taken through, dx̂/ds = n − x/s inside the range, and the last step where clipped.
    x = torch.tensor([0.6, -0.3, 9.0, -9.0], requires_grad=True)
    scale = torch.tensor(0.5, requires_grad=True)
    x_hat = fake_quantize_ste(x, scale, 0, -4, 3)
    assert x_hat.tolist() == [0.5, -0.5, 1.5, -2.0]
    x_hat.sum().backward()
    assert x.grad.tolist() == [1.0, 1.0, 0.0, 0.0]
    assert float(scale.grad) == pytest.approx((1 - 1.2) + (-1 + 0.6) + 3 - 4)


def test_straight_through_half_types_keeps_their_dtype():
    x = torch.tensor([0.6, 9.0], dtype=torch.bfloat16, requires_grad=True)
    x_hat = fake_quantize_ste(x, 0.5, 0, -4, 3)
    assert (x_hat.dtype, x_hat.tolist()) == (torch.bfloat16, [0.5, 1.5])
    x_hat.sum().backward()
    assert x.grad.tolist() == [1.0, 0.0]


@pytest.mark.parametrize(("scale", "zero_point", "qmin", "qmax"), LIMITS)
def test_learned_step_has_the_value_of_ste_and_the_gradients_of_the_paper(scale, zero_point, qmin, qmax):
    x, s = torch.randn(2000).mul(3).requires_grad_(), torch.tensor(scale, requires_grad=True)
    weights = torch.randn(2000)
    x_hat = fake_quantize_lsq(x, s, zero_point, qmin, qmax)
    torch.testing.assert_close(x_hat, fake_quantize_ste(x, scale, zero_point, qmin, qmax))
    (x_hat * weights).sum().backward()
    steps, low, high = x.detach() / s.detach(), qmin - zero_point, qmax - zero_point
    inside = (steps >= low) & (steps <= high)
    slope = torch.where(inside, torch.round(steps) - steps, steps.clamp(low, high))
    torch.testing.assert_close(s.grad, (slope * weights).sum() / math.sqrt(2000 * qmax), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(x.grad, weights * inside)


def test_scale_gradient_of_clipped_numbers_is_the_finite_difference():
    x, s = torch.tensor([9.0, 8.0, -7.0], dtype=torch.float64), torch.tensor(0.5, dtype=torch.float64)
    s.requires_grad_()
    fake_quantize_lsq(x, s, 0, -4, 3).sum().backward()
    moved = [fake_quantize_lsq(x, s.detach() + way * 1e-6, 0, -4, 3).sum() for way in (1, -1)]
    assert float(s.grad) * math.sqrt(3 * 3) == pytest.approx(float(moved[0] - moved[1]) / 2e-6, rel=1e-6)


def test_gradients_with_a_scale_for_each_output_are_those_of_each_alone():
    weight, scales = torch.randn(3, 8), torch.tensor([0.1, 0.3, 0.7], requires_grad=True)
    fake_quantize_lsq(weight, scales[:, None], 0, -4, 3).sum().backward()
    for row, scale, gradient in zip(weight, scales.detach(), scales.grad, strict=True):
        alone = scale.clone().requires_grad_()
        fake_quantize_lsq(row, alone, 0, -4, 3).sum().backward()
        torch.testing.assert_close(gradient, alone.grad)


@pytest.mark.parametrize("method", ["ste", "lsq"])
@pytest.mark.parametrize("per", ["tensor", "channel"])
@pytest.mark.parametrize("bits", [8, 4, 3, 2])
def test_fake_weights_lie_on_the_grid(bits, per, method):
    weight = torch.randn(5, 4, 3, 3)
    for full_range in (False, True):
        fake = FakeWeight(weight, WeightScheme(bits, per, full_range=full_range), method)
        scale = fake.scales(weight)
        steps = fake(weight) / (scale.reshape(-1, 1, 1, 1) if scale.ndim else scale)
        torch.testing.assert_close(steps, torch.round(steps), rtol=0, atol=1e-4)
        assert steps.min() >= fake.qmin - 1e-3
        assert steps.max() <= fake.qmax + 1e-3


@pytest.mark.parametrize("method", ["ste", "lsq"])
@pytest.mark.parametrize("bits", [8, 4, 2])
def test_output_of_a_fake_layer_lies_on_its_grid(bits, method):
    layer = FakeQuantized(nn.Linear(6, 4), "fc", WeightScheme(bits), ActivationScheme(bits), method)
    out = layer(torch.randn(20, 6))
    scale, zero_point = layer.output.parameters_in_force()
    codes = out.detach() / scale.detach() + zero_point
    torch.testing.assert_close(codes, torch.round(codes), rtol=0, atol=1e-3)
    assert codes.min() > -1e-3
    assert codes.max() < 2**bits - 1 + 1e-3


def test_ranges_move_in_training_and_stand_still_in_eval():
    fake = FakeActivation(8, "ste")
    fake(torch.tensor([-1.0, 2.0]))
    assert (float(fake.low), float(fake.high), int(fake.seen)) == (-1.0, 2.0, 1)
    fake(torch.tensor([1.0, 4.0]))
    assert float(fake.high) == pytest.approx(2.2)
    assert float(fake.low) == pytest.approx(-0.9)  # 0 always belongs to the range
    fake.eval()(torch.tensor([100.0]))
    assert int(fake.seen) == 2


@pytest.mark.parametrize("method", ["ste", "lsq"])
def test_gradients_reach_float_weights_and_scales(method):
    float_model = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))
    model = prepare_qat(float_model, torch.randn(4, 6), method=method)
    model(torch.randn(32, 6)).square().sum().backward()
    gradients = {name: parameter.grad for name, parameter in model.named_parameters()}
    assert all(grad is not None and bool(grad.abs().sum() > 0) for grad in gradients.values()), gradients
    assert sum("scale" in name for name in gradients) == (0 if method == "ste" else 5)


def test_zero_points_a_channel_have_the_gradient_of_the_formula():
    x, zero_points = torch.randn(50, 4).requires_grad_(), torch.tensor([0.0, 1.0, 2.0, 3.0])
    x_hat = fake_quantize_ste(x, torch.full((4,), 0.1), zero_points, -8, 7)
    (slope,) = torch.autograd.grad(x_hat.sum(), x)
    codes = torch.round(x.detach() / 0.1) + zero_points
    assert torch.equal(slope, ((codes >= -8) & (codes <= 7)).float())
    torch.testing.assert_close(x_hat, (codes.clamp(-8, 7) - zero_points) * 0.1)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("method", ["ste", "lsq"])
def test_half_types_round_in_float32(method, dtype):
    simulate, x = {"ste": fake_quantize_ste, "lsq": fake_quantize_lsq}[method], torch.randn(1000).to(dtype)
    scale = torch.tensor(0.013)
    found = simulate(x, scale, 7.0, 0, 255)
    assert found.dtype == dtype
    assert torch.equal(found, simulate(x.float(), scale, 7.0, 0, 255).to(dtype))


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (torch.tensor([1.0, float("inf")]), "NaN or infinite values"),
        (torch.tensor([float("nan")]), "NaN or infinite values"),
        (torch.zeros(0), "an empty batch"),
    ],
)
def test_a_batch_without_a_range_is_refused_and_leaves_none(x, message):
    fake = FakeActivation(8, "ste")
    with pytest.raises(ValueError, match=message):
        fake(x)
    assert (float(fake.low), float(fake.high), int(fake.seen)) == (0.0, 0.0, 0)
    with pytest.raises(ValueError, match="has no range yet"):
        fake.eval()(torch.ones(2))
