"""The load test's report: results/load_test.json, and the table that server.md shows of it."""

import json
from pathlib import Path

HERE = Path(__file__).resolve().parents[1]
RESULTS = HERE / "results" / "load_test.json"
PAGE = HERE / "server.md"
BEGIN, END = "<!-- load test: written by python -m classroom.load_test -->", "<!-- load test: end -->"


def write_report(report):
    """Write the JSON file, and the table between its two marks in server.md."""
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    page = PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n{table(report)}\n{END}{after}", encoding="utf-8")


def table(report):
    """The report as a sentence on the machine and a Markdown table, a column a lesson."""
    lessons = report["lessons"]
    names = [name.removesuffix(".ipynb") for name in lessons]
    lines = [
        f"{report['date']}, {report['processor']}, {report['cores']} cores, {report['memory_gib']} GiB;"
        f" before the test, other work kept {report['cores_busy_before']} cores busy. JupyterHub"
        f" {report['jupyterhub']}, JupyterLab {report['jupyterlab']}, Python {report['python']}, torch"
        f" {report['torch']}.",
        "",
        f"| measured | {' | '.join(names)} |",
        "|---|" + "---|" * len(names),
    ]

    def row(title, value):
        lines.append(f"| {title} | {' | '.join(value(one) for one in lessons.values())} |")

    def pair(spread):
        return f"{spread['median']} · {spread['largest']}" if spread else "none"

    row("students who finished, outputs as stored", lambda one: f"{one['finished']} of {one['students']}")
    row("students who lost saved work", lambda one: str(one["work_lost"]))
    row("kernels lost, and the lesson run again from the top", lambda one: str(one["kernels_lost"]))
    row("to the first cell (s): median · largest", lambda one: pair(one["first_cell_seconds"]))
    row("to the end (s): median · largest", lambda one: pair(one["whole_seconds"]))
    row("memory a student (MiB): median · largest", lambda one: pair(one["memory_mib"]["together"]))
    row("of it the server", lambda one: pair(one["memory_mib"]["server"]))
    row("of it the kernel", lambda one: pair(one["memory_mib"]["kernels"]))
    row("memory of all students (MiB)", lambda one: str(one["memory_of_all_mib"]))
    held = sum(one["held"] for one in report["isolation"])
    restarts = " and ".join(
        f"{one['what']} (back after {one['seconds']} s; kernels lost until then: {one['kernels_lost_before']})"
        for one in report["restarts"]
    )
    lines += ["", f"Restarted in the middle of lesson 03: {restarts}."]
    lines += [f"Cells run again since their answer was lost with the connection: {report['cells_run_again']}."]
    lines += [f"Kernels that never answered and were restarted by hand: {report['kernels_restarted_by_hand']}."]
    lines += [f"Attempts to get in, and controls: {held} of {len(report['isolation'])} ended as they should."]
    return "\n".join(lines)
