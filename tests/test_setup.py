"""The set-up: one list of pins, and one sentence where the set-up cannot work."""

import ast
import builtins
import functools
import importlib.util
import io
import re
import socket
import subprocess
import sys
import threading
import time
import tomllib
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
OWN_FOLDERS = [ROOT / name for name in ("quantutils", "tests", "tools", "publish", "benchmarks", "classroom")]
# Folders with pins of their own, each in one or more files.
PINS_OF_THEIR_OWN = {
    name: sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / name).glob("requirements*.txt"))
    for name in ("benchmarks", "classroom")
}


def normalised(name):
    """A distribution's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def requirement_lines(file="requirements.txt"):
    lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line.strip() and not line.startswith(("#", "-r "))]


def pinned(file="requirements.txt"):
    return [normalised(line.partition("==")[0]) for line in requirement_lines(file)]


def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


@functools.cache
def python_files():
    # node_modules and a server's own .venv lie in these folders too, and are nobody's of ours.
    paths = (path for folder in OWN_FOLDERS for path in folder.rglob("*.py"))
    return sorted(path for path in paths if not {"node_modules", ".venv"} & set(path.relative_to(ROOT).parts))


def imported_modules(path):
    """The top-level names of the modules that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add(node.module.partition(".")[0])
    return found


# Pins


@pytest.mark.parametrize(
    "line",
    requirement_lines()
    + [line for files in PINS_OF_THEIR_OWN.values() for file in files for line in requirement_lines(file)],
)
def test_every_requirement_is_one_exact_pin(line):
    assert re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.]*", line)


def test_every_name_is_pinned_once():
    assert len(pinned()) == len(set(pinned())) > 10


def test_environment_refers_to_the_pins_and_has_none_of_its_own():
    lines = (ROOT / "environment.yml").read_text(encoding="utf-8").splitlines()
    entries = [line.strip().removeprefix("- ") for line in lines if line.strip().startswith("- ")]
    assert entries == ["conda-forge", "python=3.11", "pip", "pip:", "-r requirements.txt", "-e ."]


def test_the_environments_python_is_one_the_package_accepts():
    # The oldest accepted is the one that the pins were tried on.
    assert project()["project"]["requires-python"] == ">=3.11"


def test_what_the_package_depends_on_is_pinned():
    description = project()["project"]
    optional = [name for names in description["optional-dependencies"].values() for name in names]
    build = [re.split(r"[<>=!~ ]", name)[0] for name in project()["build-system"]["requires"]]
    needed = [*description["dependencies"], *optional, *build]
    assert {normalised(name) for name in needed} <= set(pinned())
    assert all(re.fullmatch(r"[a-z0-9-]+", name) for name in [*description["dependencies"], *optional])


