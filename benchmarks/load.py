"""A program that publishes: what it sends is built before, at full speed or at a steady rate."""

from datetime import UTC, datetime, timedelta
import socket
import time
from typing import Any

from .channel import serve
from .kept import messages
from .packets import PINGREQ, PINGRESP, open_client, packet, publish, text
from .plant import ONLINE, PER_NODE, Plant, discovery, payloads, switch_discovery, topic

_CHUNK = 256 * 1024
_QOS0 = 0x30


class Load:
    """One publisher with QoS 0; messages go round over all sensors of a plant."""

    def __init__(self) -> None:
        self._sock: socket.socket | None = None
        self._packets: list[bytes] = []

    def connect(self, port: int) -> None:
        """Connect, or connect anew."""
        if self._sock is not None:
            self._sock.close()
        self._sock = open_client(port, f"load-{time.monotonic_ns()}")

    def prepare(
        self, plant: dict[str, Any], first_round: int, count: int, seconds: float = 0.0
    ) -> dict[str, int]:
        """Build `count` messages from a round on; their times stretch over `seconds`."""
        self._packets = build(Plant.of(plant), first_round, count, seconds)
        return {"bytes": sum(map(len, self._packets))}

    def burst(self) -> dict[str, int]:
        """Send what was prepared as fast as the broker takes it."""
        data = b"".join(self._packets)
        view = memoryview(data)
        begin = time.monotonic_ns()
        for start in range(0, len(data), _CHUNK):
            self._send(view[start : start + _CHUNK])
        return {"begin": begin, "end": time.monotonic_ns()}

    def pace(self, rate: float) -> dict[str, Any]:
        """Send what was prepared, each message alone at its time; return when each was sent."""
        sent: list[int] = []
        gap = 1e9 / rate
        begin = time.monotonic_ns() + 1_000_000
        for number, data in enumerate(self._packets):
            wait = begin + number * gap - time.monotonic_ns()
            if wait > 0:
                time.sleep(wait / 1e9)
            sent.append(time.monotonic_ns())
            self._send(data)
        return {"sent": sent}

    def prepare_discovery(self, plant: dict[str, Any], relays: int = 0) -> None:
        """Build, retained, what core's `mqtt` makes entities from."""
        known = Plant.of(plant)
        messages = list(discovery(known))
        messages += [switch_discovery(*node) for node in list(known.node_ids())[:relays]]
        self._packets = [publish(*message, retain=True) for message in messages]

    def online(self, plant: dict[str, Any]) -> dict[str, int]:
        """Publish, retained, that every node is online."""
        data = b"".join(
            publish(topic(home, node, ONLINE), b'{"online": true}', retain=True)
            for home, node in Plant.of(plant).node_ids()
        )
        begin = time.monotonic_ns()
        self._send(data)
        return {"begin": begin}

    def keep(self, plant: dict[str, Any]) -> None:
        """Have the broker keep what a plant's nodes keep there; return when it does."""
        self._send(b"".join(messages(Plant.of(plant))))
        self._send(packet(PINGREQ, b""))
        if self._sock is not None and self._sock.recv(2) != packet(PINGRESP, b""):
            raise OSError("the broker does not answer")

    def _send(self, data: bytes | memoryview) -> None:
        if self._sock is None:
            raise OSError("not connected")
        self._sock.sendall(data)


def build(plant: Plant, first_round: int, count: int, seconds: float) -> list[bytes]:
    """Build the packets of `count` messages."""
    heads = [text(each) for each in plant.topics()]
    rounds = -(-count // len(heads))
    now = datetime.now(UTC)
    packets: list[bytes] = []
    for number in range(rounds):
        at = now + timedelta(seconds=seconds * number / rounds)
        bodies = payloads(first_round + number, at)
        packets += [
            bytes((_QOS0,)) + _length(len(head) + len(body)) + head + body
            for index, head in enumerate(heads)
            for body in (bodies[index % PER_NODE],)
        ]
    return packets[:count]


def _length(size: int) -> bytes:
    """Two bytes, as these messages need."""
    return bytes((size & 0x7F | 0x80, size >> 7))


def main() -> None:
    """Run until the driver is done."""
    load = Load()
    serve(
        {
            "connect": load.connect,
            "prepare": load.prepare,
            "burst": load.burst,
            "pace": load.pace,
            "prepare_discovery": load.prepare_discovery,
            "online": load.online,
            "keep": load.keep,
        }
    )


if __name__ == "__main__":
    main()
