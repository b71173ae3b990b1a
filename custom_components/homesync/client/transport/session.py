"""Stays connected: one MQTT connection over time."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
import logging
import random

from ..errors import Cause, ConnectError, NotConnectedError, Step
from ..records import Publication
from .backoff import Backoff
from .connection import Connection, Filters, Receiver
from .reasons import NEEDS_USER
from .settings import BrokerSettings, Timing
from .state import LEGAL, ConnectionState

type StateListener = Callable[[ConnectionState], None]


class MqttSession:
    """Connects, reconnects and ends; one state, one setter, listeners.

    `error` says why there is no connection (or was none last), None while all is well.
    """

    def __init__(
        self,
        name: str,
        settings: BrokerSettings,
        filters: Filters,
        receiver: Receiver,
        logger: logging.Logger,
        *,
        timing: Timing | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        random_number: Callable[[], float] = random.random,
    ) -> None:
        self.state = ConnectionState.STOPPED
        self.error: ConnectError | None = None
        self._name = name
        self._settings = settings
        self._filters = filters
        self._receiver = receiver
        self._logger = logger
        self._timing = timing or Timing()
        self._sleep = sleep
        self._backoff = Backoff(random_number)
        self._listeners: list[StateListener] = []
        self._connection: Connection | None = None
        self._task: asyncio.Task[None] | None = None
        self._told_down = False
        self._paused = False

    def add_listener(self, listener: StateListener) -> Callable[[], None]:
        """Call `listener(state)` at each change; returns what ends that."""
        self._listeners.append(listener)
        return partial(self._listeners.remove, listener)

    def start(self) -> None:
        """Begin to connect; returns at once."""
        if self._task is not None:
            raise RuntimeError("the session is started already")
        self._task = asyncio.get_running_loop().create_task(self._run(), name=f"MQTT {self._name}")

    async def stop(self) -> None:
        """End the connection and every attempt; nothing is left when this returns."""
        task, self._task = self._task, None
        if task is None:
            return
        self._set(ConnectionState.STOPPING)
        task.cancel()
        await asyncio.wait((task,))
        if self._connection is not None:
            await self._connection.close(self._timing.goodbye)
            self._connection = None
        self._set(ConnectionState.STOPPED)

    def publish(self, message: Publication) -> None:
        """Send a message; raises NotConnectedError or CongestedError if it was not sent."""
        if self.state is not ConnectionState.CONNECTED or self._connection is None:
            raise NotConnectedError("not connected")
        self._connection.publish(message)

    def pause_reading(self) -> None:
        """Let the broker wait, also the next connection's."""
        self._paused = True
        if self._connection is not None:
            self._connection.pause_reading()

    def resume_reading(self) -> None:
        """Take messages again."""
        self._paused = False
        if self._connection is not None:
            self._connection.resume_reading()

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        attempt = 0
        ever_connected = False
        while True:
            first = not ever_connected and attempt < self._timing.first_attempts
            attempt += 1
            self._set(ConnectionState.CONNECTING)
            connection = self._connection = Connection(
                self._settings, self._filters, self._receiver
            )
            try:
                await connection.open(
                    self._timing.first_deadline if first else self._timing.deadline
                )
            except ConnectError as err:
                error = err
            except Exception:
                self._logger.exception("Household %s: unexpected failure to connect", self._name)
                error = ConnectError(Cause.PROTOCOL_ERROR, Step.LINK, "unexpected failure")
            else:
                ever_connected = True
                since = loop.time()
                self._connected(connection)
                error = await asyncio.shield(connection.closed)
                self._backoff.held(loop.time() - since)
            self._connection = None
            tries_left = first and not ever_connected and attempt < self._timing.first_attempts
            self._lost(error, quietly=tries_left and error.cause not in NEEDS_USER)
            await self._sleep(self._wait_after(error, tries_left))

    def _wait_after(self, error: ConnectError, first_tries_left: bool) -> float:
        if error.cause in NEEDS_USER:
            return self._timing.refused_gap
        if first_tries_left:
            return self._timing.first_gap
        return self._backoff.next()

    def _connected(self, connection: Connection) -> None:
        self.error = None
        if self._paused:
            connection.pause_reading()
        self._logger.info("Household %s: connected to its broker", self._name)
        self._told_down = False
        self._set(ConnectionState.CONNECTED)

    def _lost(self, error: ConnectError, *, quietly: bool) -> None:
        if not quietly and not self._told_down:
            self._told_down = True
            self._logger.info("Household %s: no connection to its broker: %s", self._name, error)
        else:
            self._logger.debug("Household %s: attempt failed: %s", self._name, error)
        self.error = error
        needs_user = error.cause in NEEDS_USER
        self._set(ConnectionState.ERROR if needs_user else ConnectionState.DISCONNECTED)

    def _set(self, state: ConnectionState) -> None:
        """The only place that changes the state."""
        if state not in LEGAL[self.state]:
            raise RuntimeError(f"{self.state} is not followed by {state}")
        self.state = state
        for listener in tuple(self._listeners):
            try:
                listener(state)
            except Exception:
                self._logger.exception("Household %s: a state listener failed", self._name)
