"""Kernels of this test run have no network, so that every lesson that nbval runs proves that it needs none."""

import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

# Addresses of the documentation ranges (RFC 5737, RFC 3849): nobody answers there.
ATTEMPTS = {
    "connect": "socket.create_connection(('192.0.2.1', 80), timeout=5)",
    "connect_ex": "socket.socket().connect_ex(('192.0.2.1', 80))",
    "IPv6": "socket.socket(socket.AF_INET6).connect(('2001:db8::1', 80))",
    "UDP": "socket.socket(type=socket.SOCK_DGRAM).sendto(b'?', ('192.0.2.1', 53))",
    "name": "socket.getaddrinfo('example.org', 443)",
    "URL": "urllib.request.urlopen('http://192.0.2.1/', timeout=5)",
}


@pytest.mark.parametrize("attempt", ATTEMPTS.values(), ids=ATTEMPTS)
def test_a_python_started_from_here_reaches_nobody(attempt):
    code = f"import socket, urllib.request\n{attempt}"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert answer.returncode == 1
    assert "this test run has no network" in answer.stderr


def test_a_kernel_reaches_nobody():
    """A kernel as nbval starts it, from the environment of this process."""
    attempt = "import socket\ntry:\n    socket.create_connection(('192.0.2.1', 80), timeout=5)\n"
    attempt += "except PermissionError as error:\n    print(error)"
    notebook = new_notebook(cells=[new_code_cell(attempt)])
    NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
    assert "this test run has no network" in notebook.cells[0].outputs[0].text


def test_its_own_machine_can_be_reached():
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=lambda: server.accept()[0].sendall(b"hello"), daemon=True).start()
        port = server.getsockname()[1]
        code = f"import socket; print(socket.create_connection(('localhost', {port}), timeout=5).recv(5))"
        answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout == "b'hello'\n"


def test_what_kernels_inherit_is_the_guard():
    first = Path(os.environ["PYTHONPATH"].split(os.pathsep)[0])
    assert (first / "sitecustomize.py").is_file()
    assert first.name == "no_network"
