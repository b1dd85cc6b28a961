"""A bar comes after two seconds, not at all for short tasks, and not at all where it is switched off."""

import pytest

from quantutils.workflow import progress
from quantutils.workflow.progress import with_progress


def said(monkeypatch, capsys, setting, delay):
    """What stands on stderr after three items."""
    monkeypatch.setenv("QUANTUTILS_PROGRESS", setting)
    monkeypatch.setattr(progress, "QUIET_SECONDS", delay)
    monkeypatch.setattr("tqdm.std.tqdm.monitor_interval", 0)
    bar = with_progress(range(3), "counting")
    bar.mininterval = 0
    assert list(bar) == [0, 1, 2]
    return capsys.readouterr().err


def test_a_long_task_says_what_it_does(monkeypatch, capsys):
    assert "counting" in said(monkeypatch, capsys, "on", delay=1e-9)


@pytest.mark.parametrize(("setting", "delay"), [("on", 2), ("off", 1e-9)])
def test_a_short_task_says_nothing_and_one_that_is_switched_off_neither(monkeypatch, capsys, setting, delay):
    assert said(monkeypatch, capsys, setting, delay) == ""


def test_every_item_comes_once_even_of_a_generator():
    assert list(with_progress((n * n for n in range(5)), "squaring")) == [0, 1, 4, 9, 16]
