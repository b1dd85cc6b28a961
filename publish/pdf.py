"""Decks on paper: Chromium prints every deck to a PDF, one slide a page, fragments shown, explorers standing still."""

from pathlib import Path

from publish.browser import NoBrowserError, chromium
from publish.build import slides
from publish.lessons import NOTEBOOKS, BuildError


def pdf(folder, notebooks=NOTEBOOKS, say=print):
    """Write the decks into `folder` as `slides` does, and beside each a PDF of 1280 by 720 pixels a page.

    Raises BuildError as `slides` does, and where there is no Chromium.
    """
    folder = slides(folder, notebooks, say)
    try:
        with chromium() as browser:
            for deck in sorted(Path(folder).glob("[0-9][0-9]_*.html")):
                say(f"{deck.stem}: printing ...", flush=True)
                page = browser.new_page(viewport={"width": 1280, "height": 720})
                page.goto(f"{deck.as_uri()}?print-pdf")
                page.wait_for_selector(".pdf-page")
                page.wait_for_function(
                    "document.querySelectorAll('section[data-fit]').length === Reveal.getTotalSlides()"
                )
                page.pdf(path=deck.with_suffix(".pdf"), width="1280px", height="720px", print_background=True)
                page.close()
    except NoBrowserError as error:
        raise BuildError(str(error)) from error
    return folder
