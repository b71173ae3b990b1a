"""A paho client and nothing else: what a command over MQTT takes at least."""

import socket
from typing import cast

from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from .packets import LOOPBACK, acknowledge_quickly


class BareClient:
    """Connected and subscribed to one topic; sends and acknowledges as HomeSync does.

    Without that, two small packets in a row cost 40 ms, as the broker waits for
    acknowledgements (Nagle's algorithm).
    """

    def __init__(self, port: int, client_id: str, topic: str) -> None:
        self.paho = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=client_id)
        self._subscribed = False
        self.paho.on_subscribe = self._on_subscribe
        self.paho.connect(LOOPBACK, port)
        while not self.paho.is_connected():
            self.paho.loop(0.1)
        self.socket = cast("socket.socket", self.paho.socket())
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.paho.subscribe(topic, 1)
        while not self._subscribed:
            self.paho.loop(0.1)

    def wait(self) -> None:
        """Block until something has come, and take it."""
        self.paho.loop(1.0)
        acknowledge_quickly(self.socket)

    def read(self) -> None:
        """Take what has come, on a loop that told so."""
        self.paho.loop_read()
        acknowledge_quickly(self.socket)

    def _on_subscribe(self, *_: object) -> None:
        self._subscribed = True
