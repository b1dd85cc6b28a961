"""The parts of the course: the one table that says which lessons belong together and what they have in common."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Part:
    """Lessons that belong together, from the number of the first up to where the next part begins."""

    first: str
    name: str
    about: str


PARTS = (
    Part(
        "00",
        "Part I · Numbers and arithmetic",
        "From one number to a matrix product on integers. NumPy is all it takes.",
    ),
    Part(
        "05",
        "Part II · Networks",
        "Why networks bear rounding, and the ways to quantize one, up to a model in real use.",
    ),
)


def parts(lessons):
    """[(Part, its lessons)] in reading order, without the parts that have no lesson."""
    ends = [part.first for part in PARTS[1:]] + ["~"]  # "~" comes after every digit
    # What comes before the first part would otherwise be lost.
    begins = ["", *ends[:-1]]
    found = [
        (part, [lesson for lesson in lessons if begin <= lesson.number < end])
        for part, begin, end in zip(PARTS, begins, ends, strict=True)
    ]
    return [(part, its_own) for part, its_own in found if its_own]


def neighbours(lessons, lesson):
    """The lessons before and after this one; None where there is none."""
    place = [other.stem for other in lessons].index(lesson.stem)
    before = lessons[place - 1] if place else None
    return before, lessons[place + 1] if place + 1 < len(lessons) else None
