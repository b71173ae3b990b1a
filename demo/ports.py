"""Ports on the loopback interface."""

from collections.abc import Sequence
from contextlib import suppress
import socket

from .errors import DemoError

LOOPBACK = "127.0.0.1"


def is_free(port: int) -> bool:
    """Whether a server could listen there now."""
    with socket.socket() as probe:
        # Connections that a former server left in TIME_WAIT are no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with suppress(OSError):
            probe.bind((LOOPBACK, port))
            return True
    return False


def first_free(candidates: Sequence[int]) -> int:
    """Fixed candidates, since the system's choice is too likely taken at the next start."""
    for port in candidates:
        if is_free(port):
            return port
    raise DemoError("not free: port " + "–".join(map(str, sorted({candidates[0], candidates[-1]}))))
