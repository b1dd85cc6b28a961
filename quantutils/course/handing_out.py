"""A learner's own copy of the lessons: handed out, brought up to date, and never written over."""

import hashlib
import json
import re
from pathlib import Path

HANDED_OUT = ("*.ipynb", "*.md", "solutions/*.ipynb")
RECORD = ".handed_out.json"
EXPLORER = re.compile(r"^explore\(", re.MULTILINE)


def without_answers(path):
    """The bytes of a file of the course as a learner gets it: in a lesson, no code cell shows what it will print.

    The picture of an explorer stays: it is what there is to see before a kernel runs. Solved notebooks stay whole.
    """
    content = path.read_bytes()
    if path.suffix != ".ipynb" or path.parent.name == "solutions":
        return content
    notebook = json.loads(content)
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell["execution_count"] = None
            if not EXPLORER.search("".join(cell["source"])):
                cell["outputs"] = []
            for output in cell["outputs"]:
                if "execution_count" in output:
                    output["execution_count"] = None
    return (json.dumps(notebook, indent=1, ensure_ascii=False) + "\n").encode()


def hand_out(course, own, content_of=Path.read_bytes):
    """Copy the lessons in folder `course` to the student's folder `own`; never overwrite what the student changed.

    Whether a file was changed is asked of what it says: the record in `own` holds the SHA-256 of each file as it was
    handed out, of a notebook that of its cells and outputs, because JupyterLab saves other metadata when it opens one.
    A file that is missing is copied. One that the student left alone follows the course. One that the student changed
    stays; if the course changed it too, the new version comes beside it, as "name (new version).ipynb". What the course
    no longer has stays. Run again after being cut off at any point, it ends in the same state.
    content_of: from the path of a file of the course, the bytes to hand out; the file's own by default.

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
            done |= _hand_out_one(content_of(lesson), name, own, record)
        except OSError as error:  # one file that cannot be written must not cost the others
            done[name] = str(error)
    _write(own / RECORD, json.dumps(record, indent=1, sort_keys=True).encode())
    return done


def _hand_out_one(content, name, own, record):
    """Hand out one file and note it in `record`; what was done, as hand_out returns it."""
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
    """The SHA-256 of a file's bytes, or of what a notebook says."""
    try:
        cells = json.loads(content)["cells"]
        said = [[cell["cell_type"], _joined(cell["source"]), _joined(cell.get("outputs", []))] for cell in cells]
        content = json.dumps(said, sort_keys=True).encode()
    except (ValueError, KeyError, TypeError):  # no notebook
        pass
    return hashlib.sha256(content).hexdigest()


def _joined(value):
    """Notebook JSON with texts whole, whichever way they were cut into lines, and without counts."""
    if isinstance(value, dict):
        return {key: _joined(part) for key, part in value.items() if key not in ("execution_count", "metadata")}
    if isinstance(value, list):
        whole = all(isinstance(part, str) for part in value)
        return "".join(value) if whole and value else [_joined(part) for part in value]
    return value


def _digest_of(path):
    """The digest of a file; None if nothing is there, and a word that no file has if it is not a file."""
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
