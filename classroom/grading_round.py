"""`python -m classroom.grading_round`: one whole round of nbgrader on a course of its own, and what everybody got.

generate, release, fetch, submit, collect, autograde, feedback and its release, through nbgrader's commands and its
exchange, in a temporary folder. One account plays all students, by giving nbgrader another name for each.
"""

import argparse
import csv
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import nbformat

from classroom.assignment import NOTEBOOKS, write
from classroom.submissions import SUBMISSIONS, cell_of

LESSON = "03_wasted_range"
# nbgrader asks the system who is typing; a trial has one account and many students.
AS_STUDENT = """import sys, nbgrader.utils
nbgrader.utils.get_osusername = lambda: {student!r}
from nbgrader.apps.nbgraderapp import main
main()
"""


@dataclass(frozen=True)
class Outcome:
    """What a submission got: marks of each exercise, their sum as exported, whether it is named, nbgrader's log."""

    submission: object
    marks: tuple
    exported: float
    named: bool
    log: str

    @property
    def as_it_must(self):
        """Whether the marks and the naming are those that submissions.py asks for."""
        return self.marks == self.submission.marks and self.exported == sum(self.marks) and self.named


class Course:
    """An nbgrader course in `folder`, its exchange beside it; cells may take `timeout` seconds."""

    def __init__(self, folder, timeout):
        self.logs_of = {}
        self.folder, self.exchange = folder / "course", folder / "exchange"
        self.exchange.mkdir()
        self.exchange.chmod(0o777)
        self.timeout = timeout
        write(LESSON[:2], self.folder)

    def nbgrader(self, *words, student=None, may_fail=False):
        """Run one nbgrader command, as `student` or as the instructor; return its words."""
        start = ["-c", AS_STUDENT.format(student=student)] if student else ["-m", "nbgrader"]
        where = self.folder if student is None else self.home(student)
        options = [f"--Exchange.root={self.exchange}", f"--Exchange.cache={where / 'cache'}"]
        # nbgrader looks for alembic on the path, as it is in an activated environment.
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(NOTEBOOKS.parent), "PATH": path}
        done = subprocess.run(
            [sys.executable, *start, *words, *options], cwd=where, env=environment, capture_output=True, text=True
        )
        log = done.stdout + done.stderr
        if done.returncode and not may_fail:
            raise RuntimeError(f"nbgrader {' '.join(words)} failed:\n{log}")
        return log

    def home(self, student):
        """The folder in which a student works."""
        path = self.folder.parent / "homes" / student
        path.mkdir(parents=True, exist_ok=True)
        return path

    def hand_in(self, submission):
        """Fetch the assignment as a student, fill it in, and submit it."""
        student = submission.student
        self.nbgrader("fetch_assignment", LESSON, "--course=quantization", student=student)
        path = self.home(student) / LESSON / f"{LESSON}.ipynb"
        notebook = nbformat.read(path, as_version=4)
        solved = nbformat.read(NOTEBOOKS / "solutions" / path.name, as_version=4)
        for answer, check in zip(solved.cells, solved.cells[1:], strict=False):
            if check.source.startswith('check("'):
                cell_of(notebook, f"answer-03-{check.source[10]}").source = answer.source
        text = submission.spoil(notebook)
        path.write_text(nbformat.writes(notebook) if text is None else text, encoding="utf-8")
        if student == "no_notebook":
            path.rename(path.with_name("my answers.txt"))
        self.nbgrader("submit", LESSON, "--course=quantization", student=student)

    def marks(self, student):
        """The marks of each exercise, as nbgrader's gradebook has them; without any, 0."""
        from nbgrader.api import Gradebook, MissingEntry  # only where nbgrader is installed

        with Gradebook(f"sqlite:///{self.folder / 'gradebook.db'}", "quantization") as book:
            try:
                notebook = book.find_submission_notebook(LESSON, LESSON, student)
            except MissingEntry:
                return (0, 0, 0)
            return tuple(
                int(book.find_grade(f"check-03-{number}", LESSON, LESSON, student).score)
                if any(grade.name == f"check-03-{number}" for grade in notebook.grades)
                else 0
                for number in (1, 2, 3)
            )

    def words(self, student):
        """All that the student's feedback page, and the log of grading that student, say."""
        page = self.folder / "feedback" / student / LESSON / f"{LESSON}.html"
        return (page.read_text(encoding="utf-8") if page.exists() else "") + self.logs_of.get(student, "")

    def round(self, say=print):
        """Play the whole round; return an Outcome for each submission."""
        self.nbgrader("generate_assignment", LESSON)
        self.nbgrader("release_assignment", LESSON)
        for submission in SUBMISSIONS:
            self.hand_in(submission)
        self.nbgrader("collect", LESSON, "--ExchangeCollect.check_owner=False")
        for submission in SUBMISSIONS:
            start = time.monotonic()
            student = f"--student={submission.student}"
            limit = f"--ContainedExecute.timeout={self.timeout}"
            self.logs_of[submission.student] = self.nbgrader("autograde", LESSON, student, limit, may_fail=True)
            say(f"graded {submission.student} in {time.monotonic() - start:.0f} s")
        self.nbgrader("generate_feedback", LESSON)
        self.nbgrader("release_feedback", LESSON)
        self.nbgrader("export")
        with (self.folder / "grades.csv").open(encoding="utf-8", newline="") as file:
            exported = {row["student_id"]: float(row["score"] or 0) for row in csv.DictReader(file)}
        return [
            Outcome(
                one,
                self.marks(one.student),
                exported.get(one.student, 0.0),
                one.named is None or one.named in self.words(one.student),
                self.logs_of[one.student],
            )
            for one in SUBMISSIONS
        ]


def table(outcomes):
    """The outcomes as a Markdown table."""
    lines = ["| submission | marks | must be | named as | as it must |", "|---|---|---|---|---|"]
    for one in outcomes:
        got, must = (" ".join(map(str, marks)) for marks in (one.marks, one.submission.marks))
        named = f"{one.submission.named}{'' if one.named else ': NOT FOUND'}" if one.submission.named else ""
        lines.append(f"| {one.submission.student} | {got} | {must} | {named} | {'yes' if one.as_it_must else 'NO'} |")
    return "\n".join(lines)


def main(arguments=None):
    """Play the round and print the table; exit status 1 where a submission got what it must not."""
    parser = argparse.ArgumentParser(prog="python -m classroom.grading_round", description=__doc__)
    parser.add_argument("--timeout", type=int, default=10, help="seconds that a cell may take (10; in class 30)")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        outcomes = Course(Path(folder), options.timeout).round()
    print(table(outcomes))
    for one in outcomes:
        if not one.as_it_must:
            print(f"\n{one.submission.student}, exported {one.exported}\n{one.log}")
    sys.exit(not all(one.as_it_must for one in outcomes))


if __name__ == "__main__":
    main()
