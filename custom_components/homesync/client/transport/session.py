"""Stays connected: one MQTT connection over time."""

import asyncio
from collections.abc import Awaitable, Callable
import contextlib
from functools import partial
import logging
import random
import time

from ..errors import Cause, CongestedError, ConnectError, HomeSyncError, NotConnectedError, Step
from ..records import Publication
from .connection import Connection
from .echo import Echo, EchoResult
from .engine import OnAnswer
from .interest import Interest
from .packets import BrokerLimits
from .policy import NOTHING_LEARNED, Learned, Policy
from .reasons import Action, action_of
from .scout import direct_way_is_open
from .settings import BrokerSettings, Timing
from .state import LEGAL, ConnectionState
from .statistics import LEFT, LinkHistory, Traffic
from .terms import Receiver, Subscriptions, Terms

type StateListener = Callable[[ConnectionState], None]


class MqttSession:
    """Connects, reconnects and ends; one state, one setter, listeners.

    `error` says why there is no connection (or was none last), None while all is well;
    `echo` what the last probe found; `traffic` and `history` count.
    """

    def __init__(
        self,
        name: str,
        settings: BrokerSettings,
        subscriptions: Subscriptions,
        receiver: Receiver,
        logger: logging.Logger,
        *,
        learned: Learned = NOTHING_LEARNED,
        timing: Timing | None = None,
        spread: float = 0.0,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        random_number: Callable[[], float] = random.random,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        loop = asyncio.get_running_loop()
        self.state = ConnectionState.STOPPED
        self.error: ConnectError | None = None
        self.echo: EchoResult | None = None
        self.traffic = Traffic()
        self.history = LinkHistory(loop.time, wall_clock)
        self._name = name
        self._settings = settings
        self._interest = Interest(subscriptions)
        self._receiver = receiver
        self._logger = logger
        self._timing = timing or Timing()
        self._sleep = sleep
        self._policy = Policy(
            settings, self._timing, learned, random_number, loop.time, spread=spread
        )
        self._echo = Echo(subscriptions.echo_topics, self.publish, loop.time)
        self._listeners: list[StateListener] = []
        self._connection: Connection | None = None
        self._task: asyncio.Task[None] | None = None
        self._rest: asyncio.Future[None] | None = None
        self._leave: asyncio.Future[str] | None = None
        self._told_down = False
        self._may_read = asyncio.Event()
        self._may_read.set()
        self._paused_lately = False

    @property
    def learned(self) -> Learned:
        """What is worth remembering for the next start."""
        return self._policy.learned

    @property
    def rival(self) -> bool:
        """Whether another client seems to use our client id."""
        return self._policy.rival

    @property
    def terms(self) -> Terms | None:
        """How the present connection was made."""
        return self._connection.terms if self._connection is not None else None

    @property
    def limits(self) -> BrokerLimits | None:
        """What the broker announced for the present connection."""
        return self._connection.limits if self._connection is not None else None

    @property
    def subscriptions(self) -> int:
        """How many filters the present connection is subscribed to."""
        if self.state is not ConnectionState.CONNECTED:
            return 0
        return self._interest.filters

    @property
    def url(self) -> str:
        """The broker's address on the way in use, or else on the usual one; no secrets."""
        terms = self.terms
        return self._settings.url(self._settings.transport if terms is None else terms.transport)

    @property
    def certificate_expires(self) -> float | None:
        """When the broker's certificate ends, in seconds since the epoch."""
        return self._connection.certificate_expires if self._connection is not None else None

    def add_listener(self, listener: StateListener) -> Callable[[], None]:
        """Call `listener(state)` at each change; returns what ends that.

        It is also called, with the state unchanged, when a probe has ended.
        """
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
        self.history.stopped()
        self._set(ConnectionState.STOPPED)

    def reconnect(self) -> None:
        """Connect anew: leave the broker, or end a wait; a running attempt goes on."""
        if self._rest is not None:
            self._rest.cancel()
        self._leave_because("connecting anew, as asked")

    def publish(
        self, message: Publication, on_answer: OnAnswer | None = None, *, wait: bool = True
    ) -> None:
        """Send a message; `on_answer` is told the broker's code if it is QoS 1.

        Raises NotConnectedError, CongestedError or TooLargeError if it was not sent, and
        InvalidSettingError for a topic that no broker takes. Without `wait` a message never
        leaves later than now: CongestedError if the broker must first acknowledge others.
        """
        try:
            self._connected_one().publish(message, on_answer, wait=wait)
        except HomeSyncError as err:
            # Who does not want it to wait tries again: nothing is lost.
            if wait or not isinstance(err, CongestedError):
                self.traffic.unsent(err)
            raise

    async def listen_in(self, filters: tuple[str, ...]) -> bool:
        """Subscribe to more on the present connection; return whether all of it is granted.

        Raises NotConnectedError or CongestedError if the broker gives no answer.
        """
        return await self._interest.listen_in(self._connected_one(), filters)

    def leave_off(self, filters: tuple[str, ...]) -> None:
        """Take back what `listen_in` subscribed to; without a connection nothing is left."""
        with contextlib.suppress(NotConnectedError):
            self._interest.leave_off(self._connected_one(), filters)

    def leave_out(self, filters: tuple[str, ...]) -> None:
        """Do without some of the subscriptions, from now on and after each reconnect.

        Replaces what was left out before; that comes back with `listen_in`, or with the
        next connection.
        """
        self._interest.left_out = frozenset(filters)
        self._echo.skip(self._interest.left_out)
        if filters:
            self.leave_off(filters)

    def take_echo(self, topic: bytes, payload: bytes) -> bool:
        """Take a received message if it is a probe's."""
        return self._echo.received(topic, payload)

    def pause_reading(self) -> None:
        """Let the broker wait; until `resume_reading` no new connection is begun either."""
        self._paused_lately = True
        self._may_read.clear()
        if self._connection is not None:
            self._connection.pause_reading()

    def rest_reading(self, seconds: float) -> None:
        """Let the broker collect messages for a moment; may be ignored."""
        if self._connection is not None:
            self._connection.rest_reading(seconds)

    def resume_reading(self) -> None:
        """Take messages again."""
        self._may_read.set()
        if self._connection is not None:
            self._connection.resume_reading()

    async def _run(self) -> None:
        await self._rest_for(self._policy.stagger())
        while True:
            # What the broker kept for us comes before it has answered SUBSCRIBE.
            while not self._may_read.is_set():
                await self._may_read.wait()
            self.history.attempt()
            self._set(ConnectionState.CONNECTING)
            terms, deadline = self._policy.next()
            connection = self._connection = Connection(
                self._settings, terms, self._interest.wanted, self._receiver, self.traffic
            )
            if not self._may_read.is_set():
                connection.pause_reading()
            try:
                await connection.open(deadline)
            except ConnectError as err:
                error = err
                self.history.failed(error.cause)
                wait = self._policy.failed(error)
                retried = action_of(error.cause) is Action.RETRY
                quietly = not wait or (retried and self._policy.first_tries_left)
            except Exception:
                self._logger.exception("Household %s: unexpected failure to connect", self._name)
                error = ConnectError(Cause.PROTOCOL_ERROR, Step.LINK, "unexpected failure")
                self.history.failed(error.cause)
                wait, quietly = self._policy.failed(error), False
            else:
                error, wait = await self._stay(connection)
                quietly = not connection.closed.done()
            self._connection = None
            self.history.waits(wait)
            self._lost(error, quietly=quietly)
            try:
                if not connection.closed.done():
                    await connection.close(self._timing.goodbye)
                await self._rest_for(wait)
            finally:
                await connection.wait_closed()

    async def _rest_for(self, seconds: float) -> None:
        """Wait, unless somebody wants to connect now."""
        self._rest = asyncio.ensure_future(self._sleep(seconds))
        try:
            await asyncio.wait((self._rest,))
        finally:
            self._rest.cancel()
            await asyncio.gather(self._rest, return_exceptions=True)
            self._rest = None

    async def _stay(self, connection: Connection) -> tuple[ConnectError, float]:
        """Watch a connection until it ends or is to be left; return why and the wait."""
        loop = asyncio.get_running_loop()
        since = loop.time()
        self._policy.connected()
        self._connected(connection)
        companions = [loop.create_task(self._probe(connection))]
        if self._policy.fell_back:
            companions.append(loop.create_task(self._seek_way_back(connection)))
        leave = self._leave = loop.create_future()
        try:
            await asyncio.wait((connection.closed, leave), return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._leave = None
            for task in companions:
                task.cancel()
            await asyncio.gather(*companions, return_exceptions=True)
        held = loop.time() - since
        if connection.closed.done():
            error = connection.closed.result()
            self.history.disconnected(error.cause)
            return error, self._policy.lost(error, held)
        self.history.disconnected(LEFT)
        self._policy.left(held)
        return ConnectError(Cause.CLOSED, Step.LINK, leave.result()), 0.0

    async def _probe(self, connection: Connection) -> None:
        """Echo at once and then regularly; a link that has gone deaf is given up."""
        heard = False
        while self._timing.echo_every:
            self._paused_lately = not self._may_read.is_set()
            self.echo = await self._echo.probe(self._timing.echo_within, self._sleep)
            lost = self.echo.round_trip is None and self._echo.sent
            # While the broker has to wait for us it may drop what has QoS 0.
            if lost and heard and not self._paused_lately:
                connection.end(Cause.DEAF, "what is published does not come back any more")
                return
            heard = heard or self.echo.round_trip is not None
            self._notify()
            await self._sleep(self._timing.echo_every)

    async def _seek_way_back(self, connection: Connection) -> None:
        """Leave a connection when a better way to the broker can be had again."""
        await direct_way_is_open(
            self._settings, connection.terms, self._timing, self.traffic, self._sleep
        )
        self._policy.return_to_tcp()
        # Not cut: the broker would publish our will.
        self._leave_because("the direct way to the broker is open again")

    def _leave_because(self, words: str) -> None:
        if self._leave is not None and not self._leave.done():
            self._leave.set_result(words)

    def _connected_one(self) -> Connection:
        connection = self._connection
        connected = self.state is ConnectionState.CONNECTED
        if not connected or connection is None or connection.closed.done():
            raise NotConnectedError("not connected")
        return connection

    def _connected(self, connection: Connection) -> None:
        self.error = None
        self.history.connected()
        self._interest.begin(connection, kept=bool(self._settings.session_expiry))
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
        needs_user = not quietly and self._policy.needs_user(error)
        self._set(ConnectionState.ERROR if needs_user else ConnectionState.DISCONNECTED)

    def _set(self, state: ConnectionState) -> None:
        """The only place that changes the state."""
        if state not in LEGAL[self.state]:
            raise RuntimeError(f"{self.state} is not followed by {state}")
        self.state = state
        self._notify()

    def _notify(self) -> None:
        for listener in tuple(self._listeners):
            try:
                listener(self.state)
            except Exception:
                self._logger.exception("Household %s: a state listener failed", self._name)
