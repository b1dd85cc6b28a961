"""A student as the server sees one: signs in, starts a server, runs a lesson, saves; asks again where a browser would.

For load_test.py. Speaks HTTP and websockets to this machine alone, and gives up at a deadline.
"""

import asyncio
import contextlib
import http.cookies
import json
import time
import uuid
from urllib.parse import quote, urlencode

from tornado.httpclient import AsyncHTTPClient, HTTPError, HTTPRequest
from tornado.websocket import WebSocketClosedError, websocket_connect

# Sent on to the hub (302) or told that no server runs (424), starting, busy, restarting, or no connection (599)
AGAIN = {302, 424, 429, 500, 502, 503, 504, 599}
PAUSE = 1.0  # seconds between two tries; JupyterHub's own page waits about as long
PATIENCE = 150.0  # seconds until a student restarts a kernel that has not answered since its start


class KernelLostError(Exception):
    """The kernel is gone, with all its variables: its server was restarted."""


class StudentClient:
    """One student's browser: name, password, the hub's address, and `deadline`, by time.monotonic()."""

    def __init__(self, address, name, password, deadline):
        self.address, self.name, self.password, self.deadline = address, name, password, deadline
        self.cookies, self.token = {}, None
        self.retries, self.run_again, self.restarted = 0, 0, 0
        self.http = AsyncHTTPClient()

    async def once(self, path, method="GET", body=None, token=None, form=False):
        """One request, no retry and no redirect: the response, whatever its status."""
        headers = {"Accept": "application/json"}
        if token:
            headers["Authorization"] = f"token {token}"
        elif self.cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
            headers["X-XSRFToken"] = self.cookies.get("_xsrf", "")
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded" if form else "application/json"
            body = urlencode(body) if form else json.dumps(body)
        request = HTTPRequest(
            self.address + path, method, headers, body, follow_redirects=False, request_timeout=60,
            allow_nonstandard_methods=True,
        )  # fmt: skip
        try:
            response = await self.http.fetch(request, raise_error=False)
        except OSError as error:
            raise HTTPError(599, str(error)) from error
        for line in response.headers.get_list("Set-Cookie"):
            for name, morsel in http.cookies.SimpleCookie(line).items():
                self.cookies[name] = morsel.value
        return response

    async def ask(self, path, method="GET", body=None, accept=(200, 201, 202, 204)):
        """A request with the student's token, again until it is answered: the JSON. Raises HTTPError for a refusal."""
        while True:
            try:
                response = await self.once(path, method, body, token=self.token)
            except HTTPError as error:
                response = error
            if response.code in accept:
                return json.loads(response.body) if response.body else None
            if response.code not in AGAIN:
                raise HTTPError(response.code, f"{method} {path}: {response.body[:300] if response.body else ''}")
            self._in_time(f"{method} {path}: {response.code}")
            if response.code in (302, 424, 503) and path.startswith("/user/"):
                await self.start_server()
            self.retries += 1
            await asyncio.sleep(PAUSE)

    async def sign_in(self):
        """Sign in by the page's form: its status (302 is in; 403 is refused)."""
        await self.once("/hub/login")
        given = {"username": self.name, "password": self.password, "_xsrf": self.cookies.get("_xsrf", "")}
        return (await self.once("/hub/login", "POST", given, form=True)).code

    async def _try_to_sign_in(self):
        try:
            return await self.sign_in()
        except HTTPError as error:
            return error.code

    async def enter(self):
        """Sign in, again until the hub answers, and take a token as JupyterLab's pages do."""
        while (status := await self._try_to_sign_in()) != 302:
            if status not in AGAIN:
                raise HTTPError(status, f"{self.name} could not sign in")
            self._in_time("sign in")
            await asyncio.sleep(PAUSE)
        made = await self.once(f"/hub/api/users/{self.name}/tokens", "POST", {"expires_in": 7200})
        if made.code not in (200, 201):
            raise HTTPError(made.code, f"{self.name} got no token: {made.body[:300]}")
        self.token = json.loads(made.body)["token"]

    async def start_server(self):
        """Ask for the server, unless it runs or starts, and wait until it answers."""
        asked = answer = None
        while True:
            with contextlib.suppress(HTTPError):
                answer = await self.once(f"/user/{self.name}/api/status", token=self.token)
                if answer.code == 200:
                    return
                asked = await self.once(f"/hub/api/users/{self.name}/server", "POST", {}, token=self.token)
            self._in_time(f"start of the server ({asked and (asked.code, asked.body)}; {answer and answer.code})")
            await asyncio.sleep(PAUSE)

    async def read(self, path):
        """The notebook at `path` in the student's folder, as the file has it."""
        return (await self.ask(f"/user/{self.name}/api/contents/{quote(path)}?content=1"))["content"]

    async def save(self, path, notebook):
        """Save a notebook as JupyterLab does; returns once the server said that it is on disk."""
        model = {"type": "notebook", "format": "json", "content": notebook}
        await self.ask(f"/user/{self.name}/api/contents/{quote(path)}", "PUT", model)

    async def kernel(self, path):
        """A kernel for the notebook at `path`: Kernel."""
        model = {"path": path, "name": path, "type": "notebook", "kernel": {"name": "python3"}}
        session = await self.ask(f"/user/{self.name}/api/sessions", "POST", model)
        return Kernel(self, session["kernel"]["id"], session["id"])

    def _in_time(self, what):
        if time.monotonic() > self.deadline:
            raise TimeoutError(f"{self.name}: not done by the deadline: {what}")


