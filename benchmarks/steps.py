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
from custom_components.homesync.client.records import Reading
from custom_components.homesync.client.transport.packets import MqttVersion
from custom_components.homesync.client.transport.reader import Message, OnMessages, PacketReader

from .load import build
from .packets import with_properties
from .plant import PREFIX, Plant, payloads
from .site import Site, homesync

_NODES = 100
_MESSAGES = 14_000
_TIMES = 7
_CHUNK = 256 * 1024


type _Step = tuple[str, str, float]
"""What it is, where it is, microseconds a message."""


def table() -> str:
    """Measure everything; return the steps as Markdown."""
    steps = [*asyncio.run(_client()), *_home_assistant()]
    lines = [f"| {what} | {where} | {cost:.2g} |" for what, where, cost in steps]
    return "\n".join(["| step | where | µs a message |", "|---|---|---|", *lines])


async def _client() -> Sequence[_Step]:
    plant = Plant(("home",), _NODES)
    data = b"".join(with_properties(each) for each in build(plant, 0, _MESSAGES, 0.0))
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

    read = _cost(lambda: _read(data, lambda _: None))
    queue = _cost(lambda: _queue(data, targets))
    decoded = _cost(decode)
    return [
        ("bytes → packet: find topic and payload", "`client/transport/reader.py`", read),
        (
            "topic → target, newest of each topic kept",
            "`client/intake.py`, `inbox.py`",
            queue - read,
        ),
        ("JSON → checked reading", "`client/protocol/homesync.py`", decoded),
        (
            "reading → model: is it new, what changed",
            "`client/model/household.py`",
            _model(dialect, known, bodies),
        ),
    ]


def _read(data: bytes, take: OnMessages) -> None:
    reader = PacketReader(take, lambda _: None, lambda _: None, MqttVersion.V5)
    for start in range(0, len(data), _CHUNK):
        reader.feed(data[start : start + _CHUNK])


def _queue(data: bytes, targets: Mapping[bytes, object]) -> None:
    inbox: Inbox[object, Reading] = Inbox(
        asyncio.get_running_loop(), lambda _: None, lambda _, newer: newer, lambda _: None
    )

    def take(messages: list[Message]) -> None:
        for topic, payload, retained in messages:
            if (target := targets.get(topic)) is not None:
                inbox.put((target, topic, payload, retained, None))

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


def _home_assistant() -> Sequence[_Step]:
    with Site() as site:
        house = homesync(site, Plant(("home",), _NODES))
        costs: dict[str, float] = house.program.ask("write_cost")
    return [
        (
            "the entity writes a number beside what else its state told",
            "`sensor.py`, `state_writes.py`, Home Assistant: `async_set`",
            costs["number"],
        ),
        (
            "or, at least once a minute, all of its state",
            "Home Assistant: `async_write_ha_state`",
            costs["whole"],
        ),
        ("a turn of the event loop that reads a socket", "asyncio", costs["turn"]),
    ]


def _cost(work: Callable[[], object]) -> float:
    """Microseconds of CPU a message; the median of some times."""
    costs = []
    for _ in range(_TIMES):
        begin = time.process_time()
        work()
        costs.append((time.process_time() - begin) / _MESSAGES * 1e6)
    return statistics.median(costs)
