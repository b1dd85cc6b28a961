"""The accuracy benchmark runs and tells its numbers in one shape; how good they are is for the benchmark to say."""

import json

import numpy as np
import pytest
import torch

from benchmarks import accuracy, accuracy_peers, accuracy_tasks
from quantutils.course.zoo import digits, digits_cnn, mnist_5000, mnist_cnn
from quantutils.workflow import convert, prepare_qat


@pytest.fixture(autouse=True)
def _few_images(monkeypatch):
    """MNIST with a tenth of its images."""
    tasks = []
    for task in accuracy.TASKS:
        if task.name == "mnist":
            data = task.load(0)
            tasks.append(task._replace(load=lambda _seed, data=data: type(data)(*(part[:320] for part in data))))
        else:
            tasks.append(task)
    monkeypatch.setattr(accuracy, "TASKS", tuple(tasks))


def test_one_seed_and_one_epoch_give_every_row():
    lines = []
    before = torch.backends.quantized.engine
    result = accuracy.measure(seeds=1, epochs=1, say=lines.append)
    assert torch.backends.quantized.engine == before
    assert json.loads(json.dumps(result)) == result
    rows = {(row["data"], row["by"], row["way"], row["bits"]): row for row in result["rows"]}
    assert len(rows) == len(result["rows"]) == len(lines)
    ways = {("digits", "quantutils", way, bits) for way in ("ptq", "control", "ste", "lsq") for bits in (8, 4, 3, 2)}
    distorted = (accuracy_tasks.DISTORTING, accuracy_tasks.BY_SEED)
    ways |= {
        (data, "quantutils", way, bits)
        for data in distorted
        for way in ("ptq", "control", "lsq", "lsq, 8-bit ends")
        for bits in (4, 3, 2)
    }
    floats = {(data, "float", way, None) for data in ("digits", *distorted) for way in ("float", "control")}
    floats |= {("mnist", "float", "float", None)}
    peers = {("digits", name, *key) for name, peer in accuracy_peers.installed()[0].items() for key in peer.models}
    assert set(rows) == ways | floats | peers | {("mnist", "quantutils", way, 2) for way in ("ptq", "lsq")}
    for row in rows.values():
        assert row["each_seed"] == [row["mean"]] == [row["lowest"]]
        assert row["spread"] is None
        assert row["from_float"] == pytest.approx(
            row["mean"] - rows[row["data"], "float", "float", None]["mean"], abs=0.011
        )
        assert 0 <= row["mean"] <= 100
        assert row["seconds"] >= 0
    assert {row["to_match"] for row in rows.values()} == {None, 99.3, 99.2, 97.8, 95.9}
    assert set(result["peers"]) | set(result["skipped"]) == set(accuracy_peers.PEERS)
    assert result["recipes"]["digits"]["float"]["epochs"] == 1
    assert result["recipes"]["digits"]["images_read"] == 500


def test_what_is_held_out_is_neither_trained_with_nor_tested_with():
    data = digits()
    held = accuracy_tasks.parts(data, held_out=True)
    assert len(held.train_labels) == 1037
    assert len(held.test_labels) == 260
    together = torch.cat([held.train_images, held.test_images]).flatten(1)
    assert torch.equal(together.unique(dim=0), data.train_images.flatten(1).unique(dim=0))
    assert accuracy_tasks.parts(data, held_out=False) is data


def test_a_seed_draws_a_split_of_all_images_with_the_sizes_of_the_fixed_one():
    fixed, split = digits(), accuracy_tasks.split_by(3)
    for own, other in zip(split, fixed, strict=True):
        assert own.shape == other.shape
        assert own.dtype == other.dtype
    assert split.test_labels.bincount().tolist() == [50] * 10
    everything = [torch.cat([data.train_images, data.test_images]).flatten(1) for data in (split, fixed)]
    assert torch.equal(*(images[torch.from_numpy(np.lexsort(images.T.numpy()))] for images in everything))
    assert torch.equal(split.test_images, accuracy_tasks.split_by(3).test_images)
    assert not torch.equal(split.test_images, accuracy_tasks.split_by(4).test_images)


