"""What stands around a page's text: header, the course with the place in it, the page's contents, the way on."""

import functools
from pathlib import Path
from string import Template

from publish.course import neighbours, parts
from publish.pages import escaped

STATIC = Path(__file__).parent / "static"
COURSE = "Quantization, measured"


def filled(shell, **given):
    """A file of publish/static with its $names filled in."""
    return Template(_static(shell)).substitute(given)


def deck(title, body, root):
    """The whole HTML of a deck."""
    return filled("deck.html", title=escaped(title), body=body, root=root, mathjax=_static("mathjax.js"))


def page(title, body, *, root="", kind="text", stem="", bar="", way_on="", site=True, answers=False):
    """The whole HTML of a page. kind: its class in page.css. stem: the lesson that it is, for marks of what was read.

    site: whether there are a search, a glossary and a course around; a folder of decks has none. answers: whether the
    page covers answers, so that the header needs the switch that shows them.
    """
    tools = (_static("search_button.html") + f'<a class="tool words" href="{root}glossary.html">Glossary</a>') * site
    tools += _static("answers_button.html") * answers + _static("theme_button.html")
    return filled(
        "page.html",
        title=escaped(title if title == COURSE else f"{title} · {COURSE}"),
        course=COURSE,
        body=body,
        root=root,
        kind=kind,
        stem=stem,
        head=_static("head.js"),
        mathjax=_static("mathjax.js"),
        tools=tools,
        bar=bar,
        way_on=way_on,
        search=filled("search.html") if site else "",
        scripts="".join(
            f'<script defer src="{root}assets/{name}"></script>\n'
            for name in ("kept.js", "player.js", "page.js", *(("search.js",) * site), *(("answers.js",) * answers))
        ),
    )


def course_bar(lessons, current=None, sections=(), root=""):
    """The list of all lessons, the current one marked and its sections below it; on a phone it is folded away.

    sections: of a page that is no lesson, too: they then stand before the lessons.
    """
    contents = _contents(sections)
    blocks = "" if current else contents
    marked = {current.stem: (' aria-current="page"', contents)} if current else {}
    for part, its_own in parts(lessons):
        items = ""
        for lesson in its_own:
            mark, below = marked.get(lesson.stem, ("", ""))
            items += (
                f'<li data-lesson="{lesson.stem}"><a href="{root}{lesson.stem}.html"{mark}>'
                f'<span class="number">{lesson.number}</span> {escaped(lesson.title)}</a>{below}</li>'
            )
        blocks += f'<p class="part">{escaped(part.name)}</p><ol class="course-list">{items}</ol>'
    blocks += f'<p class="more"><a href="{root}glossary.html">Glossary</a></p>'
    where = f"Lesson {current.number}: contents" if current else "Contents"
    return (
        f'<details class="bar" open><summary>{where}</summary><nav aria-label="Course">{blocks}</nav></details>'
        # At once, before it is painted: on a phone an open list would push the page out of sight.
        "<script>if (innerWidth < 1080) document.querySelector('.bar').open = false</script>"
    )


def about_line(lessons, lesson, solved):
    """What stands above a lesson's title: its place in the course, and the same lesson as a deck and with solutions."""
    part = next(part for part, its_own in parts(lessons) if lesson in its_own)
    links = f'<a href="slides/{lesson.stem}.html">Deck</a>'
    if solved:
        links += f'<a href="solutions/{lesson.stem}.html">Solved exercises</a>'
    return (
        f'<p class="about-line"><span>{escaped(part.name)}</span>'
        f"<span>Lesson {lessons.index(lesson) + 1} of {len(lessons)}</span>"
        f'{links}<span class="mark" data-mark="{lesson.stem}"></span></p>'
    )


def way_on(lessons, lesson):
    """The end of a lesson: a card with the next one and its question, one with the previous, and the mark of read."""
    before, after = neighbours(lessons, lesson)
    cards = _way_card(before, "Previous", "prev") if before else ""
    cards += (
        _way_card(after, "Next lesson", "next")
        if after
        else '<a class="way next" href="index.html"><span class="which">That was the last lesson</span>'
        "<strong>Back to the map of the course</strong></a>"
    )
    return (
        f'<nav class="ways" aria-label="Neighbours">{cards}</nav>'
        '<p class="read-line needs-script"><span role="status"></span>'
        '<button type="button" class="plain" data-read></button></p>'
    )


def _way_card(lesson, which, rel):
    return (
        f'<a class="way {rel}" rel="{rel}" href="{lesson.stem}.html"><span class="which">{which}</span>'
        f"<strong>{lesson.number} · {escaped(lesson.title)}</strong><span>{escaped(lesson.question)}</span></a>"
    )


def _contents(sections):
    items = "".join(
        f'<li><a href="#{section.anchor}">{escaped(section.title)}</a></li>'
        for section in sections
        if section.level == 2
    )
    return f'<ol class="contents">{items}</ol>' if items else ""


@functools.cache
def _static(name):
    return (STATIC / name).read_text(encoding="utf-8")