class Kernel:
    """A running kernel of one student, spoken to over a websocket that is opened again where it was cut."""

    def __init__(self, client, number, session):
        self.client, self.number, self.session = client, number, session
        self.connection, self.talk, self.opened = None, uuid.uuid4().hex, 0

    async def execute(self, source):
        """Run one cell: its outputs as a notebook holds them. Raises KernelLostError, TimeoutError."""
        said, outputs, ended = uuid.uuid4().hex, [], set()
        await self._send(said, source)
        quiet_since = time.monotonic()
        while ended != {"idle", "reply"}:
            self.client._in_time("a cell")
            try:
                text = await asyncio.wait_for(self.connection.read_message(), 5)
            except TimeoutError:
                # The request, or the answer, was on its way when the connection was cut: the student runs it again.
                if self.opened > 1 and time.monotonic() - quiet_since > 15 and await self._state() == "idle":
                    said, outputs, ended = uuid.uuid4().hex, [], set()
                    await self._send(said, source)
                    self.client.run_again += 1
                    quiet_since = time.monotonic()
                continue
            if text is None:
                self.connection = None
                await self._connect()
                quiet_since = time.monotonic()
                continue
            if isinstance(text, bytes):  # pictures of a widget on their way to its view, which this browser has not
                continue
            message = json.loads(text)
            if message["parent_header"].get("msg_id") != said:
                continue
            quiet_since = time.monotonic()
            kind, content = message["msg_type"], message["content"]
            if kind == "status" and content["execution_state"] == "idle":
                ended.add("idle")
            elif kind == "execute_reply":
                ended.add("reply")
            elif kind in ("stream", "display_data", "execute_result", "error"):
                outputs.append({"output_type": kind} | {key: content[key] for key in content if key != "transient"})
        return outputs

    async def restart(self):
        """Restart a kernel that stays silent, as *Kernel > Restart Kernel* does."""
        self.client._in_time("a kernel that answers")
        if self.connection:
            self.connection.close()
            self.connection = None
        await self.client.ask(f"/user/{self.client.name}/api/kernels/{self.number}/restart", "POST", {})
        self.client.restarted += 1

    async def close(self):
        """End the kernel and its session."""
        if self.connection:
            self.connection.close()
        await self.client.ask(f"/user/{self.client.name}/api/sessions/{self.session}", "DELETE", accept=(204, 404))

    async def _send(self, said, source):
        header = {"msg_id": said, "username": self.client.name, "session": self.talk, "msg_type": "execute_request"}
        content = {"code": source, "silent": False, "store_history": True, "user_expressions": {}, "allow_stdin": False}
        message = {"header": header | {"version": "5.3", "date": ""}, "parent_header": {}, "metadata": {}}
        message |= {"content": content, "channel": "shell", "buffers": []}
        while True:
            await self._connect()
            try:
                return await self.connection.write_message(json.dumps(message))
            except WebSocketClosedError:
                self.connection = None

    async def _connect(self):
        """Open the websocket unless it is; the same session name brings what was said meanwhile."""
        if self.connection is not None:
            return
        address = self.client.address.replace("http:", "ws:")
        path = f"/user/{self.client.name}/api/kernels/{self.number}/channels?session_id={self.talk}"
        headers = {"Authorization": f"token {self.client.token}"}
        while self.connection is None:
            await self._state()
            try:
                self.connection = await websocket_connect(
                    HTTPRequest(address + path, headers=headers), max_message_size=2**27, ping_interval=30
                )
            except (HTTPError, OSError):
                self.client._in_time("a websocket")
                self.client.retries += 1
                await asyncio.sleep(PAUSE)
        self.opened += 1

    async def _state(self):
        """What the kernel does: "idle", "busy", "starting". Raises KernelLostError if the server knows none."""
        try:
            return (await self.client.ask(f"/user/{self.client.name}/api/kernels/{self.number}"))["execution_state"]
        except HTTPError as error:
            if error.code == 404:
                raise KernelLostError(self.client.name) from error
            raise
