"""The learner's own copy: lessons handed out, brought up to date, never written over; in it, answers stay covered."""

import json
from pathlib import Path

import nbformat
import pytest

from quantutils.course.handing_out import RECORD, hand_out, without_answers

ROOT = Path(__file__).resolve().parents[2]
LESSON = "01_first.ipynb"


@pytest.fixture
def course(tmp_path):
    folder = tmp_path / "course"
    (folder / "solutions").mkdir(parents=True)
    for name in (LESSON, "02_second.ipynb", "glossary.md", "solutions/01_first.ipynb", "ruff.toml"):
        (folder / name).write_text(f"{name}, as first written")
    return folder


@pytest.fixture
def own(course, tmp_path):
    """A student's folder to which the course was handed out once."""
    hand_out(course, tmp_path / "own")
    return tmp_path / "own"


def files(folder):
    """{path: text} of all files but the record."""
    found = (path for path in folder.rglob("*") if path.is_file() and path.name != RECORD)
    return {path.relative_to(folder).as_posix(): path.read_text() for path in found}


def test_the_first_time_every_lesson_is_copied(course, tmp_path):
    done = hand_out(course, tmp_path / "own")
    assert done == dict.fromkeys([LESSON, "02_second.ipynb", "glossary.md", "solutions/01_first.ipynb"], "copied")
    assert files(tmp_path / "own") == {name: text for name, text in files(course).items() if name != "ruff.toml"}


def test_nothing_new_changes_nothing(course, own):
    before = {path: path.stat().st_mtime_ns for path in own.rglob("*.ipynb")}
    assert hand_out(course, own) == {}
    assert {path: path.stat().st_mtime_ns for path in own.rglob("*.ipynb")} == before


def test_what_only_the_student_changed_stays(course, own):
    (own / LESSON).write_text("my answers")
    assert hand_out(course, own) == {}
    assert files(own)[LESSON] == "my answers"
    assert len(files(own)) == 4


def test_what_only_the_course_changed_is_replaced(course, own):
    (course / LESSON).write_text("second edition")
    assert hand_out(course, own) == {LESSON: "updated"}
    assert files(own)[LESSON] == "second edition"


def test_what_both_changed_stays_and_the_new_version_comes_beside_it_once(course, own):
    (own / LESSON).write_text("my answers")
    (course / LESSON).write_text("second edition")
    beside = "01_first (new version).ipynb"
    assert hand_out(course, own) == {LESSON: "kept", beside: "beside"}
    assert (files(own)[LESSON], files(own)[beside]) == ("my answers", "second edition")
    assert hand_out(course, own) == {}


@pytest.mark.parametrize("touched", [False, True])
def test_a_third_version_replaces_the_second_only_if_the_student_left_that_alone(course, own, touched):
    (own / LESSON).write_text("my answers")
    (course / LESSON).write_text("second edition")
    hand_out(course, own)
    if touched:
        (own / "01_first (new version).ipynb").write_text("answers there too")
    (course / LESSON).write_text("third edition")
    hand_out(course, own)
    mine = {name: text for name, text in files(own).items() if name.startswith("01_")}
    there = {"01_first (new version).ipynb": "answers there too", "01_first (new version 2).ipynb": "third edition"}
    assert mine == {LESSON: "my answers"} | (there if touched else {"01_first (new version).ipynb": "third edition"})


def test_a_deleted_lesson_comes_back_fresh_and_a_new_one_comes(course, own):
    (own / LESSON).unlink()
    (course / "03_third.ipynb").write_text("new")
    assert hand_out(course, own) == {LESSON: "copied", "03_third.ipynb": "copied"}


def test_what_the_course_no_longer_has_and_the_students_own_files_stay(course, own):
    (course / LESSON).unlink()
    (own / "mine.ipynb").write_text("mine")
    assert hand_out(course, own) == {}
    assert files(own)[LESSON] == f"{LESSON}, as first written"
    assert files(own)["mine.ipynb"] == "mine"


@pytest.mark.parametrize("record", [None, "", "{", "[]", '{"01_first.ipynb": 3}'])
def test_without_its_record_a_lesson_that_differs_counts_as_the_students(course, own, record):
    if record is None:
        (own / RECORD).unlink()
    else:
        (own / RECORD).write_text(record)
    (own / LESSON).write_text("my answers")
    assert hand_out(course, own) == {LESSON: "kept", "01_first (new version).ipynb": "beside"}
    assert files(own)[LESSON] == "my answers"


