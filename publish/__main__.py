"""The command: python -m publish slides|site|pdf [--to FOLDER]."""

import argparse
import sys
from pathlib import Path

from publish import vendor
from publish.build import site, slides
from publish.lessons import ROOT, BuildError
from publish.pdf import pdf
from publish.private_home import move_in

BUILDS = {"slides": slides, "site": site, "pdf": pdf}


def main(arguments=None):
    """Build what was asked for and say where it lies; a build that cannot be ends with one sentence."""
    parser = argparse.ArgumentParser(prog="python -m publish", description=__doc__)
    parser.add_argument("what", choices=list(BUILDS))
    parser.add_argument("--to", type=Path, help="the folder to write (default: _build/WHAT)")
    asked = parser.parse_args(arguments)
    folder = asked.to or ROOT / "_build" / asked.what
    try:
        vendor.install()  # before moving: npm reads its settings from the user's home
        move_in()
        BUILDS[asked.what](folder)
    except BuildError as error:
        sys.exit(f"\n{error}")
    print(f"Written: open {folder / 'index.html'} in a browser.")


if __name__ == "__main__":
    main()
