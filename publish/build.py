"""The two builds: a folder of decks, and a site with a page a lesson, the glossary, the solutions and the decks."""

import functools
import shutil
from pathlib import Path

from publish import vendor
from publish.lessons import NOTEBOOKS, BuildError, executed, explorers, lessons
from publish.pages import deck_body, escaped, filled, markdown_body, page_body, players_of

STATIC = Path(__file__).parent / "static"
COURSE = "Quantization, measured"
MOST_BYTES = 3_000_000  # of a page or a deck: what a slow line still brings in some seconds


def slides(folder, notebooks=NOTEBOOKS, say=print):
    """Write a deck a lesson, with all they need, and an index of them into `folder`, which is made anew.

    Raises BuildError, with the lesson's or the package's name, for a lesson that was not executed or a package missing.
    """
    folder = _ours(folder)
    given = _made(notebooks, say)
    _empty(folder)
    _put_assets(folder)
    _put_decks(folder, given, root="")
    items = [
        f'<li><h3><a href="{lesson.stem}.html">{lesson.number} · {escaped(lesson.title)}</a></h3>'
        f"<p>{escaped(lesson.question)}</p></li>"
        for lesson, _ in given
    ]
    _put_page(
        folder / "index.html",
        f"{COURSE}: decks",
        f'<h1>{COURSE}: decks</h1>{_HOW_DECKS}<ul class="lessons">{"".join(items)}</ul>',
    )
    return folder


def site(folder, notebooks=NOTEBOOKS, say=print):
    """Write every lesson as a page, an index with the map of the course, glossary, solutions and decks into `folder`.

    Raises BuildError as `slides` does.
    """
    notebooks, folder = Path(notebooks), _ours(folder)
    given = _made(notebooks, say)
    solved = {path.stem: executed(path) for path in sorted((notebooks / "solutions").glob("*.ipynb"))}
    _empty(folder)
    _put_assets(folder)
    (folder / "slides").mkdir()
    _put_decks(folder / "slides", given, root="../")
    for place, (lesson, players) in enumerate(given):
        neighbours = [given[place + step][0] for step in (-1, 1) if 0 <= place + step < len(given)]
        links = [
            f'<a href="{other.stem}.html">{"←" if other.number < lesson.number else "→"}'
            f" {other.number} · {escaped(other.title)}</a>"
            for other in neighbours
        ]
        more = f'<a href="slides/{lesson.stem}.html">Deck of this lesson</a>'
        if lesson.stem in solved:
            more += f'<a href="solutions/{lesson.stem}.html">Solved exercises</a>'
        body = page_body(lesson.notebook, players)
        _put_page(folder / f"{lesson.stem}.html", f"{lesson.number} · {lesson.title}", body, more, "".join(links))
    (folder / "solutions").mkdir()
    for stem, notebook in solved.items():
        back = f'<a href="../{stem}.html">Back to the lesson</a>'
        _put_page(folder / "solutions" / f"{stem}.html", f"{stem}: solutions", page_body(notebook), back, root="../")
    glossary = markdown_body((notebooks / "glossary.md").read_text(encoding="utf-8"))
    _put_page(folder / "glossary.html", "Glossary", glossary)
    _put_page(folder / "index.html", COURSE, _map([lesson for lesson, _ in given]))
    return folder


_HOW_DECKS = (
    "<p>Plain files: no network, no kernel. Arrow keys or space move on, <kbd>S</kbd> opens the speaker view with"
    " notes, <kbd>F</kbd> fills the screen, <kbd>O</kbd> shows all slides. Explorers answer to mouse and keyboard.</p>"
)


def _made(notebooks, say):
    """[(Lesson, {cell id: HTML of an explorer})], all checked before anything is written."""
    given = []
    vendor.install()
    for lesson in lessons(notebooks):
        say(f"{lesson.stem}: drawing explorers ...", flush=True)
        try:
            given.append((lesson, players_of(lesson.notebook, explorers(lesson.notebook, notebooks))))
        except BuildError as error:
            raise BuildError(f"{lesson.stem}: {error}") from error
    return given


def _put_decks(folder, given, root):
    for lesson, players in given:
        try:
            body = deck_body(lesson.notebook, players)
        except BuildError as error:
            raise BuildError(f"{lesson.stem}: {error}") from error
        title = escaped(f"{lesson.number} · {lesson.title}")
        _put(folder / f"{lesson.stem}.html", filled("deck.html", title=title, body=body, root=root, mathjax=_mathjax()))


def _put_page(path, title, body, more="", neighbours="", root=""):
    links = f'<a href="{root}index.html">{COURSE}</a>'
    if path.parent.joinpath(root, "slides").exists():  # a site; a folder of decks has neither
        links += f'<a href="{root}glossary.html">Glossary</a>'
    text = filled(
        "page.html",
        title=escaped(title),
        body=body,
        root=root,
        mathjax=_mathjax(),
        links=links + more,
        neighbours=neighbours,
    )
    _put(path, text)


def _put(path, text):
    data = text.encode("utf-8")
    if len(data) > MOST_BYTES:
        raise BuildError(
            f"{path.name} has {len(data):,} bytes; accepted: {MOST_BYTES:,}. Give its explorer a smaller grid: the"
            ' key "explorer_grid" in the metadata of the lesson\'s cell.'
        )
    path.write_bytes(data)


def _map(course):
    """The index: every lesson with its question, how long it takes and what it needs."""
    items = [
        f'<li><h3><a href="{lesson.stem}.html">{lesson.number} · {escaped(lesson.title)}</a></h3>'
        f"<p>{escaped(lesson.question)}</p>"
        f'<p class="about">{lesson.minutes} minutes. Needs: {escaped(lesson.needs)}.</p>'
        f'<p><a href="slides/{lesson.stem}.html" aria-label="Deck of lesson {lesson.number}">Deck</a></p></li>'
        for lesson in course
    ]
    return (
        f"<h1>{COURSE}</h1><p>A course on neural-network quantization in which every claim is an experiment. These"
        " pages hold the lessons with their results and explorers and work without a kernel and without a network;"
        " to run and change the code, open the notebooks in JupyterLab as the course's README says.</p>"
        f'<h2>Map of the course</h2><ul class="lessons">{"".join(items)}</ul>'
        '<p>Every term in English and Chinese: the <a href="glossary.html">glossary</a>.</p>'
    )


def _put_assets(folder):
    vendor.copy_to(folder / "vendor")
    (folder / "assets").mkdir()
    for name in ("course.css", "page.css", "deck.css", "player.js", "deck.js"):
        shutil.copyfile(STATIC / name, folder / "assets" / name)


def _ours(folder):
    """The folder's path. Raises BuildError if it holds other things than an earlier build: they would be lost."""
    folder = Path(folder)
    if folder.exists() and any(folder.iterdir()) and not (folder / "assets" / "course.css").exists():
        raise BuildError(f"{folder} holds other things than an earlier build: name an empty or a new folder.")
    return folder


def _empty(folder):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


@functools.cache
def _mathjax():
    return (STATIC / "mathjax.js").read_text(encoding="utf-8")
