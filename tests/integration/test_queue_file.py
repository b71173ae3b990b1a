"""The file of queued commands: damaged, tampered with, not writable."""

from datetime import timedelta
import errno
from pathlib import Path
import time
from typing import Any
from unittest.mock import patch

from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed

from custom_components.homesync import async_remove_entry
from simulator import Node
from tests.broker import Mosquitto

from .actions import Events
from .conftest import SetUp, StartNode
from .lookup import is_connected, state
from .queueing import file_of, issue, queue, stored, unstarted, write
from .waiting import reached, until

RELAY = ("switch", "plug-1", "status/relay")
OUTBOX_STORE = "custom_components.homesync.outbox_store"


@pytest.fixture(autouse=True)
def _own_folder(hass: HomeAssistant, tmp_path: Path) -> None:
    """Whatever rests here rests in this test alone."""
    hass.config.config_dir = str(tmp_path)


@pytest.fixture
def events(hass: HomeAssistant) -> Events:
    return Events(hass)


@pytest.fixture
async def entry(hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp) -> MockConfigEntry:
    return await set_up(mosquitto.port)


@pytest.fixture
async def node(hass: HomeAssistant, entry: MockConfigEntry, start_node: StartNode) -> Node:
    node = await start_node(relay_on=False)
    await until(hass, lambda: state(hass, entry, *RELAY) == "off")
    return node


@pytest.fixture
async def away(
    hass: HomeAssistant, entry: MockConfigEntry, node: Node, mosquitto: Mosquitto
) -> Mosquitto:
    """The broker, after it went away."""
    mosquitto.kill()
    await until(hass, lambda: not is_connected(hass, entry))
    return mosquitto


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\x00garbage",
        b"[]",
        {"version": 2, "commands": []},
        {"version": 1, "commands": [1]},
        b" " * (5 * 1024 * 1024 + 1),
    ],
    ids=["empty", "truncated", "garbage", "shape", "newer", "no commands", "large"],
)
async def test_f55_a_damaged_file_is_set_aside_and_told_and_the_household_works(
    hass: HomeAssistant,
    mosquitto: Mosquitto,
    set_up: SetUp,
    start_node: StartNode,
    content: Any,
) -> None:
    entry = unstarted(hass, mosquitto)
    write(hass, entry, content)

    assert await hass.config_entries.async_setup(entry.entry_id)

    shown = issue(hass, entry, "outbox_set_aside")
    assert shown is not None
    assert shown.translation_placeholders is not None
    aside = file_of(hass, entry).with_name(shown.translation_placeholders["file"])
    assert aside.name.startswith(f"{file_of(hass, entry).name}.corrupt.")
    assert aside.exists()
    node = await start_node(relay_on=False)
    await until(hass, lambda: state(hass, entry, *RELAY) == "off")
    assert (await queue(hass, entry))["outcome"] == "confirmed"
    assert len(node.executed) == 1
    await hass.config_entries.async_unload(entry.entry_id)
    await async_remove_entry(hass, entry)
    assert not aside.exists()


GOOD: dict[str, Any] = {
    "request_id": "good",
    "node_id": "plug-1",
    "kind": "relay",
    "fields": '{"action": "on"}',
    "ttl": 3600.0,
    "timeout": 5.0,
    "retries": 3,
    "attempts": 0,
    "first_sent": None,
}


@pytest.mark.parametrize(
    "changes",
    [
        {"retain": True},
        {"node_id": "../../other/plug-1"},
        {"node_id": "+"},
        {"kind": "relay/x"},
        {"request_id": "x" * 65},
        {"ttl": 1e9},
        {"ttl": "long"},
        {"timeout": 1e9},
        {"retries": 10_000},
        {"fields": '{"action": "explode"}'},
        {"fields": "{"},
        {"kind": "ota", "fields": '{"version": "1", "url": "http://x", "sha256": "0"}'},
        {"created": "yesterday"},
        {"attempts": 5},
    ],
    ids=str,
)
async def test_s16_a_tampered_command_is_refused_and_told_and_the_others_go_on(
    hass: HomeAssistant,
    *,
    mosquitto: Mosquitto,
    socket_enabled: None,
    start_node: StartNode,
    events: Events,
    changes: dict[str, Any],
) -> None:
    node = await start_node(relay_on=False)
    entry = unstarted(hass, mosquitto)
    now = time.time()
    tampered = {**GOOD, "created": now, "request_id": "bad", **changes}
    write(hass, entry, {"version": 1, "commands": [tampered, {**GOOD, "created": now}]})

    assert await hass.config_entries.async_setup(entry.entry_id)

    shown = issue(hass, entry, "outbox_refused")
    assert shown is not None
    assert shown.translation_placeholders == {"household": "Villa", "count": "1"}
    await until(hass, lambda: events.of("good"))
    assert events.outcomes == ["confirmed"]
    assert [each.request_id for each in node.executed] == ["good"]
    await reached(lambda: stored(hass, entry) == [])
    await hass.config_entries.async_unload(entry.entry_id)


async def test_f54_a_full_disk_is_told_the_command_is_sent_and_the_issue_ends_with_its_cause(
    hass: HomeAssistant, entry: MockConfigEntry, node: Node, away: Mosquitto
) -> None:
    full = OSError(errno.ENOSPC, "No space left on device")
    with patch(f"{OUTBOX_STORE}._write", side_effect=full):
        call = queue(hass, entry)
        await reached(lambda: issue(hass, entry, "outbox_not_written"))
    shown = issue(hass, entry, "outbox_not_written")
    assert shown is not None
    assert shown.translation_placeholders is not None
    assert shown.translation_placeholders["reason"] == "No space left on device"
    assert shown.severity is ir.IssueSeverity.ERROR
    assert stored(hass, entry) == []

    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=61))
    await reached(lambda: len(stored(hass, entry)) == 1)
    await reached(lambda: issue(hass, entry, "outbox_not_written") is None)
    away.start()
    assert (await call)["outcome"] == "confirmed"
    assert len(node.executed) == 1
