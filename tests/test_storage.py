"""Quantized checkpoints: the same outputs after loading, the size they say, and what is no checkpoint refused."""

import copy
import subprocess
import sys

import pytest
import torch
from safetensors.torch import save_file
from tagger import Tagger
from torch import nn

from quantutils.nn import ActivationScheme, WeightScheme
from quantutils.workflow import quantize_dynamic, storage


@pytest.fixture(autouse=True)
def _one_thread_and_a_seed():
    torch.set_num_threads(1)
    torch.manual_seed(0)


INDICES = torch.arange(24).reshape(3, 8)
CHOICES = {
    "default rule": {},
    "8 bits a token": {"activations": ActivationScheme(per="token")},
    "4 bits in groups": {"weights": WeightScheme(4, "group", 8)},
    "2 bits": {"weights": WeightScheme(2)},
}


@pytest.mark.parametrize("name", CHOICES)
def test_loaded_model_computes_the_same_in_every_bit(name, tmp_path):
    quantized = quantize_dynamic(Tagger().eval(), **CHOICES[name])
    path = tmp_path / "model.safetensors"
    size = storage.save(quantized, path)
    assert size == path.stat().st_size
    stranger = Tagger().eval()
    before = copy.deepcopy(stranger.state_dict())
    loaded = storage.load(path, stranger)
    assert torch.equal(loaded(INDICES), quantized(INDICES))
    assert all(torch.equal(before[key], value) for key, value in stranger.state_dict().items())
    assert [file.name for file in tmp_path.iterdir()] == ["model.safetensors"]


def test_four_bits_are_really_smaller_on_disk(tmp_path):
    model = nn.Linear(1024, 1024)
    sizes = [storage.save(quantize_dynamic(model, WeightScheme(bits)), tmp_path / "m") for bits in (8, 4, 2)]
    assert sizes[0] - sizes[1] == pytest.approx(1024 * 512, abs=200)
    assert sizes[1] - sizes[2] == pytest.approx(1024 * 256, abs=200)


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "model.safetensors"
    storage.save(quantize_dynamic(Tagger(), WeightScheme(), ActivationScheme()), path)
    return path


def test_a_float_checkpoint_is_told_apart(tmp_path):
    save_file(Tagger().state_dict(), tmp_path / "float.safetensors")
    with pytest.raises(ValueError, match=r"holds no quantized model \(a float checkpoint\?\)"):
        storage.load(tmp_path / "float.safetensors", Tagger())


def test_a_pickle_is_never_opened(tmp_path):
    torch.save(Tagger().state_dict(), tmp_path / "model.pt")
    with pytest.raises(ValueError, match="no safetensors file"):
        storage.load(tmp_path / "model.pt", Tagger())


def test_wrong_shapes_and_wrong_models_are_refused(saved):
    with pytest.raises(ValueError, match=r"accepted: .* as model has it"):
        storage.load(saved, Tagger(hidden=32))
    with pytest.raises(ValueError, match="layers that model lacks: embedding, gru, head"):
        storage.load(saved, nn.Sequential(nn.ReLU()))
    other = Tagger()
    other.head = nn.Embedding(5, 48)
    with pytest.raises(ValueError, match="path holds a DynamicLinear at 'head', where model has a Embedding"):
        storage.load(saved, other)


def test_missing_file_float_model_and_no_module(tmp_path):
    with pytest.raises(FileNotFoundError, match="no file exists"):
        storage.load(tmp_path / "nowhere", Tagger())
    with pytest.raises(ValueError, match="no quantized layer"):
        storage.save(Tagger(), tmp_path / "m")
    with pytest.raises(TypeError, match="model is a dict"):
        storage.save({}, tmp_path / "m")


def test_a_failed_write_leaves_the_old_file_and_nothing_else(saved, monkeypatch):
    before = saved.read_bytes()

    def full_disk(*_):
        raise OSError("No space left on device")

    monkeypatch.setattr(storage, "save_file", full_disk)
    with pytest.raises(OSError, match=r"path is .+, which could not be written \(No space left on device\)"):
        storage.save(quantize_dynamic(Tagger(), WeightScheme(4)), saved)
    assert saved.read_bytes() == before
    assert [file.name for file in saved.parent.iterdir()] == [saved.name]


def test_a_disk_that_takes_no_new_file_is_named_by_the_path_that_was_given(tmp_path, monkeypatch):
    def no_inode(*_, **__):
        raise OSError("No space left on device")

    monkeypatch.setattr(storage.tempfile, "mkstemp", no_inode)
    with pytest.raises(OSError, match=r"path is '.+model', which could not be written \(No space left on device\)"):
        storage.save(quantize_dynamic(nn.Linear(4, 4)), tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"path is .+nothing.+, whose folder does not exist"):
        storage.save(quantize_dynamic(nn.Linear(4, 4)), tmp_path / "nothing" / "model.safetensors")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
def test_a_disk_that_is_full_in_earnest(tmp_path):
    """A process that may write files of 50 kB at most stands for the disk."""
    code = f"""
import resource, signal, torch
from quantutils import workflow
from quantutils.workflow import storage
model = workflow.quantize_dynamic(torch.nn.Linear(400, 400))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
try:
    storage.save(model, {str(tmp_path / "model.safetensors")!r})
except OSError as error:
    print(error)
"""
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "which could not be written" in answer.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no permissions of this kind")
def test_a_checkpoint_may_be_read_like_any_other_file(saved, tmp_path):
    plain = tmp_path / "plain"
    plain.write_bytes(b"")
    assert saved.stat().st_mode == plain.stat().st_mode
