"""The accuracy benchmark runs and tells its numbers in one shape; how good they are is for the benchmark to say."""

import json

import pytest
import torch

from benchmarks import accuracy, accuracy_peers


@pytest.fixture(autouse=True)
def _few_images(monkeypatch):
    """MNIST with a tenth of its images."""
    tasks = []
    for task in accuracy.TASKS:
        if task.name == "mnist":
            data = task.load()
            tasks.append(task._replace(load=lambda data=data: type(data)(*(part[:320] for part in data))))
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
    floats = {
        ("digits", "float", "float", None),
        ("digits", "float", "control", None),
        ("mnist", "float", "float", None),
    }
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
    data = accuracy.digits()
    held = accuracy.parts(data, held_out=True)
    assert len(held.train_labels) == 1037
    assert len(held.test_labels) == 260
    together = torch.cat([held.train_images, held.test_images]).flatten(1)
    assert torch.equal(together.unique(dim=0), data.train_images.flatten(1).unique(dim=0))
    assert accuracy.parts(data, held_out=False) is data


def test_a_peer_that_is_not_installed_is_skipped_with_the_reason(monkeypatch):
    monkeypatch.setitem(accuracy_peers.PEERS, "nobody", (("a_package_of_nobody",), {}))
    able, skipped = accuracy_peers.installed()
    assert "nobody" not in able
    assert skipped["nobody"].startswith("a_package_of_nobody not installed")
    assert "torch.ao" in able


def test_the_onnx_graph_computes_what_the_model_does():
    onnxruntime = pytest.importorskip("onnxruntime")
    for model, images in (
        (accuracy.digits_cnn(), accuracy.digits().test_images[:50]),
        (accuracy.mnist_cnn().eval(), accuracy.mnist_5000().test_images[:20]),
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
    model, images = accuracy.digits_cnn(), accuracy.digits().train_images[:64]
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
