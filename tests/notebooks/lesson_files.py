"""The notebooks as the tests see them: files, cells, outputs, prose."""

import ast
import re
from pathlib import Path

import nbformat

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
LESSONS = sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))
SOLUTIONS = sorted((NOTEBOOKS / "solutions").glob("*.ipynb"))


def read(path):
    """The notebook of a file."""
    return nbformat.read(path, as_version=4)


def code_cells(notebook):
    """The code cells, in order."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def prose_cells(notebook):
    """The markdown cells, in order."""
    return [cell for cell in notebook.cells if cell.cell_type == "markdown"]


def tags(cell):
    """The tags of a cell."""
    return cell.metadata.get("tags", [])


def slide_type(cell):
    """The role of a cell in the deck."""
    return cell.metadata.get("slideshow", {}).get("slide_type")


def code_lines(cell):
    """The lines of a code cell that are not blank."""
    return [line for line in cell.source.splitlines() if line.strip()]


def output_text(cell):
    """Everything that the cell's stored outputs say in words."""
    texts = []
    for output in cell.get("outputs", []):
        texts.append(output.get("text", ""))
        texts.append(output.get("data", {}).get("text/plain", ""))
    return "\n".join(texts)


def headings(notebook, level=2):
    """The headings of one level, without their signs."""
    pattern = re.compile(rf"^{'#' * level} (.+)$", re.MULTILINE)
    return [match for cell in prose_cells(notebook) for match in pattern.findall(cell.source)]


def exercise_parts(notebook):
    """{exercise id: (prompt, answer cell, check cell)} of a lesson or of its solutions."""
    parts, cells = {}, notebook.cells
    for place, cell in enumerate(cells):
        found = re.match(r'^check\("(\d\d\.\d)", (answer_\d)\)$', cell.source.strip())
        if cell.cell_type == "code" and found:
            parts[found[1]] = (cells[place - 2], cells[place - 1], cell)
    return parts


def names_in(source, context):
    """The names that Python source stores (ast.Store: imports, functions and arguments too) or loads (ast.Load)."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Name) and isinstance(node.ctx, context):
            names.add(node.id)
        elif context is ast.Store and isinstance(node, (ast.Import, ast.ImportFrom)):
            names |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
        elif context is ast.Store and isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif context is ast.Store and isinstance(node, ast.arg):
            names.add(node.arg)
        elif context is ast.Store and isinstance(node, ast.ExceptHandler) and node.name:
            names.add(node.name)
    return names
