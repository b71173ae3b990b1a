"""A household's counters outlive restarts; their file may be damaged."""

from datetime import timedelta
import json
import logging
from pathlib import Path
from typing import Any
from unittest.mock import patch

from homeassistant.core import HomeAssistant, State
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed

from custom_components.homesync.plan import chosen_plan
from tests.broker import Mosquitto

from .conftest import SetUp
from .figures import figures
from .lookup import coordinator, entity_id, is_connected, state
from .queueing import issue, unstarted
from .waiting import reached, until
from .wire import Wire

MALFORMED = ("sensor", "messages_malformed")


@pytest.fixture
def hass_storage() -> dict[str, Any]:
    """Let Home Assistant's stores read and write files, as they do outside of tests."""
    return {}


def file_of(hass: HomeAssistant, entry: MockConfigEntry) -> Path:
    return Path(hass.config.path(".storage", f"homesync.statistics.{entry.entry_id}"))


def stored(hass: HomeAssistant, entry: MockConfigEntry) -> dict[str, Any]:
    content = json.loads(file_of(hass, entry).read_bytes())
    assert content["version"] == 1
    data: dict[str, Any] = content["data"]
    return data


async def say_nonsense(wire: Wire, entry: MockConfigEntry) -> None:
    before = figures(entry).intake.malformed
    wire.say("status/online", {"online": "perhaps"}, retain=False)
    await reached(lambda: figures(entry).intake.malformed == before + 1)


async def test_a_reload_loses_nothing_and_counts_nothing_twice(
    hass: HomeAssistant, entry: MockConfigEntry, wire: Wire
) -> None:
    await until(hass, lambda: is_connected(hass, entry))
    first = figures(entry)
    for grace_time in (10, 20, 30):
        await say_nonsense(wire, entry)
        before = figures(entry)
        hass.config_entries.async_update_entry(entry, options={"grace_time": grace_time})
        await hass.async_block_till_done()
        await until(hass, lambda: is_connected(hass, entry))
        after = figures(entry)
        assert after.intake.malformed == before.intake.malformed
        assert after.connection.connects == before.connection.connects + 1
        assert after.since == first.since
        assert after.budget.bytes == after.traffic.bytes_received + after.traffic.bytes_sent
    assert figures(entry).intake.malformed == first.intake.malformed + 3
    assert figures(entry).connection.connects == 4
    assert figures(entry).connection.disconnects == {"stopped": 3}
    sent = figures(entry).traffic.bytes_sent
    assert 3.5 * first.traffic.bytes_sent < sent < 5.5 * first.traffic.bytes_sent


async def test_no_sensor_falls_back_in_a_reload(
    hass: HomeAssistant, entry: MockConfigEntry, wire: Wire
) -> None:
    await until(hass, lambda: is_connected(hass, entry))
    await say_nonsense(wire, entry)
    seen: list[State] = []
    sensor = entity_id(hass, entry, *MALFORMED)

    def look(event: Any) -> None:
        if event.data["entity_id"] == sensor and event.data["new_state"] is not None:
            seen.append(event.data["new_state"])

    hass.bus.async_listen("state_changed", look)
    await hass.config_entries.async_reload(entry.entry_id)
    await until(hass, lambda: is_connected(hass, entry))
    told = [each.state for each in seen if each.state != "unavailable"]
    assert set(told) == {"1"}


async def test_counters_are_written_four_times_an_hour_for_their_owner_alone(
    hass: HomeAssistant, entry: MockConfigEntry, wire: Wire
) -> None:
    await until(hass, lambda: is_connected(hass, entry))
    await say_nonsense(wire, entry)
    file = file_of(hass, entry)
    # The set-up took some seconds of them.
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(minutes=13))
    await hass.async_block_till_done()
    assert not file.exists()

    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(minutes=14, seconds=1))
    await hass.async_block_till_done()
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(minutes=1, seconds=1))
    await reached(file.exists)
    assert stored(hass, entry)["counters"]["intake"]["malformed"] == 1
    assert file.stat().st_mode & 0o777 == 0o600


