"""The small pictures of the first page: of each lesson the figure that its section Explore begins with."""

import base64
import io

from PIL import Image

WIDTH = 720  # twice what a card shows, for dense screens


def picture(notebook):
    """(WebP bytes, width, height, what it shows) of a lesson's small picture; None if it has no figure.

    The figure of Explore says best what a lesson is about: it has all that the lesson moves.
    """
    figures, explore = [], 0
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and cell.source.startswith("## Explore"):
            explore = len(figures)
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                figures.append(output.data)
    if not figures:
        return None
    chosen = figures[min(explore, len(figures) - 1)]
    with Image.open(io.BytesIO(base64.b64decode(chosen["image/png"]))) as drawn, io.BytesIO() as file:
        small = drawn.convert("RGBA")
        small.thumbnail((WIDTH, WIDTH), Image.Resampling.LANCZOS)
        white = Image.new("RGB", small.size, "white")
        white.paste(small, mask=small)
        white.save(file, "WEBP", quality=80, method=6)
        return file.getvalue(), *white.size, chosen["text/plain"]
