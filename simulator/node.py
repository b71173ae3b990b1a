"""One node: a connection that comes back, status, telemetry, commands."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
import math
from random import Random
import time

from .answers import Answers
from .behaviour import GOOD, Behaviour
from .commands import Commands, Device, Execution, Led
from .config import Broker, Event, NodeConfig
from .link import LinkError, Message
from .reports import Payload, Reports
from .session import Chore, Duties, End, NotConnected, Session

RSSI_INTERVAL = 180.0
_RECEPTION_LIMIT = 86_400


@dataclass(frozen=True, slots=True)
class Reception:
    """A command as it arrived; `time` is monotonic, in seconds."""

    kind: str
    payload: bytes
    retained: bool
    time: float


class Node:
    """Reconnects until stopped or dead; belongs to one event loop."""

    def __init__(
        self,
        config: NodeConfig,
        broker: Broker,
        behaviour: Behaviour = GOOD,
        on_event: Callable[[Event], None] | None = None,
    ) -> None:
        self.config = config
        self.broker = broker
        self.online = False
        self.connections = 0
        self._behaviour = behaviour
        self._on_event = on_event
        self._rng = Random(f"{config.seed}/{config.client_id}/link")
        self._reports = Reports(config)
        self._device = Device(relay=config.relay_on if config.has_relay else None)
        self._commands = Commands(self._device, time.monotonic)
        self._answers = Answers(self._try_publish, self._rng)
        self._received: deque[Reception] = deque(maxlen=_RECEPTION_LIMIT)
        self._task: asyncio.Task[None] | None = None
        # The present task, and earlier ones that are still on their way out.
        self._tasks: set[asyncio.Task[None]] = set()
        self._running = False
        self._session: Session | None = None
        self._last_error = "no try has ended"
        self._waiters: set[tuple[Callable[[], bool], asyncio.Future[None]]] = set()

    @property
    def behaviour(self) -> Behaviour:
        """How it misbehaves; may be set at any time."""
        return self._behaviour

    @behaviour.setter
    def behaviour(self, behaviour: Behaviour) -> None:
        self._behaviour = behaviour
        self._answers.start_counting()

    @property
    def running(self) -> bool:
        """Whether it is connected or tries to be."""
        return self._running

    @property
    def executed(self) -> tuple[Execution, ...]:
        """Commands carried out, in order; a repeated arrival is only counted."""
        return tuple(each for each in self._commands.record if each.error is None)

    @property
    def refused(self) -> tuple[Execution, ...]:
        """Commands answered with an error, in order."""
        return tuple(each for each in self._commands.record if each.error is not None)

    @property
    def received(self) -> tuple[Reception, ...]:
        """Every command that arrived, also ignored ones."""
        return tuple(self._received)

    @property
    def relay(self) -> bool | None:
        """Whether the relay is on; None without a relay."""
        return self._device.relay

    @property
    def led(self) -> Led:
        """What the LED shows."""
        return self._device.led

    @property
    def settings(self) -> Mapping[str, object]:
        """Everything that config commands have set."""
        return dict(self._device.settings)

    def launch(self) -> None:
        """Boot and go on trying to connect; returns at once."""
        if not self._running:
            self._running = True
            self._reports.boot()
            self._task = asyncio.create_task(self._run(frozenset(self._tasks)))
            self._tasks.add(self._task)
            self._task.add_done_callback(self._tasks.discard)

    async def start(self, timeout: float = 10.0) -> None:
        """Boot and wait until online; on TimeoutError the node is stopped again."""
        self.launch()
        try:
            await self.wait_online(timeout)
        except TimeoutError:
            await self.stop()
            raise

    async def wait_online(self, timeout: float = 10.0) -> None:
        """Return when connected and listening; TimeoutError tells the last failure."""
        try:
            await self.wait_for(lambda: self.online, timeout)
        except TimeoutError:
            name, error = self.config.client_id, self._last_error
            raise TimeoutError(f"{name} not online in {timeout:g} s: {error}") from None

    async def stop(self, reason: str = "shutdown") -> None:
        """Say offline, wait for its acknowledgement, DISCONNECT; nothing stays running."""
        if self._session is not None:
            self._session.farewell = reason
        self._leave(End.STOPPED)
        if self._tasks:
            await asyncio.wait(frozenset(self._tasks))

    def die(self) -> None:
        """Vanish without DISCONNECT and stay away until started again."""
        self._leave(End.DEAD)

    async def restart(self, *, clean: bool = True, timeout: float = 10.0) -> None:
        """Go away and come back; request ids stay remembered, as if kept in flash."""
        if not clean:
            self.die()
        await self.stop("restart")
        await self.start(timeout)

    def publish(
        self,
        leaf: str,
        payload: Payload | str,
        *,
        qos: int | None = None,
        retain: bool | None = None,
    ) -> None:
        """Send to e.g. `telemetry/power`, by default with the protocol's QoS and retain."""
        if self._session is None:
            raise NotConnected(f"{self.config.client_id} is not connected")
        self._session.publish(leaf, payload, qos=qos, retain=retain)

    async def drained(self) -> None:
        """Return when the broker has acknowledged every QoS 1 message."""
        if self._session is not None:
            await self._session.drained()

    async def send_telemetry(self, values: Mapping[str, object] | None = None) -> None:
        """Send these values by metric, else the readings; see `Reports.telemetry`."""
        self._send_telemetry(values)
        # Sending in a loop must leave time for the socket and for commands.
        await asyncio.sleep(0)

    def press(self, *, on: bool | None = None) -> None:
        """Use the button on the device: switch the relay, or toggle it."""
        if self.relay is None:
            raise ValueError(f"{self.config.client_id} has no relay")
        self._device.relay = not self.relay if on is None else on
        self._note("pressed", relay=self._device.relay)
        self._send_relay()

    async def wait_for(self, predicate: Callable[[], bool], timeout: float = 10.0) -> None:
        """Return when `predicate` holds after some event of this node; or TimeoutError."""
        if predicate():
            return
        waiter = (predicate, asyncio.get_running_loop().create_future())
        self._waiters.add(waiter)
        try:
            async with asyncio.timeout(timeout):
                await waiter[1]
        finally:
            self._waiters.discard(waiter)

    def _leave(self, end: End) -> None:
        if not self._running:
            return
        self._running = self.online = False
        self._answers.cancel_late()
        session, self._session = self._session, None
        if session is not None and session.connected:
            session.finish(end)
        elif self._task is not None:
            self._task.cancel()

    async def _run(self, earlier: frozenset[asyncio.Task[None]]) -> None:
        if earlier:
            await asyncio.wait(earlier)
        longest = self.config.backoff_min
        while True:
            before = self.connections
            if await self._connect_once() not in {None, End.LOST}:
                return
            if self.connections != before:
                longest = self.config.backoff_min
            longest = min(2 * longest, self.config.backoff_max)
            await asyncio.sleep(self._rng.uniform(self.config.backoff_min, longest))

    async def _connect_once(self) -> End | None:
        """How the session ended; None if it did not even begin."""
        session = self._session = Session(self.config, self.broker, self._duties())
        try:
            end = await session.run()
        except LinkError as error:
            self._last_error = str(error)
            self._note("cannot connect", error=self._last_error)
            return None
        finally:
            self._session = None
            self.online = False
        self._note("disconnected", why=end.value)
        return end

    def _duties(self) -> Duties:
        interval = self.config.interval or math.inf
        # Many nodes started together must not send together for ever.
        first = interval * self._rng.uniform(0.01, 1)
        return Duties(
            greetings=self._greetings,
            came_online=self._came_online,
            command=self._command,
            chores=(
                Chore(RSSI_INTERVAL, RSSI_INTERVAL, self._send_rssi),
                Chore(interval, first, self._send_telemetry),
            ),
        )

    def _greetings(self) -> Iterator[tuple[str, Payload]]:
        yield "status/online", self._reports.online()
        yield "status/firmware", self._reports.firmware()
        yield "status/rssi", self._reports.rssi()
        if self.relay is not None:
            yield "status/relay", self._reports.relay(on=self.relay)

    def _came_online(self) -> None:
        self.connections += 1
        self.online = True
        self._note("connected")

    def _command(self, message: Message) -> None:
        kind = message.topic.removeprefix(self.config.topic("command/"))
        now = time.monotonic()
        self._received.append(Reception(kind, message.payload, message.retain, now))
        behaviour = self._behaviour
        if message.retain or behaviour.deaf or not self._running:
            self._note("command ignored", kind=kind, retained=message.retain)
            return
        outcome = self._commands.receive(kind, message.payload, reject=behaviour.reject)
        if outcome is None:
            self._note("command not understood", kind=kind)
            return
        self._answers.give(outcome, behaviour)
        if outcome.relay_changed:
            self._send_relay()
        self._note(f"command {outcome.what}", **outcome.execution.as_json())

    def _send_relay(self) -> None:
        if self.relay is not None:
            self._try_publish("status/relay", self._reports.relay(on=self.relay))

    def _send_rssi(self) -> None:
        self.publish("status/rssi", self._reports.rssi())

    def _send_telemetry(self, values: Mapping[str, object] | None = None) -> None:
        if values is None:
            values = self._reports.readings(on=self.relay is not False)
        for metric, value in values.items():
            payload = self._reports.telemetry(metric, value)
            if self._behaviour.malformed:
                payload = self._reports.malformed()
            self.publish(f"telemetry/{metric}", payload)

    def _try_publish(self, leaf: str, payload: Payload) -> None:
        with suppress(NotConnected):
            self.publish(leaf, payload)

    def _note(self, name: str, **details: object) -> None:
        if self._on_event is not None:
            home, node = self.config.home_id, self.config.node_id
            self._on_event(Event(name, home, node, details, datetime.now(UTC)))
        for predicate, waiter in list(self._waiters):
            if not waiter.done() and predicate():
                waiter.set_result(None)
