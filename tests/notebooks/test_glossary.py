"""Every term that a lesson sets in bold is in the glossary, and every row of the glossary leads to its lesson."""

import re

import pytest
from lesson_files import LESSONS, NOTEBOOKS, prose_cells, read, slide_type

ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in (NOTEBOOKS / "glossary.md").read_text(encoding="utf-8").splitlines()
    if re.match(r"\| .*\.ipynb\) \|$", line)
]
LABELS = {"References", "Hint", "Solution"}  # bold, but no terms


def bold_terms(path):
    """Bold words of the running text, in the singular: not the run-in heads, which end with a stop or a colon."""
    terms = set()
    for cell in prose_cells(read(path))[1:]:
        if slide_type(cell) != "notes":
            terms |= set(re.findall(r"(?<!\*)\*\*([A-Za-z][^*\n]*[^*\n.:])\*\*", cell.source))
    return {term.lower().removesuffix("s") for term in terms - LABELS}


def test_every_row_is_complete_and_no_term_stands_twice():
    assert len(ROWS) > 20
    for row in ROWS:
        term, _, chinese, meaning, lesson = row
        assert term
        assert re.search(r"[\u4e00-\u9fff]", chinese), term
        assert re.fullmatch(r"[A-Z].*\.", meaning), term
        number, file = re.fullmatch(r"\[(\d\d)\]\((.+)\)", lesson).groups()
        assert (NOTEBOOKS / file).exists(), term
        assert file.startswith(number), term
    terms = [row[0] for row in ROWS]
    assert len(set(terms)) == len(terms)


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_bold_terms_are_in_the_glossary(path):
    known = {row[0].lower().removesuffix("s") for row in ROWS}
    assert not bold_terms(path) - known, "bold in the lesson, but not in notebooks/glossary.md"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_the_lesson_named_introduces_the_term(row):
    file = re.search(r"\((.+)\)", row[4])[1]
    text = "\n".join(cell.source for cell in prose_cells(read(NOTEBOOKS / file))).lower()
    assert row[0].lower().removesuffix("s") in text, f"{row[0]!r} is nowhere in the text of {file}"
