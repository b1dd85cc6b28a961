"""Unix users for a trial: made, given passwords, and removed with everything that is theirs. Needs root."""

import contextlib
import fcntl
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from classroom.student_server import SOCKETS

PREFIX = "quant-student-"
LOCK = "/run/quantization-class.lock"
MARK = "made by the quantization course's trial"  # in the user's record, so that only our own are ever removed


@dataclass(frozen=True)
class Student:
    """One student: the name and password they sign in with."""

    name: str
    password: str

    @property
    def home(self):
        """The student's home folder."""
        return Path(pwd.getpwnam(self.name).pw_dir)

    @property
    def uid(self):
        """The student's Unix user number."""
        return pwd.getpwnam(self.name).pw_uid


def names(number):
    """The names of `number` students: quant-student-01 …"""
    return [f"{PREFIX}{count:02d}" for count in range(1, number + 1)]


@contextlib.contextmanager
def trial_students(number, homes):
    """`number` Unix users with random passwords and homes in folder `homes` that only they can read: list of Student.

    At the end they, their processes and their homes are gone. Raises PermissionError without root, FileExistsError if
    a user has such a name and was not made here, RuntimeError if the system refuses or another trial runs.
    """
    if os.geteuid() != 0:
        raise PermissionError("students: only root can make Unix users")
    for tool in ("useradd", "userdel", "chpasswd"):
        if not shutil.which(tool):
            raise RuntimeError(f"students: {tool} is not on this machine (on Debian and Ubuntu: the package passwd)")
    homes = Path(homes)
    homes.mkdir(parents=True, exist_ok=True, mode=0o711)
    with _only_trial():
        for left in pwd.getpwall():  # by a trial that was cut off
            if left.pw_gecos.split(",")[0] == MARK:
                end_processes({left.pw_uid})
                _remove(left.pw_name)
        made = []
        try:
            for name in names(number):
                made.append(_make(name, homes / name))
            _run("chpasswd", given="".join(f"{student.name}:{student.password}\n" for student in made))
            yield made
        finally:
            end_processes({student.uid for student in made})
            for student in made:
                _remove(student.name)


def processes(uids):
    """The processes of these users: {process number: command line}; "" for one that ended and was not yet cleared."""
    found = {}
    for folder in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if folder.name.isdecimal() and folder.stat().st_uid in uids:
                command = (folder / "cmdline").read_bytes()
                found[int(folder.name)] = command.replace(b"\0", b" ").decode(errors="replace")
    return found


def end_processes(uids, seconds=20):
    """Kill every process of these users and wait until the system has cleared it away."""
    until = time.monotonic() + seconds
    while (left := processes(uids)) and time.monotonic() < until:
        for number in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
        time.sleep(0.1)


@contextlib.contextmanager
def _only_trial():
    """Hold this machine's one trial. Raises RuntimeError if another holds it."""
    with open(LOCK, "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RuntimeError("students: another trial or load test runs on this machine; end it first") from error
        yield


def _make(name, home):
    """Make one Unix user with a home that only they can read, without a password yet: Student."""
    with contextlib.suppress(KeyError):
        pwd.getpwnam(name)
        raise FileExistsError(f"students: this machine has a user {name} already, and no trial made it")
    _run("useradd", "--create-home", "--home-dir", str(home), "--shell", "/bin/bash", "--comment", MARK, name)
    home.chmod(0o700)
    return Student(name, secrets.token_urlsafe(9))


def _remove(name):
    user = pwd.getpwnam(name)
    _run("userdel", name)
    sockets = Path(tempfile.gettempdir()).glob(f"{SOCKETS}*")
    for folder in (user.pw_dir, *(folder for folder in sockets if folder.stat().st_uid == user.pw_uid)):
        shutil.rmtree(folder, ignore_errors=True)


def _run(*command, given=None):
    ended = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise RuntimeError(f"students: {command[0]} ended with {ended.returncode}: {ended.stderr.strip()}")
