"""A bar that says how far a long task is, and nothing at all for a short one."""

import os

from tqdm.auto import tqdm

QUIET_SECONDS = 2


def with_progress(items, doing):
    """The items, one after another; after two seconds a bar shows how many are done: in a terminal, or in the notebook.

    items: iterable. doing: what is being done, "quantizing layers" say. With the environment variable
    QUANTUTILS_PROGRESS=off there is none.

    >>> list(with_progress([3, 4], "counting"))
    [3, 4]
    """
    quiet = os.environ.get("QUANTUTILS_PROGRESS") == "off"
    return tqdm(list(items), doing, delay=QUIET_SECONDS, leave=False, disable=quiet)
