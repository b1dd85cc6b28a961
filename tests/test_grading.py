"""A lesson becomes an assignment, a submission is merged into it, and a round of nbgrader gives the right marks."""

import copy
import importlib.util
import re

import nbformat
import pytest
from lesson_files import LESSONS, NOTEBOOKS, exercise_parts, read
from nbclient import NotebookClient

from classroom.assignment import AssignmentError, assignment, main, role, write
from classroom.merging import grade_id, merge
from classroom.submissions import SUBMISSIONS, cell_of

every_lesson = pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)


def of_lesson(path):
    """The assignment of a lesson, as the instructor has it."""
    return assignment(read(path), read(NOTEBOOKS / "solutions" / path.name))


@pytest.fixture
def released():
    """What a student of lesson 03 gets: nbgrader takes the solutions out."""
    notebook = of_lesson(NOTEBOOKS / "03_wasted_range.ipynb")
    for cell in notebook.cells:
        cell.source = re.sub(r"### BEGIN SOLUTION.*### END SOLUTION", "# here", cell.source, flags=re.DOTALL)
    return notebook


def right(released):
    """A submission with three answers; which ones is all the same to merging."""
    notebook = copy.deepcopy(released)
    for number in (1, 2, 3):
        cell_of(notebook, f"answer-03-{number}").source = f"answer_{number} = {number}"
    return notebook


@every_lesson
def test_exercise_cells_of_a_lesson_carry_nbgraders_metadata_and_no_other_cell(path):
    notebook = read(path)
    marked = [cell for cell in notebook.cells if "nbgrader" in cell.metadata]
    expected = []
    for key, (_, answer, check) in exercise_parts(notebook).items():
        expected += [answer, check]
        number = key.replace(".", "-")
        assert answer.metadata["nbgrader"] == {
            "grade": False,
            "grade_id": f"answer-{number}",
            "locked": False,
            "schema_version": 3,
            "solution": True,
            "task": False,
        }
        assert check.metadata["nbgrader"] == {
            "grade": True,
            "grade_id": f"check-{number}",
            "locked": True,
            "points": 1,
            "schema_version": 3,
            "solution": False,
            "task": False,
        }
    assert [cell.id for cell in marked] == [cell.id for cell in expected]


@every_lesson
def test_an_assignment_has_answers_to_clear_tests_to_keep_and_all_else_locked(path):
    notebook = of_lesson(path)
    nbformat.validate(notebook)
    assert len({grade_id(cell) for cell in notebook.cells}) == len(notebook.cells)
    parts = exercise_parts(read(NOTEBOOKS / "solutions" / path.name))
    for key, (_, solution, _) in parts.items():
        number = key.replace(".", "-")
        answer, test = cell_of(notebook, f"answer-{number}"), cell_of(notebook, f"check-{number}")
        assert answer.source.startswith("answer_")
        assert answer.source.count(solution.source) == 1
        assert f'check("{key}", answer_{key[-1]})' in test.source
        assert test.source.endswith("assert verdict.passed, verdict.message")
    for cell in notebook.cells:
        assert role(cell) or cell.metadata["nbgrader"]["locked"]
        if cell.cell_type == "code":
            assert not cell.outputs
        else:
            assert "<summary>Solution</summary>" not in cell.source


@every_lesson
def test_setup_answers_and_tests_of_an_assignment_are_all_that_grading_runs(path):
    run = [
        cell
        for cell in of_lesson(path).cells
        if cell.cell_type == "code" and "skip-execution" not in cell.metadata.get("tags", [])
    ]
    assert run[0].id == next(cell.id for cell in read(path).cells if cell.cell_type == "code")
    assert [role(cell) for cell in run[1:]] == ["answer", "check"] * len(exercise_parts(read(path)))


@every_lesson
def test_the_instructors_version_passes_its_own_tests(path):
    notebook = of_lesson(path)
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(NOTEBOOKS)}}).execute()
    tests = [cell for cell in notebook.cells if role(cell) == "check"]
    assert all("✓ right" in cell.outputs[0].text for cell in tests)


def test_a_test_fails_by_an_error_for_a_wrong_answer_and_a_missing_one_and_not_for_a_right_one():
    notebook = of_lesson(NOTEBOOKS / "00_start_here.ipynb")
    source = cell_of(notebook, "check-00-1").source
    exec(source, {"answer_1": 5})
    for answer in (6, ...):
        with pytest.raises(AssertionError):
            exec(source, {"answer_1": answer})


def test_a_lesson_and_a_solution_that_do_not_fit_are_refused_in_words(tmp_path, capsys):
    lesson = read(LESSONS[0])
    with pytest.raises(AssignmentError, match=r'the solved notebook has no cell check\("00\.1", answer_1\)'):
        assignment(lesson, read(NOTEBOOKS / "solutions" / LESSONS[1].name))
    for cell in lesson.cells:
        cell.metadata.pop("nbgrader", None)
    with pytest.raises(AssignmentError, match="the lesson marks no exercise: run tools"):
        assignment(lesson, lesson)
    with pytest.raises(AssignmentError, match="lesson is 'xx'; accepted: the two digits"):
        write("xx", tmp_path)
    with pytest.raises(SystemExit, match="lesson is '77'"):
        main(["77", "--course", str(tmp_path)])
    main(["00", "--course", str(tmp_path / "course")])
    assert "generate_assignment 00_start_here" in capsys.readouterr().out
    assert (tmp_path / "course" / "nbgrader_config.py").exists()


def test_a_submission_with_nothing_but_answers_is_taken_as_it_is(released):
    notebook, findings = merge(released, right(released))
    assert not findings
    assert notebook == right(released)


@pytest.mark.parametrize(
    "one", [one for one in SUBMISSIONS if one.student != "empty_file"], ids=lambda one: one.student
)
def test_whatever_a_submission_does_the_tests_in_the_merged_notebook_are_those_released(one, released):
    submitted = right(released)
    one.spoil(submitted)
    notebook, findings = merge(released, submitted)
    assert [cell.id for cell in notebook.cells] == [cell.id for cell in released.cells]
    for ours, theirs in zip(notebook.cells, released.cells, strict=True):
        if role(theirs) != "answer":
            assert ours == theirs
    structural = one.named if one.named and re.search(r"deleted|edited|twice|no code cell", one.named) else None
    assert (structural is None) == (not findings)
    assert structural is None or structural in " ".join(findings)


def test_cells_that_were_added_are_counted_and_left_out(released):
    submitted = right(released)
    submitted.cells.insert(3, nbformat.v4.new_code_cell("import quantutils"))
    notebook, findings = merge(released, submitted)
    assert findings == ["cells added: 1; only answer cells are graded"]
    assert len(notebook.cells) == len(released.cells)


def test_the_whole_round_gives_every_submission_its_marks_and_names_what_it_did(tmp_path):
    if importlib.util.find_spec("nbgrader") is None:
        pytest.skip("nbgrader is not installed here: `make grading` makes an environment for it and plays the round")
    from classroom.grading_round import Course, table

    outcomes = Course(tmp_path, timeout=10).round(say=lambda words: None)
    assert all(one.as_it_must for one in outcomes), table(outcomes)
