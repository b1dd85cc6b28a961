"""Execute the notebooks again, in order and in place, and take out what is noise; `make notebooks` calls this.

Run twice, it changes no byte: timings (cells tagged nbval-ignore-output) keep their stored output
until the cell's source changes, and versions, widget views and execution times are left out.
"""

import os
import re
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
KEPT_CELL_METADATA = ("tags", "slideshow", "explorer_grid")
METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def all_notebooks():
    """Every notebook of the course, lessons first, in reading order."""
    return sorted(NOTEBOOKS.glob("*.ipynb")) + sorted((NOTEBOOKS / "solutions").glob("*.ipynb"))


def executed(notebook, folder):
    """`notebook` executed in place by a fresh kernel working in `folder`."""
    client = NotebookClient(
        notebook,
        timeout=300,
        kernel_name="python3",
        extra_arguments=["--IPKernelApp.log_level=ERROR"],  # a local kernel need not warn of its local socket
        record_timing=False,
        store_widget_state=False,
        coalesce_streams=True,
        resources={"metadata": {"path": str(folder)}},
    )
    return client.execute()


def mark_exercises(notebook):
    """Give the exercise cells of a lesson the metadata that nbgrader knows them by; other programs pass it by."""
    for answer, test in zip(notebook.cells, notebook.cells[1:], strict=False):
        found = re.fullmatch(r'check\("(\d\d)\.(\d)", (answer_\d)\)', test.source.strip())
        if found and answer.source.strip() == f"{found[3]} = ...":
            shared = {"schema_version": 3, "task": False}
            name = f"{found[1]}-{found[2]}"
            answer.metadata["nbgrader"] = nbformat.from_dict(
                shared | {"grade_id": f"answer-{name}", "solution": True, "grade": False, "locked": False}
            )
            test.metadata["nbgrader"] = nbformat.from_dict(
                shared | {"grade_id": f"check-{name}", "solution": False, "grade": True, "locked": True, "points": 1}
            )


def normalise(notebook, stored_outputs):
    """Take out of `notebook` what differs from run to run; stored_outputs: {(cell id, source): outputs} of before."""
    notebook.metadata = nbformat.from_dict(METADATA)
    count = 0
    for cell in notebook.cells:
        cell.metadata = nbformat.from_dict({k: v for k, v in cell.metadata.items() if k in KEPT_CELL_METADATA})
        if cell.cell_type != "code":
            continue
        count += 1
        cell.execution_count = count
        if "nbval-ignore-output" in cell.metadata.get("tags", []):
            cell.outputs = stored_outputs.get((cell.id, cell.source)) or cell.outputs
        for output in cell.outputs:
            if output.output_type == "execute_result":
                output.execution_count = count
            if "data" in output:
                output.data.pop(WIDGET_VIEW, None)
    mark_exercises(notebook)
    return notebook


def refresh(path):
    """Execute and normalise one notebook file; return whether its bytes changed."""
    before = path.read_text(encoding="utf-8")
    notebook = nbformat.reads(before, as_version=4)
    stored = {(cell.id, cell.source): cell.outputs for cell in notebook.cells if cell.cell_type == "code"}
    after = nbformat.writes(normalise(executed(notebook, path.parent), stored)) + "\n"
    if after != before:
        path.write_text(after, encoding="utf-8")
    return after != before


def main(names):
    """Refresh the named notebooks, or all; exit with the first one that fails, named."""
    os.environ["QUANTUTILS_PROGRESS"] = "off"  # it says something else at every run; kernels inherit it
    paths = [Path(name).resolve() for name in names] or all_notebooks()
    for number, path in enumerate(paths, 1):
        try:
            changed = refresh(path)
        except CellExecutionError as error:
            sys.exit(f"{path.name} stops at a cell that raises; nothing was written to it.\n\n{error}")
        print(
            f"[{number}/{len(paths)}] {os.path.relpath(path, NOTEBOOKS)}: {'changed' if changed else 'as it was'}",
            flush=True,
        )


if __name__ == "__main__":
    main(sys.argv[1:])
