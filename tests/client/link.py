"""A session under observation."""

import asyncio
from collections.abc import Callable
import logging
import math
from ssl import SSLContext
from typing import Any, Self

import pytest

from custom_components.homesync.client import BrokerSettings, ConnectionState, MqttVersion, Timing
from custom_components.homesync.client.transport.connection import Receiver, Subscriptions
from custom_components.homesync.client.transport.session import MqttSession

from .virtual_time import VirtualLoop

LOGGER = logging.getLogger("client")
FILTERS = [("a/+/telemetry/+", 0), ("a/+/status/+", 1), ("a/+/response/+", 1)]
ECHO_TOPICS = [(each, each.replace("+", "_echo", 1).replace("+", "x")) for each, _ in FILTERS]
SUBSCRIPTIONS = Subscriptions(tuple(FILTERS))
NO_PROBES = Timing(echo_every=0)
DEADLINE = 10.0


def settings(port: int, **changes: Any) -> BrokerSettings:
    """MQTT 3.1.1, which the scripted broker speaks, unless told otherwise."""
    fields: dict[str, Any] = {
        "host": "127.0.0.1",
        "client_id": "hs-test",
        "version": MqttVersion.V311,
    }
    return BrokerSettings(port=port, **{**fields, **changes})


async def until(condition: Callable[[], object], seconds: float = DEADLINE) -> None:
    """Let the loop turn until something holds."""
    loop = asyncio.get_running_loop()
    step = 0.25 if isinstance(loop, VirtualLoop) else 0.002
    give_up_at = loop.time() + seconds
    while not condition():
        assert loop.time() < give_up_at
        await asyncio.sleep(step)


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the client said above debug."""
    records = [each for each in caplog.records if each.name == LOGGER.name]
    assert all(each.levelname == "INFO" for each in records)
    return [each.getMessage() for each in records]


class Link:
    """Records states, waits between attempts and messages; those waits take no time.

    Does not probe, unless `echo_topics` and a timing say so.
    """

    def __init__(
        self,
        port: int,
        *,
        tls: SSLContext | None = None,
        timing: Timing | None = None,
        random_number: float = 0.5,
        echo_topics: tuple[tuple[str, str], ...] = (),
        **changes: Any,
    ) -> None:
        self.states: list[ConnectionState] = []
        self.waits: list[float] = []
        self.messages: list[tuple[bytes, bytes, bool]] = []
        self.oversize: list[bytes] = []
        self.batches = 0
        self._halt_after: float = math.inf
        self._halted = asyncio.Event()
        self.session = MqttSession(
            "Villa",
            settings(port, tls=tls, **changes),
            Subscriptions(tuple(FILTERS), echo_topics),
            Receiver(
                on_publish=self._take,
                on_batch=self._count_batch,
                on_oversize=self.oversize.append,
            ),
            LOGGER,
            timing=timing or NO_PROBES,
            sleep=self._sleep,
            random_number=lambda: random_number,
        )
        self.session.add_listener(self.states.append)

    @property
    def cause(self) -> str:
        return "" if self.session.error is None else str(self.session.error.cause)

    @property
    def step(self) -> str:
        return "" if self.session.error is None else str(self.session.error.step)

    async def __aenter__(self) -> Self:
        self.session.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.session.stop()

    async def connected(self) -> None:
        await until(lambda: self.session.state is ConnectionState.CONNECTED)

    async def failed(self, times: int = 1, seconds: float = DEADLINE) -> None:
        """Let the session fail so often; then it waits until `go_on`."""
        self._halt_after = times
        await until(lambda: len(self.waits) >= times, seconds)

    def go_on(self) -> None:
        self._halt_after = math.inf
        self._halted.set()
        self._halted = asyncio.Event()

    def _take(self, topic: bytes, payload: bytes, retained: bool) -> None:
        if not self.session.take_echo(topic, payload):
            self.messages.append((topic, payload, retained))

    def _count_batch(self) -> None:
        self.batches += 1

    async def _sleep(self, seconds: float) -> None:
        if asyncio.current_task() is not self.session._task:
            await asyncio.sleep(seconds)
            return
        if not seconds:
            return
        self.waits.append(seconds)
        await asyncio.sleep(0)
        if len(self.waits) >= self._halt_after:
            await self._halted.wait()


class ProbingLink(Link):
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
