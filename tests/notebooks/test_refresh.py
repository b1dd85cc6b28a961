"""Refreshing a notebook takes out only what is noise, changes no byte when run again, and names a failure."""

import importlib.util
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

TOOL = Path(__file__).resolve().parents[2] / "tools" / "refresh_notebooks.py"
VIEW = "application/vnd.jupyter.widget-view+json"
TIMING = {"tags": ["nbval-ignore-output"]}


@pytest.fixture(scope="module")
def tool():
    spec = importlib.util.spec_from_file_location("refresh_notebooks", TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def printed(text):
    return [new_output("stream", name="stdout", text=text)]


def cell(source, cell_id, outputs=(), **metadata):
    return new_code_cell(source, id=cell_id, outputs=list(outputs), metadata=metadata)


def write(path, *cells):
    nbformat.write(new_notebook(cells=list(cells)), path)
    return path


# normalise


def test_versions_and_tools_traces_are_left_out_and_only_they(tool):
    notebook = new_notebook(
        metadata={
            "kernelspec": {"name": "other", "display_name": "Other"},
            "language_info": {"name": "python", "version": "3.11.9"},
            "widgets": {"state": {}},
        },
        cells=[
            cell(
                "1", "a", tags=["x"], slideshow={"slide_type": "skip"}, execution={"iopub.status": "now"}, trusted=True
            ),
            new_markdown_cell("words", id="b", metadata={"slideshow": {"slide_type": "slide"}, "collapsed": True}),
        ],
    )
    tool.normalise(notebook, {})
    assert notebook.metadata == {
        "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    assert notebook.cells[0].metadata == {"tags": ["x"], "slideshow": {"slide_type": "skip"}}
    assert notebook.cells[1].metadata == {"slideshow": {"slide_type": "slide"}}
    assert [one.source for one in notebook.cells] == ["1", "words"]
    assert [one.id for one in notebook.cells] == ["a", "b"]


def test_code_cells_are_counted_from_one_and_their_results_with_them(tool):
    result = new_output("execute_result", data={"text/plain": "7"}, execution_count=40)
    notebook = new_notebook(
        cells=[cell("x = 7", "a"), new_markdown_cell("words", id="b"), cell("x", "c", [result], tags=[])]
    )
    notebook.cells[0].execution_count = 39
    tool.normalise(notebook, {})
    assert [one.get("execution_count") for one in notebook.cells] == [1, None, 2]
    assert notebook.cells[2].outputs[0].execution_count == 2
    nbformat.validate(notebook)


def test_widget_views_are_taken_out_and_their_words_and_pictures_kept(tool):
    data = {VIEW: {"model_id": "8f2"}, "text/plain": "Explorer", "image/png": "aaaa"}
    notebook = new_notebook(cells=[cell("e", "a", [new_output("display_data", data=data)])])
    tool.normalise(notebook, {})
    assert notebook.cells[0].outputs[0].data == {"text/plain": "Explorer", "image/png": "aaaa"}


def test_a_timing_keeps_its_stored_output_until_its_source_changes(tool):
    def after(source, cell_id="t", metadata=TIMING, stored=(("t", "time()"), "8 ms")):
        notebook = new_notebook(cells=[cell(source, cell_id, printed("9 ms"), **metadata)])
        key, text = stored
        return tool.normalise(notebook, {key: printed(text)}).cells[0].outputs[0].text

    assert after("time()") == "8 ms"
    assert after("time(2)") == "9 ms", "another source has another time"
    assert after("time()", cell_id="u") == "9 ms", "another cell has another time"
    assert after("time()", metadata={}) == "9 ms", "without the tag, what was just printed counts"


def test_a_timing_without_a_stored_output_gets_its_first(tool):
    notebook = new_notebook(cells=[cell("time()", "t", printed("9 ms"), **TIMING)])
    tool.normalise(notebook, {("t", "time()"): []})
    assert notebook.cells[0].outputs[0].text == "9 ms"


# refresh


def test_refreshing_twice_changes_no_byte(tool, tmp_path):
    path = write(
        tmp_path / "small.ipynb",
        cell("import os\nimport time\nx = 6", "a"),
        new_markdown_cell("Six times seven.", id="b"),
        cell("print('α −', end=' ')\nprint(7 * x)\n7 * x", "c", printed("41")),
        cell("print(time.perf_counter_ns(), os.getpid())", "d", **TIMING),
        cell("import ipywidgets\nipywidgets.IntSlider()", "e"),
    )
    assert tool.refresh(path) is True
    first = path.read_bytes()
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert notebook.cells[2].outputs[0].text == "α − 42\n"
    assert notebook.cells[2].outputs[1].data == {"text/plain": "42"}
    assert notebook.cells[3].outputs[0].text.strip()
    assert "widget" not in path.read_text(encoding="utf-8").replace("ipywidgets", "")
    assert first.endswith(b"}\n")
    assert tool.refresh(path) is False
    assert path.read_bytes() == first


def test_a_cell_that_raises_is_reported_by_name_and_nothing_is_written(tool, tmp_path):
    path = write(tmp_path / "broken.ipynb", cell("x = 1\nprint(x)", "a", printed("0")), cell("x / 0", "b"))
    other = write(tmp_path / "later.ipynb", cell("print(1)", "a"))
    before = path.read_bytes(), other.read_bytes()
    with pytest.raises(SystemExit, match=r"^broken\.ipynb stops at a cell that raises; nothing was written") as stopped:
        tool.main([str(path), str(other)])
    assert "ZeroDivisionError" in str(stopped.value)
    assert (path.read_bytes(), other.read_bytes()) == before


def test_without_names_all_lessons_are_refreshed_before_their_solutions(tool):
    names = [str(path.relative_to(tool.NOTEBOOKS)) for path in tool.all_notebooks()]
    lessons = [name for name in names if "solutions" not in name]
    assert names[: len(lessons)] == lessons == sorted(lessons)
    assert lessons[0] == "00_start_here.ipynb"
    assert len(names) == 2 * len(lessons)
