"""Pages and decks: what they hold of an explorer, which cells become slides, and builds that must stop."""

import base64
import io
import itertools
import json
import subprocess
import sys

import nbformat
import numpy as np
import pytest
from lesson_files import LESSONS, NOTEBOOKS
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image

from publish import build, vendor
from publish.anchors import with_anchors, with_terms
from publish.course import PARTS, neighbours, parts
from publish.grid import FRAMES, evenly, every_setting, grid
from publish.lessons import BuildError, executed, lesson, lessons
from publish.pages import deck_body, page_body
from publish.pictures import WIDTH, picture
from publish.player import player
from publish.predict import covered
from quantutils.course.explore import Choice, Slider, Steps, explore
from quantutils.course.plots import Drawing, new_figure


class Dot(Drawing):
    """A dot at three settings."""

    def build(self):
        figure, axis = new_figure()
        axis.set(xlim=(0, 100), ylim=(0, 100))
        (self.dot,) = axis.plot([0], [0], "o")
        self.moving = (self.dot,)
        return figure

    def update(self, x, y=50, name="dot"):
        self.dot.set_data([x], [y])
        return f"{name} at {x}, {y}"


def dots(**controls):
    return explore(Dot(), **({"x": Slider("x", 0, 100, 40), "y": Slider("y", 0, 100, 50)} | controls))


# The grid


def test_few_positions_are_all_held_and_the_page_says_so():
    explorer = explore(Dot(), x=Slider("x", 0, 10, 4))
    assert grid(explorer)["x"] == explorer.given["x"].positions()
    assert "All 11 positions of this explorer" in player(explorer, "dots")


def test_two_inputs_give_an_even_grid_with_ends_and_start_and_the_page_says_what_is_off_it():
    explorer = dots()
    held = grid(explorer)
    assert FRAMES // 2 < len(every_setting(held)) <= FRAMES
    for name, start in (("x", 40), ("y", 50)):
        values = [value for _, value in held[name]]
        assert {0, start, 100} <= set(values)
        assert max(b - a for a, b in itertools.pairwise(values)) <= 12
    assert f"Drawn beforehand: {len(every_setting(held)):,} of 10,201 positions" in player(explorer, "dots")


def test_choices_are_never_thinned_and_the_last_slider_stands_still_where_too_many_are_left():
    names = tuple(f"n{number}" for number in range(40))
    held = grid(dots(name=Choice("name", names, "n3")))
    assert ([len(held[name]) for name in ("x", "y", "name")], held["y"]) == ([7, 1, 40], [("50", 50)])
    assert "y stays at 50" in player(dots(name=Choice("name", names, "n3")), "dots")


def test_a_lesson_may_name_values_or_how_many():
    held = grid(dots(), {"x": [0, 40, 90], "y": 3})
    assert [value for _, value in held["x"]] == [0, 40, 90]
    assert [value for _, value in held["y"]] == [0, 50, 100]


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"z": 3}, r"the grid names \['z'\]; accepted: the explorer's settings, \['x', 'y'\]"),
        ({"x": [0, 90]}, r"wants x at \[0, 90\]; .*its first value 40 among them"),
        ({"x": [40, 1000]}, r"wants x at \[40, 1000\]"),
        ({"x": 0}, r"wants x at \[0\]"),
    ],
)
def test_a_grid_that_the_explorer_does_not_have_is_refused(wanted, message):
    with pytest.raises(BuildError, match=message):
        grid(dots(), wanted)


@pytest.mark.parametrize("count", [1, 2, 3, 7, 11])
def test_an_even_choice_has_its_number_and_the_start(count):
    positions = Slider("x", 0, 10, 3).positions()
    values = [value for _, value in evenly(positions, count, 3)]
    assert len(values) == count
    assert 3 in values
    assert values == sorted(values)


def test_every_frame_is_the_explorers_own_picture_to_a_few_shades():
    explorer = explore(Dot(), x=Steps("x", (10, 90), 10))
    data = json.loads(player(explorer, "dots").split('<script type="application/json">')[1].split("</script>")[0])
    for place, x in enumerate((10, 90)):
        layer, words = data["frames"][place]
        left, top, _, _, webp = data["layers"][layer]
        picture = explorer.still().convert("RGBA")
        moved = Image.open(io.BytesIO(base64.b64decode(webp))).convert("RGBA")
        picture.alpha_composite(moved, (left, top))
        explorer.controls["x"].value = x
        live = Image.open(io.BytesIO(explorer.picture.value)).convert("RGB")
        assert data["words"][words] == explorer.readout
        difference = np.abs(np.asarray(picture.convert("RGB")).astype(int) - np.asarray(live))
        assert difference.mean() < 0.05
        assert difference.max() < 60  # soft edges have fewer shades in a palette


# Slides


def slide(source, kind, code=False):
    cell = new_code_cell(source, execution_count=1) if code else new_markdown_cell(source)
    cell.metadata.slideshow = {"slide_type": kind}
    return cell


