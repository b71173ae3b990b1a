"""A session under observation."""

import asyncio
from collections.abc import Callable
import logging
import math
from ssl import SSLContext
from typing import Any, Self

import pytest

from custom_components.homesync.client import BrokerSettings, ConnectionState, Timing
from custom_components.homesync.client.transport.connection import Receiver
from custom_components.homesync.client.transport.session import MqttSession

from .virtual_time import VirtualLoop

LOGGER = logging.getLogger("client")
FILTERS = [("a/+/telemetry/+", 0), ("a/+/status/+", 1), ("a/+/response/+", 1)]
DEADLINE = 10.0


def settings(port: int, **changes: Any) -> BrokerSettings:
    fields: dict[str, Any] = {"host": "127.0.0.1", "client_id": "hs-test"}
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
    """Records states, waits and messages; `sleep` takes no time."""

    def __init__(
        self,
        port: int,
        *,
        tls: SSLContext | None = None,
        timing: Timing | None = None,
        random_number: float = 0.5,
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
            FILTERS,
            Receiver(
                lambda topic, payload, retained: self.messages.append((topic, payload, retained)),
                self._count_batch,
                self.oversize.append,
            ),
            LOGGER,
            timing=timing,
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

    def _count_batch(self) -> None:
        self.batches += 1

    async def _sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        await asyncio.sleep(0)
        if len(self.waits) >= self._halt_after:
            await self._halted.wait()
