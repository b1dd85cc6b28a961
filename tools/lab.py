"""Open the course in JupyterLab: the learner's own copy of the lessons, where it was left; `make lab` calls this.

With --source it opens notebooks/ itself, for those who write lessons (`make edit`).
"""

import argparse
import sys
from pathlib import Path

from jupyterlab.labapp import LabApp

from quantutils.course.handing_out import hand_out, without_answers

ROOT = Path(__file__).resolve().parents[1]
OWN = ROOT / "my_notebooks"
WORKSPACES = ROOT / ".jupyter"
FIRST = "00_start_here.ipynb"


def opened(source, more=()):
    """The command line of JupyterLab, after lessons that are new or corrected were copied.

    source: open notebooks/, not the learner's copy. more: further options.
    """
    folder = ROOT / "notebooks" if source else OWN
    if not source:
        for name, what in hand_out(ROOT / "notebooks", OWN, without_answers).items():
            if what != "copied":
                print(f"my_notebooks/{name}: {what}")
    workspaces = WORKSPACES / ("source" if source else "learner")
    command = [f"--config={ROOT / 'jupyter_lab_config.py'}", f"--LabApp.workspaces_dir={workspaces}"]
    command.append(f"--ServerApp.preferred_dir={folder}")
    if not any(workspaces.glob("*.jupyterlab-workspace")):  # later JupyterLab itself brings back what was open
        command.append(f"--LabApp.default_url=/lab/tree/{folder.name}/{FIRST}")
    return [*command, *more]


def main():
    """Copy what is new and start JupyterLab; options that are not ours go to it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", action="store_true", help="open notebooks/ itself")
    asked, more = parser.parse_known_args()
    try:
        command = opened(asked.source, more)
    except OSError as error:
        sys.exit(f"\nThe lessons could not be copied to {OWN}: {error}")
    LabApp.launch_instance(command)


if __name__ == "__main__":
    main()
