"""Settings of all tests: hypothesis gives the same examples on every run and has no deadline on a busy machine.

HYPOTHESIS_PROFILE=nightly draws new examples at every run, and many more of them.
"""

import os

from hypothesis import settings

settings.register_profile("course", deadline=None, derandomize=True, max_examples=60)
settings.register_profile("nightly", deadline=None, derandomize=False, max_examples=400, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "course"))
