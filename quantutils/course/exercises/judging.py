"""How an answer is judged: a judge per exercise says what is wrong, or returns why the answer is right."""

import importlib
import math
import pkgutil
from dataclasses import dataclass

import numpy as np

from quantutils.course.progress import Progress, remember_solved, solved_exercises

_JUDGES = {}


class Wrong(Exception):  # noqa: N818 - not an error of the program: a learner's answer is off
    """Raised by a judge; its text tells the learner what is wrong and where to look."""


@dataclass(frozen=True, repr=False)
class Verdict:
    """What `check` found. passed: whether the answer is right. message: why, in one or two sentences."""

    exercise_id: str
    passed: bool
    message: str

    def __repr__(self):
        return f"{self.exercise_id} {'✓ right' if self.passed else '✗ not yet'}: {self.message}"


def exercise(exercise_id):
    """Register the decorated judge for `exercise_id`, such as "03.1".

    A judge takes the answer, raises Wrong(text) for a wrong one and returns a sentence for the right one.
    """

    def register(judge):
        if exercise_id in _JUDGES:
            raise ValueError(f"exercise_id is {exercise_id!r}, which is taken; accepted: a new one")
        _JUDGES[exercise_id] = judge
        return judge

    return register


def exercise_ids():
    """The ids of all exercises, in order.

    >>> exercise_ids()[:2]
    ['00.1', '00.2']
    """
    package = importlib.import_module("quantutils.course.exercises")
    for module in pkgutil.iter_modules(package.__path__):
        if module.name.startswith("lesson_"):
            importlib.import_module(f"quantutils.course.exercises.{module.name}")
    return sorted(_JUDGES)


def check(exercise_id, answer):
    """Judge `answer` to the exercise: a Verdict that a notebook shows as one line. What was solved is remembered.

    Raises ValueError for an exercise that does not exist. A wrong answer never raises.

    >>> check("00.1", ...)
    00.1 ✗ not yet: no answer so far. Replace the ... in the cell above and run both cells.
    """
    if exercise_id not in exercise_ids():
        raise ValueError(f"exercise_id is {exercise_id!r}; accepted: one of {', '.join(exercise_ids())}")
    if answer is ...:
        return Verdict(exercise_id, False, "no answer so far. Replace the ... in the cell above and run both cells.")
    try:
        reason = _JUDGES[exercise_id](answer)
    except Wrong as wrong:
        return Verdict(exercise_id, False, str(wrong))
    remember_solved(exercise_id)
    return Verdict(exercise_id, True, reason)


def progress():
    """The Progress of the learner whose copy of the lessons this kernel works in."""
    return Progress(exercise_ids(), solved_exercises())


def the_number(answer, what):
    """`answer` as a float, or Wrong with a sentence that names `what` is asked for."""
    array = _array(answer, what)
    if array.size != 1:
        raise Wrong(f"{what} is one number, and your answer has shape {array.shape}.")
    return _finite(array.item(), what)


def the_numbers(answer, *names):
    """`answer` as one float for each of `names`, or Wrong with a sentence that lists them."""
    wanted = ", ".join(names)
    try:
        values = None if isinstance(answer, (dict, set, frozenset, str)) else list(answer)
    except Exception:  # whatever a learner's object raises
        values = None
    if values is None:
        raise Wrong(f"the answer is {len(names)} numbers, ({wanted}); yours is {answer!r}.")
    if len(values) != len(names):
        raise Wrong(f"the answer is {len(names)} numbers, ({wanted}); yours has {len(values)}.")
    return [the_number(value, name) for value, name in zip(values, names, strict=True)]


def the_array(answer, what, shape):
    """`answer` as a float64 array of `shape`, or Wrong with a sentence that says which shape is asked for."""
    array = _array(answer, what)
    if array.shape != shape:
        raise Wrong(f"{what} has shape {shape}, and your answer has shape {array.shape}.")
    if not np.all(np.isfinite(array)):
        raise Wrong(f"{what} holds finite numbers only, and your answer holds NaN or infinity.")
    return array


def the_result_of(answer, *arguments):
    """What the function `answer` returns for `arguments`, or Wrong if it is no function or raises."""
    if not callable(answer):
        raise Wrong(f"the answer is a function; yours is {answer!r}. Give its name without parentheses.")
    try:
        return answer(*arguments)
    except Exception as error:  # whatever a learner's function raises is the learner's to read
        raise Wrong(f"your function raised {type(error).__name__}: {error}") from None


def near(value, target, relative=1e-3):
    """Whether a learner's rounded number means `target`: within 0.1 % by default.

    >>> near(0.0157, 4 / 255), near(0.0156, 4 / 255)
    (True, False)
    """
    return math.isclose(value, target, rel_tol=relative, abs_tol=1e-9)


def _array(answer, what):
    if isinstance(answer, (bool, str)) or answer is None:
        raise Wrong(f"{what} is a number, and your answer is {answer!r}.")
    try:
        array = np.asarray(answer)
        if array.dtype.kind not in "iufO":  # bool, complex and text would be turned into numbers without a word
            raise TypeError
        return array.astype(np.float64)
    except Exception:  # whatever a learner's object raises: rows of unequal length, a number beyond float64
        raise Wrong(f"{what} is made of numbers, and your answer is a {type(answer).__name__}.") from None


def _finite(value, what):
    if not math.isfinite(value):
        raise Wrong(f"{what} is a finite number, and your answer is {value}.")
    return value
