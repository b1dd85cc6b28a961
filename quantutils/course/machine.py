"""Is this machine ready for the course? Said in sentences, for the first cell that a learner runs."""

import re
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

REQUIREMENTS = Path(__file__).resolve().parents[2] / "requirements.txt"
INSTALL = "run 'make lab' in the course's folder (or 'pip install -r requirements.txt'), then restart the kernel"


def pinned_versions(text):
    """{package: version} of the lines 'package==version' of a requirements file's text; other lines are passed over.

    >>> pinned_versions("# a comment\\nnumpy==2.4.6\\n")
    {'numpy': '2.4.6'}
    """
    return dict(re.findall(r"^\s*([\w.-]+)\s*==\s*([\w.]+)\s*(?:#.*)?$", text, re.MULTILINE))


def machine_report(pins=None, python=None):
    """What a learner should know about this machine, a list of sentences; one sentence where all is well.

    pins: {package: version}, by default those of requirements.txt. python: (major, minor), by default this one.
    """
    if pins is None:
        pins = pinned_versions(REQUIREMENTS.read_text(encoding="utf-8")) if REQUIREMENTS.exists() else {}
    python = python or sys.version_info[:2]
    sentences = []
    if python < (3, 11):
        sentences.append(
            f"Python is {python[0]}.{python[1]}; the course needs 3.11 or newer: install one and {INSTALL}."
        )
    for name, wanted in pins.items():
        try:
            found = version(name).split("+")[0]
        except PackageNotFoundError:
            sentences.append(f"{name} is missing: {INSTALL}.")
            continue
        if found != wanted:
            sentences.append(
                f"{name} is {found}, and the course was checked with {wanted}: it will most likely work, but a"
                " printed number may differ in its last digit."
            )
    return sentences or ["Everything the course needs is here, in the versions it was checked with."]
