"""fake_quantize, forward and with its gradient, against torch's own, a naive torch expression and a plain copy."""

import numpy as np
import torch

from benchmarks.timing import in_turns, result, row
from quantutils import QParams
from quantutils.nn.fake import RoundSTE, fake_quantize_ste

ELEMENTS, ROUNDS = 1_000_000, 41
SCALE, ZERO_POINT, QMIN, QMAX = 0.02, 3, -128, 127
TORCH, NAIVE, COPY = "torch.fake_quantize_per_tensor_affine", "naive torch", "plain copy"


def naive(x):
    """The formula as one writes it down."""
    return (torch.clamp(RoundSTE.apply(x / SCALE) + ZERO_POINT, QMIN, QMAX) - ZERO_POINT) * SCALE


def measure(elements=ELEMENTS, rounds=ROUNDS):
    """Rows for NumPy arrays, torch tensors, and the way there and back, float32, 8 bits per tensor."""
    values = np.random.default_rng(0).normal(size=elements).astype(np.float32)
    x = torch.from_numpy(values)
    qparams = QParams(SCALE, ZERO_POINT, QMIN, QMAX)

    def theirs(tensor):
        return torch.fake_quantize_per_tensor_affine(tensor, SCALE, ZERO_POINT, QMIN, QMAX)

    rows = []
    with torch.no_grad():
        peers = {TORCH: lambda: theirs(x), NAIVE: lambda: naive(x), COPY: lambda: x.clone()}
        for what, way in (
            ("QParams.fake_quantize of a NumPy array", lambda: qparams.fake_quantize(values)),
            ("QParams.fake_quantize of a torch tensor", lambda: qparams.fake_quantize(x)),
            ("fake_quantize_ste forward", lambda: fake_quantize_ste(x, SCALE, ZERO_POINT, QMIN, QMAX)),
        ):
            rows += _rows(what, in_turns({"quantutils": way, **peers}, rounds), peers)
    gradient = torch.ones_like(x)
    trained = x.clone().requires_grad_()
    both = {
        "quantutils": lambda tensor: fake_quantize_ste(tensor, SCALE, ZERO_POINT, QMIN, QMAX),
        TORCH: theirs,
        NAIVE: naive,
        COPY: torch.clone,
    }
    ways = {name: lambda way=way: torch.autograd.grad(way(trained), trained, gradient) for name, way in both.items()}
    taken = in_turns(ways, rounds)
    rows += _rows("fake_quantize_ste forward and backward", taken, [name for name in ways if name != "quantutils"])
    return result(rows, {"torch": torch.__version__, "numpy": np.__version__}, elements=elements)


def _rows(what, taken, peers):
    return [row(what, taken, peer, **({"aim": "at least 3", "least": 3} if peer == TORCH else {})) for peer in peers]
