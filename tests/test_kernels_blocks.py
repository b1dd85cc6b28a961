"""Layers with more outputs than are worked on at a time: a row gets what it gets in a small batch."""

import numpy as np
import pytest
import torch

from quantutils import QParams
from quantutils.arrays import CACHE_BLOCK
from quantutils.kernels import NAMES, linear_dynamic, linear_static, quantize_activations


@pytest.mark.parametrize("library", [np.asarray, torch.as_tensor])
@pytest.mark.parametrize("rule", [name for name in NAMES if name != "onednn"])  # which looks at the shape
def test_layers_worked_on_in_several_blocks_give_each_row_what_it_gets_alone(rule, library):
    rng = np.random.default_rng(3)
    few, weights = rng.normal(size=(5, 9)), rng.integers(-128, 128, (4, 9)).astype(np.int8)
    sw, bias, times = rng.uniform(0.01, 0.02, 4), rng.normal(size=4), CACHE_BLOCK // 4 // 5 + 40
    many = np.tile(few, (times, 1))
    layer = {"weight_codes": library(weights), "weight_scale": sw, "bias": bias, "rule": rule}
    out, wanted = (linear_dynamic(library(x), **layer) for x in (many, few))
    assert np.array_equal(np.asarray(out), np.tile(np.asarray(wanted), (times, 1)))
    codes, codes_of_few = (quantize_activations(library(x), rule).codes for x in (many, few))
    assert np.array_equal(np.asarray(codes), np.tile(np.asarray(codes_of_few), (times, 1)))
    if rule != "torchao":
        qparams = QParams(0.03, 100, 0, 255), QParams(0.04, 90, 0, 255)
        rows = [
            linear_static(qparams[0].quantize(library(x)), qparams[0], out_qparams=qparams[1], **layer)
            for x in (many, few)
        ]
        assert np.array_equal(np.asarray(rows[0]), np.tile(np.asarray(rows[1]), (times, 1)))
