"""Write the passages and questions that lesson 09 searches: the course's own glossary and lessons, as plain text.

Usage: .venv/bin/python tools/record_passages.py
They are frozen in quantutils/course/zoo/frozen/course.json, so that a word changed in lesson 02 changes no number
of 09.
Run it when the lessons have changed much, then refresh lesson 09.
"""

import json
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS, TARGET = ROOT / "notebooks", ROOT / "quantutils" / "zoo" / "frozen" / "course.json"
LESSONS = range(9)  # without lesson 09 itself, whose text quotes results of the search
SKIPPED = ("# ", "## Notation", "## Setup", "## Modelled or measured", "<details>", "|")
SHORTEST, LONGEST = 60, 400
# What readers ask, in their own words; the others are made from the glossary's terms.
QUESTIONS = """
Why do four bits need groups?
How much smaller does a model get with 4 bits?
Is integer arithmetic always faster than floating point?
When is quantization slower than float?
What happens to values outside the range?
Why does rounding to even matter?
Should weights be symmetric or asymmetric?
How can zero be represented exactly?
How do I choose the clipping range?
Which codes are never used?
What does one outlier do to the scale?
Can a matrix product run on integers alone?
Why do the scales come out of the sum?
How large can an integer sum become?
How does requantization avoid floating point?
Why does a classifier still answer right with a large error?
Does normalizing the inputs make the error smaller?
Do activation functions smooth errors away?
What is the margin between the two largest logits?
Do I need data to quantize a network dynamically?
What does finding the range at every call cost?
Why is per-token quantization better for transformers?
How is an LSTM quantized?
How many images does calibration need?
What happens if the calibration data are wrong?
Why must a module not be used in two places?
What is BatchNorm folding?
How do integers travel from one layer to the next?
Why is the gradient of rounding zero?
How can a network learn despite rounding?
Can the scale be trained like a weight?
Is the improvement due to more training or to rounding?
What goes wrong with observers in quantization-aware training?
How many bits can be removed before accuracy falls?
Why do two libraries give different codes for the same number?
What is a tie between two codes?
How is the quality of quantization measured in decibels?
How are two codes stored in one byte?
Which ranges waste codes in symmetric mapping?
Why does my phone need a smaller model?
What limits the speed of a language model?
""".strip().splitlines()


def plain(markdown):
    """The words of a piece of Markdown, without marks, formulas' dollars and links' targets."""
    text = re.sub(r"<[^>]*>|!\[[^\]]*\]\([^)]*\)", " ", markdown)
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"[*`$#>]|\\(?:,|;|!|quad|left|right)", "", text)
    return re.sub(r"\s+", " ", text).strip()


def glossary_passages():
    """[(term, passage)] of every row of the glossary."""
    rows = re.findall(r"^\| ([^|]+) \|[^|]*\|[^|]*\| ([^|]+) \| \[(\d\d)\]", _glossary(), re.MULTILINE)
    return [
        (plain(term), f"{plain(term)}: {plain(meaning)}") for term, meaning, lesson in rows if int(lesson) in LESSONS
    ]


def lesson_passages():
    """[{"source", "text"}] of the paragraphs that explain something, in reading order."""
    found = []
    for path in sorted(NOTEBOOKS.glob("0*.ipynb"))[: len(LESSONS)]:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        title = plain("".join(cells[0]["source"]).splitlines()[0])
        for cell in cells:
            source = "".join(cell["source"])
            if source.startswith("## Exercises"):
                break
            if cell["cell_type"] != "markdown" or source.startswith(SKIPPED):
                continue
            for paragraph in source.split("\n\n"):
                text = plain(paragraph)
                explains = not paragraph.lstrip().startswith(("|", "$$", "```", "#", "- ", "1."))
                if (
                    explains
                    and SHORTEST <= len(text) <= LONGEST
                    and "\\" not in text
                    and not text.startswith(("Predict", "Try this"))
                ):
                    found.append({"source": title, "text": text})
    return found


def main():
    """Write the file."""
    glossary = glossary_passages()
    passages = [{"source": "glossary", "text": text} for _, text in glossary] + lesson_passages()
    questions = QUESTIONS + [f"What does {term} mean?" for term, _ in glossary]
    TARGET.write_text(
        json.dumps({"passages": passages, "questions": questions}, indent=0, ensure_ascii=False) + "\n",
        encoding="utf-8",
    )
    print(f"{len(passages)} passages, {len(questions)} questions")


def _glossary():
    return (NOTEBOOKS / "glossary.md").read_text(encoding="utf-8")


if __name__ == "__main__":
    main()
