"""The two builds: a folder of decks, and a site with a page a lesson, the glossary, the solutions and the decks."""

import shutil
from pathlib import Path

from publish import frame, search, vendor
from publish.anchors import with_anchors, with_terms
from publish.frame import COURSE, STATIC
from publish.front import front
from publish.lessons import NOTEBOOKS, BuildError, executed, explorers, lessons
from publish.pages import deck_body, escaped, markdown_body, page_body, players_of
from publish.pictures import picture

MOST_BYTES = 3_000_000  # of a page or a deck: what a slow line still brings in some seconds
ASSETS = ("course.css", "page.css", "deck.css", "kept.js", "player.js", "page.js", "search.js", "answers.js", "deck.js")


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
        f'<li class="card"><h2><a href="{lesson.stem}.html">{lesson.number} · {escaped(lesson.title)}</a></h2>'
        f"<p>{escaped(lesson.question)}</p></li>"
        for lesson, _ in given
    ]
    body = f'<h1>{COURSE}: decks</h1>{_HOW_DECKS}<ul class="cards">{"".join(items)}</ul>'
    _put(folder / "index.html", frame.page("Decks", body, kind="front", site=False))
    return folder


def site(folder, notebooks=NOTEBOOKS, say=print):
    """Write the first page, every lesson, glossary, solutions, decks and the search's texts into `folder`.

    Raises BuildError as `slides` does.
    """
    notebooks, folder = Path(notebooks), _ours(folder)
    given = _made(notebooks, say)
    solved = {path.stem: executed(path) for path in sorted((notebooks / "solutions").glob("*.ipynb"))}
    _empty(folder)
    _put_assets(folder)
    (folder / "slides").mkdir()
    _put_decks(folder / "slides", given, root="../")
    course = [lesson for lesson, _ in given]
    texts = _put_lessons(folder, given, solved)
    _put_solutions(folder / "solutions", course, solved)
    texts += _put_glossary(folder, course, (notebooks / "glossary.md").read_text(encoding="utf-8"))
    (folder / "assets" / "search-texts.js").write_text(search.script(texts), encoding="utf-8")
    _put_front(folder, given)
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
        _put(folder / f"{lesson.stem}.html", frame.deck(f"{lesson.number} · {lesson.title}", body, root))


def _put_lessons(folder, given, solved):
    """Write the lessons' pages; what search knows of them."""
    course, texts = [lesson for lesson, _ in given], []
    for lesson, players in given:
        name = f"{lesson.number} · {lesson.title}"
        body, sections = with_anchors(page_body(lesson.notebook, players, covers=True))
        html = frame.page(
            name,
            frame.about_line(course, lesson, lesson.stem in solved) + body,
            kind="lesson",
            stem=lesson.stem,
            bar=frame.course_bar(course, lesson, sections),
            way_on=frame.way_on(course, lesson),
            answers="data-answer=" in body,
        )
        _put(folder / f"{lesson.stem}.html", html)
        texts += search.entries(f"{lesson.stem}.html", name, sections)
    return texts


def _put_solutions(folder, course, solved):
    folder.mkdir()
    for lesson in course:
        if lesson.stem not in solved:
            continue
        body, _ = with_anchors(page_body(solved[lesson.stem]))
        back = f'<p class="about-line"><a href="../{lesson.stem}.html">Back to the lesson</a></p>'
        html = frame.page(
            f"{lesson.number} · Solved exercises",
            back + body,
            root="../",
            kind="lesson",
            bar=frame.course_bar(course, lesson, root="../"),
        )
        _put(folder / f"{lesson.stem}.html", html)


def _put_glossary(folder, course, markdown):
    """Write the glossary; what search knows of it, an entry a term."""
    body, terms = with_terms(markdown_body(markdown))
    body, _ = with_anchors(body)
    _put(folder / "glossary.html", frame.page("Glossary", body, kind="lesson", bar=frame.course_bar(course)))
    return search.entries("glossary.html", "Glossary", terms)


def _put_front(folder, given):
    """Write the first page with its pictures, and with the explorer of the first lesson that has one."""
    (folder / "pictures").mkdir()
    pictures = {}
    for lesson, _ in given:
        if drawn := picture(lesson.notebook):
            webp, *rest = drawn
            address = f"pictures/{lesson.number}.webp"
            (folder / address).write_bytes(webp)
            pictures[lesson.stem] = (address, *rest)
    explorer = next((html for _, players in given for html in players.values()), "")
    body = front([lesson for lesson, _ in given], pictures, explorer)
    _put(folder / "index.html", frame.page(COURSE, body, kind="front"))


def _put(path, text):
    data = text.encode("utf-8")
    if len(data) > MOST_BYTES:
        raise BuildError(
            f"{path.name} has {len(data):,} bytes; accepted: {MOST_BYTES:,}. Give its explorer a smaller grid: the"
            ' key "explorer_grid" in the metadata of the lesson\'s cell.'
        )
    path.write_bytes(data)


def _put_assets(folder):
    vendor.copy_to(folder / "vendor")
    (folder / "assets").mkdir()
    for name in ASSETS:
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
