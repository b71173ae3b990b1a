"""What is looked at inside the Home Assistant process while messages come."""

import asyncio
import gc
from pathlib import Path
import resource
import socket
import time
from typing import Any, override

from homeassistant.const import EVENT_STATE_CHANGED
from homeassistant.core import Event, EventStateChangedData, HomeAssistant, callback

from benchmarks.inside import uncounted
from benchmarks.packets import with_properties
from benchmarks.plant import Plant, value
from custom_components.homesync.client.inbox import Inbox
from custom_components.homesync.client.intake import Intake
from custom_components.homesync.client.transport.packets import MqttVersion
from custom_components.homesync.client.transport.reader import PacketReader

_POLL = 0.004
_LAG_STEP = 0.005
_ROUNDS = 20
_TURNS = 5000
_CHUNK = 64 * 1024
# What the message path adds to, chunk by chunk or message by message.
COUNTERS = frozenset({"taken", "received", "received_qos1", "kinds", "superseded"})


class Changes:
    """Takes down when the states of some entities changed, and to what."""

    def __init__(self, hass: HomeAssistant, entity_ids: list[str]) -> None:
        self.seen: dict[str, list[tuple[int, str]]] = {each: [] for each in entity_ids}
        self.stop = hass.bus.async_listen(EVENT_STATE_CHANGED, self._on_change)

    @callback
    def _on_change(self, event: Event[EventStateChangedData]) -> None:
        now = time.monotonic_ns()
        seen = self.seen.get(event.data["entity_id"])
        new = event.data["new_state"]
        if seen is not None and new is not None:
            seen.append((now, new.state))


class Lag:
    """How much later than wanted the event loop wakes a sleeper up, and a cause of it."""

    def __init__(self) -> None:
        self.late: list[float] = []
        self._began: float | None = None
        self._collection = self._collected = self._worst_besides = 0.0
        gc.callbacks.append(self._on_collection)
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> dict[str, float]:
        """End it; return the lateness in milliseconds."""
        self._task.cancel()
        gc.callbacks.remove(self._on_collection)
        late = sorted(self.late) or [0.0]
        return {
            "p50": late[len(late) // 2] * 1e3,
            "p99": late[min(len(late) - 1, int(len(late) * 0.99))] * 1e3,
            "worst": late[-1] * 1e3,
            "worst_besides": self._worst_besides * 1e3,
            "collection": self._collection * 1e3,
        }

    def _on_collection(self, phase: str, _: dict[str, int]) -> None:
        """Take down the longest garbage collection, and all of them."""
        now = time.monotonic()
        if phase == "start":
            self._began = now
        elif self._began is not None:
            self._collection = max(self._collection, now - self._began)
            self._collected += now - self._began
            self._began = None

    def _collecting(self) -> float:
        """How many seconds went into collections; another thread may be at one, or have just been."""
        under_way = 0.0 if self._began is None else time.monotonic() - self._began
        return self._collected + under_way

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due, collected = loop.time() + _LAG_STEP, self._collecting()
            await asyncio.sleep(_LAG_STEP)
            late = loop.time() - due
            self.late.append(late)
            besides = late - (self._collecting() - collected)
            self._worst_besides = max(self._worst_besides, besides)


async def settle(
    hass: HomeAssistant, entity_ids: list[str], plant: Plant, last_round: int, seconds: float
) -> dict[str, Any]:
    """Wait until every sensor shows the value of that round; tell when, at what CPU time."""
    expected = [value(metric, last_round) for _, _, metric in plant.sensors()]
    begin_cpu = time.process_time()
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        await asyncio.sleep(_POLL)
        if _shows(hass, entity_ids[-1], expected[-1]) and not _wrong(hass, entity_ids, expected):
            break
    done = time.monotonic_ns()
    cpu = time.process_time() - begin_cpu
    return {"done": done, "cpu": cpu, "wrong": _wrong(hass, entity_ids, expected)}


def counting_cost(household: Any, packets: list[bytes]) -> float:
    """Microseconds a message for which a household counts, from its bytes up to the inbox."""
    data = b"".join(map(with_properties, packets))
    reader = PacketReader(
        household._intake.receive,  # noqa: SLF001  # as the household itself gives it
        lambda _: None,
        lambda _: None,
        MqttVersion.V5,
    )
    codes = uncounted.uncounted(COUNTERS, PacketReader, Intake, Inbox)

    def read() -> None:
        for start in range(0, len(data), _CHUNK):
            reader.feed(data[start : start + _CHUNK])

    read()
    return uncounted.cost(codes, read) / len(packets) * 1e6


async def write_cost(hass: HomeAssistant, entity_ids: list[str]) -> dict[str, float]:
    """Microseconds that a HomeSync sensor needs for a changed number, alone and written whole."""
    entities = [hass.data["entity_components"]["sensor"].get_entity(each) for each in entity_ids]

    def change() -> None:
        for entity in entities:
            value = entity.node.values[f"telemetry/{entity.device_class}"]
            value.value = round(value.value + 0.01, 2)

    number, whole = 0.0, 0.0
    for _ in range(_ROUNDS):
        for entity in entities:
            # Numbers follow what it wrote itself.
            entity._changed()  # noqa: SLF001  # as if told of a new value
        change()
        begin = time.process_time()
        for entity in entities:
            entity._changed()  # noqa: SLF001  # as above
        number += time.process_time() - begin
        change()
        begin = time.process_time()
        for entity in entities:
            entity.async_write_ha_state()
        whole += time.process_time() - begin
        await asyncio.sleep(0.01)
    writes = _ROUNDS * len(entities) / 1e6
    return {"number": number / writes, "whole": whole / writes, "turn": await _turn()}


async def _turn() -> float:
    """Microseconds of a turn of the event loop in which a small packet is read."""
    loop = asyncio.get_running_loop()
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.setblocking(False)
    received = asyncio.Event()

    class _Reader(asyncio.Protocol):
        @override
        def data_received(self, data: bytes) -> None:
            received.set()

    transport, _ = await loop.create_connection(_Reader, sock=ours)
    begin = time.process_time()
    for _ in range(_TURNS):
        theirs.send(b"x")
        received.clear()
        await received.wait()
    transport.close()
    theirs.close()
    return (time.process_time() - begin) / _TURNS * 1e6


def memory() -> float:
    """Resident memory in MB, after what nobody uses is gone."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def _shows(hass: HomeAssistant, entity_id: str, expected: float) -> bool:
    state = hass.states.get(entity_id)
    try:
        return state is not None and float(state.state) == expected
    except ValueError:
        return False


def _wrong(hass: HomeAssistant, entity_ids: list[str], expected: list[float]) -> int:
    return sum(
        not _shows(hass, each, wanted) for each, wanted in zip(entity_ids, expected, strict=True)
    )
