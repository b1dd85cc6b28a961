"""Lessons in JupyterLab, as a learner has them: run all, drag, use the keyboard, make an error, answer wrongly."""

import io
import json
import shutil

import numpy as np
import pytest
from lesson_files import NOTEBOOKS
from PIL import Image

from publish.browser import jupyterlab, run_all, workspace

LESSONS = {"02": "02_symmetric_and_asymmetric.ipynb", "06": "06_dynamic_quantization.ipynb"}  # 06 imports torch


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """A function of a lesson's number: its address in a JupyterLab on copies of two lessons, in a new workspace."""
    folder = tmp_path_factory.mktemp("lab")
    for name in LESSONS.values():
        shutil.copyfile(NOTEBOOKS / name, folder / name)
    # All cells laid out: otherwise a picture above that grows pushes the one under test out of view, and it is skipped.
    settings = tmp_path_factory.mktemp("settings")
    tracker = settings / "@jupyterlab" / "notebook-extension" / "tracker.jupyterlab-settings"
    tracker.parent.mkdir(parents=True)
    tracker.write_text(json.dumps({"windowingMode": "none"}))
    with jupyterlab(folder, options=[f"--LabApp.user_settings_dir={settings}"]) as address:
        yield lambda lesson: workspace(address, LESSONS[lesson])


def pixels(locator):
    return np.asarray(Image.open(io.BytesIO(locator.screenshot())).convert("RGB")).astype(int)


def scrolled_to(page, selector):
    """The first element of the notebook that matches, in view, when it has come to rest there."""
    found = page.locator(selector).first
    found.wait_for(timeout=60_000)
    rest, before = 0, None
    for _ in range(150):  # pictures above that still load move it
        found.evaluate("(node) => node.scrollIntoView({ block: 'end' })")
        page.wait_for_timeout(100)
        box = found.bounding_box()
        rest, before = (rest + 1 if box == before else 0), box
        if rest == 10:
            return found
    raise AssertionError(f"{selector} does not come to rest: {before}")


def until(page, output, sign, words):
    """Wait until the explorer's read-out is, or is not, these words: its element is made anew each time."""
    read = f"([output, words]) => output.querySelector('[role=status]').innerText {sign} words"
    page.wait_for_function(read, arg=[output.element_handle(), words], timeout=10_000)


@pytest.mark.parametrize("lesson", LESSONS)
def test_a_lesson_runs_without_an_error_and_its_explorer_follows_mouse_and_keyboard(page, lab, lesson):
    complaints = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    run_all(page, lab(lesson))
    assert page.locator(".jp-OutputArea-output[data-mime-type='application/vnd.jupyter.stderr']").count() == 0
    output = scrolled_to(page, ".jp-OutputArea-output:has(.noUi-handle)")
    picture, words = output.locator("img"), output.locator("[role=status]")
    handle = output.locator(".noUi-handle").first
    start, said = pixels(picture), words.inner_text()
    box = handle.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    heights = set()
    for step in range(30):
        page.mouse.move(box["x"] + box["width"] / 2 - 3 * step, box["y"] + box["height"] / 2)
        heights.add(round(output.bounding_box()["height"]))
    page.mouse.up()
    until(page, output, "!==", said)
    page.wait_for_timeout(1000)
    assert len(heights) == 1  # nothing jumps
    assert np.abs(pixels(picture) - start).max() > 50
    # The last position is never lost: the words name the value that the slider shows.
    shown = output.locator(".widget-readout").first.inner_text()
    assert shown in words.inner_text()
    handle.focus()
    before = words.inner_text()
    page.keyboard.press("ArrowRight")
    until(page, output, "!==", before)
    output.locator("button:has-text('Reset')").click()
    until(page, output, "===", said)
    page.wait_for_timeout(500)
    assert np.abs(pixels(picture) - start).max() < 8
    assert complaints == []


def test_a_notebook_that_was_not_run_shows_the_picture_with_its_words(page, lab):
    page.goto(lab("02"))
    page.locator(".jp-Notebook .jp-Cell").first.wait_for(timeout=60_000)
    cell = scrolled_to(page, ".jp-CodeCell:has-text('explore(')")
    assert cell.locator("img").evaluate("(image) => image.naturalWidth") == 960
    assert page.locator(".noUi-handle").count() == 0


def test_a_wrong_answer_is_told_what_is_wrong(page, lab):
    run_all(page, lab("02"))
    cell = scrolled_to(page, ".jp-CodeCell:has-text('check(\"02.1\", answer_1)')").element_handle()
    said = cell.query_selector(".jp-OutputArea").inner_text()
    cell.query_selector(".cm-content").click()
    page.keyboard.press("Control+a")
    page.keyboard.type('check("02.1", (0.5, 3))')
    page.keyboard.press("Control+Enter")
    page.wait_for_function(
        "([cell, said]) => { const text = cell.querySelector('.jp-OutputArea').innerText;"
        " return text.length > 20 && text !== said; }",
        arg=[cell, said],
    )
    assert "Error" not in cell.query_selector(".jp-OutputArea").inner_text()