def test_slides_fragments_and_notes_are_where_their_cells_say():
    cells = [slide("# One", "slide"), slide("more", "fragment"), slide("hidden", "skip"), slide("on", "subslide")]
    cells += [
        slide("<details><summary>For the teacher</summary>\n\nAsk.\n\n</details>", "notes"),
        slide("# Two", "slide"),
    ]
    html = deck_body(new_notebook(cells=cells))
    assert (html.count("<section>"), html.count("</section>")) == (5, 5)  # two columns, three slides
    assert "hidden" not in html
    assert '<div class="fragment"><div class="cell markdown"' in html
    assert "<details>" not in html
    assert html.index('<p class="goes-on">One</p>') < html.index('<aside class="notes">') < html.index("Ask.")


def test_a_figure_comes_without_its_code_in_the_deck_and_with_it_in_the_page():
    cell = slide("show(figure)", "slide", code=True)
    png = new_output("display_data", {"image/png": "iVBORw0KGgo=", "text/plain": "Words for <it>"})
    cell.outputs = [new_output("stream", name="stdout", text="0.5\n"), png]
    deck, page = deck_body(new_notebook(cells=[cell])), page_body(new_notebook(cells=[cell]))
    assert 'alt="Words for &lt;it&gt;"' in deck
    assert ("show" in deck, "0.5" in deck) == (False, False)
    assert ("show" in page, "0.5" in page) == (True, True)


def test_a_deck_that_does_not_begin_with_a_slide_is_refused():
    with pytest.raises(BuildError, match=r"slide type 'fragment'; accepted: .* a slide first"):
        deck_body(new_notebook(cells=[slide("more", "fragment")]))


def test_what_answers_a_predict_comes_with_a_click_and_a_lonely_question_gets_its_code():
    printed = new_output("stream", name="stdout", text="0.5\n")
    answer = slide("print(half)", "-", code=True)
    answer.outputs = [printed]
    html = deck_body(new_notebook(cells=[slide("# One\n\n**Predict:** how much?", "slide"), answer]))
    assert html.index("half") < html.index('<div class="fragment">') < html.index("0.5")

    answer.metadata.slideshow.slide_type = "skip"
    html = deck_body(new_notebook(cells=[slide("# One\n\n**Predict:** how much?", "slide"), answer]))
    assert html.index('<div class="preview">') < html.index("half") < html.index('<div class="fragment">')

    answer.metadata.slideshow.slide_type = "subslide"  # which shows its output itself
    html = deck_body(new_notebook(cells=[slide("# One\n\n**Predict:** how much?", "slide"), answer]))
    assert (html.count("half"), html.count("0.5")) == (2, 1)

    answer.source = "\n".join(f"line_{number}" for number in range(16))  # more than a slide holds
    html = deck_body(new_notebook(cells=[slide("# One\n\n**Predict:** how much?", "slide"), answer]))
    assert "preview" not in html


def test_a_picture_that_answers_takes_the_place_of_its_code():
    cell = slide("show(figure)", "-", code=True)
    cell.outputs = [new_output("display_data", {"image/png": "iVBORw0KGgo=", "text/plain": "A line"})]
    html = deck_body(new_notebook(cells=[slide("# One\n\n**Predict:** up?", "slide"), cell]))
    assert 'class="source fragment fade-out" data-fragment-index="0"' in html
    assert '<div class="fragment" data-fragment-index="0">' in html


# Covers, anchors, parts, pictures


def test_an_answer_goes_from_the_question_to_the_next_heading_or_question():
    cells = [
        new_markdown_cell("## One\n\n**Predict:** how many?", id="ask"),
        new_code_cell("first()", id="first"),
        new_code_cell("second()", id="second"),
        new_markdown_cell("So many.", id="why"),
        new_code_cell("third()", id="third"),
        new_markdown_cell("And more.\n\n**Predict:** how few?", id="again"),
        new_markdown_cell("Few.\n\n```\n# no heading\n```\n\n## Two\n\nNo question.", id="end"),
        new_code_cell("fourth()", id="fourth"),
    ]
    marks = [
        (cell.id, cell.metadata.get("answer"), cell.metadata.get("answer_below"))
        for cell in covered(new_notebook(cells=cells)).cells
    ]
    assert marks == [
        ("ask", None, None),
        ("first", None, "ask"),
        ("second", None, "ask"),
        ("why", "ask", None),
        ("third", "ask", None),
        ("again-answer", "ask", None),
        ("again", None, None),
        ("end-answer", "again", None),
        ("end", None, None),
        ("fourth", None, None),
    ]
    assert "answer" not in cells[3].metadata  # the given notebook stays as it was


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_every_predict_of_a_lesson_has_an_answer_and_no_cover_reaches_an_exercise(path):
    notebook = covered(nbformat.read(path, as_version=4))
    asking = {
        cell.id for cell in notebook.cells if cell.cell_type == "markdown" and "\n**Predict" in f"\n{cell.source}"
    }
    answered = {cell.metadata.get("answer") or cell.metadata.get("answer_below") for cell in notebook.cells}
    assert asking == answered - {None}
    exercises = next(n for n, cell in enumerate(notebook.cells) if cell.source.startswith("## Exercises"))
    assert not any("answer" in name for cell in notebook.cells[exercises:] for name in cell.metadata)


