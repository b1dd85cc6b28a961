"""Damaged checkpoints: cut off, changed, mislabelled or full of code, refused, with the model as it was."""

import copy
import json
import pickle
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from tagger import Tagger
from torch import nn
from torch.ao.quantization import DeQuantStub, QuantStub

from quantutils.nn import ActivationScheme, WeightScheme
from quantutils.workflow import convert, prepare, quantize_dynamic, storage


@pytest.fixture(autouse=True)
def _one_thread_and_a_seed():
    torch.set_num_threads(1)
    torch.manual_seed(0)


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "model.safetensors"
    storage.save(quantize_dynamic(Tagger(), WeightScheme(), ActivationScheme()), path)
    return path


def unchanged(model, before):
    """Whether a model still holds what it held, and no quantized layer."""
    now = model.state_dict()
    return list(now) == list(before) and all(torch.equal(before[key], value) for key, value in now.items())


def test_a_file_truncated_at_every_tenth_byte_is_refused(saved, tmp_path):
    whole, model = saved.read_bytes(), Tagger()
    before = copy.deepcopy(model.state_dict())
    broken = tmp_path / "broken"
    assert len(whole) > 10_000
    for length in range(0, len(whole), 10):
        broken.write_bytes(whole[:length])
        with pytest.raises(ValueError, match="damaged or no safetensors file"):
            storage.load(broken, model)
    assert unchanged(model, before)


def written_header(path):
    """(the header of a safetensors file as a dict, the bytes after it)."""
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def with_header(path, header, tensors):
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + tensors)


def corrupted(layers, *place, value):
    """The layers of a header with one entry replaced, or taken out where `value` is GONE."""
    layers = copy.deepcopy(layers)
    inner = layers
    for key in place[:-1]:
        inner = inner[key]
    if value is GONE:
        del inner[place[-1]]
    else:
        inner[place[-1]] = value
    return layers


GONE = object()
WRONG_RECIPES = [
    (("head",), None),
    (("head",), []),
    (("head",), "DynamicLinear"),
    (("head", "kind"), GONE),
    (("head", "kind"), 3),
    (("head", "kind"), []),
    (("head", "kind"), "DynamicGRU"),
    (("head", "kind"), "__import__('os').system('true')"),
    (("head", "weights"), GONE),
    (("head", "weights"), None),
    (("head", "weights", "bits"), 99),
    (("head", "weights", "bits"), "8"),
    (("head", "weights", "bits"), 4),
    (("head", "weights", "per"), "tensor"),
    (("head", "weights", "per"), {}),
    (("head", "weights", "group_size"), 5),
    (("head", "weights", "surprise"), 1),
    (("head", "activations"), GONE),
    (("head", "activations"), 8),
    (("head", "activations", "per"), "group"),
    (("head", "rule"), GONE),
    (("head", "rule"), "fastest"),
    (("head", "rule"), {"a": 1}),
    (("gru", "kind"), "StaticLinear"),
]


@pytest.mark.parametrize(("place", "value"), WRONG_RECIPES)
def test_a_wrong_recipe_in_the_header_is_refused(saved, place, value):
    header, tensors = written_header(saved)
    layers = json.loads(header["__metadata__"]["layers"])
    header["__metadata__"]["layers"] = json.dumps(corrupted(layers, *place, value=value))
    with_header(saved, header, tensors)
    model = Tagger()
    before = copy.deepcopy(model.state_dict())
    with pytest.raises(ValueError, match=r"path holds .*(head|gru)"):
        storage.load(saved, model)
    assert unchanged(model, before)


@pytest.mark.parametrize("layers", ["{", "[]", "null", "3", "{}", "[" * 100_000, '"head"', '{"head": NaN}'])
def test_a_header_without_layers_is_refused(saved, layers):
    header, tensors = written_header(saved)
    header["__metadata__"]["layers"] = layers
    with_header(saved, header, tensors)
    with pytest.raises(ValueError, match=r"header is damaged|damaged header|damaged recipe"):
        storage.load(saved, Tagger())


@pytest.mark.parametrize(
    "change",
    [
        lambda header: header.pop("__metadata__"),
        lambda header: header["__metadata__"].pop("layers"),
        lambda header: header["__metadata__"].update(format="quantutils.99"),
        lambda header: header.pop("head.bias"),
        lambda header: header["head.bias"].update(dtype="F64"),
        lambda header: header["head.bias"].update(data_offsets=[0, 10**9]),
        lambda header: header["head.bias"].update(shape=[-5]),
    ],
)
def test_a_header_that_does_not_fit_its_tensors_is_refused(saved, change):
    header, tensors = written_header(saved)
    change(header)
    with_header(saved, header, tensors)
    with pytest.raises(ValueError, match="path "):
        storage.load(saved, Tagger())


