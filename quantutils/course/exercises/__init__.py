"""`check("03.1", answer)` says what is wrong with an answer, not just that it is wrong."""

from quantutils.course.exercises.judging import Verdict, check, exercise_ids, progress

__all__ = ["Verdict", "check", "exercise_ids", "progress"]
