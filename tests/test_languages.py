"""The two first pages list the same lessons, minutes and commands and link to one another; the glossary is in order."""

import importlib.util
import re
from pathlib import Path

import pytest
from lesson_files import LESSONS, NOTEBOOKS, prose_cells, read

ROOT = NOTEBOOKS.parent
PAGES = {name: (ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "README.zh.md")}
ROW = re.compile(r"^\| \[(\d\d) · ([^\]]+)\]\((notebooks/\S+\.ipynb)\) \| (.+) \| (\d+) \|$", re.MULTILINE)


def commands(page):
    """The commands of the first code block, without what is said of them."""
    block = re.search(r"```\n(.*?)```", page, re.DOTALL)[1]
    return [line.split("#")[0].strip() for line in block.splitlines()]


def test_both_pages_list_the_same_lessons_with_the_minutes_that_the_lessons_give():
    given = [
        (path.stem[:2], f"notebooks/{path.name}", re.search(r"(\d+) minutes", read(path).cells[0].source)[1])
        for path in LESSONS
    ]
    for page in PAGES.values():
        assert [(number, path, minutes) for number, _, path, _, minutes in ROW.findall(page)] == given


def test_both_pages_give_the_same_two_commands():
    assert commands(PAGES["README.md"]) == commands(PAGES["README.zh.md"]) == ["make lab", "make test"]


def test_titles_and_questions_of_the_chinese_page_are_chinese():
    for _, title, _, question, _ in ROW.findall(PAGES["README.zh.md"]):
        assert re.search(r"[\u4e00-\u9fff]", title)
        assert re.search(r"[\u4e00-\u9fff].*？$", question)


def test_the_pages_link_to_one_another_near_the_top():
    assert "](README.zh.md)" in "".join(PAGES["README.md"].splitlines(keepends=True)[:4])
    assert "](README.md)" in "".join(PAGES["README.zh.md"].splitlines(keepends=True)[:4])


@pytest.mark.parametrize("name", [*PAGES, "CONTRIBUTING.md"])
def test_links_of_a_page_lead_somewhere(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
        if not target.startswith("http"):
            assert (ROOT / target).exists(), target


def test_licences_are_there_and_named_alike():
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert 'license = "BSD-3-Clause AND CC-BY-4.0 AND PSF-2.0"' in project
    for path in re.search(r"license-files = \[(.*)\]", project)[1].replace('"', "").split(", "):
        assert (ROOT / path).exists(), path
    assert (ROOT / "LICENSE").read_text(encoding="utf-8").startswith("BSD 3-Clause License")
    assert "Attribution 4.0 International" in Path(ROOT / "LICENSE-TEXT").read_text(encoding="utf-8")


def glossary():
    """The text of the glossary, and [(term, number of its lesson)] of its table."""
    text = (NOTEBOOKS / "glossary.md").read_text(encoding="utf-8")
    return text, re.findall(r"^\| ([^|]+?) \|.*\| \[(\d\d)\]\([^)]+\) \|$", text, re.MULTILINE)


def test_the_glossary_is_in_the_order_of_the_lessons_and_has_terms_of_each():
    numbers = [number for _, number in glossary()[1]]
    assert numbers == sorted(numbers)
    assert sorted(set(numbers)) == [path.stem[:2] for path in LESSONS]


def test_the_index_by_letter_has_every_term_once_and_in_order():
    spec = importlib.util.spec_from_file_location("glossary_index", ROOT / "tools" / "glossary_index.py")
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    text, rows = glossary()
    assert tool.with_index(text) == text, "run tools/glossary_index.py"
    index = text.split(tool.HEADING)[1]
    listed = re.findall(r"(?:\*\* | · )([^·]+?), [^·]+? \[(\d\d)\]\(", index)
    assert sorted(listed) == sorted(rows)
    terms = [term.lower() for term, _ in listed]
    assert terms == sorted(terms)


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_one_letter_symbols_of_a_notation_table_stand_in_the_glossary(path):
    """Not the names that an example gives to its own matrices and sizes; a hat or an index marks another symbol."""
    columns = [line.split("|")[2] for line in glossary()[0].splitlines() if line.startswith("| ")]
    known = set(re.findall(r"\$([^$]+)\$", "".join(columns))) | {"A", "B", "K", "U", "X"}
    (table,) = (cell.source for cell in prose_cells(read(path)) if cell.source.startswith("## Notation"))
    assert set(re.findall(r"^\| \$([A-Za-z])\$ \|", table, re.MULTILINE)) <= known
