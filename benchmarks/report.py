"""What was measured, for readers: a table and a plot for the README, and every row in benchmarks/README.md.

All three are written from benchmarks/results alone, so they cannot drift from it; tests/test_benchmark_report.py sees.
"""

import json
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from quantutils.course.plots.style import BLUE, GREEN, GREY, ORANGE, PINK, RED, STYLE, in_style, log_ticks, png_bytes

ROOT = Path(__file__).resolve().parents[1]
RESULTS, PLOT = ROOT / "benchmarks" / "results", ROOT / "images" / "benchmarks.png"
BEGIN, END = "<!-- benchmarks: written by make bench -->", "<!-- benchmarks: end -->"
SPEED = ("fake_quantize", "observers", "product", "explorers")
WAYS = {  # of accuracy: (by, way) and how a line of the plot looks
    ("quantutils", "ptq"): ("after training", GREY, "o", ":"),
    ("quantutils", "control"): ("control: more float training", ORANGE, "^", "-."),
    ("quantutils", "ste"): ("QAT, ranges from the data", GREEN, "s", "--"),
    ("quantutils", "lsq"): ("QAT, trained scales", BLUE, "D", "-"),
    ("brevitas", "ste"): ("brevitas, QAT", PINK, "v", "--"),
    ("torch.ao", "ste"): ("torch.ao, QAT", RED, "x", ":"),
}


def write():
    """Write README.md's part, benchmarks/README.md and the plot from the results that are there."""
    results = kept()
    readme = ROOT / "README.md"
    text = readme.read_text(encoding="utf-8")
    head, rest = text.split(BEGIN)
    readme.write_text(head + part_of_readme(results) + rest.split(END)[1], encoding="utf-8")
    (ROOT / "benchmarks" / "README.md").write_text(every_row(results), encoding="utf-8")
    PLOT.write_bytes(png_bytes(plot(results)))


def kept():
    """{name: result} of every benchmark that was measured."""
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(RESULTS.glob("*.json"))}


def part_of_readme(results):
    """The lines between the two marks in README.md: the rows that have an aim, met or not."""
    lines = ["| measured | ours | beside | theirs | times as good | aim | met |", "|---|---|---|---|---|---|---|"]
    for name in SPEED:
        unit = " s" if results.get(name, {}).get("unit") == "seconds" else ""  # otherwise the row itself names it
        for row in results.get(name, {"rows": []})["rows"]:
            if row["aim"]:
                ours, theirs = (_number(row.get(side)) + unit for side in ("ours", "theirs"))
                cells = (row["what"], ours, row["peer"], theirs, f"{row['ratio']:.3g}", row["aim"])
                lines.append(f"| {' | '.join(cells)} | {'yes' if row['met'] else 'no'} |")
    return "\n".join([BEGIN, *lines, END])


def every_row(results):
    """benchmarks/README.md: every row of every benchmark."""
    lines = [
        "# Benchmarks",
        "",
        "Written by `make bench` (`.venv/bin/python -m benchmarks NAME` measures one) from `results/`. Every figure",
        "was measured, ours and the peer's in turns in the same run, one thread, on the machine of the last run; a",
        "ratio above 1 means that ours is better. Spread: first and third quartile.",
    ]
    for name, result in results.items():
        lines += ["", *lines_of(name, result)]
    return "\n".join(lines) + "\n"


def lines_of(name, result):
    """One benchmark in Markdown: its unit, its peers, what was skipped and why, every row."""
    peers = ", ".join(f"{peer} {version}" for peer, version in result["peers"].items())
    lines = [f"## {name}", "", f"Unit: {result['unit']}. Peers: {peers or 'none'}.", ""]
    lines += [f"Skipped: {peer} ({why})." for peer, why in result["skipped"].items()]
    special = {"accuracy": lambda: _accuracy_table(result), "encoder": lambda: _encoder_table(result["rows"])}
    if "crossover" in result:
        lines += _crossover_table(result)
    return lines + (special[name]() if name in special else _table(result["rows"]))


def _crossover_table(result):
    """From which N on each kind of layer pays, and what vectors of 8-bit numbers promise."""
    lines = [
        f"Vectors of 8-bit numbers hold {result['theory']} times as many as those of float32, which is the theoretical"
        " gain (units for tiles of 8-bit numbers, such as AMX, can pass it). The smallest N measured at which int8 is"
        " faster than float32:",
        "",
        "| what | N |",
        "|---|---|",
    ]
    return [*lines, *(f"| {what} | {n or 'none'} |" for what, n in result["crossover"].items()), ""]


