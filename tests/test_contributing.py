"""What CONTRIBUTING.md promises: the template becomes a lesson that runs and passes, and a wrong name is refused."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys

import pytest
from lesson_files import LESSONS, NOTEBOOKS, read

ROOT = NOTEBOOKS.parent
LEFT_OUT = shutil.ignore_patterns("__pycache__", ".ipynb_*", "node_modules")
NEXT = f"{len(LESSONS):02d}_toy"


@pytest.fixture(scope="module")
def tool():
    spec = importlib.util.spec_from_file_location("new_lesson", ROOT / "tools" / "new_lesson.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A copy of what a lesson touches."""
    root = tmp_path_factory.mktemp("checkout")
    for folder in ("notebooks", "publish", "quantutils", "tests", "tools"):
        shutil.copytree(ROOT / folder, root / folder, ignore=LEFT_OUT)
    for file in ("README.md", "README.zh.md", "pyproject.toml", "conftest.py"):
        shutil.copy(ROOT / file, root)
    return root


def python(checkout, *arguments):
    """Run Python in the checkout, its quantutils first; return what it printed, or fail with that."""
    path = os.pathsep.join([str(checkout), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=checkout, env=environment, capture_output=True, text=True, timeout=500
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("name", ["02_toy", "99_toy", "toy", f"{NEXT} 2", NEXT.upper()])
def test_a_name_that_is_taken_or_leaves_a_gap_is_refused_and_nothing_is_written(tool, name, tmp_path):
    with pytest.raises(ValueError, match=rf"name is '{name}'; accepted: \d\d_ and lower-case words, such as {NEXT}"):
        tool.new_lesson(name, "A toy")
    with pytest.raises(SystemExit, match="Give a name and a title"):
        tool.main([name])


def test_the_template_becomes_a_lesson_that_runs_and_passes_the_tests_of_its_form(checkout):
    lesson, solved = f"notebooks/{NEXT}.ipynb", f"notebooks/solutions/{NEXT}.ipynb"
    written = python(checkout, "tools/new_lesson.py", NEXT, "A toy").splitlines()
    assert {lesson, solved, "README.md", "README.zh.md"} < set(written)
    assert "2/2" in python(checkout, "tools/refresh_notebooks.py", lesson, solved)
    text = "".join(cell.source + cell.id for cell in read(checkout / lesson).cells)
    assert "NN" not in text.replace("ONNX Runtime", "")
    assert "ONNX Runtime" in text
    said = python(
        checkout, "-m", "pytest", "-q", "-p", "no:cacheprovider", lesson, solved, "tests/notebooks", "-k", NEXT
    )
    assert int(re.search(r"(\d+) passed", said)[1]) > 40
    for form in ("check", "format"):
        options = ["--check"] if form == "format" else []
        python(
            checkout, "-m", "ruff", form, *options, lesson, solved, f"quantutils/course/exercises/lesson_{NEXT[:2]}.py"
        )


def test_the_template_s_question_stands_on_no_first_page():
    """tools/new_lesson.py puts it there for the author to replace."""
    question = re.search(r"\| ([^|]+\?) \| 25 \|", (ROOT / "tools" / "new_lesson.py").read_text(encoding="utf-8"))[1]
    for page in ("README.md", "README.zh.md"):
        assert question not in (ROOT / page).read_text(encoding="utf-8"), f"{page}: write the lesson's own question"


def test_commands_of_the_page_are_those_that_were_just_run():
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for command in ("tools/new_lesson.py 10_toy", "tools/refresh_notebooks.py notebooks/10_toy.ipynb", '-k "10_toy"'):
        assert command in page


def test_the_map_in_lesson_00_knows_every_lesson():
    cells = "\n".join(cell.source for cell in read(LESSONS[0]).cells)
    for path in LESSONS:
        number, title = re.match(r"# (\d\d) · (.+)", read(path).cells[0].source).groups()
        assert f'("{number}", "{title}", ' in cells
