"""Bring what the browser tests need: Debian's Chromium, where this user may install it, and the pinned npm packages.

Called by make test. What cannot be brought is said in a sentence; the tests that need it are then skipped, never in CI.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from publish import vendor
from publish.lessons import BuildError
from tools.browser import NoBrowserError, install_chromium


def main():
    """Try both; one sentence for each that does not work."""
    for bring in (install_chromium, vendor.install):
        try:
            bring()
        except (NoBrowserError, BuildError) as error:
            print(f"The browser tests will be skipped. {error}", file=sys.stderr)


if __name__ == "__main__":
    main()
