"""Tries a broker once, as a household would use it, and says which step failed."""

import asyncio
import contextlib
from dataclasses import dataclass, replace

from ..errors import Cause, ConnectError
from .connection import Connection
from .echo import Echo, EchoResult
from .packets import BrokerLimits, MqttVersion
from .policy import (
    FIRST_WINDOW,
    Learned,
    is_blocked,
    is_mute,
    is_old_broker,
    may_be_refused_certificate,
    may_fall_back,
)
from .reader import Message
from .settings import BrokerSettings, Timing, Transport
from .terms import Receiver, Subscriptions, Terms

_ECHO_WITHIN = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PreflightReport:
    """What a successful try found out.

    `certificate_expires` is in seconds since the epoch; `blocked` is why the direct way
    did not work when a WebSocket was needed.
    """

    terms: Terms
    learned: Learned
    limits: BrokerLimits
    certificate_expires: float | None
    echo: EchoResult
    blocked: ConnectError | None


async def preflight(
    settings: BrokerSettings, subscriptions: Subscriptions, timing: Timing
) -> PreflightReport:
    """Connect, subscribe, echo and leave again, or raise ConnectError.

    Goes under a client id of its own: the household's own would end the connection of
    the household that is being reconfigured. Falls back as a session would, without
    waiting.
    """
    own = settings.as_guest()
    trial = _Trial(own, subscriptions, timing)
    try:
        return await trial.run(own.transport, None)
    except ConnectError as err:
        if own.transport is not Transport.TCP or not (may_fall_back(own) and is_blocked(err)):
            raise
        blocked = err
    try:
        return await trial.run(Transport.WEBSOCKET, blocked)
    except ConnectError as err:
        # When neither way works, the direct one tells more.
        raise blocked from err


@dataclass(frozen=True, slots=True)
class _Trial:
    settings: BrokerSettings
    subscriptions: Subscriptions
    timing: Timing

    async def run(self, transport: Transport, blocked: ConnectError | None) -> PreflightReport:
        """Try one way, with the older protocol if the broker seems to know no newer one."""
        terms = Terms(
            version=self.settings.version or MqttVersion.V5,
            transport=transport,
            keepalive=self.settings.keepalive,
            window=FIRST_WINDOW,
        )
        try:
            return await self._try(terms, blocked)
        except ConnectError as err:
            refused = may_be_refused_certificate(self.settings, err)
            old = self.settings.version is None and (is_old_broker(err) or is_mute(err))
            if not (refused or old):
                raise
            # A broker that just closes may have another reason; a mute one is worth no second wait.
            guessed = old and err.cause is not Cause.PROTOCOL_VERSION and not is_mute(err)
        version = MqttVersion.V311 if old else terms.version
        terms = replace(terms, version=version, listen_first=refused)
        return await self._try(terms, blocked, guessed=guessed)

    async def _try(
        self, terms: Terms, blocked: ConnectError | None, *, guessed: bool = False
    ) -> PreflightReport:
        returned = asyncio.Event()

        def receive(messages: list[Message]) -> None:
            for topic, payload, _ in messages:
                if echo.received(topic, payload) and echo.complete:
                    returned.set()

        connection = Connection(
            self.settings,
            terms,
            self.subscriptions,
            Receiver(on_messages=receive, on_oversize=lambda _: None),
        )
        clock = asyncio.get_running_loop().time
        echo = Echo(self.subscriptions.echo_topics, connection.publish, clock)
        try:
            await connection.open(self.timing.deadline)
            echo.start()
            connection.closed.add_done_callback(lambda _: returned.set())
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_ECHO_WITHIN):
                    if not echo.complete:
                        await returned.wait()
            if connection.closed.done():
                raise connection.closed.result()
            return PreflightReport(
                terms=terms,
                learned=self._learned(terms, guessed=guessed),
                limits=connection.limits,
                certificate_expires=connection.certificate_expires,
                echo=echo.result(),
                blocked=blocked,
            )
        finally:
            await connection.close(self.timing.goodbye)

    def _learned(self, terms: Terms, *, guessed: bool) -> Learned:
        return Learned(
            terms.version if self.settings.version is None and not guessed else None,
            terms.transport if terms.transport is not self.settings.transport else None,
        )
