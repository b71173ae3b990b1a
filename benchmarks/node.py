"""A program that plays the nodes' side of commands: answers at once, one write an answer."""

import json
import sys
import threading
from typing import Any

from .channel import serve
from .packets import (
    PUBACK,
    PUBLISH,
    Packets,
    acknowledge_quickly,
    open_client,
    packet,
    publish,
    read_publish,
    subscribe,
)
from .plant import PREFIX, topic


class Node:
    """Carries out relay commands of any node."""

    def __init__(self, port: int) -> None:
        self._sock = open_client(port, "bench-node")
        self._packet_id = 0
        self._sock.sendall(subscribe(f"{PREFIX}/+/nodes/+/command/+", 1))
        threading.Thread(target=self._run, daemon=True).start()

    def announce(self, home: str, node: str) -> None:
        """Say that a node is online and its relay off."""
        online = self._publish(topic(home, node, "status/online"), {"online": True}, retain=True)
        relay = self._publish(topic(home, node, "status/relay"), {"state": "off"}, retain=True)
        self._sock.sendall(online + relay)

    def _run(self) -> None:
        packets = Packets()
        while data := self._sock.recv(65536):
            acknowledge_quickly(self._sock)
            for header, body in packets.feed(data):
                if header & 0xF0 == PUBLISH:
                    self._answer(*read_publish(header, body))

    def _answer(self, where: str, payload: bytes, packet_id: bytes) -> None:
        ack = packet(PUBACK, packet_id) if packet_id else b""
        _, home, _, node, _, _ = where.split("/")
        command = json.loads(payload)
        state = {"state": command["action"]}
        answer = {
            "request_id": command["request_id"],
            "status": "success",
            "result": command["action"],
        }
        self._sock.sendall(
            ack
            + self._publish(topic(home, node, "response/command"), answer)
            + self._publish(topic(home, node, "status/relay"), state, retain=True)
        )

    def _publish(self, where: str, content: dict[str, Any], *, retain: bool = False) -> bytes:
        data = json.dumps(content).encode()
        return publish(where, data, retain=retain, packet_id=self._next())

    def _next(self) -> int:
        self._packet_id = self._packet_id % 0xFFFF + 1
        return self._packet_id


def main() -> None:
    """Run until the driver is done: benchmarks.node PORT."""
    serve({"announce": Node(int(sys.argv[1])).announce})


if __name__ == "__main__":
    main()
