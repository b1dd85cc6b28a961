"""The submissions of the trial round: right, wrong, empty and hostile, each with the marks that it must get.

Every hostile one spoils its first answer, or the cells around it, and answers the other two exercises right.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass

FOREVER = "while True:\n    pass"
STUBBORN = "while True:\n    try:\n        while True:\n            pass\n    except BaseException:\n        pass"
FLOOD = "while True:\n    print('spam ' * 20)"
CRASH = "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)"
PRETEND = "answer_1 = 0\ndef check(*_):\n    import types\n    return types.SimpleNamespace(passed=True, message='')"


@dataclass(frozen=True)
class Submission:
    """student: its name. spoil: changes a right notebook in place, or returns the file's text. marks: of three.

    named: a phrase that the graded notebook, the feedback page or nbgrader's log must hold, or None.
    """

    student: str
    spoil: Callable
    marks: tuple
    named: str | None


def cell_of(notebook, grade_id):
    """The cell that nbgrader calls `grade_id`."""
    return next(cell for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get("grade_id") == grade_id)


def _answer(source):
    def spoil(notebook):
        cell_of(notebook, "answer-03-1").source = source

    return spoil


def _nothing(notebook):
    for number in (1, 2, 3):
        cell_of(notebook, f"answer-03-{number}").source = f"answer_{number} = ..."


def _delete(*grade_ids):
    def spoil(notebook):
        notebook.cells = [cell for cell in notebook.cells if cell not in [cell_of(notebook, one) for one in grade_ids]]

    return spoil


def _edit_check(notebook):
    cell_of(notebook, "answer-03-1").source = "answer_1 = 0"
    cell_of(notebook, "check-03-1").source = "print('all right')"


def _twice(notebook):
    _answer("answer_1 = 0")(notebook)
    again = copy.deepcopy(cell_of(notebook, "check-03-1"))
    again.update(id="again", source="pass")
    notebook.cells.append(again)


def _delete_setup(notebook):
    del notebook.cells[next(i for i, cell in enumerate(notebook.cells) if cell.cell_type == "code")]


def _markdown(notebook):
    cell = cell_of(notebook, "answer-03-1")
    notebook.cells[notebook.cells.index(cell)] = type(cell)(
        {"cell_type": "markdown", "id": cell.id, "metadata": cell.metadata, "source": "I do not know."}
    )


def _loops_when_called(notebook):
    cell_of(notebook, "answer-03-3").source = "def answer_3(x, bits):\n    while True:\n        pass"


def _warns(notebook):
    cell = cell_of(notebook, "answer-03-3")
    cell.source = cell.source.replace("    qmax =", "    np.log(np.zeros(1))  # warns on stderr\n    qmax =")


SUBMISSIONS = [
    Submission("right", lambda notebook: None, (1, 1, 1), None),
    Submission("right_but_warns", _warns, (1, 1, 1), None),
    Submission("wrong", _answer("answer_1 = (0, 0.0)"), (0, 1, 1), "03.1 ✗ not yet"),
    Submission("empty", _nothing, (0, 0, 0), "no answer so far"),
    Submission("empty_file", lambda notebook: "", (0, 0, 0), "error processing assignment"),
    Submission("no_notebook", lambda notebook: None, (0, 0, 0), "No notebooks were matched"),
    Submission("loops", _answer(FOREVER), (0, 1, 1), "CellTimeoutError"),
    Submission("loops_on_interrupt", _answer(STUBBORN), (0, 1, 1), "CellTimeoutError"),
    Submission("loops_in_check", _loops_when_called, (1, 1, 0), "CellTimeoutError"),
    Submission("crashes", _answer(CRASH), (0, 1, 1), "KernelDied"),
    Submission("prints_without_end", _answer(FLOOD), (0, 1, 1), "OutputFlood"),
    Submission("raises", _answer("raise SystemExit('bye')"), (0, 1, 1), "SystemExit"),
    Submission("syntax_error", _answer("answer_1 = (89,"), (0, 1, 1), "SyntaxError"),
    Submission("deletes_check", _delete("check-03-1"), (1, 1, 1), "check-03-1 was deleted"),
    Submission("deletes_both", _delete("answer-03-1", "check-03-1"), (0, 1, 1), "answer-03-1 was deleted"),
    Submission("deletes_setup", _delete_setup, (1, 1, 1), "was deleted"),
    Submission("edits_check", _edit_check, (0, 1, 1), "check-03-1 was edited"),
    Submission("check_twice", _twice, (0, 1, 1), "check-03-1 stands twice"),
    Submission("answer_as_text", _markdown, (0, 1, 1), "no code cell any more"),
    Submission("own_check", _answer(PRETEND), (0, 1, 1), "03.1 ✗ not yet"),
]
