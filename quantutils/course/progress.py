"""Which exercises a learner has solved: kept beside their own copy of the lessons, and nowhere else."""

import json
from pathlib import Path

from quantutils.course.handing_out import RECORD

SOLVED = ".solved.json"


class Progress:
    """The exercises of every lesson, in order, and which are solved. As text, a line a lesson: ● is solved, ○ is not.

    exercise_ids: as "03.1". solved: those of them that are.

    >>> Progress(["00.1", "00.2", "01.1"], {"00.2"})
    lesson  exercises
    00      ○ ●
    01      ○
    """

    def __init__(self, exercise_ids, solved):
        self.lessons = {}
        for exercise_id in exercise_ids:
            self.lessons.setdefault(exercise_id.partition(".")[0], []).append(exercise_id in solved)

    def __repr__(self):
        marks = (f"{lesson:7} {' '.join('○●'[is_solved] for is_solved in row)}" for lesson, row in self.lessons.items())
        return "\n".join(["lesson  exercises", *marks])


def solved_exercises(folder="."):
    """The ids of the exercises that were solved in a folder of lessons: a set, empty where nothing is kept."""
    try:
        kept = json.loads((Path(folder) / SOLVED).read_text(encoding="utf-8"))
    except (OSError, ValueError):  # never written, or damaged: nothing that a lesson should stop at
        return set()
    return {name for name in kept if isinstance(name, str)} if isinstance(kept, list) else set()


def remember_solved(exercise_id, folder="."):
    """Note an exercise as solved, if the folder is a learner's own copy; anywhere else nothing is written."""
    folder = Path(folder)
    solved = solved_exercises(folder)
    if exercise_id in solved or not (folder / RECORD).exists():
        return
    try:
        (folder / SOLVED).write_text(json.dumps(sorted(solved | {exercise_id})) + "\n", encoding="utf-8")
    except OSError:  # a full disk must not turn a right answer into an error
        return


def forget_solved(folder="."):
    """Begin again: no exercise of this folder counts as solved. What stands in its notebooks stays."""
    (Path(folder) / SOLVED).unlink(missing_ok=True)
