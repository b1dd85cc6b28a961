"""The site and its decks, opened from disk with the network cut off: nothing missing, everything moves and fits."""

import json
import os
import re

import pytest
from lesson_files import LESSONS, SOLUTIONS

from publish import vendor
from publish.build import MOST_BYTES, site
from publish.lessons import BuildError

STEMS = [path.stem for path in LESSONS]
PAGES = [
    "index.html",
    "glossary.html",
    *(f"{stem}.html" for stem in STEMS),
    *(f"solutions/{path.stem}.html" for path in SOLUTIONS),
]
DECKS = [f"slides/{stem}.html" for stem in STEMS]
LINES, SMALLEST_CODE = 12, 15  # lines of code on a slide; logical pixels at 1280 by 720


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    try:
        vendor.install()
    except BuildError as error:
        if os.environ.get("CI"):
            pytest.fail(str(error))
        pytest.skip(str(error))
    return site(tmp_path_factory.mktemp("site") / "built", say=lambda *_, **__: None)


@pytest.fixture
def opened(page, built):
    """Open one file of the site without a network: (page, what it asked of the network, what it complained of)."""
    asked, complaints = [], []
    page.context.set_offline(True)
    page.on(
        "request", lambda request: asked.append(request.url) if not request.url.startswith(("file:", "data:")) else 0
    )
    page.on("console", lambda message: complaints.append(message.text) if message.type in ("error", "warning") else 0)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("requestfailed", lambda request: complaints.append(f"failed: {request.url}"))

    def go(name):
        page.goto((built / name).as_uri())
        page.evaluate("MathJax.startup.promise")
        return page

    go.asked, go.complaints = asked, complaints
    return go


@pytest.mark.parametrize("name", PAGES + DECKS)
def test_it_opens_from_disk_without_a_network_and_without_an_error(built, opened, name):
    page = opened(name)
    assert (opened.asked, opened.complaints) == ([], [])
    assert (built / name).stat().st_size < MOST_BYTES
    left = page.evaluate(
        """() => { const copy = document.body.cloneNode(true);
                   copy.querySelectorAll('pre, code, script, mjx-container').forEach((node) => node.remove());
                   return copy.textContent; }"""
    )
    assert not re.search(r"\$[^$\n]{1,80}\$|\\\(", left)  # every formula is drawn
    described = page.evaluate("[...document.images].map((image) => [image.className, image.getAttribute('alt')])")
    assert [kind for kind, words in described if words is None or (not words and kind != "layer")] == []
    assert page.evaluate("[...document.images].every((image) => image.complete && image.naturalWidth > 0)")


@pytest.mark.parametrize("name", [f"{stem}.html" for stem in STEMS] + DECKS)
def test_every_explorer_moves_and_goes_back(opened, name):
    page = opened(name)
    explorers = page.locator(".explorer")
    assert explorers.count() >= 1
    for explorer in explorers.all():
        if name.startswith("slides/"):
            explorer.evaluate(
                "(node) => { const at = Reveal.getIndices(node.closest('section')); Reveal.slide(at.h, at.v); }"
            )
        words, layer = explorer.locator(".readout"), explorer.locator(".layer")
        start = words.inner_text(), layer.get_attribute("src")
        moved = []
        for slider in explorer.locator("input[type=range]").all():
            value = slider.input_value()
            slider.focus()
            page.keyboard.press("ArrowRight" if value == "0" else "ArrowLeft")
            assert slider.input_value() != value
            moved.append(words.inner_text() != start[0])
        assert any(moved)
        page.wait_for_function(
            "([node, old]) => node.querySelector('.layer').src !== old", arg=[explorer.element_handle(), start[1]]
        )
        explorer.locator("button.reset").click()
        page.wait_for_function(
            "([node, old]) => node.querySelector('.layer').src === old", arg=[explorer.element_handle(), start[1]]
        )
        assert words.inner_text() == start[0]
    assert opened.complaints == []


