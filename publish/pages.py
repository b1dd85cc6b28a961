"""A lesson as HTML: the web page with every cell, and the deck with the cells that its slide metadata names."""

import copy
import html
import itertools
import re
from pathlib import Path

from nbconvert import HTMLExporter

from publish.lessons import BuildError
from publish.player import player
from publish.predict import asks, covered

HERE = Path(__file__).parent
# What a cell's slide_type opens. A cell with "-" or none goes on the slide before it.
SLIDE_TYPES = ("slide", "subslide", "fragment", "skip", "notes", "-")
MOST_LINES = 15  # of code on a slide
HEADING = re.compile(r"^#{1,3} (.+)$", re.MULTILINE)
# From a lesson's folder of the repository to the site's: pages for notebooks, one page for the glossary.
LINKS = (
    (r"(href=\"[^\":]*?)\.ipynb(#[^\"]*)?\"", r'\1.html\2"'),
    (r"(href=\"[^\":]*?)\.md(#[^\"]*)?\"", r'\1.html\2"'),
)


def page_body(notebook, players=None, covers=False):
    """Every cell of the notebook as HTML, its explorers replaced by their stand-ins ({cell id: HTML}).

    covers: whether what answers a Predict is marked, so that the page can cover it.
    """
    notebook = covered(notebook) if covers else copy.deepcopy(notebook)
    for cell in notebook.cells:
        cell.metadata.before = cell.metadata.after = ""
        _put_player(cell, players or {})
    return _html(notebook)


def deck_body(notebook, players=None):
    """The slides of the notebook as HTML sections: what is skipped left out, figures without code, notes aside.

    A slide that goes on without a heading repeats the last one, small. What answers a Predict is a fragment, and a
    slide with nothing but the question also gets the code that answers it. Raises BuildError for a slide type that
    does not exist, or a first cell that does not open a slide.
    """
    notebook = copy.deepcopy(notebook)
    notebook.cells = [cell for cell in _with_previews(notebook.cells) if slide_type(cell) != "skip"]
    opened, heading, asked = False, "", False
    for place, cell in enumerate(notebook.cells):
        kind = slide_type(cell)
        if kind not in SLIDE_TYPES or (place == 0 and kind != "slide"):
            raise BuildError(f"cell {cell.id} has the slide type {kind!r}; accepted: {SLIDE_TYPES}, a slide first.")
        before = ""
        if kind in ("slide", "subslide"):
            column = kind == "slide"
            before = "</section>" * opened + "</section>" * (opened and column) + "<section>" * column + "<section>"
            opened = True
            if not _headings(cell):
                before += f'<p class="goes-on">{escaped(heading)}</p>'
            asked = False
        heading = next(iter(_headings(cell)), heading)
        asked = asked or asks(cell)
        cell.metadata.after = ""
        if kind == "fragment":
            before, cell.metadata.after = before + '<div class="fragment">', "</div>"
        if kind == "notes":
            before, cell.metadata.after = before + '<aside class="notes">', "</aside>"
            cell.source = re.sub(r"</?details>|<summary>.*?</summary>", "", cell.source)
        if cell.metadata.get("preview"):
            before, cell.metadata.after = before + '<div class="preview">', "</div>"
        cell.metadata.before = before
        answers = asked and kind != "fragment" and cell.id not in (players or {})
        _put_player(cell, players or {})
        if cell.cell_type == "code" and any(_shows_picture(output) for output in cell.outputs):
            cell.outputs = [output for output in cell.outputs if _shows_picture(output)]
            # The picture needs the room, and the page has it all. A picture that answers takes the place of its code.
            cell.metadata.swap = answers and _fits(cell)
            if not cell.metadata.swap:
                cell.metadata.transient, answers = {"remove_source": True}, False
        cell.metadata.later = answers
    notebook.cells[-1].metadata.after += "</section></section>"
    return _html(notebook)


def _with_previews(cells):
    """The cells of a notebook and, after a question that is alone on its slide, a copy of the code that answers it.

    The outputs come along if the deck skips that code. deck.js takes the copy away where the slide has no room for it.
    """
    given = []
    for place, cell in enumerate(cells):
        given.append(cell)
        if not asks(cell) or slide_type(cell) in ("skip", "notes", "fragment"):
            continue
        ends = (n for n in range(place + 1, len(cells)) if slide_type(cells[n]) in ("slide", "subslide"))
        own_slide = cells[place + 1 : next(ends, len(cells))]
        code = next((other for other in _before_heading(cells[place + 1 :]) if other.cell_type == "code"), None)
        if code is None or any(other.cell_type == "code" and slide_type(other) != "skip" for other in own_slide):
            continue
        if not _fits(code):
            continue
        preview = copy.deepcopy(code)
        preview.id += "-preview"
        if slide_type(code) != "skip" or any(_shows_picture(output) for output in code.outputs):
            preview.outputs = []
        preview.metadata.update(preview=True, slideshow={"slide_type": "-"})
        given.append(preview)
    return given


def _fits(code):
    return len([line for line in code.source.splitlines() if line.strip()]) <= MOST_LINES


def _before_heading(cells):
    return itertools.takewhile(lambda cell: not _headings(cell), cells)


def slide_type(cell):
    """The role of a cell in the deck."""
    return cell.metadata.get("slideshow", {}).get("slide_type", "-")


def players_of(notebook, explorers):
    """{cell id: HTML} of the explorers' stand-ins. Raises BuildError, naming the cell, for a grid that cannot be."""
    made = {}
    for cell in notebook.cells:
        if cell.id in explorers:
            try:
                made[cell.id] = player(explorers[cell.id], f"explorer-{cell.id}", cell.metadata.get("explorer_grid"))
            except BuildError as error:
                raise BuildError(f"cell {cell.id}: {error}") from error
    return made


def markdown_body(text):
    """A Markdown file, the glossary say, as HTML."""
    from nbformat.v4 import new_markdown_cell, new_notebook

    return page_body(new_notebook(cells=[new_markdown_cell(text)]))


def escaped(text):
    """Plain text for HTML: no markup, and the backticks of Markdown taken out."""
    return html.escape(text.replace("`", ""))


def _headings(cell):
    return HEADING.findall(cell.source) if cell.cell_type == "markdown" else []


def _put_player(cell, players):
    if cell.id in players:
        cell.outputs = [{"output_type": "display_data", "data": {"text/html": players[cell.id]}, "metadata": {}}]


def _shows_picture(output):
    data = output.get("data", {})
    return "image/png" in data or 'class="explorer"' in data.get("text/html", "")


def _html(notebook):
    exporter = HTMLExporter(
        template_name="course",
        extra_template_basedirs=[str(HERE / "templates")],
        exclude_input_prompt=True,
        exclude_output_prompt=True,
        exclude_anchor_links=True,
    )
    body, _ = exporter.from_notebook_node(notebook)
    for pattern, replacement in LINKS:
        body = re.sub(pattern, replacement, body)
    # A box that scrolls must be reachable with the keyboard.
    return (
        body.replace("<pre", '<pre tabindex="0"')
        .replace("<table", '<div class="table" tabindex="0"><table')
        .replace("</table>", "</table></div>")
    )
