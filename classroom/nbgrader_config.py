"""nbgrader's configuration for this course; an assignment's folder loads it (see classroom/assignment.py)."""

import sys
from pathlib import Path

from nbconvert.preprocessors import ClearMetadataPreprocessor
from nbgrader.preprocessors import (
    AssignLatePenalties,
    CheckCellMetadata,
    ClearOutput,
    IgnorePattern,
    LimitOutput,
    OverwriteCells,
    OverwriteKernelspec,
    SaveAutoGrades,
)

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from classroom.grading import AnswersOnly, ContainedExecute

c = get_config()  # noqa: F821 - nbgrader provides it

c.CourseDirectory.course_id = "quantization"

# A released answer cell reads `answer_1 = ...`, as in the lesson, and this line.
c.ClearSolutions.code_stub = {"python": "# Replace the ... above, or write the function here"}

c.Autograde.sanitize_preprocessors = [ClearOutput, AnswersOnly, OverwriteKernelspec, OverwriteCells, CheckCellMetadata]
c.Autograde.autograde_preprocessors = [
    ContainedExecute,
    IgnorePattern,
    ClearMetadataPreprocessor,
    LimitOutput,
    SaveAutoGrades,
    AssignLatePenalties,
    CheckCellMetadata,
]

# The longest honest answer takes seconds; thirty submissions that hang once each then cost a quarter of an hour.
c.ContainedExecute.timeout = 30
c.ContainedExecute.startup_timeout = 60
c.ContainedExecute.max_output = 100_000
c.LimitOutput.max_lines = 200
c.LimitOutput.max_traceback = 40
