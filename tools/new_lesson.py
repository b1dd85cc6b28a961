"""Begin a lesson: `python tools/new_lesson.py 10_toy "A toy"` makes its files from tools/template; then edit those.

It writes the lesson, its solved notebook and the judges of its exercises, and links the lesson before it and both
READMEs to it. The lesson runs and passes the tests as it is, so that whatever fails later is something you changed.
"""

import re
import sys
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

ROOT = Path(__file__).resolve().parent.parent
TEMPLATE = ROOT / "tools" / "template"


def solved(lesson, number, name, title):
    """The solved notebook of a lesson: each prompt, the answer that its Solution shows, the check, and why."""
    slides = iter(range(1, 1000))

    def cell(make, source, role):
        return make(source, id=f"s{number}-{next(slides):02d}", metadata={"slideshow": {"slide_type": role}})

    cells = [
        cell(
            new_markdown_cell,
            f"# {number} · {title}: solutions\n\nWorked answers to the exercises of [the lesson](../{name}.ipynb). "
            "Try them there first: the check tells you what is wrong.",
            "slide",
        ),
        cell(new_code_cell, "from quantutils.course.exercises import check", "skip"),
    ]
    pattern = r"(.*?)\n\n<details>.*<summary>Solution</summary>\s*```python\n(.*?)\n```\n\n(.*?)\n\n</details>"
    for place, prompt in enumerate(lesson.cells):
        found = re.fullmatch(pattern, prompt.source, re.DOTALL)
        if found and prompt.source.startswith(f"**{number}."):
            question, answer, why = found.groups()
            cells.append(cell(new_markdown_cell, question, "subslide"))
            cells.append(cell(new_code_cell, answer, "-"))
            cells.append(cell(new_code_cell, lesson.cells[place + 2].source, "-"))
            cells.append(cell(new_markdown_cell, why, "-"))
    return new_notebook(cells=cells, metadata=lesson.metadata)


def new_lesson(name, title, root=ROOT):
    """Write the files of lesson `name`, such as "10_toy", below `root`; return the paths written or changed.

    Raises ValueError where the name has another form, is taken, or leaves a gap after the last lesson.
    """
    notebooks = root / "notebooks"
    lessons = sorted(notebooks.glob("[0-9][0-9]_*.ipynb"))
    expected = f"{len(lessons):02d}"
    if not re.fullmatch(rf"{expected}_[a-z0-9_]+", name):
        raise ValueError(f"name is {name!r}; accepted: {expected}_ and lower-case words, such as {expected}_toy")
    last, number = lessons[-1], name[:2]
    last_lesson = nbformat.read(last, as_version=4)
    last_title = re.match(r"# (.+)", last_lesson.cells[0].source)[1]

    def filled(path):
        text = path.read_text(encoding="utf-8").replace("PREVIOUS", f"[{last_title}]({last.name})")
        # Not within a word: the template names ONNX Runtime.
        return re.sub(r"(?<![A-Z])NN(?![A-Z])", number, text).replace("TITLE", title)

    lesson = nbformat.reads(filled(TEMPLATE / "NN_title.ipynb"), as_version=4)
    files = {
        notebooks / f"{name}.ipynb": nbformat.writes(lesson) + "\n",
        notebooks / "solutions" / f"{name}.ipynb": nbformat.writes(solved(lesson, number, name, title)) + "\n",
        root / "quantutils" / "course" / "exercises" / f"lesson_{number}.py": filled(TEMPLATE / "lesson_NN.py"),
    }
    last_lesson.cells[0].source += f" · next: [{number} · {title}]({name}.ipynb) →"
    files[last] = nbformat.writes(last_lesson) + "\n"
    for readme in ("README.md", "README.zh.md"):
        lines = (root / readme).read_text(encoding="utf-8").splitlines(keepends=True)
        place = max(i for i, line in enumerate(lines) if f"](notebooks/{last.name})" in line)
        lines.insert(
            place + 1, f"| [{number} · {title}](notebooks/{name}.ipynb) | How far apart are two codes? | 25 |\n"
        )
        files[root / readme] = "".join(lines)
    for path, text in files.items():
        path.write_text(text, encoding="utf-8")
    return list(files)


def main(arguments):
    """Make the files and say what comes next."""
    if len(arguments) != 2:
        sys.exit('Give a name and a title, as in: tools/new_lesson.py 10_toy "A toy"')
    try:
        written = new_lesson(*arguments)
    except ValueError as error:
        sys.exit(f"{error}.")
    for path in written:
        print(path.relative_to(ROOT))
    print("CONTRIBUTING.md says what comes next: run the notebooks, and give the exercises their tests.")


if __name__ == "__main__":
    main(sys.argv[1:])
