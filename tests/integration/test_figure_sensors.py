"""A household's figures as sensors, against real traffic."""

import asyncio
from collections.abc import Callable
from typing import Any
from unittest.mock import Mock, patch

from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.homesync.client import Delivery, RelayAction, RelayCommand
from custom_components.homesync.client.statistics_keeper import Statistics
from custom_components.homesync.figure_sensors import FIGURES, Figures
from tests.broker import Mosquitto

from .conftest import SetUp, StartNode
from .figures import a_minute_passes, at_rest, figures
from .lookup import attribute, coordinator, entity_id, is_connected, state, whole_state
from .queueing import SOON
from .waiting import reached, until
from .wire import Wire

# No echo: while nobody says anything, nothing changes.
QUIET = {"echo_interval": 0}
PLAN = {"plan_data": 0.001, "plan_connections": 10, "plan_both_ways": True}


def shown(hass: HomeAssistant, entry: MockConfigEntry, key: str) -> str | None:
    return state(hass, entry, "sensor", key)


async def command(entry: MockConfigEntry, node_id: str, **delivery: Any) -> None:
    commands = coordinator(entry).household.commands
    await commands.execute(node_id, RelayCommand(RelayAction.ON), Delivery(**delivery))


@pytest.mark.usefixtures("all_enabled")
async def test_each_figure_is_that_of_the_traffic(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp, wire: Wire, start_node: StartNode
) -> None:
    entry = await set_up(mosquitto.port, options={**QUIET, **PLAN, "max_nodes": 2})
    await until(hass, lambda: is_connected(hass, entry))
    await start_node("plug-1", relay_on=False)
    wire.say("status/online", {"online": False}, node="plug-2")
    await reached(lambda: figures(entry).nodes.total == 2)
    wire.say("status/online", {"online": True}, node="plug-3")
    wire.say("status/relay", {"state": "perhaps"}, node="plug-2")
    wire.say("telemetry/power", b"{", node="plug-2")
    await reached(lambda: figures(entry).intake.malformed == 2)
    await command(entry, "plug-1")
    await command(entry, "plug-9", timeout=0.05, retries=0)
    await at_rest(entry)

    await a_minute_passes(hass)

    now = figures(entry)
    data = now.traffic.bytes_received + now.traffic.bytes_sent
    assert data > 0
    whole = {
        "commands_failed": 1,
        "commands_waiting": 0,
        "oldest_command": 0,
        "messages_malformed": 2,
        "messages_refused": 1,
        "messages_conflated": now.intake.conflated,
        "nodes_total": 2,
        "nodes_refused": 1,
    }
    assert {key: shown(hass, entry, key) for key in whole} == {
        key: str(value) for key, value in whole.items()
    }
    megabytes = {
        "bytes_received": now.traffic.bytes_received,
        "bytes_sent": now.traffic.bytes_sent,
        "month_data": data,
        "month_forecast": now.budget.forecast,
    }
    for key, count in megabytes.items():
        assert float(shown(hass, entry, key) or "") == pytest.approx(count / 1e6, rel=0.006), key
    # Sent and not answered: published all the same.
    assert shown(hass, entry, "publish_failure_rate") == "0.0"
    assert shown(hass, entry, "connect_failure_rate") == "0.0"
    assert now.budget.share == data * 2 / 1_000_000
    assert shown(hass, entry, "plan_used") == str(round(now.budget.share * 100, 1))
    assert now.budget.forecast_share is not None
    forecast = float(shown(hass, entry, "plan_forecast") or "")
    assert forecast == pytest.approx(now.budget.forecast_share * 100, abs=0.1)
    assert forecast > 0
    # Home Assistant and one node.
    assert shown(hass, entry, "plan_connections") == "20.0"
    since = dt_util.parse_datetime(shown(hass, entry, "connected_since") or "")
    assert since is not None
    assert since.timestamp() == pytest.approx(now.connection.since, abs=1)
    assert shown(hass, entry, "last_disconnect") == "unknown"
    assert shown(hass, entry, "next_attempt") == "unknown"


@pytest.mark.usefixtures("all_enabled")
async def test_messages_are_told_by_the_minute(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp, wire: Wire
) -> None:
    entry = await set_up(mosquitto.port, options=QUIET)
    await until(hass, lambda: is_connected(hass, entry))
    assert shown(hass, entry, "messages_received") == "unknown"
    for value in range(5):
        wire.say("status/rssi", {"value": -50 - value})
    await reached(lambda: figures(entry).traffic.received.status == 5)

    # Two, for rates are of two samples, and who looks first in a minute is open.
    await a_minute_passes(hass)
    await a_minute_passes(hass)

    rates = figures(entry).rates
    assert rates is not None
    assert rates.messages_received >= 5
    assert shown(hass, entry, "messages_received") == str(round(rates.messages_received, 1))
    assert shown(hass, entry, "messages_sent") == str(round(rates.messages_sent, 1))
    unit = attribute(hass, entry, "sensor", "messages_sent", name="unit_of_measurement")
    assert unit == "messages/min"


