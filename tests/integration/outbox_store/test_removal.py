"""A household that is removed leaves no file behind."""

import asyncio
import errno
import os
from pathlib import Path
from unittest.mock import patch

from homeassistant.core import HomeAssistant
import pytest

from custom_components.homesync.outbox_store import OutboxStore, StoreTrouble

from .conftest import ONE, Writes, a_minute_later


async def test_removal_leaves_nothing_behind(
    hass: HomeAssistant, store: OutboxStore, told: list[StoreTrouble | None]
) -> None:
    bystander = store.path.with_name("homesync.outbox.entry_villa2")
    bystander.write_text("{}")
    store.path.write_text("garbage")
    await store.async_load()
    store.save(lambda: ONE)
    await store.async_close()
    await OutboxStore(hass, "entry_villa", told.append).async_remove()
    assert list(store.path.parent.iterdir()) == [bystander]


async def test_removal_waits_for_a_write_and_ends_the_tries(
    hass: HomeAssistant, store: OutboxStore, writes: Writes
) -> None:
    await store.async_load()
    writes.gate.clear()
    store.save(lambda: ONE)
    await writes.begun.wait()
    removal = asyncio.create_task(store.async_remove())
    await asyncio.sleep(0)
    writes.gate.set()
    await removal
    assert not store.path.exists()
    assert len(writes.contents) == 1


async def test_a_write_that_fails_during_removal_is_not_tried_again(
    hass: HomeAssistant, store: OutboxStore, writes: Writes
) -> None:
    await store.async_load()
    writes.gate.clear()
    writes.error = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    store.save(lambda: ONE)
    await writes.begun.wait()
    removal = asyncio.create_task(store.async_remove())
    await asyncio.sleep(0)
    writes.gate.set()
    await removal
    writes.error = None
    await a_minute_later(hass)
    assert len(writes.contents) == 1
    assert not store.path.exists()


async def test_removal_without_a_file_or_folder_is_fine(
    store: OutboxStore, caplog: pytest.LogCaptureFixture
) -> None:
    store.path.parent.rmdir()
    await store.async_remove()
    assert not caplog.records


async def test_a_file_that_cannot_be_deleted_is_logged(
    store: OutboxStore, caplog: pytest.LogCaptureFixture
) -> None:
    store.path.write_text("{}")
    with patch.object(Path, "unlink", side_effect=PermissionError(errno.EPERM, "not allowed")):
        await store.async_remove()
    assert f"{store.path} could not be deleted: not allowed" in caplog.text
