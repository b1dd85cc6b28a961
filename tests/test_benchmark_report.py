"""README.md, benchmarks/README.md and the plot say what benchmarks/results hold, and nothing else."""

import io

import numpy as np
import pytest
from figure_checks import faults
from PIL import Image

from benchmarks import report
from benchmarks.__main__ import NAMES, main


def test_the_readme_holds_the_table_that_the_results_give():
    text = (report.ROOT / "README.md").read_text(encoding="utf-8")
    part = report.BEGIN + text.split(report.BEGIN)[1].split(report.END)[0] + report.END
    assert part == report.part_of_readme(report.kept())


def test_every_row_stands_in_the_benchmarks_own_readme():
    assert (report.ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8") == report.every_row(report.kept())


def test_the_plot_is_that_of_the_results_and_can_be_read():
    figure = report.plot(report.kept())
    figure.canvas.draw()
    assert faults(figure) == []
    stored = np.asarray(Image.open(report.PLOT).convert("L")).astype(int)
    drawn = np.asarray(Image.open(io.BytesIO(report.png_bytes(figure))).convert("L")).astype(int)
    assert stored.shape == drawn.shape
    assert np.abs(stored - drawn).mean() < 1  # shades of 255; another build of a font may move an edge


def test_every_benchmark_has_been_measured():
    assert set(report.kept()) == set(NAMES)


def test_an_unknown_benchmark_is_refused_by_name():
    with pytest.raises(SystemExit, match="no such benchmark: speed; accepted: fake_quantize, "):
        main(["speed"])
