"""A session under observation, over any way to a broker."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
import logging
import math
from ssl import SSLContext
from typing import Any, Self, override

import aiohttp
import pytest

from custom_components.homesync.client import (
    BrokerSettings,
    ConnectionState,
    MqttVersion,
    Timing,
    Transport,
    WebSocketSettings,
)
from custom_components.homesync.client.transport.policy import NOTHING_LEARNED, Learned
from custom_components.homesync.client.transport.reader import Message
from custom_components.homesync.client.transport.session import MqttSession
from custom_components.homesync.client.transport.terms import Receiver, Subscriptions

from ..client.virtual_time import VirtualLoop

LOGGER = logging.getLogger("transport")
ROOT = "homesync/villa/nodes"
SUBSCRIPTIONS = Subscriptions(
    ((f"{ROOT}/+/telemetry/+", 0), (f"{ROOT}/+/status/+", 1), (f"{ROOT}/+/response/+", 1)),
    (
        (f"{ROOT}/+/telemetry/+", f"{ROOT}/_echo/telemetry/echo"),
        (f"{ROOT}/+/status/+", f"{ROOT}/_echo/status/online"),
        (f"{ROOT}/+/response/+", f"{ROOT}/_echo/response/command"),
    ),
)
FILTERS = [("a/+/telemetry/+", 0), ("a/+/status/+", 1), ("a/+/response/+", 1)]
ECHO_TOPICS = [(each, each.replace("+", "_echo", 1).replace("+", "x")) for each, _ in FILTERS]
PLAIN_SUBSCRIPTIONS = Subscriptions(tuple(FILTERS))
NO_PROBES = Timing(echo_every=0)
SILENT = Timing(echo_every=0, way_back_every=1800)
DEADLINE = 10.0
_PATIENCE = 60.0  # a busy machine takes its time


class Way(StrEnum):
    TCP = "tcp"
    TLS = "tls"
    WSS = "wss"


ALL_WAYS = pytest.mark.parametrize("way", list(Way))
BOTH_VERSIONS = pytest.mark.parametrize("version", [4, 5])


@dataclass(frozen=True, slots=True)
class Means:
    """What it takes to go any way: the broker's and the client's context, an HTTP client."""

    broker_tls: SSLContext
    client_tls: SSLContext
    http: aiohttp.ClientSession

    def settings(self, way: Way, port: int, **changes: Any) -> BrokerSettings:
        chosen = settings(port, **changes)
        if way is Way.TCP:
            return chosen
        if way is Way.TLS:
            return replace(chosen, tls=self.client_tls)
        return replace(
            chosen,
            tls=self.client_tls,
            http=self.http,
            transport=Transport.WEBSOCKET,
            websocket=WebSocketSettings(port=port),
        )


def settings(port: int, **changes: Any) -> BrokerSettings:
    fields: dict[str, Any] = {"host": "127.0.0.1", "client_id": "hs-transport"}
    return BrokerSettings(port=port, **{**fields, **changes})


def plain_settings(port: int, **changes: Any) -> BrokerSettings:
    """MQTT 3.1.1, unless told otherwise."""
    return settings(port, **{"version": MqttVersion.V311, "client_id": "hs-test", **changes})


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the client said above debug."""
    records = [each for each in caplog.records if each.name == LOGGER.name]
    assert all(each.levelname == "INFO" for each in records)
    return [each.getMessage() for each in records]


async def until(condition: Callable[[], object], seconds: float = DEADLINE) -> None:
    """Let the loop turn until something holds."""
    loop = asyncio.get_running_loop()
    virtual = isinstance(loop, VirtualLoop)
    step = 0.25 if virtual else 0.002
    give_up_at = loop.time() + (seconds if virtual else max(seconds, _PATIENCE))
    while not condition():
        assert loop.time() < give_up_at
        await asyncio.sleep(step)


