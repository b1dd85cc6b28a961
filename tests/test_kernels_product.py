"""The integer product of a layer: exact whichever kernel serves, torch's own only where it can be trusted."""

import pytest
import torch

from quantutils.kernels import product
from quantutils.kernels.product import centred_product, int_mm_is_exact, integer_product


def exact(x, weight):
    """x · weightᵀ in int64, element by element."""
    return (x.long()[:, None, :] * weight.long()[None]).sum(-1)


def codes(shape, dtype=torch.int8, seed=0):
    low, high = (-128, 128) if dtype == torch.int8 else (0, 256)
    return torch.randint(low, high, shape, generator=torch.Generator().manual_seed(seed)).to(dtype)


@pytest.fixture
def kernel_calls(monkeypatch):
    """The shapes that torch._int_mm is given, on a processor where it is exact."""
    calls = []

    def counted(x, weight):
        calls.append((tuple(x.shape), tuple(weight.shape)))
        return exact(x, weight.T).int()

    monkeypatch.setattr(torch, "_int_mm", counted)
    monkeypatch.setattr(product, "int_mm_is_exact", lambda: True)
    return calls


# Whether torch's kernel can be trusted


def test_an_exact_kernel_is_trusted_after_three_sizes_and_the_largest_codes(monkeypatch):
    seen = []

    def kernel(x, weight):
        seen.append((len(x), int(x[0, 0]), int(weight[0, 0])))
        return exact(x[:1], weight.T[:1]).int().expand(len(x), weight.shape[1])

    monkeypatch.setattr(torch, "_int_mm", kernel)
    assert int_mm_is_exact.__wrapped__() is True
    pairs = {(127, 127), (-128, 127), (-128, -128)}
    # One row, a few and many: oneDNN has a kernel for each.
    for rows in ({1}, set(range(2, 64)), set(range(64, 10**6))):
        assert {(x_code, weight_code) for count, x_code, weight_code in seen if count in rows} == pairs


@pytest.mark.parametrize("wrong", range(9))
def test_one_wrong_number_in_any_of_the_trials_is_found(monkeypatch, wrong):
    trials = []

    def kernel(x, weight):
        out = exact(x[:1], weight.T[:1]).int().repeat(len(x), weight.shape[1])
        if len(trials) == wrong:
            out[-1, -1] += 1
        trials.append(x.shape)
        return out

    monkeypatch.setattr(torch, "_int_mm", kernel)
    assert int_mm_is_exact.__wrapped__() is False


# The product


@pytest.mark.parametrize("trusted", [True, False])
@pytest.mark.parametrize("dtype", [torch.int8, torch.uint8])
@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 1, 7), (4, 2, 3), (0, 5, 3), (5, 0, 3), (17, 31, 13)])
def test_products_are_exact_with_and_without_torch_s_kernel(monkeypatch, shape, dtype, trusted):
    monkeypatch.setattr(product, "int_mm_is_exact", lambda: trusted)
    rows, k, n = shape
    x, weight = codes((rows, k), dtype), codes((n, k), seed=1)
    found = integer_product(x, weight)
    assert found.dtype == torch.int32
    assert torch.equal(found.long(), exact(x, weight))


def test_torch_s_kernel_serves_where_it_is_right_and_nowhere_else(kernel_calls):
    for x in (codes((3, 1)), codes((0, 5)), codes((3, 5), torch.uint8)):
        integer_product(x, codes((4, x.shape[1])))
    integer_product(codes((3, 5)), codes((4, 5), torch.uint8))
    assert kernel_calls == []
    integer_product(codes((3, 5)), codes((4, 5)))
    integer_product(codes((1, 2)), codes((4, 2)))
    assert kernel_calls == [((3, 5), (5, 4)), ((1, 2), (2, 4))]


def test_a_kernel_that_is_not_trusted_is_not_called(monkeypatch):
    monkeypatch.setattr(product, "int_mm_is_exact", lambda: False)
    monkeypatch.setattr(torch, "_int_mm", lambda *_: pytest.fail("called"))
    x, weight = codes((3, 5)), codes((4, 5), seed=1)
    assert torch.equal(integer_product(x, weight).long(), exact(x, weight))


def test_the_longest_sum_that_int32_holds_and_one_more(kernel_calls):
    longest = 2**31 // 2**14 - 1
    x = torch.full((1, longest), -128, dtype=torch.int8)
    assert integer_product(x, x).tolist() == [[longest * 2**14]]
    assert len(kernel_calls) == 1
    longer = torch.full((1, longest + 1), -128, dtype=torch.int8)
    with pytest.raises(ValueError, match=f"K = {longest + 1}; accepted: at most {longest} "):
        integer_product(longer, longer)
    assert len(kernel_calls) == 1


# Zero points


@pytest.mark.parametrize("weight_dtype", [torch.int8, torch.uint8])
@pytest.mark.parametrize("dtype", [torch.int8, torch.uint8])
@pytest.mark.parametrize("zero_point", [0, 1, -1, 128, 255, -(2**15), 2**15 - 1])
def test_one_zero_point_is_taken_off_every_code(zero_point, dtype, weight_dtype):
    for rows, k, n in ((3, 7, 5), (1, 1, 1), (0, 5, 3), (4, 0, 2)):
        x, weight = codes((rows, k), dtype), codes((n, k), weight_dtype, seed=1)
        found = centred_product(x, zero_point, weight)
        assert not found.dtype.is_floating_point
        assert torch.equal(found.long(), exact(x.long() - zero_point, weight))


