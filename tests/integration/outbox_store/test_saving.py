"""What is saved is there after a restart; one write at a time."""

import asyncio
import json
from typing import Any

from homeassistant.core import HomeAssistant
import pytest

from custom_components.homesync.outbox_store import OutboxStore, StoreTrouble

from .conftest import ONE, TWO, Writes, commands_on


async def test_what_is_saved_is_loaded_by_the_next_run(
    hass: HomeAssistant, store: OutboxStore, told: list[StoreTrouble | None]
) -> None:
    assert await store.async_load() == []
    store.save(lambda: TWO)
    assert await store.async_close()

    assert await OutboxStore(hass, "entry_villa", told.append).async_load() == TWO
    assert json.loads(store.path.read_bytes()) == {"version": 1, "commands": TWO}
    assert store.path.name == "homesync.outbox.entry_villa"
    assert told == []


async def test_households_have_files_of_their_own(hass: HomeAssistant, store: OutboxStore) -> None:
    other = OutboxStore(hass, "entry_cabin", lambda _: None)
    await other.async_load()
    store.save(lambda: ONE)
    assert await store.async_close()
    assert await other.async_load() == []


async def test_only_home_assistant_may_read_the_file(store: OutboxStore) -> None:
    store.save(lambda: ONE)
    assert await store.async_close()
    assert store.path.stat().st_mode & 0o777 == 0o600


async def test_the_folder_is_made_if_there_is_none(store: OutboxStore) -> None:
    store.path.parent.rmdir()
    assert await store.async_load() == []
    store.save(lambda: ONE)
    assert await store.async_close()
    assert commands_on(store) == ONE


async def test_saving_does_not_wait_for_flush(hass: HomeAssistant, store: OutboxStore) -> None:
    await store.async_load()
    store.save(lambda: ONE)
    await hass.async_block_till_done()
    assert commands_on(store) == ONE


async def test_requests_of_one_turn_become_one_write_of_the_latest(
    store: OutboxStore, writes: Writes
) -> None:
    await store.async_load()
    for count in range(100):
        store.save(lambda count=count: ONE * count)  # type: ignore[misc]  # a default is no argument
    assert await store.async_flush()
    assert writes.contents == [ONE * 99]


async def test_requests_during_a_write_become_one_more(
    hass: HomeAssistant, store: OutboxStore, writes: Writes
) -> None:
    await store.async_load()
    writes.gate.clear()
    store.save(lambda: ONE)
    await writes.begun.wait()
    waiting: list[dict[str, Any]] = []
    for each in TWO:
        waiting.append(each)
        store.save(lambda: waiting)
    writes.gate.set()
    assert await store.async_flush()
    assert writes.contents == [ONE, TWO]
    assert writes.most_at_once == 1


async def test_a_caller_who_gives_up_waiting_does_not_stop_the_write(
    hass: HomeAssistant, store: OutboxStore, writes: Writes
) -> None:
    await store.async_load()
    writes.gate.clear()
    store.save(lambda: ONE)
    flush = asyncio.create_task(store.async_flush())
    await writes.begun.wait()
    flush.cancel()
    with pytest.raises(asyncio.CancelledError):
        await flush
    writes.gate.set()
    assert await store.async_flush()
    assert commands_on(store) == ONE
    assert len(writes.contents) == 1


async def test_flush_has_nothing_to_do_when_nothing_was_asked_for(
    store: OutboxStore, writes: Writes
) -> None:
    await store.async_load()
    assert await store.async_flush()
    assert writes.contents == []
    assert not store.path.exists()


async def test_home_assistant_waits_for_a_write_when_it_stops(
    hass: HomeAssistant, store: OutboxStore, writes: Writes
) -> None:
    await store.async_load()

    async def close(_event: object) -> None:
        store.save(lambda: TWO)
        assert await store.async_close()

    hass.bus.async_listen_once("homeassistant_stop", close)
    await hass.async_stop(force=True)
    assert commands_on(store) == TWO


async def test_nothing_is_written_after_the_end(store: OutboxStore, writes: Writes) -> None:
    await store.async_load()
    assert await store.async_close()
    store.save(lambda: ONE)
    assert await store.async_flush()
    assert writes.contents == []