class Link:
    """Records states, waits and messages. Waits between attempts take no time.

    The next echo and the next look at the blocked way wait for `next_echo` and `look_back`;
    once `impatient`, nothing else is waited for while connected.
    """

    def __init__(
        self,
        broker: BrokerSettings,
        *,
        timing: Timing = SILENT,
        learned: Learned = NOTHING_LEARNED,
        random_number: float = 0.5,
        subscriptions: Subscriptions = SUBSCRIPTIONS,
    ) -> None:
        self.states: list[ConnectionState] = []
        self.waits: list[float] = []
        self.messages: list[Message] = []
        self.oversize: list[bytes] = []
        self.causes: list[str] = []
        self.batches = 0
        self.echoes = 0
        self.impatient = False
        self.next_echo = asyncio.Event()
        self.look_back = asyncio.Event()
        self._timing = timing
        self._halt_after: float = math.inf
        self._go_on = asyncio.Event()
        self.session = MqttSession(
            "Villa",
            broker,
            subscriptions,
            Receiver(
                on_messages=self._receive,
                on_oversize=self.oversize.append,
            ),
            LOGGER,
            timing=timing,
            learned=learned,
            sleep=self._sleep,
            random_number=lambda: random_number,
        )
        self.session.add_listener(self._on_state)

    @property
    def state(self) -> ConnectionState:
        return self.session.state

    @property
    def payloads(self) -> list[bytes]:
        return [payload for _, payload, _ in self.messages]

    @property
    def step(self) -> str:
        return "" if self.session.error is None else str(self.session.error.step)

    @property
    def cause(self) -> str:
        return "" if self.session.error is None else str(self.session.error.cause)

    async def __aenter__(self) -> Self:
        self.session.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.session.stop()

    async def connected(self) -> None:
        await until(lambda: self.state is ConnectionState.CONNECTED)

    async def failed(self, times: int = 1, seconds: float = DEADLINE) -> None:
        """Let attempts fail so often in all; then the session waits until `go_on`."""
        self.halt_after(times)
        await until(lambda: len(self.waits) >= times, seconds)

    def halt_after(self, times: int) -> None:
        """Let the session wait until `go_on` when attempts have failed so often in all."""
        self._halt_after = times

    def go_on(self) -> None:
        self._halt_after = math.inf
        self._go_on.set()
        self._go_on = asyncio.Event()

    def _on_state(self, state: ConnectionState) -> None:
        self.states.append(state)
        if state in (ConnectionState.DISCONNECTED, ConnectionState.ERROR):
            self.causes.append(self.cause)

    def _receive(self, messages: list[Message]) -> None:
        self.batches += 1
        others = [each for each in messages if not self.session.take_echo(*each[:2])]
        self.echoes += len(messages) - len(others)
        self.messages += others

    async def _sleep(self, seconds: float) -> None:
        if self.state is ConnectionState.CONNECTED:
            await self._while_connected(seconds)
        elif seconds:
            self.waits.append(seconds)
            await asyncio.sleep(0)
            if len(self.waits) >= self._halt_after:
                await self._go_on.wait()

    async def _while_connected(self, seconds: float) -> None:
        if seconds == self._timing.way_back_every:
            await self.look_back.wait()
            self.look_back.clear()
        elif seconds == self._timing.echo_every:
            await self.next_echo.wait()
            self.next_echo.clear()
        else:
            await asyncio.sleep(0 if self.impatient else seconds)


class PlainLink(Link):
    """Short topics; MQTT 3.1.1 without probes unless told otherwise; connected it waits as told."""

    def __init__(
        self,
        port: int,
        *,
        timing: Timing = SILENT,
        random_number: float = 0.5,
        echo_topics: tuple[tuple[str, str], ...] = (),
        **changes: Any,
    ) -> None:
        super().__init__(
            plain_settings(port, **changes),
            timing=timing,
            random_number=random_number,
            subscriptions=Subscriptions(tuple(FILTERS), echo_topics),
        )

    @override
    async def _while_connected(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class RestingLink(PlainLink):
    """Rests for `rest` seconds after each read, as it is asked to in a flood."""

    def __init__(self, port: int, *, rest: float, **changes: Any) -> None:
        super().__init__(port, **changes)
        self._seconds = rest

    @override
    def _receive(self, messages: list[Message]) -> None:
        super()._receive(messages)
        self.session.rest_reading(self._seconds)


class ProbingLink(PlainLink):
    """As households are: MQTT 5 first, and probes."""

    def __init__(self, port: int, **changes: Any) -> None:
        usual: dict[str, Any] = {
            "version": None,
            "timing": Timing(),
            "echo_topics": tuple(ECHO_TOPICS),
        }
        super().__init__(port, **{**usual, **changes})

    async def probed(self) -> None:
        """Wait until the first probe has ended."""
        await until(lambda: self.session.echo is not None)