@pytest.mark.parametrize("held_in", [torch.int8, torch.uint8, torch.int16, torch.int32, torch.int64])
@pytest.mark.parametrize("dtype", [torch.int8, torch.uint8])
def test_each_row_has_its_own_zero_point(dtype, held_in):
    x, weight = codes((4, 9), dtype), codes((5, 9), seed=1)
    zero_point = torch.tensor([[0], [1], [100], [127]], dtype=held_in)
    before = x.clone(), weight.clone(), zero_point.clone()
    found = centred_product(x, zero_point, weight)
    assert found.dtype == torch.int32
    assert torch.equal(found.long(), exact(x.long() - zero_point, weight))
    for value, kept in zip((x, weight, zero_point), before, strict=True):
        assert torch.equal(value, kept)
    empty = centred_product(x[:0], zero_point[:0], weight)
    assert empty.shape == (0, 5)


@pytest.mark.parametrize("per_row", [False, True])
@pytest.mark.parametrize(
    ("weight_code", "k", "dtype"),
    [
        # 510 · 128 · (128 + 32767) is the last sum below 2³¹ at this distance; for codes up to 255, 256.
        (-128, 510, torch.int32),
        (-128, 511, torch.int64),
        (255, 256, torch.int32),
        (255, 257, torch.int64),
    ],
)
def test_sums_beyond_int32_are_int64_and_nothing_else_is(weight_code, k, dtype, per_row):
    zero_point = 2**15 - 1
    x = torch.full((2, k), -128, dtype=torch.int8)
    weight = torch.full((3, k), weight_code, dtype=torch.uint8 if weight_code > 127 else torch.int8)
    found = centred_product(x, torch.tensor([[0], [zero_point]]) if per_row else zero_point, weight)
    assert found.dtype == dtype
    assert found[1].tolist() == [k * (-128 - zero_point) * weight_code] * 3
    # As far below zero: what counts is the distance.
    far = centred_product(torch.full((2, k), 127, dtype=torch.int8), -zero_point, weight)
    assert far.dtype == dtype
    assert far[0].tolist() == [k * (127 + zero_point) * weight_code] * 3


def test_a_zero_point_s_own_sum_may_leave_int32():
    # 32767 · 127 · 1000 is nearly twice what int32 holds.
    x, weight = codes((2, 1000)), torch.full((3, 1000), 127, dtype=torch.int8)
    wanted = (x.to(torch.int64) - 32767) @ weight.to(torch.int64).T
    assert torch.equal(centred_product(x, 32767, weight), wanted)


X, W = codes((2, 3)), codes((4, 3))


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"x_codes": X.numpy()}, TypeError, "x_codes is a ndarray; accepted: Tensor"),
        ({"x_codes": X.float()}, TypeError, r"x_codes has dtype torch\.float32; accepted: int8 or uint8$"),
        ({"weight_codes": W.int()}, TypeError, r"weight_codes has dtype torch\.int32; accepted: int8 or uint8$"),
        ({"x_codes": X[0]}, ValueError, r"x_codes has shape \(3,\); accepted: \(rows, K\)$"),
        ({"weight_codes": W[0]}, ValueError, r"weight_codes has shape \(3,\); accepted: \(N, K\)$"),
        (
            {"weight_codes": W[:, :2]},
            ValueError,
            r"weight_codes has shape \(4, 2\); accepted: \(N, 3\), the K of x_codes$",
        ),
    ],
)
def test_codes_that_do_not_multiply_are_refused(change, error, message):
    given = {"x_codes": X, "weight_codes": W} | change
    with pytest.raises(error, match=f"^{message}"):
        integer_product(**given)
    with pytest.raises(error, match=f"^{message}"):
        centred_product(given["x_codes"], 0, given["weight_codes"])


@pytest.mark.parametrize(
    ("zero_point", "error", "message"),
    [
        (0.5, TypeError, "zero_point is 0.5; accepted: a whole number from -32768 to 32767$"),
        (2**15, ValueError, "zero_point is 32768; accepted: a whole number from -32768 to 32767$"),
        (-(2**15) - 1, ValueError, "zero_point is -32769; accepted"),
        (torch.zeros(2, 1), TypeError, r"zero_point has dtype torch\.float32; accepted: integers$"),
        (torch.zeros(2, 1, dtype=torch.complex64), TypeError, r"zero_point has dtype torch\.complex64; accepted"),
        (torch.zeros(2, 1, dtype=torch.bool), TypeError, r"zero_point has dtype torch\.bool; accepted: integers$"),
        (torch.zeros(2, dtype=int), ValueError, r"zero_point has shape \(2,\); accepted: a number or \(2, 1\)$"),
        (torch.zeros(3, 1, dtype=int), ValueError, r"zero_point has shape \(3, 1\); accepted: a number or \(2, 1\)$"),
    ],
)
def test_zero_points_that_fit_no_row_are_refused(zero_point, error, message):
    with pytest.raises(error, match=f"^{message}"):
        centred_product(X, zero_point, W)
