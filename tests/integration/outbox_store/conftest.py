"""A file of waiting commands, on real disks, and what is told of it."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
import json
from pathlib import Path
import threading
from typing import Any
from unittest.mock import patch

from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util, file as file_util
import pytest
from pytest_homeassistant_custom_component.common import async_fire_time_changed

from custom_components.homesync import outbox_store
from custom_components.homesync.outbox_store import OutboxStore, StoreTrouble

from ..disk import SmallDisk, small_disk

ONE: list[dict[str, Any]] = [{"node": "plug-1", "command": {"action": "on"}}]
TWO = [*ONE, {"node": "plug-2", "command": {"action": "off"}}]


@pytest.fixture
def told() -> list[StoreTrouble | None]:
    """What the store told of its troubles."""
    return []


@pytest.fixture
def store(hass: HomeAssistant, told: list[StoreTrouble | None]) -> OutboxStore:
    return OutboxStore(hass, "entry_villa", told.append)


@pytest.fixture
def disk(hass: HomeAssistant, tmp_path: Path) -> Iterator[SmallDisk]:
    """A small disk below Home Assistant's configuration."""
    with small_disk(tmp_path) as small:
        (small.folder / ".storage").mkdir()
        hass.config.config_dir = str(small.folder)
        yield small


class Writes:
    """Real writes, counted; they wait for `gate` and fail with `error`."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.begun = asyncio.Event()
        self.gate = threading.Event()
        self.gate.set()
        self.error: OSError | None = None
        self.contents: list[list[dict[str, Any]]] = []
        self.at_once = 0
        self.most_at_once = 0
        self._loop = loop
        self._write = file_util.write_utf8_file_atomic

    def __call__(self, filename: str, data: bytes, **options: Any) -> None:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.contents.append(json.loads(data)["commands"])
        self._loop.call_soon_threadsafe(self.begun.set)
        assert self.gate.wait(60)
        try:
            if self.error is not None:
                raise file_util.WriteError(self.error) from self.error
            self._write(filename, data, **options)
        finally:
            self.at_once -= 1


@pytest.fixture
def writes(hass: HomeAssistant) -> Iterator[Writes]:
    counted = Writes(hass.loop)
    with patch.object(outbox_store, "write_utf8_file_atomic", counted):
        yield counted
        counted.gate.set()


def commands_on(store: OutboxStore) -> Any:
    return json.loads(store.path.read_bytes())["commands"]


def aside(store: OutboxStore) -> list[Path]:
    return sorted(store.path.parent.glob(f"{store.path.name}.corrupt.*"))


async def a_minute_later(hass: HomeAssistant) -> None:
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=61))
    await hass.async_block_till_done()