def test_every_heading_gets_an_anchor_of_its_own_and_its_words():
    body, sections = with_anchors("<h1>A &amp; b</h1><p>one</p><h2>Again</h2><pre>code</pre>two<h2>Again</h2>")
    assert [(section.anchor, section.title, section.text) for section in sections] == [
        ("a-b", "A & b", "one"),
        ("again", "Again", "two"),
        ("again-2", "Again", ""),
    ]
    assert '<h2 id="again-2">Again</h2>' in body


def test_every_row_of_the_glossary_gets_an_anchor():
    row = (
        "<tr><th>term</th></tr><tr>\n<td>zero point</td><td>$z$</td><td></td><td>The code of 0.0.</td><td>02</td></tr>"
    )
    body, terms = with_terms(row)
    assert '<tr id="term-zero-point">' in body
    assert [(term.title, term.text) for term in terms] == [("zero point", "$z$ · The code of 0.0.")]


def test_every_lesson_belongs_to_one_part_and_has_its_neighbours():
    course = lessons()
    found = parts(course)
    assert [lesson for _, its_own in found for lesson in its_own] == course
    assert [part for part, _ in found] == list(PARTS)
    assert neighbours(course, course[0]) == (None, course[1])
    assert neighbours(course, course[-1]) == (course[-2], None)
    assert parts(course[:2]) == [(PARTS[0], course[:2])]


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_every_lesson_has_a_small_picture(path):
    webp, width, height, words = picture(nbformat.read(path, as_version=4))
    assert (width, height) == Image.open(io.BytesIO(webp)).size
    assert width == WIDTH
    assert len(webp) < 60_000
    assert len(words) > 20


def test_a_notebook_without_a_figure_has_no_picture():
    assert picture(new_notebook(cells=[new_code_cell("1")])) is None


# Builds that must stop


def broken(tmp_path, change):
    """A folder with lesson 00, changed."""
    notebook = nbformat.read(LESSONS[0], as_version=4)
    change(notebook)
    nbformat.write(notebook, tmp_path / LESSONS[0].name)
    return tmp_path


def first_code(notebook):
    return next(cell for cell in notebook.cells if cell.cell_type == "code")


def test_a_lesson_that_was_not_executed_stops_the_build_with_its_name(tmp_path):
    folder = broken(tmp_path, lambda notebook: first_code(notebook).update(execution_count=None))
    with pytest.raises(BuildError, match=r"00_start_here\.ipynb has not been executed .*run make notebooks"):
        lessons(folder)


def test_a_lesson_with_an_error_stops_the_build_with_its_name(tmp_path):
    failed = new_output("error", ename="ValueError", evalue="no", traceback=[])
    folder = broken(tmp_path, lambda notebook: first_code(notebook).update(outputs=[failed]))
    with pytest.raises(BuildError, match=r"00_start_here\.ipynb holds an error"):
        executed(folder / LESSONS[0].name)


def test_a_file_that_begins_otherwise_stops_the_build_with_its_name(tmp_path):
    folder = broken(tmp_path, lambda notebook: notebook.cells[0].update(source="# Hello"))
    with pytest.raises(BuildError, match=r"00_start_here\.ipynb begins otherwise than a lesson"):
        lesson(folder / LESSONS[0].name)


def test_a_folder_without_lessons_is_refused(tmp_path):
    with pytest.raises(BuildError, match="There are no lessons in"):
        lessons(tmp_path)


def test_a_missing_package_stops_the_build_with_its_name(tmp_path, monkeypatch):
    monkeypatch.setattr(vendor, "PACKAGES", tmp_path)
    monkeypatch.setattr(vendor.shutil, "which", lambda name: None)
    with pytest.raises(BuildError, match=r"The npm package mathjax is missing and there is no npm"):
        vendor.install()
    with pytest.raises(BuildError, match=r"The npm package reveal\.js is missing .*run make site"):
        vendor.copy_to(tmp_path / "out")


def test_a_folder_that_holds_other_things_is_not_emptied(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(BuildError, match="holds other things than an earlier build"):
        build.site(tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_a_page_that_is_too_large_is_refused_with_its_name(tmp_path):
    with pytest.raises(BuildError, match=r"big\.html has 3,000,001 bytes; accepted: 3,000,000\. Give its explorer"):
        build._put(tmp_path / "big.html", "x" * 3_000_001)


def test_the_command_ends_with_one_sentence(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    command = [sys.executable, "-m", "publish", "slides", "--to", str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=NOTEBOOKS.parent, check=False)
    assert ended.returncode == 1
    assert len(ended.stderr.strip().splitlines()) == 1
    assert "Traceback" not in ended.stderr
