"""Bring what the browser tests need: Debian's Chromium, where this user may install it, and the pinned npm packages.

Called by make test. What cannot be brought is said in a sentence; the tests that need it are then skipped, never in CI.
"""

import sys

from publish import vendor
from publish.browser import NoBrowserError, install_chromium
from publish.lessons import BuildError


def main():
    """Try both; one sentence for each that does not work."""
    for bring in (install_chromium, vendor.install):
        try:
            bring()
        except (NoBrowserError, BuildError) as error:
            print(f"The browser tests will be skipped. {error}", file=sys.stderr)


if __name__ == "__main__":
    main()