def test_wide_ends_are_8_bits_where_lsq_has_them_and_the_integers_compute_what_was_simulated():
    images = digits().train_images[:256]
    prepared = accuracy_tasks.with_wide_ends(
        prepare_qat(digits_cnn(), images, *accuracy_tasks.schemes(3), "lsq"), "lsq"
    )
    prepared(images)
    with torch.no_grad():
        simulated = prepared.eval()(images)
    integers = convert(prepared)
    layers = [layer for layer in integers.called_layers().values() if hasattr(layer, "output_qparams")]
    assert [layer.weight.scheme.bits for layer in layers] == [8, 3, 3, 3, 8]
    assert layers[0].input_qparams.qmax == 255
    assert [layer.output_qparams.qmax for layer in layers] == [7, 7, 7, 255, 255]
    off = (simulated - integers(images)).abs() > 0.5 * layers[-1].output_qparams.scale
    assert float(off.float().mean()) < 0.02  # a float sum on the other side of a tie moves one code


def test_a_peer_that_is_not_installed_is_skipped_with_the_reason(monkeypatch):
    monkeypatch.setitem(accuracy_peers.PEERS, "nobody", (("a_package_of_nobody",), {}))
    able, skipped = accuracy_peers.installed()
    assert "nobody" not in able
    assert skipped["nobody"].startswith("a_package_of_nobody not installed")
    assert "torch.ao" in able


def test_the_onnx_graph_computes_what_the_model_does():
    onnxruntime = pytest.importorskip("onnxruntime")
    for model, images in (
        (digits_cnn(), digits().test_images[:50]),
        (mnist_cnn().eval(), mnist_5000().test_images[:20]),
    ):
        graph = accuracy_peers.graph_of(model, images.shape[2]).SerializeToString()
        session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
        with torch.no_grad():
            expected = model(images)
        assert torch.allclose(torch.from_numpy(session.run(None, {"images": images.numpy()})[0]), expected, atol=1e-4)


@pytest.mark.parametrize("name", accuracy_peers.PEERS)
def test_a_peer_leaves_the_float_model_as_it_was(name):
    able, skipped = accuracy_peers.installed()
    if name in skipped:
        pytest.skip(skipped[name])
    model, images = digits_cnn(), digits().train_images[:64]
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    for (_, bits), (_, make) in able[name].models.items():
        made = make(model, bits, images, lambda trained: (trained(images), trained.eval())[1])
        with torch.no_grad():
            assert made(images).shape == (64, 10)
    assert not model.training
    assert all(torch.equal(tensor, before[key]) for key, tensor in model.state_dict().items())


def test_a_trial_is_not_written(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(accuracy, "RESULT", tmp_path / "accuracy.json")
    monkeypatch.setattr(accuracy, "TASKS", ())
    accuracy.main(["--seeds", "1", "--no-peers"])
    assert not accuracy.RESULT.exists()
    assert "not written: a trial" in capsys.readouterr().out
    accuracy.main([])
    assert json.loads(accuracy.RESULT.read_text(encoding="utf-8"))["seeds"] == 5


def test_a_task_measured_alone_takes_the_place_of_its_own_rows_only():
    def told(names, mean, peers):
        rows = [{"data": name, "by": by, "mean": mean} for name in names for by in ("quantutils", *peers)]
        recipes = {name: {"epochs": mean} for name in names}
        alike = {"unit": "percent", "seeds": 5, "torch": "2", "varies": "the seed"}
        return alike | {"peers": peers, "skipped": {}, "recipes": recipes, "rows": rows}

    before = told(["digits", "mnist"], 1, {"brevitas": "0.13"})
    for name in (accuracy_tasks.DISTORTING, "digits"):
        both = accuracy.renewed(before, told([name], 2, {}))
        order = [task.name for task in accuracy_tasks.TASKS if task.name in {"digits", "mnist", name}]
        means = [(row["data"], row["mean"]) for row in both["rows"] if row["by"] == "quantutils"]
        assert means == [(data, 2 if data == name else 1) for data in order]
        assert list(both["recipes"]) == order
        assert both["peers"] == {"brevitas": "0.13"}  # its rows on mnist are still those of before
    everything = accuracy.renewed(before, told(["digits", "mnist"], 2, {}) | {"skipped": {"brevitas": "not installed"}})
    assert everything["peers"] == {}
    assert everything["skipped"] == {"brevitas": "not installed"}
    assert not accuracy.renewed(everything, before)["skipped"]
    with pytest.raises(ValueError, match="seeds was 5 and is 1; measure all tasks again"):
        accuracy.renewed(before, told(["mnist"], 2, {}) | {"seeds": 1})
    with pytest.raises(ValueError, match=r"peers were .*; measure all tasks again"):
        accuracy.renewed(before, told(["mnist"], 2, {"brevitas": "0.14"}))