@pytest.mark.parametrize("path", python_files(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_module_that_a_file_imports_is_pinned(path):
    own = {name for file in python_files() for name in (file.stem, *file.relative_to(ROOT).parts[:-1])}
    files = PINS_OF_THEIR_OWN.get(path.relative_to(ROOT).parts[0], [])
    pins = pinned() + [name for file in files for name in pinned(file)]
    distributions = packages_distributions()
    foreign = imported_modules(path) - set(sys.stdlib_module_names) - own
    missing = {
        module
        for module in foreign
        if not {normalised(name) for name in distributions.get(module, [module])} & set(pins)
    }
    assert missing == set()


# tools/setup_venv.py


def setup_tool():
    """The set-up tool as a module."""
    spec = importlib.util.spec_from_file_location("setup_venv", ROOT / "tools" / "setup_venv.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def setup(tmp_path, monkeypatch):
    """The set-up tool in a folder of its own, with every command it would run recorded: (module, commands)."""
    module = setup_tool()
    for name in ("requirements.txt", "pyproject.toml"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    venv = tmp_path / ".venv"
    monkeypatch.setattr(module, "ROOT", str(tmp_path))
    monkeypatch.setattr(module, "VENV", str(venv))
    monkeypatch.setattr(module, "STAMP", str(venv / "installed.txt"))
    monkeypatch.setattr(module, "MADE_FOR", str(venv / "made_for.txt"))
    monkeypatch.setattr(module, "TORCH_CHOSEN", str(venv / "torch.txt"))
    monkeypatch.setattr(module, "answers", lambda index: True)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("TORCH", raising=False)
    monkeypatch.setattr(module, "VENV_PYTHON", str(venv / "python"))
    commands = []

    def call(command, **_):
        commands.append(command)
        if command[1:3] == ["-m", "venv"]:
            venv.mkdir(exist_ok=True)
            (venv / "python").touch()
            for stamp in ("installed.txt", "made_for.txt", "torch.txt"):
                (venv / stamp).unlink(missing_ok=True)
        return 1 if getattr(module, "failing", None) in command else 0

    monkeypatch.setattr(subprocess, "call", call)
    return module, commands


def sentence(capsys):
    """The one sentence on stderr."""
    said = capsys.readouterr().err.strip()
    assert "\n" not in said
    assert said.endswith(".") or "make lab PYTHON=" in said
    return said


@pytest.mark.parametrize("version", [(2, 7, 18), (3, 6, 15), (3, 10, 13), (3, 15, 0)])
def test_a_python_without_wheels_is_told_which_it_is_and_what_to_do(setup, monkeypatch, capsys, version):
    monkeypatch.setattr(sys, "version_info", version)
    with pytest.raises(SystemExit) as stopped:
        setup[0].main()
    assert stopped.value.code == 1
    said = sentence(capsys)
    assert f"needs Python 3.11 to 3.14 and found {version[0]}.{version[1]} " in said
    assert "install one of these, or name one you have, as in: make lab PYTHON=python3.12" in said
    assert setup[1] == []


@pytest.mark.parametrize("missing", ["venv", "ensurepip"])
def test_a_python_without_venv_is_told_what_to_install(setup, monkeypatch, capsys, missing):
    real_import = builtins.__import__

    def without(name, *arguments, **named):
        if name == missing:
            raise ImportError(name)
        return real_import(name, *arguments, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(SystemExit) as stopped:
        setup[0].main()
    assert stopped.value.code == 1
    said = sentence(capsys)
    assert "lacks the venv module: install it (on Debian and Ubuntu: sudo apt-get install python3-venv)" in said
    assert setup[1] == []


def test_the_file_can_be_read_by_pythons_it_turns_away():
    source = (ROOT / "tools" / "setup_venv.py").read_text(encoding="utf-8")
    assert source.isascii()  # Python 2 reads nothing else without a declaration
    tree = ast.parse(source, feature_version=(3, 4))
    assert not [node for node in ast.walk(tree) if isinstance(node, (ast.JoinedStr, ast.NamedExpr, ast.AnnAssign))]


def test_the_first_set_up_makes_installs_and_leaves_a_stamp(setup, tmp_path):
    module, commands = setup
    module.main()
    assert [command[1:4] for command in commands] == [
        ["-m", "venv", "--clear"],
        ["-m", "pip", "install"],
        ["-m", "pip", "install"],
        ["-m", "pip", "install"],
    ]
    assert commands[1][-4:-1] == ["--extra-index-url", module.CPU_INDEX, "--no-deps"]
    assert commands[1][-1].startswith("torch==")
    assert commands[2][-2:] == ["-r", "requirements.txt"]
    assert commands[3][-2:] == ["-e", "."]
    assert (tmp_path / ".venv" / "installed.txt").read_text() == module.fingerprint("cpu")


def test_a_second_set_up_does_nothing(setup, capsys):
    module, commands = setup
    module.main()
    commands.clear()
    capsys.readouterr()
    module.main()
    assert commands == []
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("changed", ["requirements.txt", "pyproject.toml"])
def test_a_changed_description_brings_the_environment_up_to_date(setup, tmp_path, changed):
    module, commands = setup
    module.main()
    commands.clear()
    with (tmp_path / changed).open("a") as file:
        file.write("# changed\n")
    module.main()
    # Without a new venv: with no network, that would leave nothing to work with.
    assert [command[2] for command in commands] == ["pip", "pip", "pip"]
    commands.clear()
    module.main()
    assert commands == []


def lose_python(module, folder, monkeypatch):
    (folder / ".venv" / "python").unlink()


def move_checkout(module, folder, monkeypatch):
    monkeypatch.setattr(module, "home", lambda: "elsewhere 3.11")


def take_another_python(module, folder, monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 14 if sys.version_info[1] < 14 else 13, 0))


@pytest.mark.parametrize("accident", [lose_python, move_checkout, take_another_python])
def test_an_environment_that_cannot_work_is_made_anew(setup, tmp_path, monkeypatch, accident):
    module, commands = setup
    module.main()
    commands.clear()
    accident(module, tmp_path, monkeypatch)
    module.main()
    assert [command[2] for command in commands] == ["venv", "pip", "pip", "pip"]


@pytest.mark.parametrize(
    ("failing", "said", "first", "again"),
    [
        ("venv", "The folder .venv could not be made", ["venv"], ["venv"]),
        (
            "requirements.txt",
            "check that this machine reaches a Python package index (a network or a proxy",
            ["venv", "pip", "pip"],
            ["pip", "pip"],
        ),
        ("-e", "The course's own package could not be installed", ["venv", "pip", "pip", "pip"], ["pip", "pip", "pip"]),
    ],
)
def test_a_failed_step_ends_in_a_sentence_and_is_tried_again(setup, capsys, failing, said, first, again):
    module, commands = setup
    module.failing = failing
    for ran in (first, again):
        commands.clear()
        with pytest.raises(SystemExit) as stopped:
            module.main()
        assert stopped.value.code == 1
        assert said in sentence(capsys)
        assert [command[2] for command in commands] == ran


# The build of torch


def pip_of_torch(commands):
    """The pip commands that name torch itself."""
    return [command for command in commands if command[2] == "pip" and command[-1].startswith("torch")]


def test_without_an_answer_the_default_index_is_taken_and_said_to_be_large(setup, monkeypatch, capsys):
    module, commands = setup
    monkeypatch.setattr(module, "answers", lambda index: False)
    module.main()
    assert pip_of_torch(commands) == []
    assert "does not answer: torch comes from the default index, where its build for Linux is several GB." in (
        capsys.readouterr().out
    )


def test_who_asks_for_cuda_gets_the_default_build_and_keeps_it(setup, monkeypatch):
    module, commands = setup
    monkeypatch.setenv("TORCH", "cuda")
    module.main()
    assert pip_of_torch(commands) == []
    monkeypatch.delenv("TORCH")
    commands.clear()
    module.main()
    assert commands == []


def test_another_build_takes_the_place_of_the_one_before(setup, monkeypatch):
    module, commands = setup
    module.main()
    commands.clear()
    monkeypatch.setenv("TORCH", "cuda")
    module.main()
    assert [command[3] for command in pip_of_torch(commands)] == ["uninstall"]


def test_an_unknown_build_is_refused_by_name(setup, monkeypatch, capsys):
    monkeypatch.setenv("TORCH", "rocm")
    with pytest.raises(SystemExit):
        setup[0].main()
    assert "TORCH is 'rocm'; accepted: cpu" in sentence(capsys)


@pytest.mark.parametrize("platform", ["win32", "darwin"])
def test_elsewhere_than_on_linux_the_default_build_is_small_already(setup, monkeypatch, platform):
    module, commands = setup
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(module.platform, "machine", lambda: "arm64")
    module.main()
    assert pip_of_torch(commands) == []


def test_a_mac_with_an_intel_processor_is_told_so(setup, monkeypatch, capsys):
    module, commands = setup
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(module.platform, "machine", lambda: "x86_64")
    with pytest.raises(SystemExit):
        module.main()
    assert "no build for Macs with an Intel processor" in sentence(capsys)
    assert commands == []


@pytest.fixture
def index():
    """An index on the loopback with a wheel of torch, as PyTorch's own: (its address, what it was asked for)."""
    asked = []

    class Index(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            wheel = "torch-2.13.0+cpu-py3-none-any.whl"
            body = wheel_of_torch() if self.path.endswith(".whl") else f'<a href="/{wheel}">{wheel}</a>'.encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Index) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/whl/cpu", asked
        server.shutdown()


def wheel_of_torch():
    """The bytes of a wheel that is torch in name only."""
    file, folder = io.BytesIO(), "torch-2.13.0+cpu.dist-info"
    files = {
        "torch_in_name_only.py": "",
        f"{folder}/METADATA": "Metadata-Version: 2.1\nName: torch\nVersion: 2.13.0+cpu\n",
        f"{folder}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    with zipfile.ZipFile(file, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
        archive.writestr(f"{folder}/RECORD", "".join(f"{name},,\n" for name in files))
    return file.getvalue()


def test_the_cpu_build_comes_from_the_index_that_answers(index, tmp_path, monkeypatch):
    address, asked = index
    module = setup_tool()
    (tmp_path / "requirements.txt").write_bytes((ROOT / "requirements.txt").read_bytes())
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / ".venv"], check=True)
    python = tmp_path / ".venv" / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    monkeypatch.setattr(module, "ROOT", str(tmp_path))
    monkeypatch.setattr(module, "TORCH_CHOSEN", str(tmp_path / "torch.txt"))
    monkeypatch.setattr(module, "CPU_INDEX", address)
    monkeypatch.setattr(sys, "platform", "linux")
    # The course's own pip, set to work in that environment and to ask nobody but the index of this test
    pip = [sys.executable, "-m", "pip", "--isolated", "--python", str(python), "install", "--no-index"]
    monkeypatch.setattr(
        module,
        "pip_install",
        lambda *rest: subprocess.call([*pip, "--find-links", f"{rest[1]}/torch/", *rest[2:]]) == 0,
    )
    module.install_torch("cpu")
    assert [path for path in asked if path.endswith(".whl")]
    assert list((tmp_path / ".venv").rglob("torch-2.13.0+cpu.dist-info"))


def test_an_index_that_says_nothing_is_given_up_after_three_seconds():
    module = setup_tool()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        start = time.monotonic()
        assert not module.answers(f"http://127.0.0.1:{silent.getsockname()[1]}")
        assert 2.5 < time.monotonic() - start < 30  # three seconds, and what a busy machine adds
    assert not module.answers("http://127.0.0.1:9/nothing")
