"""`python -m classroom.assignment 03 --course FOLDER`: a lesson becomes the source of an nbgrader assignment.

The answers are taken from the solved notebook, each check becomes a locked test of one point that fails unless the
answer is right, and everything else is locked. FOLDER gets an nbgrader_config.py that leads to the course's own.
"""

import argparse
import re
import sys
from pathlib import Path

import nbformat

CLASSROOM = Path(__file__).resolve().parent
NOTEBOOKS = CLASSROOM.parent / "notebooks"
CONFIG = """import sys

sys.path.insert(0, {root!r})  # for classroom.grading
load_subconfig("nbgrader_config.py", path={classroom!r})
"""
# Learner's code may print warnings, and nbgrader takes any word on stderr for a failed test.
TEST = """import contextlib, io
from quantutils.course.exercises import check

with contextlib.redirect_stderr(io.StringIO()):
    verdict = check("{exercise}", {answer})
print(verdict)
assert verdict.passed, verdict.message"""


class AssignmentError(ValueError):
    """A lesson that cannot become an assignment; the text says why."""


def role(cell):
    """ "answer" or "check" for an exercise cell, by its nbgrader metadata; None for any other cell."""
    metadata = cell.metadata.get("nbgrader", {})
    return "answer" if metadata.get("solution") else "check" if metadata.get("grade") else None


def assignment(lesson, solved):
    """The instructor's notebook of an assignment from a lesson and its solved notebook; both stay as they were.

    Raises AssignmentError where the lesson marks no exercise, or the solved notebook has no answer to one.
    """
    notebook = nbformat.reads(nbformat.writes(lesson), as_version=4)
    answers = {
        check.source.strip(): answer.source for answer, check in zip(solved.cells, solved.cells[1:], strict=False)
    }
    cells = notebook.cells
    if not any(role(cell) == "answer" for cell in cells):
        raise AssignmentError("the lesson marks no exercise: run tools/refresh_notebooks.py on it")
    setup, solved_setup = (next(cell for cell in one.cells if cell.cell_type == "code") for one in (notebook, solved))
    # A worked answer may use what its own notebook imports and the lesson does not.
    missing = [
        line
        for line in solved_setup.source.splitlines()
        if re.match(r"import \w+( as \w+)?$", line) and line not in setup.source
    ]
    setup.source = "\n".join([*missing, setup.source])
    for place, cell in enumerate(cells):
        if role(cell) == "answer":
            key = cells[place + 1].source.strip()
            if key not in answers:
                raise AssignmentError(f"the solved notebook has no cell {key}")
            cell.source = f"{cell.source}\n### BEGIN SOLUTION\n{answers[key]}\n### END SOLUTION"
        elif role(cell) == "check":
            exercise = cell.source.split('"')[1]
            cell.source = TEST.format(exercise=exercise, answer=cell.source.rsplit(" ", 1)[1].rstrip(")"))
        else:
            cell.metadata["nbgrader"] = {
                "grade": False,
                "grade_id": f"read-{cell.id}",
                "locked": True,
                "schema_version": 3,
                "solution": False,
                "task": False,
            }
            if cell.cell_type == "code" and cell is not setup:
                # Demonstrations need not run again to grade: exercises use what the setup cell defines, no more.
                cell.metadata["tags"] = [*cell.metadata.get("tags", []), "skip-execution"]
        if cell.cell_type == "markdown":
            cell.source = _without_solution(cell.source)
        else:
            cell.outputs, cell.execution_count = [], None
    return notebook


def _without_solution(text):
    start = text.find("<details><summary>Solution</summary>")
    return text if start < 0 else text[:start].rstrip()


def write(number, course):
    """Write lesson `number`, such as "03", into the course folder as source/NAME/NAME.ipynb; return that path."""
    found = sorted(NOTEBOOKS.glob(f"{number}_*.ipynb"))
    if len(found) != 1:
        raise AssignmentError(f"lesson is {number!r}; accepted: the two digits of a notebook in notebooks/")
    lesson, solved = (nbformat.read(path, as_version=4) for path in (found[0], NOTEBOOKS / "solutions" / found[0].name))
    path = Path(course) / "source" / found[0].stem / found[0].name
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(assignment(lesson, solved), path)
    config = Path(course) / "nbgrader_config.py"
    if not config.exists():
        text = CONFIG.format(root=str(CLASSROOM.parent), classroom=str(CLASSROOM))
        config.write_text(text, encoding="utf-8")
    return path


def main(arguments=None):
    """Write one assignment, and say what to type next."""
    parser = argparse.ArgumentParser(prog="python -m classroom.assignment", description=__doc__)
    parser.add_argument("lesson", help='two digits, such as "03"')
    parser.add_argument("--course", default="grading", help="folder of the nbgrader course (grading)")
    options = parser.parse_args(arguments)
    try:
        path = write(options.lesson, options.course)
    except AssignmentError as error:
        sys.exit(f"{error}.")
    print(f"{path} is written. Next, in {options.course}: nbgrader generate_assignment {path.stem}")


if __name__ == "__main__":
    main()