async def test_removing_a_household_leaves_no_file(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    file = file_of(hass, entry)
    damaged = file.with_name(f"{file.name}.corrupt.2026-11-21T09:00:00+00:00")
    damaged.write_text("{")
    neighbour = file.with_name(f"{file.name}2")
    neighbour.write_text("{}")
    await hass.config_entries.async_unload(entry.entry_id)
    assert file.exists()

    await hass.config_entries.async_remove(entry.entry_id)

    assert not file.exists()
    assert not damaged.exists()
    assert neighbour.exists()


async def test_a_file_that_cannot_be_removed_is_told(
    hass: HomeAssistant, entry: MockConfigEntry, caplog: pytest.LogCaptureFixture
) -> None:
    with patch("os.unlink", side_effect=PermissionError("not yours")):
        await hass.config_entries.async_remove(entry.entry_id)
    assert f"Household Villa: {file_of(hass, entry)} could not be deleted: not yours" in caplog.text


GOOD = {"counters": {"traffic": {"received": 3}}, "since": 1.0, "month": None, "last_month": None}
DAMAGED: dict[str, tuple[Any, str]] = {
    "empty": (b"", "not JSON"),
    "truncated": (b'{"version": 1, "data": {"coun', "not JSON"),
    "garbage": (b"\x00\xff", "not JSON"),
    "nothing": ({}, "not JSON"),
    "null": (b"null", "does not hold"),
    "list": ([], "does not hold"),
    "text": ("counters", "does not hold"),
    "no data": ({"version": 1}, "does not hold"),
    "newer": ({"version": 2, "data": GOOD}, "a newer version"),
    "older": ({"version": 0, "data": GOOD}, "does not hold"),
    "no counters": ({"version": 1, "data": {**GOOD, "counters": []}}, "does not hold"),
    "negative": (
        {"version": 1, "data": {**GOOD, "counters": {"traffic": {"received": -1}}}},
        "does not hold",
    ),
    "large": (b" " * (1024 * 1024 + 1), "larger"),
}


def aside_of(hass: HomeAssistant, entry: MockConfigEntry) -> list[Path]:
    file = file_of(hass, entry)
    return list(file.parent.glob(f"{file.name}.corrupt.*"))


def write(hass: HomeAssistant, entry: MockConfigEntry, content: Any) -> None:
    file = file_of(hass, entry)
    file.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())


@pytest.mark.parametrize(("content", "reason"), DAMAGED.values(), ids=DAMAGED)
async def test_a_file_that_is_no_use_is_told_and_counting_begins_anew(
    hass: HomeAssistant,
    *,
    mosquitto: Mosquitto,
    socket_enabled: None,
    caplog: pytest.LogCaptureFixture,
    content: Any,
    reason: str,
) -> None:
    entry = unstarted(hass, mosquitto)
    write(hass, entry, content)
    written = file_of(hass, entry).read_bytes()

    assert await hass.config_entries.async_setup(entry.entry_id)

    await until(hass, lambda: is_connected(hass, entry))
    shown = issue(hass, entry, "statistics_lost")
    assert shown is not None
    assert shown.translation_placeholders is not None
    assert reason in shown.translation_placeholders["reason"]
    warnings = [
        record.getMessage()
        for record in caplog.get_records("call")
        if record.levelno == logging.WARNING and record.name.endswith("statistics_store")
    ]
    assert len(warnings) == 1
    assert warnings[0].startswith("Household Villa: the statistics")
    assert figures(entry).connection.connects == 1
    (aside,) = aside_of(hass, entry)
    assert aside.name.startswith(f"{shown.translation_placeholders['file']}.corrupt.")
    assert aside.read_bytes() == written

    assert await hass.config_entries.async_reload(entry.entry_id)
    await until(hass, lambda: is_connected(hass, entry))
    assert issue(hass, entry, "statistics_lost") is None
    assert figures(entry).connection.connects == 2
    await hass.config_entries.async_unload(entry.entry_id)


