"""`python -m classroom`: try the server for a class on this machine; --help says with what."""

import argparse
import contextlib
import os
import secrets
import signal
import sys
import tempfile
from pathlib import Path

from classroom.hub import Hub
from classroom.installation import InstallationError, check_open_to_students, install
from classroom.students import names, trial_students


def main(arguments=None):
    """Install what is missing, make the students, start the hub, and end everything at Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m classroom", description=__doc__)
    parser.add_argument("--students", type=int, default=3, help="how many (3)")
    parser.add_argument("--port", type=int, default=8000, help="of the address to open (8000)")
    parser.add_argument(
        "--no-isolation", action="store_true", help="without root: all servers run as you, nobody is kept apart"
    )
    options = parser.parse_args(arguments)
    if not 1 <= options.students <= 99:
        parser.error(f"--students: 1 to 99 are accepted, and {options.students} was given")
    is_root = os.geteuid() == 0
    if not is_root and not options.no_isolation:
        sys.exit(
            "Only root can keep students apart, each a Unix user: sudo .venv/bin/python -m classroom. To look at the"
            " server by yourself: .venv/bin/python -m classroom --no-isolation (every student can read every file)."
        )
    try:
        print("Installing JupyterHub and its proxy, unless they are there ...", flush=True)
        install()
        if is_root:
            check_open_to_students()
    except InstallationError as error:
        sys.exit(str(error))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with tempfile.TemporaryDirectory(prefix="quantization-class-") as folder, contextlib.ExitStack() as stack:
        Path(folder).chmod(0o711)  # students must reach their homes in it
        if is_root:
            students = stack.enter_context(trial_students(options.students, Path(folder) / "homes"))
            signs_in, password = {student.name: student.password for student in students}, None
        else:
            password = secrets.token_urlsafe(9)
            signs_in = dict.fromkeys(names(options.students), password)
        ports = [options.port, options.port + 81, options.port + 1]
        hub = Hub(Path(folder) / "hub", signs_in, ports, password)
        hub.start()
        stack.callback(hub.end)
        print(f"\nOpen {hub.address} and sign in as one of these; several at once in private windows:\n")
        print("\n".join(f"  {name}  {password}" for name, password in signs_in.items()))
        if not is_root:
            print("\nNO ISOLATION: all of them are you on this machine, and each can read the files of all.")
        print("\nCtrl-C ends the trial and removes the students and all they wrote.", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            hub.process.wait()
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (FileExistsError, RuntimeError, TimeoutError) as error:
        sys.exit(str(error))
