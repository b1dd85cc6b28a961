"""The notebooks as a build sees them: title, question, place in the course, and their explorers made anew."""

import ast
import os
import re
from dataclasses import dataclass
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = ROOT / "notebooks"
CALLS_EXPLORE = re.compile(r"^explore\(", re.MULTILINE)


class BuildError(Exception):
    """A build that cannot go on; its text is one sentence that names the lesson or the package."""


@dataclass(frozen=True)
class Lesson:
    """One executed notebook. stem: "03_wasted_range". number: "03". title: "Wasted range". question, minutes: texts."""

    stem: str
    number: str
    title: str
    question: str
    minutes: str
    needs: str
    notebook: nbformat.NotebookNode


def lessons(folder=NOTEBOOKS):
    """Every Lesson of the folder, in reading order. BuildError unless there is one and each has been executed."""
    found = [lesson(path) for path in sorted(Path(folder).glob("[0-9][0-9]_*.ipynb"))]
    if not found:
        raise BuildError(f"There are no lessons in {folder}: name the folder that holds 00_start_here.ipynb.")
    return found


def lesson(path):
    """The Lesson of one file. BuildError, with the lesson's name, unless it has been executed without an error."""
    notebook, name = executed(path), Path(path).name
    head = notebook.cells[0].source
    title = re.search(r"^# (\d\d) · (.+)$", head, re.MULTILINE)
    question = re.search(r"^\*\*(.+)\*\*$", head, re.MULTILINE)
    about = re.search(r"^About (\d+) minutes\. Needs: (.+?)\.(?= |$)", head, re.MULTILINE)
    if not (title and question and about):
        raise BuildError(
            f"{name} begins otherwise than a lesson: a title '# 03 · Wasted range', a question in bold,"
            " 'About 50 minutes. Needs: …'."
        )
    return Lesson(Path(path).stem, title[1], title[2], question[1], about[1], about[2], notebook)


def executed(path):
    """The notebook of a file. BuildError, with its name, if a cell was not executed or ended in an error."""
    notebook, name = nbformat.read(path, as_version=4), Path(path).name
    for cell in notebook.cells:
        if cell.cell_type != "code" or not cell.source.strip():
            continue
        if cell.execution_count is None:
            raise BuildError(f"{name} has not been executed (cell {cell.id}): run make notebooks, then build again.")
        if any(output.output_type == "error" for output in cell.outputs):
            raise BuildError(f"{name} holds an error (cell {cell.id}): mend it, run make notebooks, then build again.")
    return notebook


def explorers(notebook, folder=NOTEBOOKS):
    """{cell id: Explorer} of a notebook, each made by its own code after the notebook's first code cell."""
    first, *others = (cell for cell in notebook.cells if cell.cell_type == "code")
    calls = [cell for cell in others if CALLS_EXPLORE.search(cell.source)]
    if not calls:
        return {}
    before = Path.cwd()
    os.chdir(folder)  # as in JupyterLab, where a kernel starts beside its notebook
    try:
        with _gradients_restored():
            names = {}
            exec(first.source, names)
            return {cell.id: _last_value(cell.source, dict(names)) for cell in calls}
    finally:
        os.chdir(before)


def _last_value(source, names):
    *before, last = ast.parse(source).body
    exec(compile(ast.Module(before, []), "cell", "exec"), names)
    return eval(compile(ast.Expression(last.value), "cell", "eval"), names)


def _gradients_restored():
    """A lesson may switch gradients off for its kernel; in this process they go on as they were."""
    import torch  # two seconds that a notebook without explorers should not cost

    return torch.set_grad_enabled(torch.is_grad_enabled())
