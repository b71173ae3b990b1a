"""Addresses that swallow whatever is sent to them, as a firewall that drops would."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
import socket


@contextmanager
def silent_port(host: str = "127.0.0.1") -> Iterator[int]:
    """Give a port whose queue of connections is full: the system drops every further try."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket(family))
        listener.bind((host, 0))
        listener.listen(0)
        port: int = listener.getsockname()[1]
        for _ in range(4):
            filler = stack.enter_context(socket.socket(family))
            filler.setblocking(False)
            filler.connect_ex((host, port))
        yield port
