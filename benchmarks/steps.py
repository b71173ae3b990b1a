"""What each step of a message's way through HomeSync costs; `scripts/bench --steps`.

Tight loops with warm caches: the steps add up to the cost in a burst. At a slow pace the same
steps cost two to four times as much, as every message wakes the process up.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
import logging
import statistics
import time

# Only names that the tests of the client use, too.
from custom_components.homesync.client.complaints import Complaints
from custom_components.homesync.client.inbox import Inbox
from custom_components.homesync.client.model import HouseholdModel
from custom_components.homesync.client.protocol.homesync import HomeSyncDialect
from custom_components.homesync.client.protocol.metrics import METRICS
from custom_components.homesync.client.transport.packets import MqttVersion
from custom_components.homesync.client.transport.reader import PacketReader

from .load import build
from .plant import PREFIX, Plant, payloads
from .site import Site, homesync

_NODES = 100
_MESSAGES = 14_000
_TIMES = 7
_CHUNK = 256 * 1024


def table() -> str:
    """Measure everything; return steps and microseconds as Markdown."""
    rows = [*asyncio.run(_client()), *_home_assistant()]
    lines = [f"| {step} | {cost:.2f} |" for step, cost in rows]
    return "\n".join(["| step | µs a message |", "|---|---|", *lines])


async def _client() -> Sequence[tuple[str, float]]:
    plant = Plant(("home",), _NODES)
    data = b"".join(_with_properties(each) for each in build(plant, 0, _MESSAGES, 0.0))
    topics = [topic.encode() for topic in plant.topics()]
    dialect = HomeSyncDialect(PREFIX, "home")
    targets = {topic: dialect.resolve(topic) for topic in topics}
    bodies = [body for number in range(20) for body in payloads(number, datetime.now(UTC))]
    complain = Complaints(logging.getLogger(__name__), "home", time.monotonic)
    known = list(targets.values())
    now = time.time()

    def refuse(error: Exception) -> None:
        complain.add("bench", str(error), b"", b"")

    def decode() -> list[object]:
        return [
            dialect.decode_reading(
                known[index % len(known)], bodies[index % len(bodies)], now, refuse
            )
            for index in range(_MESSAGES)
        ]

    read = _cost(lambda: _read(data, lambda _t, _p, _r: None))
    queue = _cost(lambda: _queue(data, targets))
    decoded = _cost(decode)
    return [
        ("bytes → packet: find topic and payload", read),
        ("topic → target, newest of each topic kept", queue - read),
        ("JSON → checked reading", decoded),
        ("reading → model: is it new, what changed", _model(dialect, known, bodies)),
    ]


def _read(data: bytes, take: Callable[[bytes, bytes, bool], None]) -> None:
    reader = PacketReader(take, lambda _: None, lambda _: None, MqttVersion.V5)
    for start in range(0, len(data), _CHUNK):
        reader.feed(data[start : start + _CHUNK])


def _queue(data: bytes, targets: Mapping[bytes, object]) -> None:
    inbox: Inbox[object] = Inbox(asyncio.get_running_loop(), lambda *_: None, lambda _: None)

    def take(topic: bytes, payload: bytes, retained: bool) -> None:
        if (target := targets.get(topic)) is not None:
            inbox.put(target, topic, payload, retained, False)

    _read(data, take)


def _model(dialect: HomeSyncDialect, known: Sequence[object], bodies: Sequence[bytes]) -> float:
    def never(_: Exception) -> None:
        raise AssertionError

    readings = [
        dialect.decode_reading(
            known[index % len(known)],  # type: ignore[arg-type]  # all of them are topics
            bodies[index % 7 + 7 * (index // len(known) % 20)],
            time.time(),
            never,
        )
        for index in range(_MESSAGES)
    ]

    def apply() -> None:
        model = HouseholdModel(_NODES, METRICS)
        for reading in readings:
            if reading.node_id not in model.nodes:
                model.add(reading.node_id)
            model.apply_reading(reading, live=True)

    return _cost(apply)


def _home_assistant() -> Sequence[tuple[str, float]]:
    with Site() as site:
        house = homesync(site, Plant(("home",), _NODES))
        costs: dict[str, float] = house.program.ask("write_cost")
    return [
        ("changed key → its entity takes the value", costs["take"]),
        ("Home Assistant: the entity's state is computed and set", costs["write"]),
        ("one turn of the event loop that reads a socket (not in a burst)", costs["turn"]),
    ]


def _with_properties(packet: bytes) -> bytes:
    """Make an MQTT 5 PUBLISH of one of 3.1.1: an empty list of properties after the topic."""
    size = (packet[1] & 0x7F | packet[2] << 7) + 1
    end = 5 + (packet[3] << 8 | packet[4])
    return (
        packet[:1] + bytes((size & 0x7F | 0x80, size >> 7)) + packet[3:end] + b"\0" + packet[end:]
    )


def _cost(work: Callable[[], object]) -> float:
    """Microseconds of CPU a message; the median of some times."""
    costs = []
    for _ in range(_TIMES):
        begin = time.process_time()
        work()
        costs.append((time.process_time() - begin) / _MESSAGES * 1e6)
    return statistics.median(costs)


if __name__ == "__main__":
    print(table())
