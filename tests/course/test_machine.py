"""What a learner is told about the machine, in words."""

from importlib.metadata import PackageNotFoundError
from unittest import mock

import pytest

from quantutils.course import machine
from quantutils.course.machine import machine_report, pinned_versions

WELL = ["Everything the course needs is here, in the versions it was checked with."]
INSTALL = "run 'make lab' in the course's folder (or 'pip install -r requirements.txt'), then restart the kernel"
INSTALLED = {"numpy": "2.4.6", "torch": "2.9.1+cpu"}


def found(name):
    """The version of a package on a machine that has two."""
    if name not in INSTALLED:
        raise PackageNotFoundError(name)
    return INSTALLED[name]


@pytest.fixture(autouse=True)
def _two_packages():
    with mock.patch.object(machine, "version", found):
        yield


@pytest.fixture
def requirements(tmp_path):
    """A requirements file that the report reads instead of the course's own."""
    path = tmp_path / "requirements.txt"
    with mock.patch.object(machine, "REQUIREMENTS", path):
        yield path


# machine_report


def test_all_well_is_one_sentence():
    assert machine_report({"numpy": "2.4.6"}, (3, 11)) == WELL


def test_a_local_build_of_the_right_version_is_right():
    assert machine_report({"torch": "2.9.1"}, (3, 12)) == WELL


def test_a_missing_package_is_named_with_what_to_do():
    assert machine_report({"numpy": "2.4.6", "pillow": "12.0"}, (3, 11)) == [f"pillow is missing: {INSTALL}."]


def test_another_version_is_told_apart_from_a_missing_package():
    assert machine_report({"numpy": "2.3.0"}, (3, 11)) == [
        "numpy is 2.4.6, and the course was checked with 2.3.0: it will most likely work, but a printed number may"
        " differ in its last digit."
    ]


@pytest.mark.parametrize("python", [(3, 10), (2, 7)])
def test_an_old_python_is_named_with_what_the_course_needs(python):
    assert machine_report({"numpy": "2.4.6"}, python) == [
        f"Python is {python[0]}.{python[1]}; the course needs 3.11 or newer: install one and {INSTALL}."
    ]


def test_everything_that_is_wrong_is_said_python_first():
    sentences = machine_report({"numpy": "1.0", "pillow": "12.0"}, (3, 9))
    assert [sentence.split(" is ")[0] for sentence in sentences] == ["Python", "numpy", "pillow"]


def test_this_python_is_asked_where_none_is_given():
    with mock.patch.object(machine.sys, "version_info", (3, 10, 4, "final", 0)):
        assert machine_report({})[0].startswith("Python is 3.10;")


# The requirements file


def test_the_pins_of_the_requirements_file_are_what_is_compared(requirements):
    requirements.write_text("# pins\n\nnumpy==2.4.6\npillow==12.0  # pictures\n", encoding="utf-8")
    assert machine_report(python=(3, 11)) == [f"pillow is missing: {INSTALL}."]


def test_without_a_requirements_file_only_python_is_judged(requirements):
    assert not requirements.exists()
    assert machine_report(python=(3, 11)) == WELL
    assert machine_report(python=(3, 8))[0].startswith("Python is 3.8;")


@pytest.mark.parametrize(
    ("text", "pins"),
    [
        ("", {}),
        ("# numpy==1.0\n   \n\t\n", {}),
        ("numpy==2.4.6", {"numpy": "2.4.6"}),
        ("\r\nnumpy==2.4.6\r\n  torch == 2.9.1 # local\r\n", {"numpy": "2.4.6", "torch": "2.9.1"}),
        ("--extra-index-url https://example.org/simple\n-e .\nnumpy\nnumpy>=2\n", {}),
        ('pywin==3.1 ; sys_platform == "win32"\nnbval[all]==0.11\n', {}),
    ],
)
def test_pins_are_read_and_everything_else_is_passed_over(text, pins):
    assert pinned_versions(text) == pins


def test_the_course_s_own_requirements_give_its_pins():
    pins = pinned_versions(machine.REQUIREMENTS.read_text(encoding="utf-8"))
    assert "numpy" in pins
    assert all(version[0].isdigit() for version in pins.values())
