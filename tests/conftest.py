"""Settings of all tests: no network for kernels, and what hypothesis draws.

Hypothesis gives the same examples on every run and has no deadline on a busy machine; HYPOTHESIS_PROFILE=nightly draws
new examples at every run, and many more of them.
"""

import os
from pathlib import Path

from hypothesis import Phase, settings

settings.register_profile("course", deadline=None, derandomize=True, max_examples=60)
settings.register_profile("nightly", deadline=None, derandomize=False, max_examples=400, print_blob=True)
# For tests/mutation.md: a failure is all it wants, not the smallest example of one.
settings.register_profile(
    "mutation", settings.get_profile("course"), phases=(Phase.explicit, Phase.generate), database=None
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "course"))

# Whatever is started from here inherits it, the kernels in which nbval runs the lessons among them.
NO_NETWORK = str(Path(__file__).parent / "no_network")
os.environ["PYTHONPATH"] = os.pathsep.join([NO_NETWORK, *filter(None, [os.environ.get("PYTHONPATH")])])
collect_ignore = ["no_network"]  # importing it to look for doctests would cut off the tests themselves
