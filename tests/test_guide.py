"""The guide for teachers shows settings that explorers have, quotes printed numbers, and computes its answers."""

import ast
import json
import math
import re

import pytest
from lesson_files import LESSONS, NOTEBOOKS, code_cells, output_text, prose_cells, read

CLASSROOM = NOTEBOOKS.parent / "classroom"
GUIDE = (CLASSROOM / "guide.md").read_text(encoding="utf-8")
PARTS = dict(re.findall(r"^## Lesson (\d\d) · [^\n]+\n(.*?)(?=^## |\Z)", GUIDE, re.MULTILINE | re.DOTALL))
SHOWN = re.findall(r"`(\d\d): ([^`]+)`", GUIDE)
ANSWERS = [pair for text in PARTS.values() for pair in re.findall(r"`([^`]+)` = ([\d.]+\d|\d)", text)]
every_lesson = pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)


def controls(number):
    """{setting: the call that makes its control, as syntax} of a lesson's explorer, and that cell's source."""
    (path,) = NOTEBOOKS.glob(f"{number}_*.ipynb")
    for cell in code_cells(read(path)):
        tree = ast.parse(cell.source)
        assigned = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Tuple):
                pairs = zip(node.targets[0].elts, getattr(node.value, "elts", []), strict=False)
                assigned |= {ast.unparse(target): value for target, value in pairs}
            elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                assigned[node.targets[0].id] = node.value
        for node in ast.walk(tree):
            name = getattr(getattr(node, "func", None), "id", getattr(getattr(node, "func", None), "attr", None))
            if isinstance(node, ast.Call) and name == "explore":
                return {
                    key.arg: assigned[key.value.id] if isinstance(key.value, ast.Name) else key.value
                    for key in node.keywords
                }
    raise AssertionError(f"lesson {number} has no explorer")


def accepts(control, value, words):
    """Whether a control, as syntax, has `value` among its positions; `words`: the code that names its options."""
    kind = getattr(control.func, "id", getattr(control.func, "attr", None))
    if kind == "Slider":
        low, high, _ = (ast.literal_eval(argument) for argument in control.args[1:4])
        given = [key.value for key in control.keywords if key.arg == "step"] or control.args[4:5]
        step = ast.literal_eval(given[0]) if given else 1
        steps = (value - low) / step
        return low <= value <= high and math.isclose(steps, round(steps), abs_tol=1e-6)
    if kind == "Steps":
        return value in ast.literal_eval(control.args[1])
    return kind == "Choice" and f'"{value}"' in words


@pytest.mark.parametrize(("number", "settings"), SHOWN, ids=[f"{n} {s}" for n, s in SHOWN])
def test_settings_to_show_exist_in_the_lessons_explorer(number, settings):
    from quantutils.course import zoo

    (path,) = NOTEBOOKS.glob(f"{number}_*.ipynb")
    words = "\n".join(cell.source for cell in code_cells(read(path)))
    words += "".join(f'"{kind}"' for kind in zoo.MLP_KINDS) if "zoo.MLP_KINDS" in words else ""
    have = controls(number)
    for key in ast.parse(f"f({settings})").body[0].value.keywords:
        assert key.arg in have, f"lesson {number} has {sorted(have)}"
        assert accepts(have[key.arg], ast.literal_eval(key.value), words), ast.unparse(key)


@every_lesson
def test_every_lesson_has_its_part_with_its_minutes(path):
    assert path.stem[:2] in PARTS, f"classroom/guide.md has no part for {path.stem}"
    text, title = PARTS[path.stem[:2]], read(path).cells[0].source
    for head in ("**Aim.**", "**Minutes.**", "**Students get wrong**", "**Show**", "**Exam.**", "**Answer.**"):
        assert text.count(head) == 1, head
    assert re.search(r"\*\*Minutes.\*\* (\d+)", text)[1] == re.search(r"(\d+) minutes", title)[1]
    assert f"## Lesson {title.splitlines()[0][2:]}\n" in GUIDE


def plain(text):
    """Without thousands separators."""
    return re.sub(r"(?<=\d),(?=\d{3})", "", text)


@every_lesson
def test_numbers_quoted_are_printed_or_set_by_the_lesson(path):
    """Decimals, and whole numbers of two digits and more; exam questions give their own, and their answers compute."""
    notebook = read(path)
    words = "\n".join(output_text(cell) + "\n" + cell.source for cell in code_cells(notebook))
    words += "\n".join(cell.source for cell in prose_cells(notebook))  # prose is held to outputs by test_structure
    known = set(re.findall(r"\d+(?:\.\d+)?", plain(words)))
    quoted = re.sub(r"`[^`]*`", "", PARTS[path.stem[:2]].split("**Exam.**")[0])
    for number in re.findall(r"\d+\.\d+|\d{2,}", plain(quoted)):
        assert number in known, number


@pytest.mark.parametrize(("expression", "value"), ANSWERS)
def test_answers_of_the_exam_are_computed(expression, value):
    digits = len(value.partition(".")[2])
    exact = eval(expression, vars(math) | {"round": round})
    assert round(exact, digits) == float(value)


def test_the_exam_has_an_answer_to_compute_in_every_lesson():
    assert len(ANSWERS) >= len(LESSONS)
    assert len(SHOWN) >= 2 * len(LESSONS)


@pytest.mark.parametrize("path", sorted(CLASSROOM.glob("*.md")), ids=lambda path: path.name)
def test_links_of_the_classroom_lead_somewhere(path):
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", path.read_text(encoding="utf-8")):
        if not target.startswith("http"):
            assert (path.parent / target).exists(), target


def test_memory_that_the_classroom_pages_name_is_what_was_measured():
    rows = json.loads((NOTEBOOKS.parent / "benchmarks" / "results" / "lessons.json").read_text(encoding="utf-8"))[
        "rows"
    ]
    peaks = {row["what"][:2]: row["ours"] for row in rows if "memory" in row["what"]}
    (line,) = (line for line in GUIDE.splitlines() if "the kernel's memory at its highest" in line)
    named = re.findall(r"(\d+)(?: MiB)? for (?:lesson )?(\d\d)", line)
    assert len(named) == 4
    assert all(int(number) == round(peaks[lesson]) for number, lesson in named)
    server = (CLASSROOM / "server.md").read_text(encoding="utf-8")
    measured = re.search(r"is measured: (.*?), so that", server)[1]
    named = re.findall(r"([\d.]+) (?:GB )?for (?:lesson )?(\d\d)", measured)
    assert [lesson for _, lesson in named] == ["03", "06", "09"]
    for number, lesson in named:
        assert float(number) == round(peaks[lesson] * 2**20 / 1e9, len(number.partition(".")[2])), lesson
