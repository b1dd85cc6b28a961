"""Make .venv and install requirements.txt into it, once; print one sentence where that cannot work.

Called by the Makefile with whatever Python it finds, so this file must stay readable by old versions too.
"""

from __future__ import print_function

import hashlib
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(ROOT, ".venv")
STAMP = os.path.join(VENV, "installed.txt")
MADE_FOR = os.path.join(VENV, "made_for.txt")
VENV_PYTHON = os.path.join(VENV, "Scripts", "python.exe") if os.name == "nt" else os.path.join(VENV, "bin", "python")


def stop(sentence):
    """End with one sentence on stderr and exit status 1."""
    sys.stderr.write("\n" + sentence + "\n")
    sys.exit(1)


def home():
    """What an environment is bound to: the folder, because it holds absolute paths, and the Python's version."""
    return "{0} {1}.{2}".format(ROOT, sys.version_info[0], sys.version_info[1])


def read(path):
    """The text of a file, or None."""
    try:
        with open(path) as file:
            return file.read()
    except (IOError, OSError):  # two errors in old Pythons
        return None


def usable():
    """Whether .venv was made here by this Python, so that pip can bring it up to date as it stands."""
    return read(MADE_FOR) == home() and os.path.exists(VENV_PYTHON)


def fingerprint():
    """What the environment was made from: the pins, the package's description, and what it is bound to."""
    digest = hashlib.sha256(home().encode("utf-8"))
    for name in ("requirements.txt", "pyproject.toml"):
        with open(os.path.join(ROOT, name), "rb") as file:
            digest.update(file.read())
    return digest.hexdigest()


def check_python():
    """Stop unless this Python is new enough and can make virtual environments."""
    if sys.version_info < (3, 11):
        stop(
            "This course needs Python 3.11 or newer and found {}.{} ({}): install a newer one, or name one"
            " you have, as in: make lab PYTHON=python3.12".format(
                sys.version_info[0], sys.version_info[1], sys.executable
            )
        )
    try:
        import ensurepip  # noqa: F401 - imported only to see whether it is there
        import venv  # noqa: F401
    except ImportError:
        stop(
            "This Python ({}) lacks the venv module: install it (on Debian and Ubuntu:"
            " sudo apt-get install python3-venv) and run the same command again.".format(sys.executable)
        )


def pip_install(*arguments):
    """Run pip in the environment; return whether it succeeded."""
    command = [VENV_PYTHON, "-m", "pip", "install", "--disable-pip-version-check"] + list(arguments)
    return subprocess.call(command, cwd=ROOT) == 0


def main():
    """Install what is missing; do nothing where nothing changed."""
    check_python()
    wanted = fingerprint()
    if usable() and read(STAMP) == wanted:
        return
    print("Setting up .venv (once; a few minutes, 1.5 GB on disk) ...")
    if not usable():
        # Cleared, because a folder made elsewhere or by another Python cannot be mended.
        if subprocess.call([sys.executable, "-m", "venv", "--clear", VENV]) != 0:
            stop("The folder .venv could not be made: see the message above (often a full disk or a read-only folder).")
        with open(MADE_FOR, "w") as file:
            file.write(home())
    if not pip_install("-r", "requirements.txt"):
        stop(
            "The packages could not be installed: check that this machine reaches a Python package index"
            " (a network or a proxy may be missing) and run the same command again."
        )
    if not pip_install("--no-build-isolation", "--no-deps", "-e", "."):
        stop("The course's own package could not be installed: see the message above.")
    with open(STAMP, "w") as file:
        file.write(wanted)


if __name__ == "__main__":
    main()
