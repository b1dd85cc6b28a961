"""Seconds and peak memory of each lesson, run by nbclient one after another, beside those of an empty notebook."""

import time
from importlib.metadata import version
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from benchmarks.timing import result, row

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"
EMPTY, ROUNDS = "an empty notebook", 3
# Asked of the kernel itself: the most it ever held in memory, in kB. Linux only.
PEAK = """
with open("/proc/self/status") as status:
    print(next(line.split()[1] for line in status if line.startswith("VmHWM")))
"""


def measure(paths=None, rounds=ROUNDS):
    """Two rows a lesson: seconds from the start of the kernel to the last output, and peak resident memory in MiB.

    paths: notebooks to run; all lessons by default. Before each run of a lesson an empty notebook is run.
    """
    rows = []
    for path in sorted(NOTEBOOKS.glob("*.ipynb")) if paths is None else paths:
        seconds, mebibytes = ({EMPTY: [], path.stem: []} for _ in range(2))
        for _ in range(rounds):
            for name, notebook in ((EMPTY, nbformat.v4.new_notebook()), (path.stem, nbformat.read(path, as_version=4))):
                taken, peak = _run(notebook, path.parent)
                seconds[name].append(taken)
                mebibytes[name].append(peak)
        rows.append(row(f"{path.stem}, time", seconds, EMPTY, ours=path.stem))
        rows.append(row(f"{path.stem}, peak memory of the kernel (MiB)", mebibytes, EMPTY, ours=path.stem))
    return result(rows, {"nbclient": version("nbclient")}, unit="seconds; MiB in rows of memory")


def _run(notebook, folder):
    """Seconds and MiB of one notebook, which is not written back."""
    notebook.cells.append(nbformat.v4.new_code_cell(PEAK))
    start = time.perf_counter()
    NotebookClient(
        notebook,
        timeout=600,
        kernel_name="python3",
        extra_arguments=["--IPKernelApp.log_level=ERROR"],
        resources={"metadata": {"path": str(folder)}},
    ).execute()
    return time.perf_counter() - start, int(notebook.cells[-1].outputs[0].text) / 1024
