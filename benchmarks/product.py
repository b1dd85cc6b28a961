"""The integer product and the dynamic and static Linear, against float32, torch.ao, ONNX Runtime and torchao."""

import importlib.util
import logging
import warnings
from importlib.metadata import version

import torch
from torch import nn

from benchmarks import product_peers as peers
from benchmarks.timing import in_turns, result, row
from quantutils import QParams
from quantutils.nn import DynamicLinear, QuantizedWeight, StaticLinear, WeightScheme, integer_product

SIZES, BATCHES, ROUNDS = (256, 1024, 2048), (1, 16, 256), 15
FLOAT = "float32"
AIMED = {(2048, 256): 2.5, (1024, 1): 0.8}  # (N, batch): at least so many times as fast as float32
OUT = (0.02, 128, 0, 255)  # scale, zero point and codes of what a static layer gives
THEORY = 4  # 8-bit lanes beside 32-bit lanes of a vector; units for tiles of int8 (AMX) can pass it
PEERS = {"torch.ao": ("torch",), "ONNX Runtime": ("onnxruntime", "onnx"), "torchao": ("torchao",)}


def measure(sizes=SIZES, batches=BATCHES, rounds=ROUNDS):
    """Rows for the product, the dynamic and the static Linear at every (N, batch), K = N.

    "crossover": for each kind and batch the smallest measured N where it is faster than float32, or None.
    "theory": the ratio to float32 that vectors of 8-bit numbers promise.
    """
    skipped = {
        name: f"{', '.join(missing)} not installed"
        for name, needed in PEERS.items()
        if (missing := [package for package in needed if importlib.util.find_spec(package) is None])
    }
    rows, faster = [], {}
    engine = torch.backends.quantized.engine
    logging.disable(logging.WARNING)  # torchao tells which of its libraries it could not load
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")  # torch.ao says at every call that it is deprecated
            for n in sizes:
                for batch in batches:
                    for kind, ways in _ways(n, batch, skipped).items():
                        taken = in_turns(ways, rounds)
                        least = AIMED.get((n, batch))
                        aim = {"aim": f"at least {least}", "least": least} if least else {}
                        for peer in list(ways)[1:]:
                            what = f"{kind}, N {n}, batch {batch}"
                            rows.append(row(what, taken, peer, **(aim if peer == FLOAT else {})))
                            if peer == FLOAT:
                                faster.setdefault(f"{kind}, batch {batch}", {})[n] = rows[-1]["ratio"] > 1
    finally:
        logging.disable(logging.NOTSET)
        torch.backends.quantized.engine = engine
    crossover = {key: next((n for n, pays in each.items() if pays), None) for key, each in faster.items()}
    versions = {name: version(needed[0]) for name, needed in PEERS.items() if name not in skipped}
    return result(rows, versions, skipped, crossover=crossover, theory=THEORY)


def _ways(n, batch, skipped):
    """{kind: {who: function}}: ours first, then float32, then the peers that are here."""
    generator = torch.Generator().manual_seed(n + batch)
    linear = nn.Linear(n, n)
    x = torch.randn(batch, n, generator=generator)
    weight = QuantizedWeight.from_float(linear.weight, WeightScheme())
    x_qparams, out_qparams = QParams(0.04, 128, 0, 255), QParams(*OUT)
    codes = x_qparams.quantize(x)
    signed = (codes ^ 128).view(torch.int8)
    dynamic, static = (
        DynamicLinear.from_float(linear),
        StaticLinear(weight, linear.bias, x_qparams, out_qparams),
    )
    weight_codes, transposed = weight.codes(), linear.weight.T
    kinds = {
        "integer product": {
            "quantutils": lambda: integer_product(signed, weight_codes),
            FLOAT: lambda: x @ transposed,
        },
        "dynamic Linear": {"quantutils": lambda: dynamic(x), FLOAT: lambda: linear(x)},
        "static Linear, codes to codes": {"quantutils": lambda: static(codes), FLOAT: lambda: linear(x)},
    }
    made = (linear, x, codes, x_qparams, weight, out_qparams)
    for name, make in (
        ("torch.ao", peers.torch_ao),
        ("ONNX Runtime", peers.onnx_runtime),
        ("torchao", peers.torchao),
    ):
        for kind, way in ({} if name in skipped else make(*made)).items():
            kinds[kind][name] = way
    return kinds
