"""Files that are no use."""

from collections.abc import Callable
import errno
import json
import os
from pathlib import Path
from unittest.mock import patch

from homeassistant.core import HomeAssistant
import pytest

from custom_components.homesync.outbox_store import OutboxStore, StoreTrouble, TroubleKind

from .conftest import ONE, a_minute_later, aside, commands_on


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
