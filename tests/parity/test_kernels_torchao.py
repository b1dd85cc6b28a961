"""quantutils.kernels, rule "torchao", against Int8DynamicActivationInt8WeightConfig: no bit may differ."""

import contextlib
import io
import itertools
import logging
import os
import warnings

import numpy as np
import pytest
import torch

from quantutils.kernels import linear_dynamic, quantize_activations

MILLION = 1_000_000
SIZES = [(1, 16, 16), (1, 2, 9), (300, 2, 7), (129, 17, 31), (512, 64, 96), (1, 300, 500), (30, 5000, 40)]
SIZES += [(200, 128, 256), (211, 19, 97), (257, 96, 128)]
SIZES += [(13, 3, 11), (7, 13, 1), (1, 5, 2), (31, 101, 53)]  # prime, or one output


@pytest.fixture(scope="module", autouse=True)
def torchao():
    """torchao, imported without its messages about libraries that a CPU does not need; one thread."""
    limit = os.environ.get("ONEDNN_MAX_CPU_ISA", "ALL").upper()
    if not torch.cpu.get_capabilities().get("avx512_vnni") or limit in ("SSE41", "AVX", "AVX2", "AVX512_CORE"):
        pytest.skip("Without VNNI, torch._int_mm adds pairs of products in 16 bits, and overflows.")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    logging.disable(logging.WARNING)
    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        quantization = pytest.importorskip("torchao.quantization")
        yield quantization
    logging.disable(logging.NOTSET)
    torch.set_num_threads(threads)


def layer(torchao, k, n, *, bias, per_channel, seed):
    """A linear layer with int8 weights, per channel or per tensor: (module, codes, scale, bias)."""
    torch.manual_seed(seed)
    linear = torch.nn.Linear(k, n, bias=bias)
    granularity = [torchao.PerRow(), torchao.PerRow() if per_channel else torchao.PerTensor()]
    config = torchao.Int8DynamicActivationInt8WeightConfig(granularity=granularity)
    module = torch.nn.Sequential(linear)
    torchao.quantize_(module, config)
    weight = module[0].weight
    scale = weight.scale.flatten() if per_channel else float(weight.scale.flatten()[0])
    return module, weight.qdata, scale, linear.bias


def activations(m, k, *, ties, seed):
    """Random rows, or rows whose numbers lie halfway between two codes of the row's own scale."""
    generator = torch.Generator().manual_seed(seed)
    if not ties:
        return torch.randn(m, k, generator=generator) * torch.logspace(-3, 3, m)[:, None]
    step = torch.rand(m, 1, generator=generator) if seed % 2 else torch.tensor([[0.0625]])
    x = (torch.randint(-127, 127, (m, k), generator=generator) + 0.5) * step
    x[:, 0] = 127.5 * step[:, 0]
    return x


def test_dynamic_linear(torchao):
    total, different = 0, []
    flags = itertools.product(SIZES, (False, True), (False, True), (False, True))
    for seed, ((m, k, n), per_channel, bias, ties) in enumerate(flags):
        module, codes, scale, bias_values = layer(torchao, k, n, bias=bias, per_channel=per_channel, seed=seed)
        x = activations(m, k, ties=ties, seed=seed)
        with torch.no_grad():
            truth = module(x)
        answer = linear_dynamic(x, codes, scale, bias_values, rule="torchao")
        total += truth.numel()
        different += [((m, k, n), per_channel, bias, ties)] * (not torch.equal(answer, truth))
    assert different == []
    assert total > MILLION


def test_leading_axes_and_rows_of_zeros(torchao):
    module, codes, scale, bias = layer(torchao, 12, 5, bias=True, per_channel=True, seed=0)
    x = torch.randn(2, 3, 12)
    x[1, 1] = 0
    with torch.no_grad():
        truth = module(x)
    assert torch.equal(linear_dynamic(x, codes, scale, bias, rule="torchao"), truth)


def test_codes_of_activations(torchao):
    primitives = pytest.importorskip("torchao.quantization.quant_primitives")
    x = activations(300, 96, ties=True, seed=4)
    scale, zero_point = primitives.choose_qparams_affine(
        x, primitives.MappingType.SYMMETRIC, [1, 96], torch.int8, keepdim=True, eps=float(np.finfo(np.float32).eps)
    )
    codes = primitives.quantize_affine(x, [1, 96], scale, zero_point, torch.int8)
    got = quantize_activations(x, rule="torchao")
    assert torch.equal(got.codes, codes)
    assert torch.equal(got.scale.to(torch.float32), scale)


def test_torchao_itself_takes_no_empty_batch(torchao):
    """So there is nothing to compare with; linear_dynamic returns no rows."""
    module, codes, scale, bias = layer(torchao, 7, 5, bias=True, per_channel=True, seed=0)
    with pytest.raises(TypeError), torch.no_grad():
        module(torch.zeros(0, 7))
    assert linear_dynamic(torch.zeros(0, 7), codes, scale, bias, rule="torchao").shape == (0, 5)


def test_torchao_itself_takes_no_single_input(torchao):
    """So linear_dynamic with K = 1 has nothing to be compared with; torch._int_mm is wrong there besides."""
    with pytest.raises(RuntimeError, match="invalid for input of size 1"):
        layer(torchao, 1, 4, bias=False, per_channel=True, seed=0)
