"""The first page: what one can do afterwards, an explorer that moves at once, the course as a path, two commands."""

from publish.course import parts
from publish.frame import COURSE, filled
from publish.pages import escaped


def front(lessons, pictures, explorer):
    """The text of the first page. pictures: {stem: (address, width, height, what it shows)}. explorer: HTML or ""."""
    return filled(
        "front.html",
        course=COURSE,
        first=f"{lessons[0].stem}.html",
        first_number=lessons[0].number,
        lessons=len(lessons),
        hours=round(sum(int(lesson.minutes) for lesson in lessons) / 60),
        explorer=explorer,
        path="".join(_part(part, its_own, pictures) for part, its_own in parts(lessons)),
    )


def _part(part, lessons, pictures):
    minutes = sum(int(lesson.minutes) for lesson in lessons)
    cards = "".join(_card(lesson, pictures.get(lesson.stem)) for lesson in lessons)
    return (
        f'<section class="path"><h3>{escaped(part.name)}</h3>'
        f'<p>{escaped(part.about)} <span class="soft">{len(lessons)} lessons, {minutes} minutes.</span></p>'
        f'<ol class="cards">{cards}</ol></section>'
    )


def _card(lesson, picture):
    shown = ""
    if picture:
        address, width, height, words = picture
        shown = f'<img src="{address}" width="{width}" height="{height}" alt="{escaped(words)}">'
    return (
        f'<li class="card" data-lesson="{lesson.stem}">{shown}'
        f'<h4><a href="{lesson.stem}.html"><span class="number">{lesson.number}</span> {escaped(lesson.title)}</a></h4>'
        f"<p>{escaped(lesson.question)}</p>"
        f'<p class="foot"><span>{lesson.minutes} min</span><span class="mark" data-mark="{lesson.stem}"></span>'
        f'<a class="deck" href="slides/{lesson.stem}.html" aria-label="Deck of lesson {lesson.number}">Deck</a>'
        "</p></li>"
    )
