"""Write the index at the end of the glossary, every term by letter: `python tools/glossary_index.py`.

Lines, no table rows: what reads the glossary's rows passes them by.
"""

import re
from itertools import groupby
from pathlib import Path

GLOSSARY = Path(__file__).resolve().parent.parent / "notebooks" / "glossary.md"
HEADING = "\n## By letter · 按字母\n"


def with_index(text):
    """The glossary's text with its index made anew: English terms by letter, each with its Chinese and its lesson."""
    rows = re.findall(
        r"^\| ([^|]+?) \|[^|]*\| ([^|]+?) \|[^|]*\| (\[\d\d\]\([^)]+\)) \|$", text.split(HEADING)[0], re.MULTILINE
    )
    rows.sort(key=lambda row: (row[0].lower(), row[0]))
    lines = [
        f"- **{letter}:** " + " · ".join(f"{term}, {chinese} {lesson}" for term, chinese, lesson in terms)
        for letter, terms in groupby(rows, key=lambda row: row[0][0].upper())
    ]
    return text.split(HEADING)[0].rstrip() + "\n" + HEADING + "\n" + "\n".join(lines) + "\n"


if __name__ == "__main__":
    GLOSSARY.write_text(with_index(GLOSSARY.read_text(encoding="utf-8")), encoding="utf-8")
