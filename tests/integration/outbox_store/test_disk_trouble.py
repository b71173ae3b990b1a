"""Disks that do not take it."""

import errno
import os
import resource

from homeassistant.core import HomeAssistant
import pytest

from custom_components.homesync.outbox_store import OutboxStore, StoreTrouble, TroubleKind

from ..disk import SmallDisk
from .conftest import ONE, TWO, Writes, a_minute_later, aside, commands_on


async def test_a_full_disk_is_told_once_and_tried_again_until_it_takes_everything(
    hass: HomeAssistant, told: list[StoreTrouble | None], disk: SmallDisk
) -> None:
    store = OutboxStore(hass, "entry_villa", told.append)
    await store.async_load()
    store.save(lambda: ONE)
    assert await store.async_flush()
    disk.fill()
    waiting = list(TWO)
    store.save(lambda: waiting)
    assert not await store.async_flush()
    full = StoreTrouble(TroubleKind.NOT_WRITTEN, os.strerror(errno.ENOSPC), store.path)
    assert told == [full]
    assert commands_on(store) == ONE

    await a_minute_later(hass)
    assert told == [full]
    waiting.append({"node": "plug-3"})
    disk.empty()
    await a_minute_later(hass)
    assert told == [full, None]
    assert store.trouble is None
    assert commands_on(store) == [*TWO, {"node": "plug-3"}]
    assert [each.name for each in store.path.parent.iterdir()] == [store.path.name]


async def test_a_read_only_disk_is_told_and_tried_again(
    hass: HomeAssistant, told: list[StoreTrouble | None], disk: SmallDisk
) -> None:
    store = OutboxStore(hass, "entry_villa", told.append)
    await store.async_load()
    disk.remount("ro")
    store.save(lambda: ONE)
    assert not await store.async_flush()
    read_only = StoreTrouble(TroubleKind.NOT_WRITTEN, os.strerror(errno.EROFS), store.path)
    assert told == [read_only]
    disk.remount("rw")
    await a_minute_later(hass)
    assert told == [read_only, None]
    assert commands_on(store) == ONE


async def test_a_damaged_file_on_a_read_only_disk_is_set_aside_as_soon_as_possible(
    hass: HomeAssistant, told: list[StoreTrouble | None], disk: SmallDisk
) -> None:
    store = OutboxStore(hass, "entry_villa", told.append)
    store.path.write_text("garbage")
    disk.remount("ro")
    assert await store.async_load() == []
    words = f"it is not JSON, or cut off, and it cannot be set aside: {os.strerror(errno.EROFS)}"
    assert told == [StoreTrouble(TroubleKind.UNREADABLE, words, store.path)]

    disk.remount("rw")
    store.save(lambda: ONE)
    assert await store.async_flush()
    [kept] = aside(store)
    assert kept.read_text() == "garbage"
    assert told[1:] == [
        StoreTrouble(TroubleKind.SET_ASIDE, "it is not JSON, or cut off", kept),
        None,
    ]
    assert commands_on(store) == ONE


async def test_a_write_that_fails_half_way_leaves_the_old_file(
    hass: HomeAssistant, store: OutboxStore, told: list[StoreTrouble | None]
) -> None:
    await store.async_load()
    store.save(lambda: ONE)
    assert await store.async_flush()
    allowed = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, allowed[1]))
    try:
        store.save(lambda: ONE * 1000)
        assert not await store.async_close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, allowed)
    too_large = StoreTrouble(TroubleKind.NOT_WRITTEN, os.strerror(errno.EFBIG), store.path)
    assert told == [too_large]
    assert commands_on(store) == ONE
    assert [each.name for each in store.path.parent.iterdir()] == [store.path.name]


@pytest.mark.parametrize("code", [errno.EIO, errno.EDQUOT, errno.ENOSPC, errno.EACCES])
async def test_whatever_keeps_a_write_from_working_is_tried_again(
    hass: HomeAssistant,
    store: OutboxStore,
    told: list[StoreTrouble | None],
    writes: Writes,
    code: int,
) -> None:
    await store.async_load()
    writes.error = OSError(code, os.strerror(code), "/secret/place")
    store.save(lambda: ONE)
    assert not await store.async_flush()
    store.save(lambda: TWO)
    await hass.async_block_till_done()
    assert len(writes.contents) == 1, "a disk in trouble is left alone for a minute"
    writes.error = None
    await a_minute_later(hass)
    assert told == [StoreTrouble(TroubleKind.NOT_WRITTEN, os.strerror(code), store.path), None]
    assert commands_on(store) == TWO


async def test_the_end_tries_a_last_time_and_leaves_no_timer(
    hass: HomeAssistant, store: OutboxStore, told: list[StoreTrouble | None], writes: Writes
) -> None:
    await store.async_load()
    writes.error = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    store.save(lambda: ONE)
    assert not await store.async_flush()
    assert not await store.async_close()
    assert len(writes.contents) == 2
    await a_minute_later(hass)
    assert len(writes.contents) == 2


async def test_the_end_saves_what_a_disk_in_trouble_takes_again(
    store: OutboxStore, told: list[StoreTrouble | None], writes: Writes
) -> None:
    await store.async_load()
    writes.error = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    store.save(lambda: ONE)
    assert not await store.async_flush()
    writes.error = None
    assert await store.async_close()
    assert told[1:] == [None]
    assert commands_on(store) == ONE


async def test_a_command_that_json_cannot_hold_does_not_keep_the_others_from_disk(
    store: OutboxStore, told: list[StoreTrouble | None]
) -> None:
    await store.async_load()
    store.save(lambda: [{"config": {"huge": 2**70}}, *TWO])
    assert await store.async_flush()
    words = "1 commands cannot be written as JSON"
    assert told == [StoreTrouble(TroubleKind.NOT_STORABLE, words, store.path)]
    assert commands_on(store) == TWO
    store.save(lambda: TWO)
    assert await store.async_flush()
    assert told[1:] == [None]
