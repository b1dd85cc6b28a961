"""A maintainer's own home, as full as can be, changes no test and is changed by none."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from lesson_files import NOTEBOOKS

from publish.private_home import FOLDERS, LEFT_OUT, MARK, private_environment

ROOT = NOTEBOOKS.parent
WORKSPACE = {
    "data": {
        "layout-restorer:data": {
            "main": {"dock": {"type": "tab-area", "currentIndex": 0, "widgets": ["notebook:mine.ipynb"]}}
        },
        "notebook:mine.ipynb": {"data": {"path": "mine.ipynb", "factory": "Notebook"}},
    },
    "metadata": {"id": "default"},
}
# What a home holds after years: each of these changed what a test saw, or would have.
FILES = {
    ".jupyter/lab/workspaces/default-37a8.jupyterlab-workspace": json.dumps(WORKSPACE),
    ".jupyter/jupyter_server_config.py": "c.PasswordIdentityProvider.hashed_password = 'argon2:none'\n"
    "c.PasswordIdentityProvider.password_required = True\n",
    ".jupyter/jupyter_config.json": json.dumps({"ServerApp": {"port": 1}}),
    ".jupyter/lab/user-settings/@jupyterlab/shortcuts-extension/shortcuts.jupyterlab-settings": "not JSON",
    ".ipython/profile_default/startup/00-mine.py": "print('good morning')\n",
    ".config/matplotlib/matplotlibrc": "font.size: 30\nfigure.facecolor: red\naxes.grid: True\n",
    ".config/ipython/profile_default/startup/00-mine.py": "print('good morning')\n",
    ".local/share/jupyter/kernels/python3/kernel.json": json.dumps(
        {"argv": ["false"], "display_name": "Broken", "language": "python"}
    ),
}


@pytest.fixture(scope="module")
def polluted(tmp_path_factory):
    """An environment whose home holds all of that, as before any test: (environment, home)."""
    home = tmp_path_factory.mktemp("home")
    for name, text in FILES.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text)
    ours = {MARK, *FOLDERS}
    environment = {name: value for name, value in os.environ.items() if name not in ours}
    environment |= {"HOME": str(home), "MATPLOTLIBRC": str(home / ".config" / "matplotlib" / "matplotlibrc")}
    return environment | {"JUPYTER_CONFIG_PATH": str(home / ".jupyter")}, home


def contents(home):
    """{path: text} of every file of a home."""
    return {path.relative_to(home).as_posix(): path.read_text() for path in home.rglob("*") if path.is_file()}


def passes(environment, *arguments):
    """Run pytest as a maintainer does and assert that it passes."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *arguments]
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=500, check=False)
    assert ended.returncode == 0, ended.stdout[-3000:] + ended.stderr[-1000:]


def test_notebooks_and_figures_pass_with_a_polluted_home_and_leave_it_as_it_was(polluted):
    environment, home = polluted
    before = contents(home)
    passes(environment, "notebooks/02_symmetric_and_asymmetric.ipynb", "tests/course/test_plots_style.py")
    assert contents(home) == before


def test_a_lesson_in_the_browser_passes_with_a_polluted_home_and_leaves_it_as_it_was(polluted):
    environment, home = polluted
    before = contents(home)
    passes(environment, "tests/browser/test_lab.py", "-k", "02 or not_run")
    assert contents(home) == before


def test_this_run_has_a_home_of_its_own():
    own = Path(os.environ[MARK])
    assert all(os.environ[name].startswith(str(own)) for name in FOLDERS)
    assert not [name for name in LEFT_OUT if name in os.environ and str(own) not in os.environ[name]]


def test_every_folder_of_a_private_environment_lies_in_it():
    given = private_environment("/tmp/own", {"HOME": "/home/me", "PATH": "/bin", "JUPYTER_PATH": "/home/me/more"})
    assert [name for name, value in given.items() if not value.startswith("/tmp/own")] == ["PATH"]
