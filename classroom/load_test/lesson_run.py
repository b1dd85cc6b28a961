"""One student's lesson, whole: run every cell, save on the way, compare with the stored outputs, go on after a loss.

For load_test.py. Memory is read from the processes of the student's Unix user.
"""

import asyncio
import contextlib
import time
from dataclasses import dataclass, field
from pathlib import Path

from classroom.load_test.student_client import PATIENCE, KernelLostError
from classroom.students import processes

SAVE_EVERY = 4  # code cells
NOT_COMPARED = {"image/png", "application/vnd.jupyter.widget-view+json"}  # as nbval does for this course
NOTE = "note-of-the-load-test"


@dataclass
class Progress:
    """How far one student has come, and what went wrong, as load_test.py reports it."""

    student: str
    first_cell: float | None = None  # seconds from signing in
    whole: float | None = None
    cells: int = 0
    kernels_lost: int = 0
    work_lost: list = field(default_factory=list)
    errors: list = field(default_factory=list)
    differences: list = field(default_factory=list)


async def run_lesson(client, path, progress, began, pause=None):
    """Run the lesson at `path` in the student's folder; the Kernel, still alive, so that its memory can be read.

    progress: filled in; began: by time.monotonic(); pause: awaited with the share of cells done, after each cell.
    """
    notebook = await client.read(path)
    saved, kernel, done = [notebook], await _quiet_kernel(client, path), 0
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    wanted = [cell["outputs"] for cell in cells]
    while done < len(cells):
        cell = cells[done]
        try:
            cell["outputs"] = await kernel.execute("".join(cell["source"]))
        except KernelLostError:
            # The server was restarted. What the student sees now is the file: is it as it was last saved?
            progress.kernels_lost += 1
            found = await client.read(path)
            if not any(_same(found, one) for one in saved):
                progress.work_lost.append(f"after {done} cells: the file is not as it was saved")
            kernel, done = await _quiet_kernel(client, path), 0  # variables are gone: run all above, and go on
            continue
        cell["execution_count"] = done = done + 1
        progress.cells += 1
        progress.first_cell = progress.first_cell or time.monotonic() - began
        progress.errors += [
            f"cell {cell['id']}: {output['ename']}" for output in cell["outputs"] if output["output_type"] == "error"
        ]
        ignored = "nbval-ignore-output" in cell["metadata"].get("tags", [])
        if not ignored and (got := text_of(cell["outputs"])) != (stored := text_of(wanted[done - 1])):
            progress.differences.append(f"{client.name}, cell {cell['id']}: {first_difference(str(stored), str(got))}")
        if done % SAVE_EVERY == 0 or done == len(cells):
            take_note(notebook, f"{client.name} has run {done} cells, {progress.kernels_lost} kernels lost")
            saved.append(_copy(notebook))  # whichever of the last two is on disk, nothing acknowledged is lost
            await client.save(path, notebook)
            saved = saved[-1:]
        if pause:
            await pause(done / len(cells))
    if not _same(await client.read(path), notebook):
        progress.work_lost.append("at the end: the file is not as it was saved")
    progress.whole = time.monotonic() - began
    return kernel


async def _quiet_kernel(client, path):
    """A kernel that does not print how far a slow task is: on a busy machine that is in no stored output."""
    while True:
        kernel = await client.kernel(path)
        with contextlib.suppress(KernelLostError):
            while True:
                try:
                    await asyncio.wait_for(kernel.execute("%env QUANTUTILS_PROGRESS=off"), PATIENCE)
                    return kernel
                except TimeoutError:
                    await kernel.restart()


def take_note(notebook, text):
    """Write the student's own words into the notebook: a cell of text at its end."""
    cells = [cell for cell in notebook["cells"] if cell["id"] != NOTE]
    cells.append({"id": NOTE, "cell_type": "markdown", "metadata": {}, "source": text})
    notebook["cells"] = cells


def text_of(outputs):
    """What is compared of a cell's outputs: streams joined by name, and each result's data, pictures left out."""
    streams, results = {}, []
    for output in outputs:
        if output["output_type"] == "stream":
            streams[output["name"]] = streams.get(output["name"], "") + "".join(output["text"])
        elif output["output_type"] == "error":
            results.append({"error": output["ename"]})
        else:
            results.append({kind: _text(data) for kind, data in output["data"].items() if kind not in NOT_COMPARED})
    return streams, results


def first_difference(stored, got, around=60):
    """Where two texts part, with what is around it; more of the second, which may be an error's whole text."""
    same = next((place for place, (one, other) in enumerate(zip(stored, got, strict=False)) if one != other), 0)
    start = max(0, same - around)
    return f"stored …{stored[start : same + around]}… got …{got[start : same + 20 * around]}…"


def memory_of(uid):
    """MiB that a Unix user's processes hold: {"server", "kernels", "other"}, and "together".

    The proportional set size: a page that several processes share counts for each by its share, so that the sum over
    all students is what the machine needs.
    """
    held = dict.fromkeys(("server", "kernels", "other"), 0.0)
    for number, command in processes({uid}).items():
        kind = "kernels" if "ipykernel" in command else "server" if "jupyterhub.singleuser" in command else "other"
        with contextlib.suppress(OSError):  # it may have ended meanwhile
            lines = Path(f"/proc/{number}/smaps_rollup").read_text().splitlines()
            held[kind] += next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024
    return held | {"together": sum(held.values())}


def data_of_kernels(uid):
    """MiB that the largest kernel of a user has allocated: what RLIMIT_DATA counts."""
    sizes = [0.0]
    for number, command in processes({uid}).items():
        if "ipykernel" in command:
            with contextlib.suppress(OSError, StopIteration):
                lines = Path(f"/proc/{number}/status").read_text().splitlines()
                sizes.append(next(int(line.split()[1]) for line in lines if line.startswith("VmData:")) / 1024)
    return max(sizes)


async def ask_python(kernel, expression):
    """What a student's kernel answers to an expression: its text, or the error's name."""
    outputs = await kernel.execute(f"print({expression})")
    words = [output.get("ename") or "".join(output.get("text", "")) for output in outputs]
    return " ".join(words).strip()


def _text(data):
    return "".join(data) if isinstance(data, list) else data


def _copy(notebook):
    return {**notebook, "cells": [dict(cell) for cell in notebook["cells"]]}


def _same(one, other):
    """Whether two notebooks hold the same sources, outputs and notes."""

    def content(notebook):
        return [
            (cell["id"], _text(cell["source"]), text_of(cell["outputs"]) if cell["cell_type"] == "code" else None)
            for cell in notebook["cells"]
        ]

    return content(one) == content(other)


async def together(coroutines):
    """Run all; an exception of one is its result."""
    return await asyncio.gather(*coroutines, return_exceptions=True)
