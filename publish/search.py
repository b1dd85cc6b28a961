"""The search's texts: a script that a page loads from its own folder, which works from disk where fetching does not."""

import json

LONGEST = 1500  # characters of a section: enough to find it, and the whole course stays below half a megabyte


def entries(page, name, sections):
    """What search knows of a page: an entry a section, {address, page: its name, title, text}."""
    return [
        {"at": f"{page}#{section.anchor}", "page": name, "title": section.title, "text": section.text[:LONGEST]}
        for section in sections
    ]


def script(found):
    """All entries as a script that defines the variable `courseTexts`."""
    return f"const courseTexts = {json.dumps(found, ensure_ascii=False, separators=(',', ':'))};\n"