def test_a_file_that_cannot_be_written_does_not_cost_the_others(course, tmp_path):
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "solutions").write_text("a file where a folder must be")
    done = hand_out(course, tmp_path / "own")
    assert done[LESSON] == done["02_second.ipynb"] == "copied"
    assert done["solutions/01_first.ipynb"] not in ("copied", "updated", "kept")
    assert files(tmp_path / "own")["solutions"] == "a file where a folder must be"


def test_a_folder_in_the_lessons_place_stays(course, own):
    (own / LESSON).unlink()
    (own / LESSON).mkdir()
    (course / LESSON).write_text("second edition")
    assert hand_out(course, own) == {LESSON: "kept", "01_first (new version).ipynb": "beside"}


def test_cut_off_before_the_record_was_written_the_next_run_puts_it_right(course, own):
    (course / LESSON).write_text("second edition")
    record = (own / RECORD).read_text()
    hand_out(course, own)
    (own / RECORD).write_text(record)  # as if the machine had stopped just before
    assert hand_out(course, own) == {}
    (course / LESSON).write_text("third edition")
    assert hand_out(course, own) == {LESSON: "updated"}


def test_a_course_without_lessons_is_refused_by_name(tmp_path):
    with pytest.raises(ValueError, match="course: a folder with notebooks is needed"):
        hand_out(tmp_path / "nothing", tmp_path / "own")
    assert not (tmp_path / "own").exists()


def test_the_courses_own_lessons_are_handed_out_whole(tmp_path):
    done = hand_out(ROOT / "notebooks", tmp_path / "own")
    assert {path.name for path in (ROOT / "notebooks").glob("*.ipynb")} <= done.keys()
    assert set(done.values()) == {"copied"}


# Answers


def test_a_lesson_is_handed_out_without_what_its_cells_will_print(tmp_path):
    hand_out(ROOT / "notebooks", tmp_path / "own", without_answers)
    given = nbformat.read(tmp_path / "own" / "02_symmetric_and_asymmetric.ipynb", as_version=4)
    nbformat.validate(given)
    whole = nbformat.read(ROOT / "notebooks" / "02_symmetric_and_asymmetric.ipynb", as_version=4)
    assert [cell.source for cell in given.cells] == [cell.source for cell in whole.cells]
    code = [cell for cell in given.cells if cell.cell_type == "code"]
    assert all(cell.execution_count is None for cell in code)
    assert [cell.source.startswith("explore(") for cell in code if cell.outputs] == [True]
    assert any("image/png" in output.data for cell in code for output in cell.outputs)


def test_glossary_and_solutions_stay_whole(tmp_path):
    hand_out(ROOT / "notebooks", tmp_path / "own", without_answers)
    for name in ("glossary.md", "solutions/02_symmetric_and_asymmetric.ipynb"):
        assert (tmp_path / "own" / name).read_bytes() == (ROOT / "notebooks" / name).read_bytes()


def test_links_of_the_copy_lead_somewhere():
    """The copy lies beside notebooks/, so that links to the rest of the checkout hold; nothing is copied here."""
    links = set()
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            links |= {part.split(")")[0] for part in "".join(cell["source"]).split("](../")[1:]}
    assert all((ROOT / link.partition("#")[0]).exists() for link in links)


def test_handed_out_twice_nothing_changes(tmp_path):
    hand_out(ROOT / "notebooks", tmp_path / "own", without_answers)
    assert hand_out(ROOT / "notebooks", tmp_path / "own", without_answers) == {}


def test_a_lesson_that_was_only_opened_follows_the_course_and_one_that_was_run_stays(tmp_path):
    course, own = tmp_path / "course", tmp_path / "own"
    course.mkdir()
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1 + 1")])
    names = ("01_opened.ipynb", "02_run.ipynb")
    for name in names:
        nbformat.write(notebook, course / name)
    hand_out(course, own)
    opened = nbformat.read(own / names[0], as_version=4)
    opened.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    nbformat.write(opened, own / names[0])
    run = nbformat.read(own / names[1], as_version=4)
    run.cells[0].outputs = [nbformat.v4.new_output("execute_result", {"text/plain": "2"}, execution_count=1)]
    nbformat.write(run, own / names[1])
    notebook.cells[0].source = "1 + 2"
    for name in names:
        nbformat.write(notebook, course / name)
    done = hand_out(course, own)
    assert done[names[0]] == "updated"
    assert done[names[1]] == "kept"
