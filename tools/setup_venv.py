"""Make .venv and install requirements.txt into it, once; print one sentence where that cannot work.

Called by the Makefile with whatever Python it finds, so this file must stay readable by old versions too.
"""

from __future__ import print_function

import hashlib
import os
import platform
import subprocess
import sys
import threading

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(ROOT, ".venv")
STAMP = os.path.join(VENV, "installed.txt")
MADE_FOR = os.path.join(VENV, "made_for.txt")
TORCH_CHOSEN = os.path.join(VENV, "torch.txt")
# PyTorch's own index of its small CPU builds. On Linux the default build brings gigabytes of CUDA packages.
CPU_INDEX = os.environ.get("TORCH_CPU_INDEX", "https://download.pytorch.org/whl/cpu")
SECONDS = 3.0
STEPS = 4
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


def torch_build():
    """Which build of torch is asked for: "cpu" or "cuda", by `make lab TORCH=cuda` say; else the one chosen before."""
    asked = os.environ.get("TORCH") or read(TORCH_CHOSEN) or "cpu"
    if asked not in ("cpu", "cuda"):
        stop("TORCH is {0!r}; accepted: cpu (small, the default) or cuda (PyPI's default build).".format(asked))
    return asked


def fingerprint(build="cpu"):
    """What the environment was made from: the pins, the package's description, torch's build, what it is bound to."""
    digest = hashlib.sha256((home() + build).encode("utf-8"))
    for name in ("requirements.txt", "pyproject.toml"):
        with open(os.path.join(ROOT, name), "rb") as file:
            digest.update(file.read())
    return digest.hexdigest()


def step(number, doing):
    """Say which step begins."""
    print("[{0}/{1}] {2} ...".format(number, STEPS, doing))
    sys.stdout.flush()


def answers(index):
    """Whether a package index answers within three seconds, its name's look-up included."""
    from urllib.request import urlopen

    answered = []

    def ask():
        try:
            urlopen(index.rstrip("/") + "/torch/", timeout=SECONDS).close()
            answered.append(True)
        except Exception:  # whatever a network, a proxy or a wrong address raises
            return

    asking = threading.Thread(target=ask)
    asking.daemon = True  # the look-up of a name cannot be broken off
    asking.start()
    asking.join(SECONDS)
    return bool(answered)


def install_torch(build):
    """On Linux, torch's small CPU build where its index answers; elsewhere the default build is small already."""
    if not sys.platform.startswith("linux"):
        return
    with open(os.path.join(ROOT, "requirements.txt")) as file:
        pin = next(line.strip() for line in file if line.startswith("torch=="))
    if read(TORCH_CHOSEN) not in (None, build):
        subprocess.call([VENV_PYTHON, "-m", "pip", "uninstall", "--yes", "--quiet", "torch"], cwd=ROOT)
    if build == "cuda":
        step(2, "torch comes with the other packages, in the default build (several GB)")
        return
    step(2, "torch, the small CPU build (about 190 MB)")
    if not answers(CPU_INDEX):
        print(
            "      PyTorch's index of CPU builds ({0}) does not answer: torch comes from the default index, where its"
            " build for Linux is several GB.".format(CPU_INDEX)
        )
    elif not pip_install("--extra-index-url", CPU_INDEX, "--no-deps", pin):
        print("      It could not be installed from {0}: the default index is asked.".format(CPU_INDEX))


def check_python():
    """Stop unless this Python has wheels of all that is pinned and can make virtual environments."""
    if not (3, 11) <= tuple(sys.version_info[:2]) <= (3, 14):
        stop(
            "This course needs Python 3.11 to 3.14 and found {}.{} ({}): install one of these, or name one"
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


def check_machine():
    """Stop on a Mac with an Intel processor, for which torch has no wheels any more."""
    if sys.platform == "darwin" and platform.machine() == "x86_64":
        stop(
            "torch 2.13 has no build for Macs with an Intel processor: read the course's site, or run lessons 00 to 04,"
            " which need NumPy alone, on a server or in another environment."
        )


def pip_install(*arguments):
    """Run pip in the environment, silent unless something goes wrong; return whether it succeeded."""
    command = [VENV_PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"] + list(arguments)
    return subprocess.call(command, cwd=ROOT) == 0


def main():
    """Install what is missing; do nothing where nothing changed."""
    check_python()
    build = torch_build()
    wanted = fingerprint(build)
    if usable() and read(STAMP) == wanted:
        return
    check_machine()
    print("Setting up .venv, once: a few minutes, 1.5 GB on disk.")
    step(1, "an environment for {0}".format(sys.executable))
    if not usable():
        # Cleared, because a folder made elsewhere or by another Python cannot be mended.
        if subprocess.call([sys.executable, "-m", "venv", "--clear", VENV]) != 0:
            stop("The folder .venv could not be made: see the message above (often a full disk or a read-only folder).")
        with open(MADE_FOR, "w") as file:
            file.write(home())
    install_torch(build)
    with open(TORCH_CHOSEN, "w") as file:
        file.write(build)
    step(3, "the other packages (about 360 MB)")
    if not pip_install("-r", "requirements.txt"):
        stop(
            "The packages could not be installed: check that this machine reaches a Python package index"
            " (a network or a proxy may be missing) and run the same command again."
        )
    step(4, "the course's own package")
    if not pip_install("--no-build-isolation", "--no-deps", "-e", "."):
        stop("The course's own package could not be installed: see the message above.")
    with open(STAMP, "w") as file:
        file.write(wanted)


if __name__ == "__main__":
    main()
