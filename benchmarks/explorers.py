"""How fast an explorer follows the hand: slider to new pixels in Chromium with JupyterLab, against `interact`.

Both ways draw the same figure from the same values, in one notebook and one run, in turns. A latency is the time from
the key press in the page to the first animation frame that shows a picture that has been decoded.
"""

import importlib.metadata
import statistics
import tempfile
import time
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from publish.browser import chromium, jupyterlab, run_all, workspace

SETUP = """
import numpy as np
from quantutils.course.explore import Choice, Slider, explore
from quantutils.course.plots import MappingDrawing
values = np.random.default_rng(2).normal(size=10_000).astype(np.float32)
"""
EXPLORER = """
explore(
    MappingDrawing(values, reach=4.0),
    bits=Slider("bits", 2, 8, 4),
    low=Slider("low end", -4.0, 0.0, -1.0, step=0.1),
    high=Slider("high end", 0.1, 4.0, 3.0, step=0.1),
    mode=Choice("mapping", ("symmetric", "asymmetric"), "asymmetric"),
)
"""
INTERACT = """
import ipywidgets
from IPython.display import display

def picture(bits=4, low=-1.0, high=3.0):
    display(MappingDrawing(values, reach=4.0).draw(bits=bits, low=low, high=high, mode="asymmetric"))

_ = ipywidgets.interact(picture, bits=(2, 8), low=(-4.0, 0.0, 0.1), high=(0.1, 4.0, 0.1))
"""
PRESSES, WARM_UP, DRAG_SECONDS = 40, 5, 2.0
# In the page: when the key went down, and when a new, decoded picture was first shown, whichever way it is replaced.
WATCH = """(output) => {
  window.shown = [];
  const painted = async (image) => {
    const source = image.src;
    await image.decode().catch(() => {});
    requestAnimationFrame(() => window.shown.push([performance.now(), source]));
  };
  window.watcher?.disconnect();
  window.watcher = new MutationObserver((changes) => {
    const images = new Set();
    for (const change of changes) {
      if (change.type === "attributes") images.add(change.target);
      for (const node of change.addedNodes)
        if (node.querySelectorAll) for (const image of [node, ...node.querySelectorAll("img")])
          if (image.tagName === "IMG") images.add(image);
    }
    images.forEach(painted);
  });
  window.watcher.observe(output, { subtree: true, childList: true, attributes: true, attributeFilter: ["src"] });
  window.addEventListener("keydown", () => (window.pressed = performance.now()), true);
}"""

# The hand, from end to end of the slider and back, once a frame. Moved by the page itself: a mouse driven from outside
# takes a quarter of a core, which no hand does.
DRAG = """([left, width, y, duration]) => new Promise((done) => {
  const start = performance.now();
  window.shown = [];
  const step = () => {
    const gone = (performance.now() - start) / duration;
    if (gone >= 1) return done(new Set(window.shown.map(([_, source]) => source)).size);
    const clientX = left + width * (1 - Math.abs(1 - 2 * gone));
    document.elementFromPoint(clientX, y)?.dispatchEvent(
      new MouseEvent("mousemove", { clientX, clientY: y, buttons: 1, bubbles: true, cancelable: true, view: window }));
    requestAnimationFrame(step);
  };
  step();
})"""


def measure(presses=PRESSES):
    """The table of this benchmark: latencies in ms, frames in a drag of two seconds, each beside `interact`."""
    times, frames = _watched(presses)
    median = {way: statistics.median(taken) for way, taken in times.items()}
    late = {way: statistics.quantiles(taken, n=20)[-1] for way, taken in times.items()}
    quartiles = [statistics.quantiles(times[way], n=4) for way in ("explorer", "interact")]
    spread = [quartiles[1][0] / quartiles[0][2], quartiles[1][2] / quartiles[0][0]]
    ratio = median["interact"] / median["explorer"]
    rows = [
        _row("slider to new pixels, median (ms)", median, ratio, spread, "at most 60 ms", median["explorer"] <= 60),
        _row("slider to new pixels, times faster", median, ratio, spread, "at least 5 times faster", ratio >= 5),
        _row("slider to new pixels, 95th percentile (ms)", late, late["interact"] / late["explorer"], None,
             "at most 100 ms", late["explorer"] <= 100),
        _row("frames in a drag of two seconds", frames, frames["explorer"] / frames["interact"], None,
             "at least 40", frames["explorer"] >= 40),
    ]  # fmt: skip
    peers = {"ipywidgets interact": importlib.metadata.version("ipywidgets")}
    return {"unit": "times as good as the peer", "measured": True, "peers": peers, "skipped": {}, "rows": rows}


def _row(what, values, ratio, spread, aim, met):
    return {
        "what": what,
        "ours": round(values["explorer"], 1),
        "peer": "ipywidgets interact",
        "theirs": round(values["interact"], 1),
        "ratio": round(ratio, 2),
        "spread": spread and [round(end, 2) for end in spread],
        "aim": aim,
        "met": bool(met),
    }


def _watched(presses):
    """({way: latencies in ms}, {way: frames in a drag}) of the explorer and of interact, in one JupyterLab."""
    with tempfile.TemporaryDirectory() as folder:
        cells = [new_code_cell(SETUP), new_code_cell(EXPLORER), new_markdown_cell("---"), new_code_cell(INTERACT)]
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}  # or JupyterLab would ask
        nbformat.write(new_notebook(cells=cells, metadata={"kernelspec": kernel}), Path(folder) / "latency.ipynb")
        with jupyterlab(folder) as address, chromium() as browser:
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            run_all(page, workspace(address, "latency.ipynb"))
            outputs = page.locator(".jp-OutputArea:has(.noUi-handle)")
            outputs.nth(1).locator("img").first.wait_for(timeout=60_000)
            ways = {"explorer": outputs.nth(0), "interact": outputs.nth(1)}
            times = {name: [] for name in ways}
            for _ in range(2):  # in turns, so that a busy minute of the machine meets both
                for name, output in ways.items():
                    times[name] += _latencies(page, output, presses // 2)
            return times, {name: _frames_in_a_drag(page, output) for name, output in ways.items()}


def _latencies(page, output, presses):
    handle = output.locator(".noUi-handle").nth(2)
    handle.scroll_into_view_if_needed()
    output.evaluate(WATCH)
    taken = []
    for press in range(WARM_UP + presses):
        handle.focus()
        page.evaluate("window.shown = []; window.pressed = 0")
        page.keyboard.press("ArrowLeft" if press % 20 < 10 else "ArrowRight")
        page.wait_for_function("window.shown.length > 0", timeout=20_000)
        if press >= WARM_UP:
            taken.append(page.evaluate("window.shown[0][0] - window.pressed"))
        time.sleep(0.15)  # a later frame of this press must not count for the next
    return taken


def _frames_in_a_drag(page, output):
    handle = output.locator(".noUi-handle").nth(2)
    handle.scroll_into_view_if_needed()
    output.evaluate(WATCH)
    box, track = handle.bounding_box(), output.locator(".noUi-target").nth(2).bounding_box()
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] / 2, y)
    page.mouse.down()
    frames = page.evaluate(DRAG, [track["x"], track["width"], y, 1000 * DRAG_SECONDS])
    page.mouse.up()
    page.wait_for_timeout(1500)
    return frames
