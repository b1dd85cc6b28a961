"""Settings of all tests: hypothesis gives the same examples on every run and has no deadline on a busy machine."""

from hypothesis import settings

settings.register_profile("course", deadline=None, derandomize=True, max_examples=60)
settings.load_profile("course")
