"""A program that measures what a bare paho client needs for a command and its answer."""

import sys
import time

from .bare import BareClient
from .channel import serve
from .plant import topic

_PING = topic("echo", "node0000", "command/relay")
_PONG = topic("echo", "node0000", "response/command")
_PAYLOAD = b'{"action": "on", "request_id": "6f1c1f0e8a4d4f0b9b7a8a5d3f2e1c00"}'


class Echo:
    """One client that publishes with QoS 1 and waits for the answer."""

    def __init__(self, port: int) -> None:
        self._client = BareClient(port, "bench-echo", _PONG)
        self._client.paho.on_message = self._on_message
        self._came = False

    def measure(self, times: int) -> list[float]:
        """Return the seconds of each round trip."""
        return [self._one() for _ in range(times)]

    def _one(self) -> float:
        self._came = False
        begin = time.monotonic()
        self._client.paho.publish(_PING, _PAYLOAD, qos=1)
        while not self._came:
            self._client.wait()
        return time.monotonic() - begin

    def _on_message(self, *_: object) -> None:
        self._came = True


def main() -> None:
    """Run until the driver is done: benchmarks.echo PORT."""
    serve({"measure": Echo(int(sys.argv[1])).measure})


if __name__ == "__main__":
    main()
