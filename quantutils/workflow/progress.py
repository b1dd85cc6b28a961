"""A line that says how far a long task is, and nothing at all for a short one."""

import os
import sys
import time

QUIET_SECONDS = 2.0


def with_progress(items, doing, clock=time.monotonic, stream=None):
    """Yield the items; once two seconds have passed, say every second how many are done.

    items: iterable. doing: what is being done, "quantizing layers" say. clock, stream: for tests. It is said on stderr,
    in a notebook on stdout; with the environment variable QUANTUTILS_PROGRESS=off not at all.

    >>> list(with_progress([3, 4], "counting"))
    [3, 4]
    """
    items, quiet = list(items), stream is None and os.environ.get("QUANTUTILS_PROGRESS") == "off"
    stream = stream or _where_words_go()
    start = said = clock()
    spoke = False
    for place, item in enumerate(items, 1):
        yield item
        now = clock()
        if not quiet and now - start >= QUIET_SECONDS and now - said >= 1.0:
            print(f"\r{doing}: {place} of {len(items)}", end="", file=stream, flush=True)
            said, spoke = now, True
    if spoke:
        print(f"\r{doing}: {len(items)} of {len(items)}", file=stream, flush=True)


def _where_words_go():
    """stderr, so that a script's results stay clean; in a notebook, which paints stderr red as if it failed, stdout."""
    return sys.stdout if type(sys.stdout).__module__.startswith("ipykernel") else sys.stderr
