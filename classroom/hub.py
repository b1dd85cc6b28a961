"""The hub as a process: started, waited for, restarted and ended, for a trial and for the load test."""

import contextlib
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

from classroom.installation import PYTHON

HERE = Path(__file__).resolve().parent


class Hub:
    """JupyterHub with jupyterhub_config.py; its files (database, secrets, roster, log) in folder `data`.

    roster: names that may sign in; ports: public, hub, proxy's API (free ones if None); password: the one that all
    share where students are not Unix users.
    """

    def __init__(self, data, roster, ports=None, password=None):
        self.data = Path(data)
        self.data.mkdir(parents=True, exist_ok=True, mode=0o700)
        (self.data / "roster.txt").write_text("\n".join(roster) + "\n")
        self.ports = ports or free_ports(3)
        self.address = f"http://127.0.0.1:{self.ports[0]}"
        self.log = self.data / "hub.log"
        self.password = password
        self.process = None

    def start(self, seconds=60):
        """Start it and wait until it answers. Raises TimeoutError with the end of its log if it does not."""
        given = {"CLASSROOM_DATA": str(self.data), "CLASSROOM_PORTS": ",".join(map(str, self.ports))}
        if self.password:
            given["CLASSROOM_PASSWORD"] = self.password
        command = [str(PYTHON), "-m", "jupyterhub", "--config", str(HERE / "jupyterhub_config.py")]
        with self.log.open("a") as out:
            self.process = subprocess.Popen(
                command, cwd=self.data, env=os.environ | given, stdout=out, stderr=out, start_new_session=True
            )
        until = time.monotonic() + seconds
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > until:
                self.kill()
                raise TimeoutError(f"JupyterHub did not answer at {self.address}: {self.log.read_text()[-2000:]}")
            time.sleep(0.2)

    def answers(self):
        """Whether the hub answers through the proxy."""
        try:
            with urllib.request.urlopen(f"{self.address}/hub/health", timeout=2):
                return True
        except (urllib.error.URLError, OSError):
            return False

    def stop(self, seconds=30):
        """Ask it to end, as a system's restart does, and wait; students' servers stay if they are their own users'."""
        self.process.terminate()
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self):
        """End it and its proxy at once, as a power cut does."""
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait()
        with contextlib.suppress(FileNotFoundError, ValueError, ProcessLookupError):
            os.kill(int((self.data / "proxy.pid").read_text()), signal.SIGKILL)


def free_ports(number):
    """`number` ports of this machine that nothing listens on."""
    opened = [socket.socket() for _ in range(number)]
    try:
        for one in opened:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in opened]
    finally:
        for one in opened:
            one.close()
