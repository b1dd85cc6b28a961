"""What nbgrader needs beside its own steps so that a bad cell costs its own mark and no other.

`AnswersOnly` puts a submission's answers into the notebook as it was released, `ContainedExecute` goes on with a fresh
kernel after a cell that hangs, floods or kills the one before. Both write down what they found.
"""

import asyncio
import copy

import nbformat
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbclient.util import ensure_async, run_sync
from nbformat.v4 import new_markdown_cell, new_output
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import Execute, NbGraderPreprocessor
from traitlets import Integer

from classroom.merging import merge

NOTE = "**What grading found**"


class AnswersOnly(NbGraderPreprocessor):
    """Grade the released notebook with the submission's answers in it; its first cell says what else differed."""

    def preprocess(self, nb, resources):
        """nb, resources: the submitted notebook, and nbgrader's names of it; return the notebook to grade."""
        names = resources["nbgrader"]
        course = CourseDirectory(parent=self)
        folder = course.format_path(course.release_directory, ".", names["assignment"])
        released = nbformat.read(f"{folder}/{names['notebook']}.ipynb", as_version=4)
        notebook, findings = merge(released, nb)
        for finding in findings:
            self.log.warning("%s: %s", names["student"], finding)
        if findings:
            notebook.cells.insert(0, new_markdown_cell("\n".join([NOTE, "", *(f"- {one}" for one in findings)])))
        return notebook, resources


class ContainedExecute(Execute):
    """Run a notebook cell by cell; after a cell that hangs, floods or kills its kernel, go on with a fresh one."""

    max_output = Integer(100_000, help="characters that a cell may put out before it is stopped").tag(config=True)

    def preprocess_cell(self, cell, resources, index):
        """Run one cell; where the kernel is lost over it, say so in the cell and set up another."""
        self._seen = 0
        lost = None
        try:
            cell, resources = super().preprocess_cell(cell, resources, index)
        except DeadKernelError:
            lost = "KernelDied", "the kernel died in this cell"
        except CellTimeoutError:
            lost = "CellTimeoutError", f"no end after {self.timeout} s"
        names = [output.ename for output in cell.get("outputs", []) if output.output_type == "error"]
        if self._seen > self.max_output:
            lost = "OutputFlood", f"stopped after {self.max_output} characters of output"
        elif "CellTimeoutError" in names and not lost:
            cell.outputs = [output for output in cell.outputs if output.get("ename") != "CellTimeoutError"]
            lost = "CellTimeoutError", f"no end after {self.timeout} s"
        if lost:
            cell.outputs.append(new_output("error", ename=lost[0], evalue=lost[1], traceback=[": ".join(lost)]))
            self._start_again()
        return cell, resources

    def output(self, outs, msg, display_id, cell_index):
        """Keep one output, unless the cell has put out too much: then interrupt it and drop the rest."""
        before, size = self._seen, len(str(msg["content"]))
        self._seen += size
        if self._seen <= self.max_output:
            return super().output(outs, msg, display_id, cell_index)
        if before <= self.max_output:
            asyncio.ensure_future(ensure_async(self.km.interrupt_kernel()))  # noqa: RUF006 - ends with the cell
        return None

    def _start_again(self):
        """A fresh kernel in which the setup cell has run: all that an exercise may count on."""
        self.kc.stop_channels()
        run_sync(self.km.restart_kernel)(now=True)
        self.start_new_kernel_client()
        place, setup = next((i, cell) for i, cell in enumerate(self.nb.cells) if cell.cell_type == "code")
        self._seen = 0
        self.execute_cell(copy.deepcopy(setup), place, store_history=True)
        self.nb.cells[place] = setup
