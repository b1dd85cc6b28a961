"""The set-up: one list of pins, and one sentence where the set-up cannot work."""

import ast
import builtins
import functools
import importlib.util
import re
import subprocess
import sys
import tomllib
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


@pytest.fixture
def setup(tmp_path, monkeypatch):
    """The set-up tool in a folder of its own, with every command it would run recorded: (module, commands)."""
    spec = importlib.util.spec_from_file_location("setup_venv", ROOT / "tools" / "setup_venv.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name in ("requirements.txt", "pyproject.toml"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    venv = tmp_path / ".venv"
    monkeypatch.setattr(module, "ROOT", str(tmp_path))
    monkeypatch.setattr(module, "VENV", str(venv))
    monkeypatch.setattr(module, "STAMP", str(venv / "installed.txt"))
    monkeypatch.setattr(module, "MADE_FOR", str(venv / "made_for.txt"))
    monkeypatch.setattr(module, "VENV_PYTHON", str(venv / "python"))
    commands = []

    def call(command, **_):
        commands.append(command)
        if command[1:3] == ["-m", "venv"]:
            venv.mkdir(exist_ok=True)
            (venv / "python").touch()
            for stamp in ("installed.txt", "made_for.txt"):
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


@pytest.mark.parametrize("version", [(2, 7, 18), (3, 6, 15), (3, 10, 13)])
def test_an_old_python_is_told_which_it_is_and_what_to_do(setup, monkeypatch, capsys, version):
    monkeypatch.setattr(sys, "version_info", version)
    with pytest.raises(SystemExit) as stopped:
        setup[0].main()
    assert stopped.value.code == 1
    said = sentence(capsys)
    assert f"needs Python 3.11 or newer and found {version[0]}.{version[1]} " in said
    assert "install a newer one, or name one you have, as in: make lab PYTHON=python3.12" in said
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
    ]
    assert commands[1][-2:] == ["-r", "requirements.txt"]
    assert commands[2][-2:] == ["-e", "."]
    assert (tmp_path / ".venv" / "installed.txt").read_text() == module.fingerprint()


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
    assert [command[2] for command in commands] == ["pip", "pip"]
    commands.clear()
    module.main()
    assert commands == []


def lose_python(module, folder, monkeypatch):
    (folder / ".venv" / "python").unlink()


def move_checkout(module, folder, monkeypatch):
    monkeypatch.setattr(module, "home", lambda: "elsewhere 3.11")


def take_another_python(module, folder, monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 99, 0))


@pytest.mark.parametrize("accident", [lose_python, move_checkout, take_another_python])
def test_an_environment_that_cannot_work_is_made_anew(setup, tmp_path, monkeypatch, accident):
    module, commands = setup
    module.main()
    commands.clear()
    accident(module, tmp_path, monkeypatch)
    module.main()
    assert [command[2] for command in commands] == ["venv", "pip", "pip"]


@pytest.mark.parametrize(
    ("failing", "said", "first", "again"),
    [
        ("venv", "The folder .venv could not be made", ["venv"], ["venv"]),
        (
            "requirements.txt",
            "check that this machine reaches a Python package index (a network or a proxy",
            ["venv", "pip"],
            ["pip"],
        ),
        ("-e", "The course's own package could not be installed", ["venv", "pip", "pip"], ["pip", "pip"]),
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
