"""What answers a Predict: the outputs and the words that a page covers until the reader has made a guess.

The rule: from a paragraph that begins with **Predict** to the next heading or the next Predict, all outputs and all
words are covered, and so is code, except for the code that follows the question at once.
"""

import copy
import re

ENDS = re.compile(r"#{1,6} |\*\*Predict\b")  # at the beginning of a line: what ends the answer to the last Predict
ASKS = re.compile(r"^\*\*Predict\b", re.MULTILINE)


def covered(notebook):
    """The notebook with covers: in the metadata of its cells, `answer` covers a cell and `answer_below` its outputs.

    Both hold the id of the cell that asks. A markdown cell in which an answer ends is cut in two.
    """
    notebook = copy.deepcopy(notebook)
    cells, question, in_sight = [], "", False
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            answer, rest = _cut(cell.source) if question else ("", cell.source)
            if answer:
                cells.append(_piece(cell, answer, f"{cell.id}-answer" if rest else cell.id, answer=question))
                in_sight = False
            if rest:
                question = cell.id if ASKS.search(_last_section(rest)) else ""
                in_sight = bool(question)
                cells.append(_piece(cell, rest, cell.id))
            continue
        if question:
            cell.metadata["answer_below" if in_sight else "answer"] = question
        cells.append(cell)
    notebook.cells = cells
    return notebook


def asks(cell):
    """Whether a cell asks the reader to predict."""
    return cell.cell_type == "markdown" and bool(ASKS.search(cell.source))


def _cut(source):
    """Markdown in two: what still answers the last question, and what begins with a heading or another question."""
    fenced, lines = False, source.splitlines(keepends=True)
    for place, line in enumerate(lines):
        fenced ^= line.startswith("```")
        if not fenced and ENDS.match(line):
            return "".join(lines[:place]).strip(), "".join(lines[place:])
    return source, ""


def _last_section(source):
    """What stands below the last heading of Markdown: a question above it is over."""
    return re.split(r"^#{1,6} .*$", source, flags=re.MULTILINE)[-1]


def _piece(cell, source, name, **metadata):
    piece = copy.deepcopy(cell)
    piece.update(source=source, id=name)
    piece.metadata.update(metadata)
    return piece
