"""Fixtures for all tests."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from hypothesis import settings
import pytest

from tests.broker import Mosquitto

# The same examples everywhere, and no deadline: a machine may be slow
settings.load_profile("ci")


@pytest.fixture(autouse=True)
async def enable_event_loop_debug() -> None:
    """Have the loop check itself, as Home Assistant's fixture of this name does.

    Futures and handles ask `get_debug` whether to note the stack that made them, which takes
    half of a test's time. The loop's own checks, such as that of the thread, do not ask.
    """
    loop = asyncio.get_running_loop()
    loop.set_debug(True)
    loop.get_debug = lambda: False  # type: ignore[method-assign]  # of this loop alone


@pytest.fixture
def start_mosquitto(tmp_path: Path, socket_enabled: None) -> Iterator[Callable[..., Mosquitto]]:
    """Start brokers with the options of `Mosquitto`; all of them end with the test."""
    started: list[Mosquitto] = []

    def start(**options: Any) -> Mosquitto:
        folder = tmp_path / f"mosquitto-{len(started)}"
        folder.mkdir()
        started.append(Mosquitto(folder, **options))
        started[-1].start()
        return started[-1]

    yield start
    for broker in started:
        broker.kill()


@pytest.fixture
def mosquitto(start_mosquitto: Callable[..., Mosquitto]) -> Mosquitto:
    """A running broker that lets everybody in."""
    return start_mosquitto()
