"""The server's own environment: JupyterHub stacked on the course's environment, and the proxy from npm."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

HERE = Path(__file__).resolve().parent
COURSE = HERE.parent
VENV = HERE / ".venv"
PYTHON = VENV / "bin" / "python"
PROXY = HERE / "node_modules" / "configurable-http-proxy" / "package.json"
REQUIREMENTS = HERE / "requirements.txt"
STAMP = VENV / "installed.txt"


class InstallationError(Exception):
    """The server cannot be installed here; the text says why and what to do."""


def installed():
    """Whether the environment and the proxy are there, at the pinned versions."""
    return STAMP.exists() and STAMP.read_text() == _fingerprint() and _proxy_version() == _proxy_pin()


def install():
    """Make classroom/.venv and bring the proxy, unless they are there. Run by the course's own Python.

    The environment holds JupyterHub alone; a .pth file leads it to torch, JupyterLab and quantutils in the course's
    environment, so that the 1.5 GB are there once. Raises InstallationError.
    """
    if STAMP.exists() and STAMP.read_text() == _fingerprint():
        pass
    elif Path(sys.prefix) == VENV:
        raise InstallationError("The server's environment is out of date: run .venv/bin/python -m classroom again.")
    else:
        _make_environment()
    if _proxy_version() != _proxy_pin():
        _install_proxy()


def python_for_all():
    """A Python of this version that every user of this machine can run. Raises InstallationError if there is none.

    A Python under /root (pyenv's, uv's) is closed to students, whatever the environment made from it allows.
    """
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    own = getattr(sys, "_base_executable", sys.executable)
    for candidate in (own, f"/usr/bin/{name}", f"/usr/local/bin/{name}"):
        if Path(candidate).exists() and (os.geteuid() != 0 or students_can_run(candidate)):
            return candidate
    raise InstallationError(
        f"Students cannot run {own}, since a folder on the way to it is closed to them. Install the system's {name}"
        f" (on Debian and Ubuntu: sudo apt-get install {name}-venv), or make .venv with a Python that all can run."
    )


def students_can_run(python, code="pass"):
    """Whether a user without any rights can run this Python with this code. Only root can ask."""
    command = [str(python), "-c", code]
    try:
        ended = subprocess.run(
            command, user=65534, group=65534, extra_groups=[], cwd="/", capture_output=True, check=False
        )
    except PermissionError:
        return False
    return ended.returncode == 0


def check_open_to_students():
    """As root: raise InstallationError, with what to do, unless students can run and read all that lessons need."""
    closed = [
        path.relative_to(COURSE)
        for folder in ("quantutils", "notebooks", "tools/jupyter")
        for path in sorted((COURSE / folder).rglob("*"))
        if not path.stat().st_mode & 0o004
    ]
    if closed:
        raise InstallationError(
            f"Students cannot read {closed[0]} and {len(closed) - 1} more files: chmod -R a+rX quantutils notebooks"
            " tools, and start again."
        )
    if not students_can_run(PYTHON, "import quantutils, jupyterhub"):
        raise InstallationError(
            "Students cannot read this checkout, since a folder on the way to it is closed to them: put it where all"
            " users of this machine can read it, as in /srv/quantization-course, and start again."
        )


def installed_version():
    """The version of JupyterHub in the environment."""
    return _run(str(PYTHON), "-c", "import jupyterhub; print(jupyterhub.__version__)").stdout.strip()


def _make_environment():
    course = Path(sys.prefix)
    ended = _run(python_for_all(), "-m", "venv", "--clear", "--without-pip", str(VENV))
    if ended.returncode:
        raise InstallationError(f"classroom/.venv could not be made: {_last_line(ended)}")
    packages = VENV / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    # addsitedir, and not the path alone: the folder's own .pth files are what leads to quantutils.
    (packages / "course.pth").write_text(f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n")
    # JupyterLab's pages and the widgets' scripts are looked for in the environment, not on Python's path.
    for folder in ("share/jupyter", "etc/jupyter"):
        (VENV / folder).parent.mkdir(exist_ok=True)
        (VENV / folder).symlink_to(course / folder)
    pip = [sys.executable, "-m", "pip", "--python", str(PYTHON), "install", "--disable-pip-version-check", "--quiet"]
    ended = _run(*pip, "--constraint", str(COURSE / "requirements.txt"), "--requirement", str(REQUIREMENTS))
    if ended.returncode:
        raise InstallationError(f"JupyterHub could not be installed (it needs a network, once): {_last_line(ended)}")
    STAMP.write_text(_fingerprint())


def _install_proxy():
    npm = shutil.which("npm")
    if npm is None:
        raise InstallationError(
            "The proxy needs Node.js 20 or newer with npm, and there is no npm here (on Debian and Ubuntu: sudo"
            " apt-get install npm)."
        )
    command = [npm, "ci", "--no-audit", "--no-fund", "--loglevel=error", "--prefix", str(HERE)]
    ended = _run(*command)
    if ended.returncode or _proxy_version() != _proxy_pin():
        raise InstallationError(
            f"npm could not bring configurable-http-proxy (it needs a network, once): {_last_line(ended)}"
        )


def _fingerprint():
    """What the environment is made from: the pins, the folder, the course's environment and its Python."""
    parts = [REQUIREMENTS.read_text(), str(HERE), f"{sys.version_info.major}.{sys.version_info.minor}"]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _proxy_pin():
    return json.loads((HERE / "package.json").read_text())["dependencies"]["configurable-http-proxy"]


def _proxy_version():
    return json.loads(PROXY.read_text())["version"] if PROXY.exists() else None


def _run(*command):
    return subprocess.run(command, capture_output=True, text=True, check=False)


def _last_line(ended):
    said = (ended.stderr or ended.stdout).strip().splitlines()
    return said[-1] if said else "it said nothing"
