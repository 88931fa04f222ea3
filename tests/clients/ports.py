"""Ports for programs that have to be told where to listen."""

import random
import socket

# Below those that a system gives to outgoing connections, one of which would otherwise have it before the program starts.
PORTS = range(10_000, 32_000)


def free_port() -> int:
    """A port of the loopback interface that nobody listens on."""
    while True:
        port = random.choice(PORTS)
        try:
            with socket.create_server(("127.0.0.1", port)):
                return port
        except OSError:
            continue
