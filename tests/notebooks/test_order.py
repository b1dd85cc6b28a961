"""Cells may be run twice and in any order after the setup cell: they print what is stored, each time."""

import random
import re

import pytest
from lesson_files import LESSONS, SOLUTIONS, code_cells, read, tags
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

every_notebook = pytest.mark.parametrize("path", LESSONS + SOLUTIONS, ids=lambda path: "/".join(path.parts[-2:]))


def words(outputs):
    """Everything that outputs say in words: streams, errors and plain texts, joined."""
    texts = []
    for output in outputs:
        texts.append(output.get("text", ""))
        texts.append(output.get("data", {}).get("text/plain", ""))
        if output.output_type == "error":
            texts.append(f"{output.ename}: {output.evalue}")
    return "".join(texts)


def shuffled(cells, seed):
    """The cells in a seeded random order."""
    return random.Random(seed).sample(cells, len(cells))


def answers_first(cells):
    """The same order, but each answer before the check that reads it: they change places where they must."""
    for answer in [cell for cell in cells if re.match(r"(def )?answer_\d\b", cell.source)]:
        name = re.search(r"answer_\d", answer.source)[0]
        (check,) = (cell for cell in cells if re.fullmatch(rf'check\("\d\d\.\d", {name}\)', cell.source.strip()))
        first, second = sorted((cells.index(answer), cells.index(check)))
        cells[first], cells[second] = answer, check
    return cells


@every_notebook
def test_cells_run_twice_in_a_row_in_another_order_print_what_is_stored(path):
    """One kernel: the setup cell, then the others shuffled, each twice; nbval runs them once in their own order."""
    setup, *others = code_cells(read(path))
    order = shuffled(others, seed=path.name)
    order = answers_first(order) if path in SOLUTIONS else order
    differences = []
    client = NotebookClient(
        new_notebook(cells=[setup]), timeout=120, allow_errors=True, resources={"metadata": {"path": str(path.parent)}}
    )
    with client.setup_kernel():
        for cell in [setup, *order]:
            stored = words(cell.outputs)
            for time in ("first", "second"):
                printed = words(client.execute_cell(cell, 0).outputs)
                if printed != stored and "nbval-ignore-output" not in tags(cell):
                    differences.append(f"cell {cell.id} printed {printed!r} the {time} time, stored {stored!r}")
    assert not differences, "\n".join(differences)


def test_an_answer_moves_before_its_check_and_nothing_else_moves():
    checks = ['check("01.2", answer_2)', "x = 1", 'check("01.1", answer_1)']
    sources = [*checks, "def answer_1(x):\n    ...", "answer_2 = 4"]
    assert [cell.source for cell in answers_first([new_code_cell(source) for source in sources])] == [
        "answer_2 = 4",
        "x = 1",
        "def answer_1(x):\n    ...",
        'check("01.1", answer_1)',
        'check("01.2", answer_2)',
    ]
