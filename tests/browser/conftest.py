"""A Chromium for the browser tests: skipped, with a sentence, where there is none; in CI that is a failure."""

import os

import pytest

from publish.browser import NoBrowserError, chromium


@pytest.fixture(scope="module")  # ended with its file: while it is open, no other test can use asyncio.run
def browser():
    """A headless Chromium. In CI (the variable CI is set) its absence fails; elsewhere it skips."""
    try:
        with chromium() as opened:
            yield opened
    except NoBrowserError as error:
        if os.environ.get("CI"):
            pytest.fail(str(error))
        pytest.skip(str(error))


@pytest.fixture
def page(browser):
    """A fresh page of 1280 by 720."""
    context = browser.new_context(viewport={"width": 1280, "height": 720})
    yield context.new_page()
    context.close()