def _table(rows):
    lines = ["| measured | ours | peer | theirs | ratio | spread | aim | met |", "|---|---|---|---|---|---|---|---|"]
    for row in rows:
        spread = "" if not row["spread"] else " to ".join(f"{end:.3g}" for end in row["spread"])
        met = {True: "yes", False: "no", None: ""}[row["met"]]
        cells = (row["what"], _number(row.get("ours")), row["peer"], _number(row.get("theirs")), f"{row['ratio']:.3g}")
        lines.append(f"| {' | '.join(cells)} | {spread} | {row['aim'] or ''} | {met} |")
    return lines


def _number(value):
    return "" if value is None else f"{value:.4g}"


def _accuracy_table(result):
    lines = [
        f"{result['seeds']} seeds; what varies: {result['varies']}. To match: the best mean of five seeds that we found"
        " elsewhere for such a network, with LSQ; on which split of the images is unknown.",
        "",
        "| data | by | way | bits | mean (%) | standard deviation | lowest | to match | note |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in result["rows"]:
        bits, aim = row["bits"] or "float", row["to_match"] if row["to_match"] is not None else ""
        figures = f"{row['mean']:.2f} | {row['spread']:.2f} | {row['lowest']:.1f}"
        lines.append(f"| {row['data']} | {row['by']} | {row['way']} | {bits} | {figures} | {aim} | {row['note']} |")
    return lines


def _encoder_table(rows):
    lines = [
        "| by | way | mean cosine | worst | MB | same first passage (%) | of the first five (%) | batch 1 | batch 64 |"
        " note | aim | met |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        cells = [row[key] for key in ("by", "way", "cosine", "worst", "megabytes", "same_first", "of_five")]
        cells += [f"{row[key]:.3g}" for key in ("batch_1", "batch_64")]
        cells += [row["note"], row["aim"] or "", {True: "yes", False: "no", None: ""}[row["met"]]]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return lines


@in_style
def plot(results):
    """Two panels: how many times as fast as each peer, with the aims that were set; accuracy over bits. A Figure."""
    rows = [row for name in SPEED if name in results for row in results[name]["rows"] if row["aim"]]
    bars = 0.5 * max(len(rows), 1) + 0.6
    figure = Figure(figsize=(9.6, 3.4 + bars), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    # Two figures in one: long names above must not narrow the panel below.
    fast, right = (part.subplots() for part in figure.subfigures(2, 1, height_ratios=(bars, 3.4)))
    names = [f"{row['what']}\nbeside {row['peer']}" for row in rows]
    colors = [BLUE if row["met"] else ORANGE for row in rows]
    fast.barh(names, [row["ratio"] for row in rows], color=colors, hatch=["" if row["met"] else "//" for row in rows])
    fast.axvline(1, color="black", linewidth=1)
    fast.set_xscale("log")
    log_ticks(fast.xaxis, [1, 3, 10, 30, 100])
    ratios = [row["ratio"] for row in rows] or [1]
    fast.set_xlim(min(0.8, 0.8 * min(ratios)), 2.5 * max(ratios))
    theory = results.get("product", {}).get("theory")
    products = [place for place, row in enumerate(rows) if row in results.get("product", {}).get("rows", [])]
    if theory and products:
        ends = products[0] - 0.45, products[-1] + 0.45
        fast.vlines(theory, *ends, color="black", linestyle=":", label=f"what 8-bit vectors promise: {theory}")
        fast.legend(loc="upper right")
    fast.margins(y=0.01)
    fast.invert_yaxis()
    fast.tick_params(axis="y", labelsize=STYLE["ytick.labelsize"])
    fast.set_xlabel("times as fast as the peer (log; hatched: aim not met)")
    for row, bar in zip(rows, fast.patches, strict=True):
        fast.annotate(
            f" {row['ratio']:.3g}",
            (row["ratio"], bar.get_y() + 0.5),
            va="center",
            fontsize=11,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},
        )
    for (by, way), (label, color, marker, line) in WAYS.items():
        found = [
            row
            for row in results.get("accuracy", {"rows": []})["rows"]
            if (row["data"], row["by"], row["way"]) == ("digits", by, way) and row["bits"]
        ]
        found.sort(key=lambda row: -row["bits"])
        right.errorbar(
            [str(row["bits"]) for row in found],
            [row["mean"] for row in found],
            [row["spread"] for row in found],
            **{"label": label, "color": color, "marker": marker, "linestyle": line, "capsize": 3},
        )
    right.set(xlabel="bits of weights and activations", ylabel="right answers (%)")
    right.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), fontsize=11)
    return figure
