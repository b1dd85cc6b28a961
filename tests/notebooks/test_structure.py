"""Every lesson has the anatomy of the lesson guide, stored outputs that nbval really compares, and a deck."""

import ast
import builtins
import re
import statistics

import pytest
from lesson_files import (
    LESSONS,
    NOTEBOOKS,
    SOLUTIONS,
    code_cells,
    code_lines,
    headings,
    names_in,
    output_text,
    prose_cells,
    read,
    slide_type,
    tags,
)

FIXED_HEADINGS = [
    "You will measure",
    "You will be able to",
    "Notation",
    "Setup",
    "Claim check",
    "Against the real kernel",
    "Modelled or measured",
    "Exercises",
    "Summary",
]
every_lesson = pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
every_notebook = pytest.mark.parametrize("path", LESSONS + SOLUTIONS, ids=lambda path: "/".join(path.parts[-2:]))


def test_lessons_are_numbered_without_a_gap_and_each_has_a_solution():
    assert [int(path.stem[:2]) for path in LESSONS] == list(range(len(LESSONS)))
    assert [path.name for path in SOLUTIONS] == [path.name for path in LESSONS]


@every_lesson
def test_title_gives_question_minutes_and_links(path):
    title = read(path).cells[0].source
    number = path.stem[:2]
    assert re.match(rf"# {number} · \S", title)
    assert "?" in title
    assert re.search(r"\d+ minutes", title)
    place = LESSONS.index(path)
    for neighbour in LESSONS[max(place - 1, 0) : place] + LESSONS[place + 1 : place + 2]:
        assert f"]({neighbour.name})" in title


@every_lesson
def test_headings_are_all_there_in_order(path):
    found = headings(read(path))
    assert set(FIXED_HEADINGS) <= set(found), "these headings have to stay as they are"
    places = [found.index(heading) for heading in FIXED_HEADINGS]
    assert places == sorted(places)
    assert any(re.match(r"\d · ", heading) for heading in found)
    assert any(heading.startswith("Explore") for heading in found)


@every_notebook
def test_links_lead_somewhere(path):
    for cell in prose_cells(read(path)):
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", cell.source):
            if not target.startswith(("http", "mailto")):
                assert (path.parent / target).exists(), target


@every_notebook
def test_every_code_cell_was_executed_in_order_without_error_or_stderr(path):
    cells = code_cells(read(path))
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    for cell in cells:
        assert not [
            output for output in cell.outputs if output.output_type == "error" or output.get("name") == "stderr"
        ]


@every_notebook
def test_cells_have_ids_and_slide_roles(path):
    notebook = read(path)
    assert len({cell.id for cell in notebook.cells}) == len(notebook.cells)
    for cell in notebook.cells:
        assert slide_type(cell) in ("slide", "subslide", "fragment", "skip", "notes", "-")


@every_lesson
def test_size_of_a_good_lesson(path):
    notebook = read(path)
    lengths = [len(code_lines(cell)) for cell in code_cells(notebook)]
    assert 35 <= len(notebook.cells) <= 80
    assert 0.5 <= len(prose_cells(notebook)) / len(notebook.cells) <= 0.7
    assert max(lengths) <= 15
    assert statistics.median(lengths) <= 7
    figures = sum("image/png" in output.get("data", {}) for cell in code_cells(notebook) for output in cell.outputs)
    assert 3 <= figures <= 7


@every_lesson
def test_deck_has_12_to_20_slides_and_speaker_notes(path):
    notebook = read(path)
    roles = [slide_type(cell) for cell in notebook.cells]
    assert roles[0] == "slide"
    assert 12 <= sum(role in ("slide", "subslide") for role in roles) <= 20
    assert sum(role == "notes" for role in roles) >= 3


@every_notebook
def test_every_picture_has_a_text_that_says_what_it_shows(path):
    for cell in code_cells(read(path)):
        for output in cell.outputs:
            if "image/png" in output.get("data", {}):
                alt = output.metadata["image/png"]["alt"]
                assert len(alt.split()) >= 8
                assert re.search(r"\d", alt), "an alternative text states its numbers"
                assert alt in output.data["text/plain"], "nbval compares the text, so the two must be one"


@every_notebook
def test_code_reaches_for_nothing_remote(path):
    for cell in code_cells(read(path)):
        assert not re.search(r"https?://|\bpip install\b|urlopen|requests\.", cell.source)


@every_notebook
def test_stored_outputs_name_no_path_of_a_machine(path):
    for cell in code_cells(read(path)):
        assert not re.search(r"(/home/|/root/|/tmp/|/work/|C:\\)", output_text(cell))


@every_notebook
def test_widget_views_are_not_stored(path):
    assert "widget-view+json" not in path.read_text(encoding="utf-8")


@every_lesson
def test_most_outputs_are_checked(path):
    cells = code_cells(read(path))
    unchecked = [cell for cell in cells if {"nbval-ignore-output", "nbval-skip"} & set(tags(cell))]
    assert len(unchecked) <= 4
    assert sum(bool(output_text(cell).strip()) for cell in cells if cell not in unchecked) >= 8


@every_notebook
def test_only_one_thread_where_torch_is_used(path):
    source = "\n".join(cell.source for cell in code_cells(read(path)))
    if re.search(r"^\s*(import torch|from torch)", source, re.MULTILINE):
        assert "torch.set_num_threads(1)" in source


@pytest.mark.parametrize("path", LESSONS[:5], ids=lambda path: path.stem)
def test_first_lessons_do_without_torch(path):
    for cell in code_cells(read(path)):
        assert not re.search(r"^\s*(import torch|from torch)", cell.source, re.MULTILINE)


@every_lesson
def test_cells_after_setup_stand_on_their_own(path):
    """A cell may use what the setup cell defines and what it defines itself, so that order does not matter."""
    setup, *others = code_cells(read(path))
    given = names_in(setup.source, ast.Store) | set(dir(builtins)) | {"__name__"}
    for cell in others:
        unknown = names_in(cell.source, ast.Load) - names_in(cell.source, ast.Store) - given
        assert not unknown, f"cell {cell.id} needs {sorted(unknown)} from another cell"


@every_lesson
def test_figures_quoted_in_prose_are_printed_by_a_cell(path):
    """Decimals, and whole numbers of three digits and more, must stand in an output or in the code."""
    notebook = read(path)
    printed = _plain("\n".join(output_text(cell) + "\n" + cell.source for cell in code_cells(notebook)))
    known = set(re.findall(r"\d+(?:\.\d+)?", printed))
    for cell in prose_cells(notebook):
        prose = cell.source
        if prose.startswith("## Exercises"):
            break  # what follows gives its own numbers to work with
        if prose.startswith(("# ", "## Notation", "**Try this", "<details><summary>For the teacher")):
            continue  # titles, symbols, slider settings to try, and questions to the room
        prose = prose.split("**References**")[0]  # years and section numbers
        prose = re.sub(r"<details>.*?</details>|`[^`]*`|\]\([^)]*\)", " ", prose, flags=re.DOTALL)
        for number in re.findall(r"\d+\.\d+|\d{3,}", _plain(prose)):
            assert number in known, f"cell {cell.id} quotes {number}, which no cell prints"


def _plain(text):
    """Numbers without thousands separators: 66,311 and 66_311 are 66311."""
    return re.sub(r"(?<=\d)[,_\u202f\u00a0](?=\d{3})", "", text)


def test_glossary_is_there():
    assert (NOTEBOOKS / "glossary.md").exists()
