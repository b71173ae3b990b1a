"""A program that measures what a bare paho client needs for a command and its answer."""

import socket
import sys
import time
from typing import cast

from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from .channel import serve
from .packets import LOOPBACK, acknowledge_quickly
from .plant import topic

_PING = topic("echo", "node0000", "command/relay")
_PONG = topic("echo", "node0000", "response/command")
_PAYLOAD = b'{"action": "on", "request_id": "6f1c1f0e8a4d4f0b9b7a8a5d3f2e1c00"}'


class Echo:
    """One client that publishes with QoS 1 and waits for the answer."""

    def __init__(self, port: int) -> None:
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="bench-echo")
        self._came = False
        self._subscribed = False
        self._client.on_message = self._on_message
        self._client.on_subscribe = self._on_subscribe
        self._client.connect(LOOPBACK, port)
        while not self._client.is_connected():
            self._client.loop(0.1)
        self._socket = cast("socket.socket", self._client.socket())
        # As HomeSync does it: or two small packets in a row cost 40 ms.
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._client.subscribe(_PONG, 1)
        while not self._subscribed:
            self._client.loop(0.1)

    def measure(self, times: int) -> list[float]:
        """Return the seconds of each round trip."""
        return [self._one() for _ in range(times)]

    def _one(self) -> float:
        self._came = False
        begin = time.monotonic()
        self._client.publish(_PING, _PAYLOAD, qos=1)
        while not self._came:
            self._client.loop(1.0)
            acknowledge_quickly(self._socket)
        return time.monotonic() - begin

    def _on_message(self, *_: object) -> None:
        self._came = True

    def _on_subscribe(self, *_: object) -> None:
        self._subscribed = True


def main() -> None:
    """Run until the driver is done: benchmarks.echo PORT."""
    serve({"measure": Echo(int(sys.argv[1])).measure})


if __name__ == "__main__":
    main()
