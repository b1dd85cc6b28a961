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
from publish.grid import FRAMES, evenly, every_setting, grid
from publish.lessons import BuildError, executed, lesson, lessons
from publish.pages import deck_body, page_body
from publish.player import player
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
    with pytest.raises(BuildError, match=r"The npm package reveal\.js is missing"):
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