async def test_a_folder_where_the_file_should_be_keeps_nothing_from_working(
    hass: HomeAssistant, mosquitto: Mosquitto, socket_enabled: None
) -> None:
    entry = unstarted(hass, mosquitto)
    file_of(hass, entry).mkdir()

    assert await hass.config_entries.async_setup(entry.entry_id)

    await until(hass, lambda: is_connected(hass, entry))
    shown = issue(hass, entry, "statistics_lost")
    assert shown is not None
    assert await hass.config_entries.async_unload(entry.entry_id)


async def test_a_file_that_cannot_be_read_is_never_written_over(
    hass: HomeAssistant,
    *,
    mosquitto: Mosquitto,
    socket_enabled: None,
    caplog: pytest.LogCaptureFixture,
) -> None:
    entry = unstarted(hass, mosquitto)
    file = file_of(hass, entry)
    write(hass, entry, {"version": 1, "data": GOOD})
    written = file.read_bytes()
    real = Path.open

    def denied(path: str | Path, *args: Any, **kwargs: Any) -> Any:
        if Path(path) == file:
            raise PermissionError("not yours")
        return real(Path(path), *args, **kwargs)

    with (
        patch("homeassistant.util.json.open", denied, create=True),
        patch.object(Path, "open", denied),
    ):
        assert await hass.config_entries.async_setup(entry.entry_id)
    await until(hass, lambda: is_connected(hass, entry))

    shown = issue(hass, entry, "statistics_in_the_way")
    assert shown is not None
    assert shown.translation_placeholders == {
        "household": "Villa",
        "reason": "the file cannot be read",
        "file": file.name,
    }
    assert "Household Villa: no statistics are kept: not yours" in caplog.text
    now = dt_util.utcnow()
    for minutes in (15, 17):
        async_fire_time_changed(hass, now + timedelta(minutes=minutes))
        await hass.async_block_till_done()
    assert await hass.config_entries.async_unload(entry.entry_id)
    assert file.read_bytes() == written
    assert aside_of(hass, entry) == []

    # It can be read again.
    assert await hass.config_entries.async_setup(entry.entry_id)
    await until(hass, lambda: is_connected(hass, entry))
    assert issue(hass, entry, "statistics_in_the_way") is None
    assert await hass.config_entries.async_unload(entry.entry_id)
    assert stored(hass, entry)["since"] == 1.0


async def test_without_a_file_nothing_is_wrong(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    await until(hass, lambda: is_connected(hass, entry))
    assert issue(hass, entry, "statistics_lost") is None
    assert state(hass, entry, *MALFORMED) == "0"


async def test_households_keep_their_own(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp, wire: Wire
) -> None:
    villa = await set_up(mosquitto.port)
    beach = await set_up(mosquitto.port, "beach", title="Beach house")
    await until(hass, lambda: is_connected(hass, villa) and is_connected(hass, beach))
    await say_nonsense(wire, villa)
    for each in (villa, beach):
        await hass.config_entries.async_reload(each.entry_id)
    assert figures(villa).intake.malformed == 1
    assert figures(beach).intake.malformed == 0


async def test_another_plan_counts_at_once_and_for_the_whole_month(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp
) -> None:
    options = {"plan_data": 0.1, "echo_interval": 0}
    entry = await set_up(mosquitto.port, options=options)
    await until(hass, lambda: is_connected(hass, entry))

    def share() -> float:
        used = coordinator(entry).household.statistics.snapshot().budget
        assert used.plan_bytes is not None
        assert used.share is not None
        billed = used.share * used.plan_bytes
        assert billed == pytest.approx(used.bytes * chosen_plan(entry).weight)
        return used.share

    before = share()
    both_ways = {**options, "plan_both_ways": True}
    hass.config_entries.async_update_entry(entry, options=both_ways)
    await hass.async_block_till_done()
    assert share() >= 2 * before > 0
