"""Anchors of a page: an id for each heading and each term, so that contents, search and links lead to the place."""

import html
import re
from dataclasses import dataclass

HEADING = re.compile(r"<h([1-3])>(.*?)</h\1>", re.DOTALL)
TERM = re.compile(r"<tr>\s*<td>(.*?)</td>", re.DOTALL)
NOT_TEXT = re.compile(r"<(script|style|pre|button|output|legend|label)\b.*?</\1>|<[^>]+>", re.DOTALL)


@dataclass(frozen=True)
class Section:
    """One heading of a page with the words below it, up to the next heading."""

    level: int
    anchor: str
    title: str
    text: str


def with_anchors(body):
    """(the HTML with an id at each heading, its Sections in order). An id that comes again gets a number."""
    taken, found, pieces, end = {}, [], [], 0
    for heading in HEADING.finditer(body):
        title = plain(heading[2])
        anchor = _slug(title)
        taken[anchor] = taken.get(anchor, 0) + 1
        if taken[anchor] > 1:
            anchor += f"-{taken[anchor]}"
        pieces += [body[end : heading.start()], f'<h{heading[1]} id="{anchor}">{heading[2]}</h{heading[1]}>']
        end = heading.end()
        found.append((int(heading[1]), anchor, title, heading.end(), heading.start()))
    ends = [start for *_, start in found[1:]] + [len(body)]
    sections = [
        Section(level, anchor, title, plain(body[begin:stop]))
        for (level, anchor, title, begin, _), stop in zip(found, ends, strict=True)
    ]
    return "".join([*pieces, body[end:]]), sections


def with_terms(body):
    """(the HTML of the glossary with an id at each row, the rows as Sections)."""
    sections = []

    def row(match):
        title = plain(match[1])
        anchor = f"term-{_slug(title)}"
        *cells, _ = body[match.end() : body.index("</tr>", match.end())].split("</td>")[:-1]  # the last: its lesson
        sections.append(Section(0, anchor, title, " · ".join(filter(None, map(plain, cells)))))
        return match[0].replace("<tr>", f'<tr id="{anchor}">', 1)

    return TERM.sub(row, body), sections


def plain(markup):
    """The words of HTML: no tags, no code blocks, no explorers' data, single spaces."""
    return " ".join(html.unescape(NOT_TEXT.sub(" ", markup)).split())


def _slug(title):
    return re.sub(r"[^\w]+", "-", title.lower()).strip("-") or "section"
