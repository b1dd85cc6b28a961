"""What `import quantutils` brings, what it offers, and that its files import one way."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import quantutils

PACKAGE = Path(quantutils.__file__).parent
# A file may import only those before it.
ORDER = [
    "arrays",
    "checks",
    "affine",
    "errors",
    "histogram",
    "observers",
    "matmul",
    "packing",
    "formats",
    "kernels",
    "nn",
    "workflow",
    "course",
]
FILES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def chapter(path):
    """The chapter a file belongs to: its own name, or that of its folder."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imported_chapters(path):
    """The chapters of quantutils that a file imports, at its top or inside a function."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if node.level:
                module = ".".join(["quantutils", *path.relative_to(PACKAGE).parts[: -node.level], module]).strip(".")
            names = [f"{module}.{alias.name}" for alias in node.names] if module == "quantutils" else [module]
        found.update(name.split(".")[1] for name in names if name.startswith("quantutils."))
    return found


def test_import_loads_neither_torch_nor_anything_that_draws():
    heavy = ["torch", "matplotlib", "ipywidgets", "IPython", "PIL"]
    code = f"import sys, quantutils; print([name for name in {heavy} if name in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout == "[]\n"


def test_import_loads_no_chapter_that_draws():
    code = "import sys, quantutils; print(*sorted(name for name in sys.modules if name.startswith('quantutils.')))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    light = ORDER[: ORDER.index("packing") + 1]
    assert answer.stdout.split() == sorted(f"quantutils.{name}" for name in light)


@pytest.mark.parametrize("name", quantutils.__all__)
def test_every_public_name_exists_and_says_what_it_is(name):
    assert len(getattr(quantutils, name).__doc__.split()) >= 5


def test_public_names_are_those_the_package_imports():
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    imports = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    assert sorted(alias.name for node in imports for alias in node.names) == sorted(quantutils.__all__)


def test_every_file_has_a_place_in_the_order():
    assert {chapter(path) for path in FILES} <= set(ORDER)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_imports_run_one_way(path):
    own = chapter(path)
    allowed = set(ORDER[: ORDER.index(own)])
    if path.parent != PACKAGE:  # files of one folder may use one another
        allowed.add(own)
    # Importing names of quantutils itself brings the chapters up to packing.
    named = {name for name in imported_chapters(path) if name not in quantutils.__all__}
    assert named <= allowed
    if imported_chapters(path) & set(quantutils.__all__):
        assert ORDER.index(own) > ORDER.index("packing")


def test_every_lesson_has_a_file_that_exists_and_names_it():
    lessons = {path.name[:2]: path for path in sorted((PACKAGE.parent / "notebooks").glob("[0-9][0-9]_*.ipynb"))}
    assert list(quantutils.FILE_OF_LESSON) == list(lessons)
    for number, file in quantutils.FILE_OF_LESSON.items():
        assert (PACKAGE / file).is_file(), file
        assert f"`quantutils/{file}`" in lessons[number].read_text(encoding="utf-8"), number
