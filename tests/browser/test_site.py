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
LESSON = "02_symmetric_and_asymmetric.html"
LINES, SMALLEST_CODE = 15, 15  # lines of code on a slide; logical pixels at 1280 by 720
EMPTY = 0.3 * 720  # a question whose slide shows less than this has nothing to think about


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


@pytest.mark.parametrize("name", ["index.html", *(f"{stem}.html" for stem in STEMS), *DECKS])
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
def test_axe_finds_nothing_serious_in_the_light_nor_in_the_dark(opened, name):
    page = opened(name)
    page.add_script_tag(path=str(vendor.PACKAGES / "axe-core" / "axe.min.js"))
    # Answers and what covers them, both in sight.
    page.evaluate("document.querySelectorAll('[data-answer]').forEach((node) => node.classList.add('seen'))")
    assert serious(page) == []
    page.emulate_media(color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(18, 23, 29)"
    assert serious(page, ["color-contrast"]) == []  # the one thing that the dark changes


def serious(page, rules=None):
    """What axe finds on the page as it is, by all of its rules or by these: rules with the elements that break them."""
    only = {"runOnly": {"type": "rule", "values": rules}} if rules else {}
    found = page.evaluate("(only) => axe.run(only)", only)["violations"]
    hard = [rule for rule in found if rule["impact"] in ("serious", "critical")]
    return [(rule["id"], [node["html"][:120] for node in rule["nodes"]][:3]) for rule in hard]


@pytest.mark.parametrize("name", PAGES)
def test_no_page_is_wider_than_its_window_and_a_thumb_finds_its_buttons(opened, name):
    page = opened(name)
    page.evaluate("document.documentElement.classList.add('answers-shown')")
    for wide in (1280, 853, 390):  # 853: what 1280 pixels hold at a zoom of 150 %; 390: a phone
        page.set_viewport_size({"width": wide, "height": 844})
        assert page.evaluate("document.documentElement.scrollWidth") <= wide
    small = page.evaluate(
        """() => [...document.querySelectorAll('header a, button, .bar a, .bar summary, .way')]
          .map((node) => [node.textContent.trim(), node.getBoundingClientRect()])
          .filter(([, box]) => box.height > 0 && (box.height < 40 || box.width < 24)).map(([words]) => words)"""
    )
    assert small == []
    assert page.locator("header").bounding_box()["height"] <= 64


@pytest.mark.parametrize("name", DECKS)
def test_every_slide_fits_a_projector_and_can_be_read(opened, name):
    page, faults, slides = opened(name), [], 0
    while True:
        slides += 1
        page.evaluate("while (Reveal.availableFragments().next) Reveal.nextFragment()")
        seen = page.evaluate(
            """(empty) => {
              const slide = Reveal.getCurrentSlide();
              const seen = { lines: [], code: [], wide: 0, bottom: slide.scrollHeight };
              const asks = [...slide.querySelectorAll('strong')].some((node) => node.textContent.startsWith('Predict'));
              // What stands on the slide before the answer comes.
              const first = [...slide.querySelectorAll('p, li, pre, table, img')].filter(
                (node) => !node.closest('aside, .fragment:not(.fade-out)')
              );
              seen.filled = Math.max(0, ...first.map((node) => node.getBoundingClientRect().bottom));
              seen.bare = asks && seen.filled < 30 + empty;
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
            }""",
            EMPTY,
        )
        bad = seen["bottom"] > 720 or seen["wide"] or seen["bare"] or any(lines > LINES for lines in seen["lines"])
        if bad or any(size < SMALLEST_CODE for size in seen["code"]):
            faults.append((slides, seen))
        if page.evaluate("Reveal.isLastSlide()"):
            break
        page.evaluate("Reveal.next()")
    assert faults == []
    assert 12 <= slides <= 20
    assert page.locator("aside.notes").count() >= 3


def test_on_paper_a_picture_that_answers_stands_alone(page, built):
    page.goto((built / "slides/09_a_real_model.html").as_uri() + "?print-pdf")
    page.wait_for_selector(".pdf-page")
    swaps = page.locator(".swap")
    assert swaps.count() >= 1
    for swap in swaps.all():
        assert swap.locator("img").is_visible()
        assert not swap.locator(".source").is_visible()


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


# The front page, the way through the course, and what the browser keeps


def test_the_first_page_leads_into_every_part_and_lesson(opened):
    page = opened("index.html")
    assert page.locator(".card h4 a").evaluate_all("(links) => links.map((link) => link.getAttribute('href'))") == [
        f"{stem}.html" for stem in STEMS
    ]
    assert page.locator(".card img").count() == len(STEMS)
    assert page.locator(".path h3").all_inner_texts()[:2] == [
        "Part I · Numbers and arithmetic",
        "Part II · Networks",
    ]
    assert page.locator(".commands code").all_inner_texts() == ["make lab", "make test"]
    assert page.locator(".explorer").count() == 1


def test_every_lesson_ends_with_the_way_to_the_next_and_says_where_it_is(opened):
    for place, stem in enumerate(STEMS[:-1]):
        page = opened(f"{stem}.html")
        card = page.locator("a.way.next")
        assert card.get_attribute("href") == f"{STEMS[place + 1]}.html"
        assert STEMS[place + 1][:2] in card.inner_text()
        assert page.locator("[aria-current=page] .number").inner_text() == stem[:2]
        assert page.locator(".contents a").count() >= 8
    card.click()
    page.wait_for_url(f"**/{STEMS[-1]}.html")
    assert page.locator("a.way.next").get_attribute("href") == "index.html"


def test_search_finds_a_term_in_the_glossary_and_in_a_lesson_with_the_keyboard_alone(opened):
    page = opened("index.html")
    page.keyboard.press("/")
    page.keyboard.type("zero point")
    found = page.locator("#found a")
    found.first.wait_for()
    links = found.evaluate_all("(links) => links.map((link) => link.getAttribute('href'))")
    assert links[0] == "glossary.html#term-zero-point"
    assert any(link.startswith("02_symmetric_and_asymmetric.html#") for link in links)
    page.keyboard.press("ArrowDown")
    assert found.nth(1).get_attribute("aria-selected") == "true"
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    page.wait_for_url("**/glossary.html#term-zero-point")
    assert page.locator(":target").inner_text().startswith("zero point")
    page.keyboard.press("/")
    page.keyboard.type("零点")
    found.first.wait_for()
    assert "zero point" in found.first.inner_text()
    assert (opened.asked, opened.complaints) == ([], [])
    page.add_script_tag(path=str(vendor.PACKAGES / "axe-core" / "axe.min.js"))
    assert serious(page) == []
    page.keyboard.press("Escape")
    assert page.locator("dialog.search").is_hidden()


def test_every_place_that_search_knows_is_there(built):
    texts = (built / "assets" / "search-texts.js").read_text(encoding="utf-8")
    entries = json.loads(texts.removeprefix("const courseTexts = ").rstrip().removesuffix(";"))
    pages = {
        name: (built / name).read_text(encoding="utf-8") for name in {entry["at"].split("#")[0] for entry in entries}
    }
    lost = [
        entry["at"] for entry in entries if f'id="{entry["at"].split("#")[1]}"' not in pages[entry["at"].split("#")[0]]
    ]
    assert lost == []
    assert len({entry["at"] for entry in entries}) == len(entries)


def test_the_colours_follow_the_system_and_the_switch_and_stay_after_a_reload(opened):
    page = opened(LESSON)
    ground = "getComputedStyle(document.body).backgroundColor"
    switch = page.locator(".theme-button")
    assert page.evaluate(ground) == "rgb(255, 255, 255)"
    page.emulate_media(color_scheme="dark")
    assert page.evaluate(ground) == "rgb(18, 23, 29)"
    assert (
        page.evaluate("getComputedStyle(document.querySelector('img.figure')).backgroundColor") == "rgb(255, 255, 255)"
    )
    switch.click()
    assert page.evaluate(ground) == "rgb(255, 255, 255)"
    page.emulate_media(color_scheme="light")
    switch.click()
    page.reload()
    assert page.evaluate(ground) == "rgb(18, 23, 29)"
    assert "dark" in switch.get_attribute("aria-label")
    switch.click()
    assert page.evaluate(ground) == "rgb(255, 255, 255)"


def test_a_lesson_is_marked_as_read_at_its_end_and_every_mark_can_be_taken_back(opened):
    page = opened(LESSON)
    here = page.locator(f"[data-lesson='{LESSON[:-5]}']")
    assert here.get_attribute("data-state") == "begun"
    page.locator(".ways").scroll_into_view_if_needed()
    page.wait_for_function("document.querySelector('.read-line').textContent.includes('You have read')")
    assert here.get_attribute("data-state") == "read"
    opened("index.html")
    assert here.get_attribute("data-state") == "read"
    assert f"1 of {len(STEMS)} lessons read" in page.locator(".progress").inner_text()
    opened(LESSON)
    page.locator("[data-read]").click()
    assert here.get_attribute("data-state") == "begun"
    opened("index.html")
    page.locator(".forget").click()
    assert here.get_attribute("data-state") == ""
    assert "Nothing read yet" in page.locator(".progress").inner_text()
    assert opened.complaints == []


def test_what_answers_a_predict_is_covered_until_there_is_a_guess(opened):
    page = opened(LESSON)
    box = page.locator(".guess").first
    answer = page.locator(f"[data-answer='{box.get_attribute('id').removeprefix('guess-')}']")
    assert answer.count() >= 2
    assert not any(piece.is_visible() for piece in answer.all())
    box.locator("input").fill("-41")
    page.keyboard.press("Enter")
    assert all(piece.is_visible() for piece in answer.all())
    assert "-41" in box.inner_text()
    guess, result = box.bounding_box(), answer.first.bounding_box()
    assert 0 <= result["y"] - (guess["y"] + guess["height"]) < 20  # the one above the other
    page.reload()
    assert "-41" in box.inner_text()
    box.locator(".again").click()
    assert not answer.first.is_visible()
    box.locator(".show").click()
    assert answer.first.is_visible()


def test_one_switch_shows_all_answers_and_stays(opened):
    page = opened(LESSON)
    hidden = page.locator("[data-answer]:not(.seen)")
    assert not hidden.first.is_visible()
    page.locator(".answers-button").click()
    assert all(piece.is_visible() for piece in hidden.all())
    page.reload()
    assert hidden.first.is_visible()
    page.locator(".answers-button").click()
    assert not hidden.first.is_visible()


def test_a_link_into_an_answer_shows_it_and_paper_shows_all(opened, built):
    page = opened(LESSON)
    cells = page.locator(".cell[data-answer]")
    page.emulate_media(media="print")
    assert all(piece.is_visible() for piece in cells.all())
    page.emulate_media(media="screen")
    name = cells.first.get_attribute("id")
    assert not cells.first.is_visible()
    page.goto(f"{(built / LESSON).as_uri()}#{name}")
    assert cells.first.is_visible()


def test_without_scripts_nothing_is_covered_and_without_storage_everything_works(browser, built):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((built / LESSON).as_uri())
    assert all(piece.is_visible() for piece in page.locator("[data-answer]").all())
    assert not page.locator(".search-button").is_visible()
    context.close()
    context = browser.new_context()
    context.add_init_script("Object.defineProperty(window, 'localStorage', { get() { throw new Error('refused') } })")
    page, complaints = context.new_page(), []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto((built / LESSON).as_uri())
    page.locator(".guess .show").first.click()
    assert page.locator("[data-answer]").first.is_visible()
    page.locator(".theme-button").click()
    assert complaints == []
    context.close()


def test_what_a_page_holds_of_an_explorer_is_said(built):
    html = (built / "03_wasted_range.html").read_text(encoding="utf-8")
    held = re.search(r"Drawn beforehand: ([\d,]+) of ([\d,]+) positions", html)
    data = json.loads(re.search(r'<script type="application/json">(.+?)</script>', html)[1].replace("<\\/", "</"))
    assert int(held[1].replace(",", "")) == len(data["frames"]) < int(held[2].replace(",", ""))
