"""Settings of all tests: no network for kernels, and what hypothesis draws.

Hypothesis gives the same examples on every run and has no deadline on a busy machine; HYPOTHESIS_PROFILE=nightly draws
new examples at every run, and many more of them.
"""

import os
from pathlib import Path

from hypothesis import settings

settings.register_profile("course", deadline=None, derandomize=True, max_examples=60)
settings.register_profile("nightly", deadline=None, derandomize=False, max_examples=400, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "course"))

# Whatever is started from here inherits it, the kernels in which nbval runs the lessons among them.
NO_NETWORK = str(Path(__file__).parent / "no_network")
os.environ["PYTHONPATH"] = os.pathsep.join([NO_NETWORK, *filter(None, [os.environ.get("PYTHONPATH")])])
collect_ignore = ["no_network"]  # importing it to look for doctests would cut off the tests themselves
