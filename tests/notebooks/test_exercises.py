"""Stubs fail, solutions pass, and the lesson, its solved notebook and the closed solution say the same."""

import ast
import builtins
import re

import pytest
from lesson_files import (
    LESSONS,
    NOTEBOOKS,
    code_cells,
    exercise_parts,
    names_in,
    output_text,
    prose_cells,
    read,
    slide_type,
)

from quantutils.course.exercises import exercise_ids

every_lesson = pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)


def parts_of(path):
    solved = exercise_parts(read(NOTEBOOKS / "solutions" / path.name))
    return [(key, stub, solved[key]) for key, stub in exercise_parts(read(path)).items()]


def test_every_registered_exercise_stands_in_its_lesson():
    asked = [key for path in LESSONS for key in exercise_parts(read(path))]
    assert asked == exercise_ids()


@every_lesson
def test_two_or_three_exercises_with_hint_and_solution_closed(path):
    parts = exercise_parts(read(path))
    assert 2 <= len(parts) <= 3
    for key, (prompt, answer, _) in parts.items():
        assert key.startswith(path.stem[:2])
        assert f"**{key}**" in prompt.source
        assert "<summary>Hint</summary>" in prompt.source
        assert "<summary>Solution</summary>" in prompt.source
        assert re.fullmatch(r"answer_\d = \.\.\.", answer.source)


@every_lesson
def test_stub_fails_and_solution_passes(path):
    for key, (_, _, stub_check), (_, _, solved_check) in parts_of(path):
        assert output_text(stub_check).strip().startswith(f"{key} ✗")
        assert output_text(solved_check).strip().startswith(f"{key} ✓")


@every_lesson
def test_prompt_and_solution_are_kept_in_step(path):
    for key, (prompt, _, _), (solved_prompt, solved_answer, _) in parts_of(path):
        question = prompt.source.split("<details>")[0].strip()
        assert solved_prompt.source.strip() == question, key
        shown = re.search(r"<summary>Solution</summary>\s*```python\n(.*?)```", prompt.source, re.DOTALL)[1]
        assert shown.strip() == solved_answer.source.strip(), key


@every_lesson
def test_a_solution_pasted_into_its_lesson_runs_with_what_the_setup_cell_imports(path):
    given = names_in(code_cells(read(path))[0].source, ast.Store) | set(dir(builtins))
    for key, _, (_, answer, _) in parts_of(path):
        unknown = names_in(answer.source, ast.Load) - names_in(answer.source, ast.Store) - given
        assert not unknown, f"{key} needs {sorted(unknown)}"


@every_lesson
def test_summary_has_a_three_question_quiz_and_references(path):
    sources = [cell.source for cell in prose_cells(read(path)) if slide_type(cell) != "notes"]
    start = next(place for place, source in enumerate(sources) if source.startswith("## Summary"))
    summary = "\n".join(sources[start:])
    assert summary.count("<details><summary>") == 3
    assert "**References**" in summary
