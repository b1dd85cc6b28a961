"""Python imports this at its start where this folder is on PYTHONPATH: it then reaches nothing but its own machine.

tests/conftest.py puts it there, so that every kernel of a test run, those of the lessons too, has no network.
"""

import sys

CONNECTING = {"socket.connect", "socket.sendto", "socket.sendmsg"}
LOOKING_UP = {"socket.getaddrinfo", "socket.gethostbyname"}


def own_machine(host):
    """Whether a host name or address is this machine; None stands for it too."""
    host = host.decode() if isinstance(host, bytes) else host
    return host in (None, "", "localhost", "::1", "0.0.0.0") or host.startswith("127.")


def refuse(event, arguments):
    """An audit hook: Python calls it before every connection, in whatever module it is made."""
    if event in CONNECTING:
        address = arguments[1]
        if isinstance(address, tuple) and not own_machine(address[0]):  # others are files: Unix sockets
            raise PermissionError(f"this test run has no network, and {address[0]!r} is not this machine")
    elif event in LOOKING_UP and not own_machine(arguments[0]):
        raise PermissionError(f"this test run has no network, and {arguments[0]!r} is not this machine")


sys.addaudithook(refuse)
