"""The hub as a process: started, waited for, restarted and ended, for a trial and for the load test."""

import os
import secrets
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

from classroom.installation import PYTHON

HERE = Path(__file__).resolve().parent
PROXY = HERE / "node_modules" / ".bin" / "configurable-http-proxy"


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
        self.password, self.secret = password, secrets.token_hex()
        self.process = self.proxy = None

    def start(self, seconds=60):
        """Start the hub, and the proxy unless it runs, and wait until they answer.

        The proxy is a process of its own, so that a restart of the hub cuts nobody's connection to their kernel.
        Raises TimeoutError with the end of the log if they do not answer.
        """
        given = {"CLASSROOM_DATA": str(self.data), "CLASSROOM_PORTS": ",".join(map(str, self.ports))}
        given["CONFIGPROXY_AUTH_TOKEN"] = self.secret
        if self.password:
            given["CLASSROOM_PASSWORD"] = self.password
        public, hub, api = map(str, self.ports)
        proxy = [str(PROXY), "--ip=127.0.0.1", f"--port={public}", "--api-ip=127.0.0.1", f"--api-port={api}"]
        proxy += [f"--error-target=http://127.0.0.1:{hub}/hub/error", "--log-level=warn"]
        if self.proxy is None:
            self.proxy = self._run(proxy, given)
        self.process = self._run(
            [str(PYTHON), "-m", "jupyterhub", "--config", str(HERE / "jupyterhub_config.py")], given
        )
        until = time.monotonic() + seconds
        while not self.answers():
            if self.process.poll() is not None or self.proxy.poll() is not None or time.monotonic() > until:
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
        """Ask the hub to end, as a system's restart does, and wait; the proxy and students' own servers stay."""
        self.process.terminate()
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def kill(self):
        """End the hub and its proxy at once, as a power cut does."""
        for process in (self.process, self.proxy):
            process.kill()
            process.wait()
        self.proxy = None

    def end(self):
        """End the hub as it wishes, and then the proxy."""
        self.stop()
        self.kill()

    def _run(self, command, given):
        with self.log.open("a") as out:
            return subprocess.Popen(
                command, cwd=self.data, env=os.environ | given, stdout=out, stderr=out, start_new_session=True
            )


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
