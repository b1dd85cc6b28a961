"""A home of its own for whatever runs lessons by itself: tests, benchmarks, decks. The user's is not touched.

A workspace of JupyterLab with another notebook in it, an IPython startup file that prints, a matplotlibrc with other
fonts or a server's password would else change what is tested, and what is tested would change them.
"""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

MARK = "COURSE_PRIVATE_HOME"
FOLDERS = {
    "HOME": "",
    "USERPROFILE": "",  # what Windows calls it
    "XDG_CACHE_HOME": ".cache",
    "XDG_CONFIG_HOME": ".config",
    "XDG_DATA_HOME": ".local/share",
    "XDG_STATE_HOME": ".local/state",
    "IPYTHONDIR": ".ipython",
    "JUPYTER_CONFIG_DIR": ".jupyter",
    "JUPYTER_DATA_DIR": "data",
    "JUPYTER_RUNTIME_DIR": "run",
    "JUPYTERLAB_SETTINGS_DIR": "settings",
    "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
    "MPLCONFIGDIR": ".matplotlib",
    "TORCH_HOME": ".torch",
    "TORCHINDUCTOR_CACHE_DIR": ".inductor",
    "HF_HOME": ".huggingface",
}
# These lead to files of the user's wherever they lie.
LEFT_OUT = ("JUPYTER_PATH", "JUPYTER_CONFIG_PATH", "MATPLOTLIBRC", "MPLBACKEND", "PYTHONSTARTUP")


def private_environment(home, environment=None):
    """The environment, this process's by default, with all folders of Jupyter, IPython, matplotlib and torch in `home`.

    >>> private_environment("/tmp/own", {"MATPLOTLIBRC": "/home/me/rc", "LANG": "C"})["MPLCONFIGDIR"]
    '/tmp/own/.matplotlib'
    """
    kept = {name: value for name, value in (environment or os.environ).items() if name not in LEFT_OUT}
    return kept | {name: os.path.join(home, folder) if folder else str(home) for name, folder in FOLDERS.items()}


def move_in():
    """Give this process, and all that it starts, a home of its own, which is removed when it ends: its Path.

    Called again, also in a process that was started from here, it changes nothing.
    """
    if MARK in os.environ:
        return Path(os.environ[MARK])
    home = tempfile.mkdtemp(prefix="course-")  # short: the path of a kernel's socket has at most 107 characters
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    environment = private_environment(home) | {MARK: home}
    for folder in FOLDERS.values():
        os.makedirs(os.path.join(home, folder), exist_ok=True)
    for name in LEFT_OUT:
        os.environ.pop(name, None)
    os.environ.update(environment)
    return Path(home)
