"""The life of a node: boot, a connection that comes back, sleep, stop and death."""

from abc import ABC, abstractmethod
import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from random import Random

from .config import Broker, Event, NodeConfig
from .link import LinkError
from .reports import Payload
from .session import Duties, End, NotConnected, Session

# Seconds; nothing but a machine with much else to do takes so long.
PATIENCE = 60.0


class Life(ABC):
    """Reconnects until stopped or dead; belongs to one event loop."""

    def __init__(
        self, config: NodeConfig, broker: Broker, on_event: Callable[[Event], None] | None
    ) -> None:
        self.config = config
        self.broker = broker
        self.online = False
        self.connections = 0
        self._boots = 0
        self._on_event = on_event
        self._rng = Random(f"{config.seed}/{config.client_id}/link")
        self._task: asyncio.Task[None] | None = None
        # The present task, and earlier ones that are still on their way out.
        self._tasks: set[asyncio.Task[None]] = set()
        self._running = False
        self._session: Session | None = None
        self._wake = asyncio.Event()
        self._last_error = "no try has ended"
        self._waiters: set[tuple[Callable[[], bool], asyncio.Future[None]]] = set()

    @property
    def running(self) -> bool:
        """Whether it is connected or tries to be."""
        return self._running

    @property
    def restarts(self) -> int:
        """How often it booted after the first time, whatever the cause."""
        return max(0, self._boots - 1)

    def launch(self) -> None:
        """Boot and go on trying to connect; returns at once."""
        if not self._running:
            self._running = True
            self._boots += 1
            self._booted()
            self._task = asyncio.create_task(self._run(frozenset(self._tasks)))
            self._tasks.add(self._task)
            self._task.add_done_callback(self._tasks.discard)

    async def start(self, timeout: float = PATIENCE) -> None:
        """Boot and wait until online; on TimeoutError the node is stopped again."""
        self.launch()
        try:
            await self.wait_online(timeout)
        except TimeoutError:
            await self.stop()
            raise

    async def wait_online(self, timeout: float = PATIENCE) -> None:
        """Return when connected and listening; TimeoutError tells the last failure."""
        try:
            await self.wait_for(lambda: self.online, timeout)
        except TimeoutError:
            name, error = self.config.client_id, self._last_error
            raise TimeoutError(f"{name} not online in {timeout:g} s: {error}") from None

    async def stop(self, reason: str = "shutdown") -> None:
        """Say offline, wait for its acknowledgement, DISCONNECT; nothing stays running."""
        self._leave(End.STOPPED, reason)
        await self._left()
        if self._tasks:
            await asyncio.wait(frozenset(self._tasks))

    def die(self) -> None:
        """Vanish without DISCONNECT and stay away until started again."""
        self._leave(End.DEAD)

    async def restart(self, *, clean: bool = True, timeout: float = PATIENCE) -> None:
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

    async def wait_for(self, predicate: Callable[[], bool], timeout: float = PATIENCE) -> None:
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

    @abstractmethod
    def _booted(self) -> None:
        """Start from the beginning."""

    @abstractmethod
    def _leaving(self) -> None:
        """Give up what does not outlive the power."""

    @abstractmethod
    async def _left(self) -> None:
        """Wait until what was given up has ended."""

    @abstractmethod
    def _duties(self) -> Duties:
        """Say what the next session is to do."""

    @property
    @abstractmethod
    def _nap(self) -> float:
        """Seconds to sleep at a time; 0: stay awake."""

    def _reboot(self, end: End, reason: str = "restart") -> None:
        """Go away and come back, without waiting for either."""
        self._leave(end, reason)
        self.launch()

    def _fall_asleep(self) -> None:
        if self._session is not None and self.online:
            self.online = False
            self._session.farewell = "sleep"
            self._session.finish(End.ASLEEP)

    def _leave(self, end: End, reason: str = "shutdown") -> None:
        if not self._running:
            return
        if end is End.DEAD:
            # Whoever gives up now cannot say so any more.
            self.online = False
        self._leaving()
        self._running = self.online = False
        session, self._session = self._session, None
        if session is not None and session.connected:
            session.farewell = reason
            session.finish(end)
        elif self._task is not None:
            self._task.cancel()

    async def _run(self, earlier: frozenset[asyncio.Task[None]]) -> None:
        if earlier:
            await asyncio.wait(earlier)
        longest = self.config.backoff_min
        while True:
            before = self.connections
            end = await self._connect_once()
            if end is End.ASLEEP:
                continue
            if end not in {None, End.LOST}:
                return
            if self.connections != before:
                longest = self.config.backoff_min
            longest = min(2 * longest, self.config.backoff_max)
            await asyncio.sleep(self._rng.uniform(self.config.backoff_min, longest))

    async def _connect_once(self) -> End | None:
        """How the session ended; None if it did not even begin."""
        persistent = self._nap > 0
        session = Session(self.config, self.broker, self._duties(), persistent=persistent)
        self._session = session
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
        # Nothing waits for a sleeper that did not ask for it: first it must connect anew.
        if end is End.ASLEEP and persistent:
            await self._sleep()
        return end

    async def _sleep(self) -> None:
        self._wake.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._nap):
                await self._wake.wait()

    def _note(self, name: str, **details: object) -> None:
        if self._on_event is not None:
            home, node = self.config.home_id, self.config.node_id
            self._on_event(Event(name, home, node, details, datetime.now(UTC)))
        for predicate, waiter in list(self._waiters):
            if not waiter.done() and predicate():
                waiter.set_result(None)
