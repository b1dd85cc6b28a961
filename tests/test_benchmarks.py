"""Each benchmark measures and tells its numbers in one shape; how good they are is for the benchmark to say."""

import json
from importlib.util import find_spec

import nbformat
import pytest
import torch

from benchmarks import encoder, fake_quantize, lessons, observers, product
from benchmarks.timing import ROW_KEYS, in_turns, row
from quantutils import QParams
from quantutils.course import zoo


def held(result):
    """The rows of a result, which json holds, {(what, peer): row}; each has every key and numbers that make sense."""
    assert json.loads(json.dumps(result)) == result
    assert result["measured"] is True
    assert result["unit"].startswith("seconds")
    rows = {(line["what"], line["peer"]): line for line in result["rows"]}
    assert len(rows) == len(result["rows"])
    for line in rows.values():
        assert tuple(line) == ROW_KEYS
        assert line["ours"] > 0
        assert line["theirs"] > 0
        assert line["ratio"] > 0
        assert line["spread"] is None or 0 < line["spread"][0] <= line["spread"][1]
        assert (line["aim"] is None) == (line["met"] is None)
    return rows


def test_fake_quantize_has_a_row_for_each_way_and_peer():
    rows = held(fake_quantize.measure(elements=1000, rounds=2))
    peers = {fake_quantize.TORCH, fake_quantize.NAIVE, fake_quantize.COPY}
    assert {peer for _, peer in rows} == peers
    assert len(rows) == 4 * len(peers)
    assert {peer for (_, peer), line in rows.items() if line["aim"]} == {fake_quantize.TORCH}


def test_naive_peer_computes_the_same():
    x = torch.randn(1000)
    given = (fake_quantize.SCALE, fake_quantize.ZERO_POINT, fake_quantize.QMIN, fake_quantize.QMAX)
    assert torch.equal(fake_quantize.naive(x), fake_quantize.fake_quantize_ste(x, *given))


def test_observers_have_rows_and_say_which_clip_was_chosen():
    result = observers.measure(values=20_000, rounds=2, searches=2)
    rows = held(result)
    assert len(rows) == 6
    for bits, chosen in result["chosen"].items():
        aimed = rows[f"MSE search, {bits}", observers.SEARCH]
        assert chosen["same"] is (chosen["ours"] == chosen["theirs"])
        assert chosen["same"] or not aimed["met"]


def test_product_has_rows_for_every_size_and_a_crossover():
    before = torch.backends.quantized.engine
    result = product.measure(sizes=(32, 64), batches=(1, 3), rounds=2)
    assert torch.backends.quantized.engine == before
    rows = held(result)
    assert set(result["peers"]) | set(result["skipped"]) == set(product.PEERS)
    kinds = ("integer product", "dynamic Linear", "static Linear, codes to codes")
    for kind in kinds:
        for batch in (1, 3):
            assert {(f"{kind}, N {n}, batch {batch}", product.FLOAT) for n in (32, 64)} <= set(rows)
    for key, n in result["crossover"].items():
        kind, batch = key.split(", batch ")
        faster = [size for size in (32, 64) if rows[f"{kind}, N {size}, batch {batch}", product.FLOAT]["ratio"] > 1]
        assert n == (min(faster) if faster else None)


@pytest.mark.filterwarnings("ignore")
def test_peers_of_the_product_compute_what_ours_does():
    torch.manual_seed(0)
    missing = {name: "" for name, needed in product.PEERS.items() if not all(map(find_spec, needed))}
    kinds = product._ways(48, 5, missing)
    with torch.no_grad():
        for kind in ("dynamic Linear", "static Linear, codes to codes"):
            wanted = kinds[kind].pop(product.FLOAT)()
            for who, way in kinds[kind].items():
                answer = way()
                if isinstance(answer, list):
                    answer = torch.from_numpy(answer[0])
                if answer.dtype == torch.uint8:
                    answer = QParams(*product.OUT).dequantize(answer)
                elif answer.is_quantized:
                    answer = answer.dequantize()
                # ONNX's QLinearMatMul has no bias.
                bias = 0.15 if (who, kind) == ("ONNX Runtime", "static Linear, codes to codes") else 0
                assert float((answer - wanted).abs().max()) < 0.1 + bias, (kind, who)


def test_a_peer_that_is_not_installed_is_skipped_with_the_reason(monkeypatch):
    monkeypatch.setitem(product.PEERS, "torchao", ("a_package_of_nobody",))
    result = product.measure(sizes=(16,), batches=(1,), rounds=1)
    assert result["skipped"] == {"torchao": "a_package_of_nobody not installed"}
    assert "torchao" not in {line["peer"] for line in result["rows"]}


def test_lessons_have_a_row_of_time_and_one_of_memory(tmp_path):
    path = tmp_path / "small.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("x = bytearray(60_000_000)")]), path)
    rows = held(lessons.measure([path], rounds=1))
    assert [what for what, _ in rows] == ["small, time", "small, peak memory of the kernel (MiB)"]
    memory = rows["small, peak memory of the kernel (MiB)", lessons.EMPTY]
    assert memory["ours"] > memory["theirs"] + 40
    assert path.read_text(encoding="utf-8").count("VmHWM") == 0


def test_ways_are_called_in_turns():
    calls = []
    taken = in_turns({name: lambda name=name: calls.append(name) for name in "ab"}, rounds=3, shortest=0)
    assert "".join(calls[-6:]) == "ababab"
    assert {name: len(seconds) for name, seconds in taken.items()} == {"a": 3, "b": 3}


@pytest.mark.parametrize(("least", "met"), [(2, True), (3, False), (None, None)])
def test_a_row_is_the_median_of_the_ratios(least, met):
    aim = None if least is None else f"at least {least}"
    line = row("a sum", {"quantutils": [1.0, 2.0, 1.0], "peer": [2.0, 5.0, 9.0]}, "peer", aim=aim, least=least)
    assert (line["ours"], line["theirs"], line["ratio"], line["met"]) == (1.0, 5.0, 2.5, met)


def test_the_encoder_has_a_row_for_each_model_and_its_aims_are_judged_by_what_was_measured(monkeypatch):
    monkeypatch.setattr(encoder.encoder_peers, "PEERS", {"nobody": ("no_such_package", "no-such-package", None)})
    ours = {"int8": (zoo.sentence_encoder().model, 24_900_000, "not quantized, for the test")}
    monkeypatch.delitem(encoder.AIMS["int8"], "batch_1")  # it is as fast as itself, give or take
    monkeypatch.setattr(encoder, "_ours", lambda *_: ours)
    result = encoder.measure(count=8, rounds=1)
    assert json.loads(json.dumps(result)) == result
    assert list(result["skipped"]) == ["nobody"]
    base, same = result["rows"]
    assert (base["by"], base["cosine"], base["megabytes"], base["met"]) == ("float", 1.0, 90.9, None)
    assert (same["by"], same["same_first"], same["of_five"], same["met"]) == ("quantutils", 100, 100.0, True)
    assert not encoder._meets("megabytes", 25.0, 25)
    assert encoder._meets("cosine", 0.9985, 0.9985)
