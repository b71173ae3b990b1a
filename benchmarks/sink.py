"""A program that only counts what the broker sends it: the broker's own limit."""

import socket
import time

from .channel import serve
from .packets import open_client, subscribe


class Sink:
    """One subscriber that looks at nothing."""

    def __init__(self) -> None:
        self._sock: socket.socket | None = None

    def connect(self, port: int, topic_filter: str) -> None:
        """Subscribe, or subscribe anew."""
        if self._sock is not None:
            self._sock.close()
        self._sock = open_client(port, f"sink-{time.monotonic_ns()}")
        self._sock.sendall(subscribe(topic_filter, 0))
        self._sock.recv(5)

    def swallow(self, size: int) -> dict[str, int]:
        """Return when so many bytes have come."""
        if self._sock is None:
            raise OSError("not connected")
        self._sock.settimeout(30)
        buffer = bytearray(1 << 20)
        while size > 0:
            size -= self._sock.recv_into(buffer)
        return {"done": time.monotonic_ns()}


def main() -> None:
    """Run until the driver is done."""
    sink = Sink()
    serve({"connect": sink.connect, "swallow": sink.swallow})


if __name__ == "__main__":
    main()
