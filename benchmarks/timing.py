"""Seconds of several ways to do one thing, measured in turns, and the rows that compare ours with each peer."""

import math
import os
import statistics
import time

import torch

from quantutils.kernels.rules import _onednn_isa

ROW_KEYS = ("what", "ours", "peer", "theirs", "ratio", "spread", "aim", "met")


def in_turns(ways, rounds=15, shortest=1e-3):
    """{name: seconds of one call in every round} of {name: function without arguments}: a, b, c, a, b, c …

    One thread. A way that is quicker than `shortest` seconds is called several times in a row, and the mean taken.
    """
    torch.set_num_threads(1)
    _keep_freed_memory()
    calls = {}
    for name, way in ways.items():
        way()
        calls[name] = max(1, math.ceil(shortest / _seconds(way, 1)))
    taken = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            taken[name].append(_seconds(way, calls[name]))
    return taken


def _keep_freed_memory():
    """Free a large block once, as any training run has: glibc then no longer hands what is freed back at every call.

    It would ask for the same pages again in the next call, which takes longer than most of what is measured here.
    """
    block = bytearray(31 * 2**20)
    del block


def _seconds(way, calls):
    start = time.perf_counter()
    for _ in range(calls):
        way()
    return (time.perf_counter() - start) / calls


def row(what, taken, peer, *, ours="quantutils", aim=None, least=None):
    """One row: medians of both, and how many times as fast ours is: the median over the rounds, with its quartiles.

    taken: what `in_turns` returned. aim: in words, or None; least: the ratio that meets it.
    """
    ratios = [theirs / own for theirs, own in zip(taken[peer], taken[ours], strict=True)]
    ratio = statistics.median(ratios)
    quartiles = statistics.quantiles(ratios, n=4, method="inclusive") if len(ratios) > 1 else None
    return {
        "what": what,
        "ours": significant(statistics.median(taken[ours])),
        "peer": peer,
        "theirs": significant(statistics.median(taken[peer])),
        "ratio": significant(ratio),
        "spread": quartiles and [significant(quartiles[0]), significant(quartiles[2])],
        "aim": aim,
        "met": None if least is None else ratio >= least,
    }


def result(rows, peers, skipped=None, unit="seconds", **more):
    """What every measure() returns: a dict that json can hold. peers: {name: version}; skipped: {name: reason}."""
    return {
        "unit": unit,
        "measured": True,
        "peers": peers,
        "skipped": skipped or {},
        "processor": _onednn_isa(),
        "threads": 1,
        "load": round(os.getloadavg()[0], 1),  # other work on the machine at the end of the measurement
        **more,
        "rows": rows,
    }


def significant(value, digits=4):
    """The number rounded to so many significant digits."""
    return float(f"{value:.{digits}g}")
