"""Start one student's server: bring the lessons of their folder up to date, set the memory limit, start Jupyter.

JupyterHub runs this file as the student, in place of jupyterhub-singleuser (jupyterhub_config.py, tljh_config.py and
kubernetes/values.yaml say so), so that no file is ever written with more rights than the student has. It reads from the
environment: COURSE_NOTEBOOKS, where the lessons are; JUPYTERHUB_ROOT_DIR, the student's folder; MEM_LIMIT, in bytes.
"""

import hashlib
import json
import os
import sys
import tempfile
from pathlib import Path

HANDED_OUT = ("*.ipynb", "*.md", "solutions/*.ipynb")
RECORD = ".handed_out.json"
SOCKETS = "jupyter-"  # how the folders of kernels' sockets begin


def hand_out(course, own):
    """Copy the lessons in folder `course` to the student's folder `own`; never overwrite what the student changed.

    Whether a file was changed is asked of its bytes: the record in `own` holds the SHA-256 of each file as it was
    handed out. A file that is missing is copied. One that the student left alone follows the course. One that the
    student changed stays; if the course changed it too, the new version comes beside it, as "name (new version).ipynb".
    What the course no longer has stays. Run again after being cut off at any point, it ends in the same state.

    Returns {path in `own`: "copied", "updated", "kept", "beside" or an error's text}, only what is worth a line.
    Raises ValueError if `course` is not a folder with lessons.
    """
    course, own = Path(course), Path(own)
    lessons = sorted(path for pattern in HANDED_OUT for path in course.glob(pattern))
    if not lessons:
        raise ValueError(f"course: a folder with notebooks is needed, and {str(course)!r} has none")
    own.mkdir(parents=True, exist_ok=True)
    record, done = _read_record(own), {}
    for lesson in lessons:
        name = lesson.relative_to(course).as_posix()
        try:
            done |= _hand_out_one(lesson, name, own, record)
        except OSError as error:  # one file that cannot be written must not cost the others
            done[name] = str(error)
    _write(own / RECORD, json.dumps(record, indent=1, sort_keys=True).encode())
    return done


def _hand_out_one(lesson, name, own, record):
    """Hand out one file and note it in `record`; what was done, as hand_out returns it."""
    content = lesson.read_bytes()
    new, had, has = _digest(content), record.get(name), _digest_of(own / name)
    if has == new:
        record[name] = new
        return {}
    if has is None or has == had:
        _write(own / name, content)
        record[name] = new
        return {name: "updated" if has else "copied"}
    if had == new:
        return {}  # only the student changed it
    beside = _place_beside(name, new, own, record)
    _write(own / beside, content)
    record[name] = record[beside] = new
    return {name: "kept", beside: "beside"}


def _place_beside(name, new, own, record):
    """The first name for a new version that is free, or that holds one which the student left alone."""
    stem, dot, suffix = name.rpartition(".")
    for number in range(1, 1000):
        beside = f"{stem} (new version{f' {number}' if number > 1 else ''}){dot}{suffix}"
        if _digest_of(own / beside) in (None, new, record.get(beside)):
            return beside
    raise OSError(f"999 new versions of {name} lie beside it")


def _digest(content):
    return hashlib.sha256(content).hexdigest()


def _digest_of(path):
    """The SHA-256 of a file; None if nothing is there, and a word that no file has if it is not a file."""
    try:
        return _digest(path.read_bytes())
    except FileNotFoundError:
        return None
    except (IsADirectoryError, NotADirectoryError, PermissionError):
        return "not a file"


def _read_record(own):
    try:
        record = json.loads((own / RECORD).read_text())
    except (OSError, ValueError):  # lost or damaged: every file that differs then counts as changed by the student
        return {}
    return record if isinstance(record, dict) else {}


def _write(path, content):
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    part.write_bytes(content)
    part.replace(path)


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
