"""What was solved is kept in the learner's own copy, and nowhere else."""

import pytest

from quantutils.course.exercises import check, progress
from quantutils.course.handing_out import RECORD
from quantutils.course.progress import SOLVED, forget_solved, remember_solved, solved_exercises


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A learner's own copy of the lessons, in which the kernel works."""
    (tmp_path / RECORD).write_text("{}")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_right_answer_is_remembered_and_a_wrong_one_is_not(own):
    check("00.1", 5)
    check("00.2", 17)
    assert solved_exercises(own) == {"00.1"}
    assert repr(progress()).splitlines()[1] == "00      ● ○ ○"


def test_what_was_solved_stays_solved_until_it_is_reset_in_one_line(own):
    check("00.1", 5)
    check("00.1", 6)
    assert solved_exercises(own) == {"00.1"}
    forget_solved()
    assert solved_exercises(own) == set()
    forget_solved()


def test_outside_a_learners_copy_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    check("00.1", 5)
    assert list(tmp_path.iterdir()) == []
    assert "●" not in repr(progress())


@pytest.mark.parametrize("text", ["", "{", "[[]]", "\xff"])
def test_a_damaged_record_stops_no_lesson(own, text):
    (own / SOLVED).write_text(text, encoding="latin-1")
    check("00.1", 5)
    assert solved_exercises(own) == {"00.1"}


def test_a_record_that_cannot_be_written_makes_no_right_answer_wrong(own):
    (own / SOLVED).mkdir()
    assert check("00.1", 5).passed
    remember_solved("00.2", own)
    assert solved_exercises(own) == set()