def test_a_static_file_of_an_earlier_edition_needs_an_example(tmp_path):
    model, made = small_static_model()
    storage.save(made, tmp_path / "m")
    header, tensors = written_header(tmp_path / "m")
    del header["__metadata__"]["example"]
    layers = json.loads(header["__metadata__"]["layers"])
    layers["0"] = {**layers["1"], "kind": "Quantize"}  # what a stub was
    header["__metadata__"]["layers"] = json.dumps(layers)
    with_header(tmp_path / "m", header, tensors)
    with pytest.raises(ValueError, match=r"of an earlier edition.*accepted: load\(path, model, example\)"):
        storage.load(tmp_path / "m", model)
    x = torch.randn(3, 6)
    assert torch.equal(storage.load(tmp_path / "m", model, x)(x), made(x))


@pytest.mark.parametrize(
    "example",
    [
        "{",
        '{"dict": {}}',
        '{"dict": {"input": {"shape": [9999999, 9999999], "dtype": "float32"}}}',
        '{"a": 3}',
        "3",
        '{"dict": {"input": {"shape": [2, 6], "dtype": "compile"}}}',
        '{"dict": {"x": {"shape": [2], "dtype": "int8"}}}',
    ],
)
def test_a_damaged_example_is_refused(tmp_path, example):
    model, made = small_static_model()
    storage.save(made, tmp_path / "m")
    header, tensors = written_header(tmp_path / "m")
    header["__metadata__"]["example"] = example
    with_header(tmp_path / "m", header, tensors)
    with pytest.raises((ValueError, TypeError), match=r"damaged|example|arguments|followed"):
        storage.load(tmp_path / "m", model)


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), 0.0, -1.0])
def test_a_scale_that_no_layer_can_have_is_refused(saved, wrong):
    tensors, metadata = load_file(saved), written_header(saved)[0]["__metadata__"]
    tensors["head.weight.scale"][2] = wrong
    save_file(tensors, saved, metadata)
    with pytest.raises(ValueError, match=r"damaged parameters of 'head\.weight'"):
        storage.load(saved, Tagger())


def small_static_model():
    model = nn.Sequential(QuantStub(), nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 3), DeQuantStub()).eval()
    prepared = prepare(model, torch.randn(16, 6))
    prepared(torch.randn(16, 6))
    return model, convert(prepared)


@given(st.integers(0, 10**9), st.integers(1, 255))
def test_one_changed_byte_is_refused_or_gives_a_model_that_runs(place, change):
    model, quantized = small_static_model()
    before = copy.deepcopy(model.state_dict())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        storage.save(quantized, path)
        data = bytearray(path.read_bytes())
        data[place % len(data)] ^= change
        path.write_bytes(data)
        try:
            loaded = storage.load(path, model)
        except ValueError as error:
            loaded, message = None, str(error)
    if loaded is None:
        assert "path" in message
    else:
        assert loaded(torch.zeros(2, 6)).shape == (2, 3)
    assert unchanged(model, before)


class Trap:
    """What a pickle can do to whoever opens it: run any function, here one that writes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


@pytest.mark.parametrize("write", [torch.save, lambda trap, path: path.write_bytes(pickle.dumps(trap))])
def test_a_pickle_s_code_never_runs(write, tmp_path):
    mark, path = tmp_path / "it_ran", tmp_path / "model.pt"
    write(Trap(mark), path)
    with pytest.raises(ValueError, match="no safetensors file"):
        storage.load(path, Tagger())
    assert not mark.exists()
    pickle.loads(pickle.dumps(Trap(mark)))  # the trap does work
    assert mark.exists()


WATCHED = """
import sys, torch
sys.path.insert(0, {tests!r})
from quantutils.workflow import storage
from tagger import Tagger
storage.load({path!r}, Tagger())
seen = []
sys.addaudithook(lambda event, arguments: seen.append(event))
storage.load({path!r}, Tagger())
during = sorted(set(seen))
eval("1")
print("compile" in seen, *during)
"""


def test_loading_compiles_unpickles_and_starts_nothing(saved):
    """Python reports to audit hooks what it compiles, imports, unpickles, opens and starts."""
    code = WATCHED.format(tests=str(Path(__file__).parent), path=str(saved))
    root = Path(__file__).resolve().parents[1]
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    harmful = (
        "exec",
        "compile",
        "import",
        "pickle",
        "marshal",
        "os.system",
        "os.exec",
        "subprocess",
        "ctypes",
        "socket",
    )
    hook_works, *events = answer.stdout.split()
    assert hook_works == "True"
    assert [event for event in events if event.startswith(harmful)] == []


def test_a_damaged_header_is_refused(tmp_path):
    save_file({"x": torch.ones(1)}, tmp_path / "m", {"format": "quantutils.1", "layers": "{"})
    with pytest.raises(ValueError, match="header is damaged"):
        storage.load(tmp_path / "m", Tagger())
