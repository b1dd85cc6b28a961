"""Start one student's server: bring the lessons of their folder up to date, set the memory limit, start Jupyter.

JupyterHub runs this file as the student, in place of jupyterhub-singleuser (jupyterhub_config.py, tljh_config.py and
kubernetes/values.yaml say so), so that no file is ever written with more rights than the student has. It reads from the
environment: COURSE_NOTEBOOKS, where the lessons are; JUPYTERHUB_ROOT_DIR, the student's folder; MEM_LIMIT, in bytes.
"""

import os
import sys
import tempfile

from quantutils.course.handing_out import hand_out

SOCKETS = "jupyter-"  # how the folders of kernels' sockets begin


def limit_memory(given):
    """Hold this process, and each one that it starts, to `given` bytes (text) of data; "" is no limit.

    Python then raises MemoryError in the cell that asks for more, and the rest of the class goes on. RLIMIT_DATA counts
    what a process has allocated for itself, not the libraries it shares with others. Raises ValueError for other text.
    """
    if not given:
        return
    if not given.isdecimal():
        raise ValueError(f"MEM_LIMIT: a whole number of bytes is needed, and it is {given!r}")
    import resource  # not on Windows, where JupyterHub does not run either

    resource.setrlimit(resource.RLIMIT_DATA, (int(given), int(given)))


def socket_folder():
    """A new folder for the sockets of this student's kernels, which nobody else can enter; its name is short.

    By default kernels listen on ports, which their servers pick. When thirty start at once two may pick the same one:
    the second kernel never answers, and what is meant for one may reach the other. A socket's path, which may have no
    more than 107 characters, is its student's own.
    """
    return tempfile.mkdtemp(prefix=SOCKETS)


def main(arguments):
    """Hand out, limit, and become the student's Jupyter server."""
    own = os.path.expanduser(os.environ.get("JUPYTERHUB_ROOT_DIR") or "~")
    try:
        for name, what in hand_out(os.environ["COURSE_NOTEBOOKS"], own).items():
            print(f"lessons: {name}: {what}", file=sys.stderr)
    except (OSError, ValueError) as error:  # a full disk must not keep the student from what is there
        print(f"lessons: {error}", file=sys.stderr)
    limit_memory(os.environ.get("MEM_LIMIT", ""))
    os.environ["JUPYTER_RUNTIME_DIR"] = socket_folder()
    # -P: a student's own random.py must not keep their server from starting
    server = [sys.executable, "-P", "-m", "jupyterhub.singleuser", "--KernelManager.transport=ipc"]
    os.execv(sys.executable, [*server, *arguments])


if __name__ == "__main__":
    main(sys.argv[1:])