@pytest.mark.parametrize("name", PAGES)
def test_every_link_leads_somewhere(built, opened, name):
    page, folder = opened(name), (built / name).parent
    targets = page.evaluate("[...document.querySelectorAll('a[href]')].map((link) => link.getAttribute('href'))")
    local = [target for target in targets if not re.match(r"https?:", target)]
    assert [target for target in local if target[0] != "#" and not (folder / target.split("#")[0]).exists()] == []
    own = [target for target in local if target[0] == "#" and len(target) > 1]
    assert [target for target in own if not page.locator(f"[id='{target[1:]}']").count()] == []


@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing_serious(opened, name):
    page = opened(name)
    page.add_script_tag(path=str(vendor.PACKAGES / "axe-core" / "axe.min.js"))
    found = page.evaluate("axe.run()")["violations"]
    serious = [rule for rule in found if rule["impact"] in ("serious", "critical")]
    assert [(rule["id"], [node["html"][:120] for node in rule["nodes"]][:3]) for rule in serious] == []


@pytest.mark.parametrize("wide", [1280, 853])  # 853: what 1280 pixels hold at a zoom of 150 %
@pytest.mark.parametrize("name", ["index.html", "glossary.html", "03_wasted_range.html"])
def test_no_page_is_wider_than_its_window(opened, name, wide):
    page = opened(name)
    page.set_viewport_size({"width": wide, "height": 720})
    assert page.evaluate("document.documentElement.scrollWidth") <= wide


@pytest.mark.parametrize("name", DECKS)
def test_every_slide_fits_a_projector_and_can_be_read(opened, name):
    page, faults, slides = opened(name), [], 0
    while True:
        slides += 1
        page.evaluate("while (Reveal.availableFragments().next) Reveal.nextFragment()")
        seen = page.evaluate(
            """() => {
              const slide = Reveal.getCurrentSlide();
              const seen = { lines: [], code: [], wide: 0, bottom: slide.scrollHeight };
              for (const code of slide.querySelectorAll('.source pre')) {
                seen.lines.push(code.textContent.split('\\n').filter((line) => line.trim()).length);
                seen.code.push(parseFloat(getComputedStyle(code).fontSize));
                seen.wide += code.scrollWidth > code.clientWidth + 1;
              }
              for (const image of slide.querySelectorAll('img')) {
                const box = image.getBoundingClientRect();
                seen.wide += box.right > 1280;
              }
              return seen;
            }"""
        )
        bad = seen["bottom"] > 720 or seen["wide"] or any(lines > LINES for lines in seen["lines"])
        if bad or any(size < SMALLEST_CODE for size in seen["code"]):
            faults.append((slides, seen))
        if page.evaluate("Reveal.isLastSlide()"):
            break
        page.evaluate("Reveal.next()")
    assert faults == []
    assert 12 <= slides <= 20
    assert page.locator("aside.notes").count() >= 3


def test_the_speaker_view_opens_with_the_notes(opened, page):
    opened("slides/02_symmetric_and_asymmetric.html")
    with page.expect_popup() as popup:
        page.keyboard.press("s")
    speaker = popup.value
    speaker.wait_for_selector(".speaker-controls-notes", state="attached")
    speaker.wait_for_function("window.opener && document.querySelector('iframe')")
    with_notes = page.evaluate("Reveal.getSlides().findIndex((slide) => slide.querySelector('aside.notes'))")
    for _ in range(20):
        page.keyboard.press("Space")
        if page.evaluate("Reveal.getSlidePastCount()") == with_notes:
            break
    said = page.evaluate("Reveal.getCurrentSlide().querySelector('aside.notes').textContent.trim().slice(0, 40)")
    speaker.wait_for_function(
        "(said) => document.querySelector('.speaker-controls-notes').textContent.includes(said)",
        arg=said,
        timeout=10_000,
    )


def test_what_a_page_holds_of_an_explorer_is_said(built):
    html = (built / "03_wasted_range.html").read_text(encoding="utf-8")
    held = re.search(r"Drawn beforehand: ([\d,]+) of ([\d,]+) positions", html)
    data = json.loads(re.search(r'<script type="application/json">(.+?)</script>', html)[1].replace("<\\/", "</"))
    assert int(held[1].replace(",", "")) == len(data["frames"]) < int(held[2].replace(",", ""))
