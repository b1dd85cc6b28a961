"""What is graded of a submission: its answers, in the notebook as it was released."""

import copy


def grade_id(cell):
    """The name that nbgrader knows a cell by, or None."""
    return cell.metadata.get("nbgrader", {}).get("grade_id")


def is_answer(cell):
    """Whether a cell is one that a learner fills in."""
    return bool(cell.metadata.get("nbgrader", {}).get("solution"))


def merge(released, submitted):
    """(notebook, findings): the released notebook with the answers of the submitted one, and what was not as released.

    Nothing but the source of an answer cell is taken from the submission. nbgrader's own OverwriteCells puts back
    locked cells that were edited, and tests that were deleted unless the answer before them is gone too.
    """
    notebook, findings = copy.deepcopy(released), []
    theirs = {}
    for cell in submitted.cells:
        if grade_id(cell) in theirs:
            findings.append(f"{grade_id(cell)} stands twice: the first counts")
        theirs.setdefault(grade_id(cell), cell)
    for cell in notebook.cells:
        name, given = grade_id(cell), theirs.get(grade_id(cell))
        if given is None:
            findings.append(f"{name} was deleted: it was put back as released")
        elif not is_answer(cell):
            if given.source != cell.source or given.cell_type != cell.cell_type:
                findings.append(f"{name} was edited: it was put back as released")
        elif given.cell_type != "code":
            findings.append(f"{name} is no code cell any more: it counts as not answered")
        else:
            cell.source = given.source
    added = [
        cell
        for cell in submitted.cells
        if cell.source.strip() and grade_id(cell) not in set(map(grade_id, released.cells))
    ]
    if added:
        findings.append(f"cells added: {len(added)}; only answer cells are graded")
    return notebook, findings
