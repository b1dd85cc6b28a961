"""Two searches side by side: what the float and the quantized encoder answer to the same question."""

import textwrap
import time

import numpy as np

from quantutils.checks import by_label, one_of
from quantutils.course.plots.drawing import Drawing
from quantutils.course.plots.style import BLACK, BLUE, ORANGE, new_figure

COUNT = 5
LINE, LINES = 51, 2  # letters that fit a panel's width at 11 pt, and lines a passage gets


class SearchDrawing(Drawing):
    """The five nearest passages of a question by two encoders: bars as long as the cosines, moved ones marked.

    searches: {name: object with `ranked([question])` and `passages`}, the float one first. megabytes: {name: size on
    disk}. known: questions whose times are not told, because they were asked before. Settings of `update`: question
    (text), model (a name other than the first).
    """

    def __init__(self, searches, megabytes, known=()):
        self.searches = by_label(searches, "searches", "searches")
        if len(searches) < 2 or set(searches) != set(megabytes):
            raise ValueError(
                f"megabytes names {list(megabytes)}; accepted: at least two, as searches: {list(searches)}"
            )
        self.megabytes, self.known, self._answers = dict(megabytes), frozenset(known), {}

    def build(self):
        """Make the figure and its artists; return the Figure."""
        figure, axes = new_figure(columns=2, height=5.0)
        self._panels = []
        for axis in axes:
            axis.set(xlim=(0, 1), ylim=(COUNT - 0.25, -0.95), yticks=[], xlabel="cosine to the question")
            axis.grid(visible=False)
            bars = axis.barh(
                np.arange(COUNT) + 0.32, np.zeros(COUNT), height=0.18, color=BLUE, edgecolor=BLACK, linewidth=0.8
            )
            texts = [axis.text(0.0, row + 0.16, "", va="bottom", fontsize=11, linespacing=1.05) for row in range(COUNT)]
            title = axis.text(0.0, -0.72, "", va="center", fontsize=12, weight="bold")
            self._panels.append((title, bars, texts))
        self.moving = [artist for title, bars, texts in self._panels for artist in (title, *bars, *texts)]
        return figure

    def update(self, question, model):
        """Move the artists to the settings; return the read-out."""
        first, *others = self.searches
        one_of(model, "model", tuple(others))
        if not isinstance(question, str) or not question.strip():
            raise ValueError(f"question is {question!r}; accepted: a question of at least one word")
        found = {name: self._found(name, question.strip()) for name in (first, model)}
        wanted = list(found[first][0])
        for (title, bars, texts), (name, (places, cosines, _)) in zip(self._panels, found.items(), strict=True):
            title.set_text(f"{name}, {self.megabytes[name]:.1f} MB")
            for row, (place, cosine) in enumerate(zip(places, cosines, strict=True)):
                before = wanted.index(place) + 1 if place in wanted else None
                moved = before != row + 1
                bars[row].set(width=cosine, facecolor=ORANGE if moved else BLUE, hatch="//" if moved else "")
                mark = f"{row + 1}." if not moved else f"{row + 1}. (was {before}.)" if before else f"{row + 1}. (new)"
                texts[row].set_text(self._shown(place, mark))
        shared = len(set(found[model][0]) & set(wanted))
        same = "the same" if found[model][0][0] == wanted[0] else "another"
        said = (
            f"“{question.strip()}” {first} finds first: {self._short(wanted[0])} ({found[first][1][0]:.2f})."
            f" {model} finds {same} first ({found[model][1][0]:.2f}) and {shared} of the same five."
        )
        if question.strip() not in self.known:
            times = ", ".join(f"{name} {1000 * seconds:.0f} ms" for name, (_, _, seconds) in found.items())
            said += f" Measured here: {times}."
        return said

    def _found(self, name, question):
        """(places, cosines, seconds) of a search, which is done once for each question."""
        if (name, question) not in self._answers:
            start = time.perf_counter()
            places, cosines = self.searches[name].ranked([question], COUNT)
            spent = time.perf_counter() - start
            self._answers[name, question] = places[0].tolist(), cosines[0].tolist(), spent
        return self._answers[name, question]

    def _shown(self, place, mark):
        text = self._passages()[place][1]
        lines = textwrap.wrap(f"{mark} {text}", LINE)
        if len(lines) > LINES:
            lines[LINES - 1] = textwrap.shorten(lines[LINES - 1], LINE - 2, placeholder="") + " …"
        return "\n".join(lines[:LINES]).replace("$", r"\$")

    def _short(self, place):
        return textwrap.shorten(self._passages()[place][1], 70, placeholder=" …")

    def _passages(self):
        return next(iter(self.searches.values())).passages