@pytest.mark.usefixtures("all_enabled")
async def test_a_lost_connection_is_told_at_once(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp, start_node: StartNode
) -> None:
    entry = await set_up(mosquitto.port, options=QUIET)
    await until(hass, lambda: is_connected(hass, entry))
    mosquitto.kill()
    await until(hass, lambda: shown(hass, entry, "last_disconnect") == "closed")
    assert shown(hass, entry, "connected_since") == "unknown"
    await reached(lambda: shown(hass, entry, "next_attempt") != "unknown")
    waiting = asyncio.create_task(command(entry, "plug-1", **SOON))
    await reached(lambda: figures(entry).commands.waiting == 1)

    await a_minute_passes(hass)

    assert shown(hass, entry, "commands_waiting") == "1"
    await reached(lambda: figures(entry).connection.failed > 0)
    await reached(lambda: float(shown(hass, entry, "connect_failure_rate") or "") > 0)
    mosquitto.start()
    await until(hass, lambda: is_connected(hass, entry))
    await reached(lambda: shown(hass, entry, "connected_since") != "unknown")
    assert shown(hass, entry, "next_attempt") == "unknown"
    assert shown(hass, entry, "last_disconnect") == "closed"
    await start_node("plug-1")
    await waiting


async def test_what_did_not_change_is_not_written(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp, wire: Wire
) -> None:
    entry = await set_up(mosquitto.port, options=QUIET)
    await until(hass, lambda: is_connected(hass, entry))
    # The broker has acknowledged what we say at connect: one of the figures, too.
    await reached(lambda: figures(entry).publishing.succeeded == 1)
    await a_minute_passes(hass)
    await a_minute_passes(hass)
    still = [each.key for each in FIGURES if "data" not in each.key and "forecast" not in each.key]

    def written() -> dict[str, Any]:
        found = {key: whole_state(hass, entry, "sensor", key) for key in still}
        return {key: each.last_reported for key, each in found.items() if each is not None}

    before = written()
    assert {"messages_malformed", "nodes_total", "last_disconnect"} < before.keys()
    wire.say("status/relay", {"state": "perhaps"})
    await reached(lambda: figures(entry).intake.malformed == 1)
    await a_minute_passes(hass)
    after = written()
    changed = {key for key in before if after[key] != before[key]}
    assert "messages_malformed" in changed
    # A message came in, and the broker may have been pinged.
    assert changed <= {"messages_malformed", "messages_received", "messages_sent"}


async def test_one_look_serves_all_and_none_is_taken_for_nobody(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    looks = Figures(hass, coordinator(entry))
    updates = [Mock() for _ in range(3)]
    later = figures(entry)
    with patch.object(Statistics, "snapshot", return_value=later) as snapshot:
        looks._look()
        assert snapshot.call_count == 0
        stop = [looks.listen(update) for update in updates]
        looks._look()
        assert snapshot.call_count == 1
        assert [update.call_count for update in updates] == [1, 1, 1]
        assert looks.now is later
        stop[0]()
        looks._look()
    assert [update.call_count for update in updates] == [1, 2, 2]
    looks.close()


async def test_households_look_at_different_times(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    begin: list[float] = []

    def note(_hass: HomeAssistant, seconds: float, _job: object) -> Callable[[], None]:
        begin.append(seconds)
        return lambda: None

    with patch("custom_components.homesync.figure_sensors.async_call_later", note):
        for _ in range(20):
            Figures(hass, coordinator(entry)).close()
    assert len(set(begin)) == 20
    assert all(15 <= seconds <= 60 for seconds in begin)


async def test_what_the_plan_does_not_limit_has_no_sensor(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp
) -> None:
    limited = ("plan_used", "plan_forecast", "plan_connections")
    entry = await set_up(mosquitto.port, options=PLAN)
    registry = er.async_get(hass)
    before = [entity_id(hass, entry, "sensor", key) for key in limited]
    assert all(before)

    hass.config_entries.async_update_entry(entry, options={"plan_data": 0.001})
    await hass.async_block_till_done()
    assert [entity_id(hass, entry, "sensor", key) for key in limited] == [*before[:2], None]

    hass.config_entries.async_update_entry(entry, options={})
    await hass.async_block_till_done()
    assert not any(entity_id(hass, entry, "sensor", key) for key in limited)
    left = er.async_entries_for_config_entry(registry, entry.entry_id)
    assert not {each.entity_id for each in left} & set(before)


async def test_a_preset_with_a_plan_shows_its_share(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp
) -> None:
    entry = await set_up(mosquitto.port, preset="hivemq_cloud")
    await until(hass, lambda: is_connected(hass, entry))
    await reached(lambda: shown(hass, entry, "plan_connections") == "1.0")
    assert shown(hass, entry, "plan_used") == "0.0"


async def test_long_term_statistics_are_kept_of_figures_that_have_a_course(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    courses = {each.key: each.state_class for each in FIGURES}
    without = {key for key, kind in courses.items() if kind is None}
    assert without == {"month_forecast", "last_disconnect", "next_attempt", "connected_since"}
    assert attribute(hass, entry, "sensor", "month_data", name="state_class") == "total_increasing"
    assert attribute(hass, entry, "sensor", "month_data", name="device_class") == "data_size"
    assert attribute(hass, entry, "sensor", "month_data", name="unit_of_measurement") == "MB"
