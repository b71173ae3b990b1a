"""The file of waiting commands, with a real Home Assistant and real disks."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import timedelta
import errno
import json
import os
from pathlib import Path
import resource
import threading
from typing import Any
from unittest.mock import patch

from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util, file as file_util
import pytest
from pytest_homeassistant_custom_component.common import async_fire_time_changed

from custom_components.homesync import outbox_store
from custom_components.homesync.outbox_store import OutboxStore, StoreTrouble, TroubleKind

from .disk import SmallDisk, small_disk

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
        assert self.gate.wait(10)
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


# What is saved is there after a restart


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


# One write at a time


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


# Disks that do not take it


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


# Files that are no use


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "it is not JSON, or cut off"),
        (b'{"version": 1, "commands": [{"node": "pl', "it is not JSON, or cut off"),
        (b"\x00" * 100, "it is not JSON, or cut off"),
        (b'{"version": 1, "commands": [{"node": "\xff"}]}', "it is not JSON, or cut off"),
        (b"[" * 100_000, "it is not JSON, or cut off"),
        (b'[{"node": "plug-1"}]', "it does not hold what this integration writes"),
        (b'{"commands": []}', "it does not hold what this integration writes"),
        (b'{"version": true, "commands": []}', "it does not hold what this integration writes"),
        (b'{"version": 0, "commands": []}', "it does not hold what this integration writes"),
        (b'{"version": 1}', "it does not hold what this integration writes"),
        (b'{"version": 1, "commands": {}}', "it does not hold what this integration writes"),
        (b'{"version": 1, "commands": [{}, 1]}', "it does not hold a list of commands"),
        (
            b'{"version": 2, "commands": []}',
            "a newer version of the integration wrote it (format 2)",
        ),
    ],
)
async def test_a_damaged_file_is_set_aside_and_told(
    store: OutboxStore, told: list[StoreTrouble | None], content: bytes, words: str
) -> None:
    store.path.write_bytes(content)
    assert await store.async_load() == []
    [kept] = aside(store)
    assert kept.read_bytes() == content
    assert told == [StoreTrouble(TroubleKind.SET_ASIDE, words, kept)]
    assert store.trouble is None
    assert not store.path.exists()

    store.save(lambda: ONE)
    assert await store.async_flush()
    assert commands_on(store) == ONE
    assert len(told) == 1


async def test_a_file_above_five_megabytes_is_set_aside_unread(
    store: OutboxStore, told: list[StoreTrouble | None]
) -> None:
    with store.path.open("wb") as file:
        file.truncate(50_000_000)
    with patch.object(Path, "read_bytes", side_effect=AssertionError):
        assert await store.async_load() == []
    [kept] = aside(store)
    assert told == [StoreTrouble(TroubleKind.SET_ASIDE, "it is larger than 5242880 bytes", kept)]


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo])
async def test_what_is_no_file_is_set_aside(
    store: OutboxStore, told: list[StoreTrouble | None], make: Callable[[Path], None]
) -> None:
    make(store.path)
    assert await store.async_load() == []
    [kept] = aside(store)
    assert told == [StoreTrouble(TroubleKind.SET_ASIDE, "it is no file", kept)]


async def test_only_the_three_newest_damaged_files_are_kept(
    hass: HomeAssistant, store: OutboxStore
) -> None:
    for number in range(5):
        store.path.write_text(f"garbage {number}")
        assert await store.async_load() == []
    assert [each.read_text() for each in aside(store)] == ["garbage 2", "garbage 3", "garbage 4"]


@pytest.mark.parametrize("code", [errno.EACCES, errno.EIO])
async def test_an_unreadable_file_is_not_touched_before_it_can_be_read(
    hass: HomeAssistant, store: OutboxStore, told: list[StoreTrouble | None], code: int
) -> None:
    store.path.write_text('{"version": 1, "commands": [{"old": true}]}')
    refused = OSError(code, os.strerror(code), str(store.path))
    with (
        patch.object(Path, "read_bytes", side_effect=refused),
        patch.object(Path, "open", side_effect=refused),
    ):
        assert await store.async_load() == []
        unreadable = StoreTrouble(TroubleKind.UNREADABLE, os.strerror(code), store.path)
        assert told == [unreadable]
        store.save(lambda: ONE)
        assert not await store.async_flush()
        await a_minute_later(hass)
        assert told == [unreadable]
    assert commands_on(store) == [{"old": True}]
    assert aside(store) == []

    await a_minute_later(hass)
    [kept] = aside(store)
    late = StoreTrouble(TroubleKind.SET_ASIDE, "it could not be read in time", kept)
    assert told == [unreadable, late, None]
    assert json.loads(kept.read_bytes())["commands"] == [{"old": True}]
    assert commands_on(store) == ONE


async def test_an_unreadable_file_that_goes_away_is_no_trouble_any_more(
    store: OutboxStore, told: list[StoreTrouble | None]
) -> None:
    store.path.write_text("{}")
    with patch.object(Path, "read_bytes", side_effect=PermissionError(errno.EACCES, "no")):
        await store.async_load()
    store.path.unlink()
    store.save(lambda: ONE)
    assert await store.async_flush()
    assert [each and each.kind for each in told] == [TroubleKind.UNREADABLE, None]


async def test_a_file_that_was_never_loaded_is_not_overwritten(store: OutboxStore) -> None:
    store.path.write_text('{"version": 1, "commands": [{"old": true}]}')
    store.save(lambda: ONE)
    assert await store.async_flush()
    [kept] = aside(store)
    assert json.loads(kept.read_bytes())["commands"] == [{"old": True}]
    assert commands_on(store) == ONE


# A household that is removed


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
