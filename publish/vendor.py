"""What decks and pages need from npm, at the pinned versions: fetched once, copied into each build."""

import json
import shutil
import subprocess
from pathlib import Path

from publish.lessons import BuildError

HERE = Path(__file__).parent
PACKAGES = HERE / "node_modules"
# Only what a browser asks for: the packages whole are twenty times larger.
FILES = {
    "reveal.js": ("dist/reveal.js", "dist/reveal.css", "dist/reset.css", "plugin/notes/notes.js", "LICENSE"),
    "mathjax": ("es5/tex-svg.js", "LICENSE"),
    "minisearch": ("dist/umd/index.js", "LICENSE.txt"),
}


def install():
    """Fetch the packages of package-lock.json into node_modules, unless they are there.

    Raises BuildError, with the package's name, if npm is missing or does not bring one.
    """
    if not missing():
        return
    npm = shutil.which("npm")
    if npm is None:
        raise BuildError(
            f"The npm package {missing()[0]} is missing and there is no npm to fetch it: install Node.js 18 or newer"
            " (on Debian and Ubuntu: sudo apt-get install npm), then build again."
        )
    command = [npm, "ci", "--no-audit", "--no-fund", "--loglevel=error", "--prefix", str(HERE)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode or missing():
        name, said = (missing() or ["(unknown)"])[0], ended.stderr.strip().splitlines()
        raise BuildError(
            f"npm could not bring the package {name}: {said[-1] if said else 'it said nothing'}. It needs the network"
            " once; decks and pages do not."
        )


def missing():
    """The names of the packages whose files are not there at the pinned version."""
    pins = json.loads((HERE / "package.json").read_text(encoding="utf-8"))
    return [name for name, pin in (pins["dependencies"] | pins["devDependencies"]).items() if _version(name) != pin]


def copy_to(folder):
    """Copy what a browser asks for to folder/<package>/…. Raises BuildError, with its name, for a missing package."""
    for name, files in FILES.items():
        for file in files:
            given, taken = PACKAGES / name / file, Path(folder) / name / file
            if not given.exists():
                raise BuildError(f"The npm package {name} is missing ({file}): run make site, which fetches it.")
            taken.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(given, taken)


def _version(name):
    try:
        return json.loads((PACKAGES / name / "package.json").read_text(encoding="utf-8"))["version"]
    except FileNotFoundError:
        return None
