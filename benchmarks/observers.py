"""Observers at ten million values against NumPy's and torch's own, and the MSE search against one value by value."""

import warnings

import numpy as np
import torch

from benchmarks.timing import in_turns, result, row
from quantutils import MSE, MinMax, Percentile, choose_qparams, mse

VALUES, ROUNDS, SEARCHES, CANDIDATES = 10_000_000, 9, 3, 64
PASS, PERCENTILE, SEARCH = "x.min(), x.max()", "np.percentile", "search over all values"


def measure(values=VALUES, rounds=ROUNDS, searches=SEARCHES):
    """Rows for MinMax, Percentile (0.1 % out at either end) and MSE (symmetric; 8 and 4 bits), normal float32 data.

    Beside the rows, "chosen": the scale that the search on the histogram and the one over all values took.
    """
    x = np.random.default_rng(0).normal(size=values).astype(np.float32)
    tensor = torch.from_numpy(x)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.ao says at every call that it is deprecated
        ours = {
            "MinMax": lambda: MinMax().observe(x).qparams(),
            "Percentile": lambda: Percentile(99.9).observe(x).qparams(),
        }
        taken = in_turns(
            {
                **ours,
                PASS: lambda: (x.min(), x.max()),
                PERCENTILE: lambda: np.percentile(x, (0.1, 99.9)),
                "torch.ao MinMaxObserver": lambda: _torch_observer("MinMaxObserver", tensor),
            },
            rounds,
        )
        rows = [
            row("MinMax", taken, PASS, ours="MinMax", aim="at least 1/3", least=1 / 3),
            row("MinMax", taken, "torch.ao MinMaxObserver", ours="MinMax"),
            row("Percentile", taken, PERCENTILE, ours="Percentile", aim="at least 4", least=4),
        ]
        chosen = {}
        for bits in (8, 4):
            more, chosen[f"{bits} bits"] = _searches(x, tensor, bits, searches)
            rows += more
    versions = {"numpy": np.__version__, "torch": torch.__version__}
    return result(rows, versions, values=values, candidates=CANDIDATES, chosen=chosen)


def _searches(x, tensor, bits, rounds):
    """Rows of the MSE search at so many bits, and the scales that both searches chose."""
    found, what, histogram = {}, f"MSE search, {bits} bits", "torch.ao HistogramObserver"
    ways = {
        "quantutils": lambda: found.update(ours=_on_histogram(x, bits).scale),
        SEARCH: lambda: found.update(theirs=_value_by_value(x, bits).scale),
    }
    if bits == 8:
        ways[histogram] = lambda: _torch_observer("HistogramObserver", tensor)
    taken = in_turns(ways, rounds)
    aimed, same = row(what, taken, SEARCH, aim="at least 10, same clip", least=10), found["ours"] == found["theirs"]
    rows = [aimed | {"met": aimed["met"] and same}]
    if histogram in ways:
        rows.append(row(what, taken, histogram))
    return rows, found | {"same": same}


def _on_histogram(x, bits):
    return MSE(candidates=CANDIDATES).observe(x).qparams(bits, symmetric=True)


def _value_by_value(x, bits):
    """The same candidates, each tried on all values: the last of the best, as MSE takes it."""
    reach = max(-float(x.min()), float(x.max()))
    tried = [
        choose_qparams(-reach * part, reach * part, bits, symmetric=True)
        for part in np.arange(1, CANDIDATES + 1) / CANDIDATES
    ]
    errors = [mse(x, qparams.fake_quantize(x)) for qparams in tried]
    return tried[len(errors) - 1 - int(np.argmin(errors[::-1]))]


def _torch_observer(name, tensor):
    from torch.ao import quantization

    observer = getattr(quantization, name)()
    observer(tensor)
    return observer.calculate_qparams()
