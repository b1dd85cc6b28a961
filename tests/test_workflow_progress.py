"""Progress speaks after two seconds, at most once a second, and not at all about short tasks."""

import io

import pytest

from quantutils.workflow.progress import with_progress


def said_after(seconds_an_item, count):
    now, stream = [0.0], io.StringIO()
    for _ in with_progress(range(count), "quantizing", lambda: now[0], stream):
        now[0] += seconds_an_item
    return stream.getvalue()


def test_short_tasks_say_nothing():
    assert said_after(0.1, 15) == ""


def test_long_tasks_say_how_far_they_are_and_end_the_line():
    said = said_after(0.5, 8)
    assert said.split("\r")[1:] == [
        "quantizing: 4 of 8",
        "quantizing: 6 of 8",
        "quantizing: 8 of 8",
        "quantizing: 8 of 8\n",
    ]


def test_every_item_comes_once_even_of_a_generator():
    assert list(with_progress((n * n for n in range(5)), "squaring")) == [0, 1, 4, 9, 16]


@pytest.mark.parametrize(("setting", "speaks"), [("off", False), ("", True)])
def test_progress_on_stderr_can_be_switched_off(setting, speaks, monkeypatch, capsys):
    monkeypatch.setenv("QUANTUTILS_PROGRESS", setting)
    now = iter(range(0, 100, 3))
    assert list(with_progress(range(3), "counting", lambda: next(now))) == [0, 1, 2]
    assert bool(capsys.readouterr().err) is speaks


def test_progress_in_a_notebook_is_no_error(monkeypatch, capsys):
    class Notebook(io.StringIO):
        """Stands for the stdout of a notebook's kernel."""

    Notebook.__module__ = "ipykernel.iostream"
    monkeypatch.setenv("QUANTUTILS_PROGRESS", "on")
    monkeypatch.setattr("sys.stdout", stdout := Notebook())
    now = iter(range(0, 100, 3))
    assert list(with_progress(range(3), "counting", lambda: next(now))) == [0, 1, 2]
    assert stdout.getvalue().endswith("counting: 3 of 3\n")
    assert not capsys.readouterr().err
