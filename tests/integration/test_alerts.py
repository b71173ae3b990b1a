"""Alerts: raised by real faults, shown once, gone when all is well."""

from dataclasses import replace
from functools import partial
from itertools import count
import logging
from typing import Any

from homeassistant.const import EVENT_STATE_CHANGED
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er, issue_registry as ir
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_capture_events

from custom_components.homesync.client import Alert, ConnectionState, NotConnectedError, Publication
from custom_components.homesync.const import DOMAIN
from custom_components.homesync.issues import THINNED, alert_key
from simulator import Node
from tests.broker import Mosquitto

from .conftest import SetUp, StartNode, StartScripted
from .figures import BYTE, figures, grow_older, look
from .lookup import coordinator, entity_id, is_connected, state
from .queueing import issue, queue
from .scripted import refusal
from .waiting import reached, until
from .wire import Wire

ALERTS = "custom_components.homesync.alerts"
RELAY = ("switch", "plug-1", "status/relay")
POWER = ("sensor", "plug-1", "telemetry/power")


def raised(hass: HomeAssistant, entry: MockConfigEntry) -> set[Alert]:
    """The alerts whose sensors are on; each of them is under repairs, and no other."""
    on = {each for each in Alert if state(hass, entry, "binary_sensor", alert_key(each)) == "on"}
    assert {each for each in Alert if issue(hass, entry, alert_key(each))} == on
    return on


def told(hass: HomeAssistant, entry: MockConfigEntry, alert: Alert) -> dict[str, str]:
    """What the text of an alert is filled in with."""
    shown = issue(hass, entry, alert_key(alert))
    assert shown is not None
    assert shown.severity is ir.IssueSeverity.WARNING
    assert not shown.is_fixable
    assert shown.translation_placeholders is not None
    assert shown.translation_placeholders["household"] == "Villa"
    return {key: text for key, text in shown.translation_placeholders.items() if key != "household"}


def logged(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [each.getMessage() for each in caplog.records if each.name == ALERTS]


@pytest.fixture
def hass_storage() -> dict[str, Any]:
    """Let Home Assistant's stores read and write files, as they do outside of tests."""
    return {}


@pytest.fixture
async def entry(hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp) -> MockConfigEntry:
    entry = await set_up(mosquitto.port)
    await until(hass, lambda: is_connected(hass, entry))
    return entry


async def test_an_outage_is_told_after_five_minutes_once_and_taken_back_when_it_ends(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    mosquitto: Mosquitto,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    mosquitto.kill()
    await until(hass, lambda: not is_connected(hass, entry))
    await until(hass, lambda: "refused" in str(coordinator(entry).household.link.error))
    grow_older(entry, 4.9)
    await look(hass)
    assert Alert.DISCONNECTED not in raised(hass, entry)

    def rests() -> bool:
        link = coordinator(entry).household.link
        return link.state is ConnectionState.DISCONNECTED and "refused" in str(link.error)

    grow_older(entry, 0.2)
    # An attempt that is under way would take the leap of the clock for its deadline.
    await reached(rests)
    await look(hass)
    assert Alert.DISCONNECTED in raised(hass, entry)
    assert told(hass, entry, Alert.DISCONNECTED) == {
        "threshold": "5",
        "reason": "nothing listens on the broker's port (connection refused)",
    }
    updates = async_capture_events(hass, ir.EVENT_REPAIRS_ISSUE_REGISTRY_UPDATED)
    for _ in range(5):
        await look(hass)
    assert not [each for each in updates if "alert_disconnected" in each.data["issue_id"]]

    mosquitto.start()
    await until(hass, lambda: is_connected(hass, entry))
    assert Alert.DISCONNECTED not in raised(hass, entry)
    assert [each for each in logged(caplog) if "disconnected" in each] == [
        "Household Villa: alert disconnected at 5, the threshold is 5",
        "Household Villa: alert disconnected is over",
    ]


async def test_an_outage_counts_anew_from_each_start(
    hass: HomeAssistant, entry: MockConfigEntry, mosquitto: Mosquitto
) -> None:
    mosquitto.kill()
    await until(hass, lambda: not is_connected(hass, entry))
    grow_older(entry, 6)
    await look(hass)
    assert Alert.DISCONNECTED in raised(hass, entry)

    assert await hass.config_entries.async_unload(entry.entry_id)
    assert not issue(hass, entry, alert_key(Alert.DISCONNECTED))
    assert await hass.config_entries.async_setup(entry.entry_id)
    await look(hass)
    assert raised(hass, entry) == set()

    grow_older(entry, 5.1)
    await look(hass)
    assert Alert.DISCONNECTED in raised(hass, entry)


async def test_a_broker_that_turns_us_away_is_told_by_its_rate(
    hass: HomeAssistant, start_scripted: StartScripted, set_up: SetUp
) -> None:
    broker = await start_scripted(connack=refusal(3))
    entry = await set_up(broker.port)
    await reached(lambda: broker.connections >= 12)
    await look(hass)

    assert raised(hass, entry) == {Alert.CONNECT_FAILURES}
    figures = told(hass, entry, Alert.CONNECT_FAILURES)
    assert figures["threshold"] == "10"
    assert int(figures["failed"]) == int(figures["attempts"]) >= 10

    # Nothing is tried while the figures are looked at.
    await coordinator(entry).household._session.stop()
    grow_older(entry, 16)
    await look(hass)
    assert Alert.CONNECT_FAILURES not in raised(hass, entry)


async def test_messages_that_do_not_get_out_are_told(
    hass: HomeAssistant, entry: MockConfigEntry, mosquitto: Mosquitto
) -> None:
    mosquitto.kill()
    await until(hass, lambda: not is_connected(hass, entry))
    for _ in range(20):
        with pytest.raises(NotConnectedError):
            coordinator(entry).household.publish(Publication("villa/note", b""))
    await look(hass)

    assert Alert.PUBLISH_FAILURES in raised(hass, entry)
    figures = told(hass, entry, Alert.PUBLISH_FAILURES)
    assert (figures["threshold"], figures["failed"]) == ("5", "20")

    mosquitto.start()
    await until(hass, lambda: is_connected(hass, entry))
    grow_older(entry, 16)
    await look(hass)
    assert raised(hass, entry) == set()


async def test_a_flood_of_malformed_messages_is_told(
    hass: HomeAssistant, entry: MockConfigEntry, wire: Wire
) -> None:
    wire.say("status/online", {"online": True})
    for _ in range(151):
        wire.say("telemetry/power", b"{", node="plug-1")
        wire.say("status/relay", b"{", retain=False)
    household = coordinator(entry).household
    await until(hass, lambda: household.counts.get("malformed_json", 0) > 150)
    await look(hass)

    assert raised(hass, entry) == {Alert.BAD_MESSAGES}
    figures = told(hass, entry, Alert.BAD_MESSAGES)
    assert (figures["threshold"], figures["refused"]) == ("10", "0")
    assert int(figures["malformed"]) > 150

    grow_older(entry, 16)
    await look(hass)
    assert raised(hass, entry) == set()


async def test_nodes_that_wait_for_the_users_word_are_no_alert(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp, wire: Wire
) -> None:
    entry = await set_up(mosquitto.port, options={"new_nodes": "ask"})
    await until(hass, lambda: is_connected(hass, entry))
    for _ in range(151):
        wire.say("telemetry/power", {"value": 1}, node="stranger")
    await until(hass, lambda: figures(entry).intake.recent_not_accepted == 151)
    await look(hass)
    assert raised(hass, entry) == set()


async def test_a_command_that_waits_for_long_is_told(
    hass: HomeAssistant, entry: MockConfigEntry, start_node: StartNode
) -> None:
    node = await start_node(relay_on=False)
    await until(hass, lambda: state(hass, entry, *RELAY) == "off")
    node.die()
    await until(hass, lambda: state(hass, entry, *RELAY) == "unavailable")
    call = queue(hass, entry)
    await reached(lambda: coordinator(entry).household.commands.waiting == 1)
    await look(hass)
    assert raised(hass, entry) == set()

    grow_older(entry, 15.1)
    await look(hass)
    assert raised(hass, entry) == {Alert.QUEUE_AGE}
    assert told(hass, entry, Alert.QUEUE_AGE) == {"threshold": "15", "waiting": "1"}

    await start_node(relay_on=False)
    assert (await call)["outcome"] == "confirmed"
    await look(hass)
    assert raised(hass, entry) == set()


async def test_what_a_plan_allows_is_told_from_80_percent_on(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp, start_node: StartNode
) -> None:
    options = {"plan_data": 20_000 * BYTE, "plan_connections": 2}
    entry = await set_up(mosquitto.port, options=options)
    await until(hass, lambda: is_connected(hass, entry))
    await look(hass)
    assert raised(hass, entry) == set()

    node = await start_node()
    await until(hass, lambda: state(hass, entry, *RELAY) == "on")
    await look(hass)
    assert raised(hass, entry) == {Alert.CONNECTIONS}
    assert told(hass, entry, Alert.CONNECTIONS) == {
        "threshold": "80",
        "connections": "2",
        "limit": "2",
    }
    node.die()
    await until(hass, lambda: state(hass, entry, *RELAY) == "unavailable")
    await look(hass)
    assert raised(hass, entry) == set()

    statistics = coordinator(entry).household.statistics
    await use_up(hass, entry, node, 0.8)
    await look(hass)
    assert raised(hass, entry) - {Alert.CONNECTIONS} == {Alert.DATA}
    figures = told(hass, entry, Alert.DATA)
    budget = statistics.snapshot().budget
    assert budget.share is not None
    assert 80 <= int(figures["used"]) <= round(budget.share * 100)
    assert int(figures["forecast"]) >= int(figures["used"])


async def use_up(hass: HomeAssistant, entry: MockConfigEntry, node: Node, share: float) -> None:
    """Let a node report until so much of the plan is used."""
    await node.start()
    await until(hass, lambda: state(hass, entry, *RELAY) == "on")
    for value in count():
        await node.send_telemetry({"power": value})
        # Once it is used up, a look at any moment may end what comes in.
        await until(hass, partial(arrived, hass, entry, value, share))
        if used(entry) >= share:
            break


def used(entry: MockConfigEntry) -> float:
    return figures(entry).budget.share or 0.0


def arrived(hass: HomeAssistant, entry: MockConfigEntry, power: int, share: float) -> bool:
    return shows(hass, entry, power) or used(entry) >= share


def shows(hass: HomeAssistant, entry: MockConfigEntry, power: int) -> bool:
    return state(hass, entry, *POWER) == str(power)


async def test_without_a_limit_or_a_threshold_there_is_no_sensor(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp
) -> None:
    entry = await set_up(mosquitto.port, options={"alert_queue_age": 0})

    def sensors() -> set[str]:
        keys = {THINNED, *map(alert_key, Alert)}
        return {key for key in keys if entity_id(hass, entry, "binary_sensor", key)}

    usual = {alert_key(each) for each in set(Alert) - {Alert.DATA, Alert.CONNECTIONS}}
    assert sensors() == usual - {"alert_queue_age"}

    everything = {"plan_data": 1, "plan_connections": 1, "plan_stops": True, "thin_at_limit": True}
    hass.config_entries.async_update_entry(entry, options=everything)
    await hass.async_block_till_done()
    assert sensors() == {THINNED, *map(alert_key, Alert)}

    hass.config_entries.async_update_entry(entry, options={})
    await hass.async_block_till_done()
    assert sensors() == usual


async def test_an_alerts_text_follows_its_figures_only_now_and_then(
    hass: HomeAssistant, entry: MockConfigEntry, mosquitto: Mosquitto
) -> None:
    mosquitto.kill()
    await until(hass, lambda: not is_connected(hass, entry))

    def fail(times: int) -> None:
        for _ in range(times):
            with pytest.raises(NotConnectedError):
                coordinator(entry).household.publish(Publication("villa/note", b""))

    fail(20)
    await look(hass)
    fail(5)
    await look(hass)
    assert told(hass, entry, Alert.PUBLISH_FAILURES)["failed"] == "20"

    coordinator(entry).household.statistics._started -= 900
    await look(hass)
    assert told(hass, entry, Alert.PUBLISH_FAILURES)["failed"] == "25"


@pytest.fixture
async def thinned(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp, start_node: StartNode
) -> tuple[MockConfigEntry, Node]:
    """A household whose plan a node has used up."""
    options = {"plan_data": 20_000 * BYTE, "plan_stops": True, "thin_at_limit": True}
    entry = await set_up(mosquitto.port, options=options)
    node = await start_node()
    await use_up(hass, entry, node, 1.0)
    await look(hass)
    # The broker knows it before it hears more of the node.
    telemetry = coordinator(entry).household._dialect.telemetry
    await reached(lambda: telemetry in mosquitto.log.rpartition("Received UNSUBSCRIBE")[2])
    return entry, node


def telemetry_sent(mosquitto: Mosquitto) -> int:
    """How much telemetry the broker sent to the household, by its own account."""
    return sum(
        "Sending PUBLISH to homesync_villa_" in line and "/plug-1/telemetry/" in line
        for line in mosquitto.log.splitlines()
    )


async def test_a_used_up_plan_thins_telemetry_and_nothing_else(
    hass: HomeAssistant, mosquitto: Mosquitto, thinned: tuple[MockConfigEntry, Node]
) -> None:
    entry, node = thinned
    assert state(hass, entry, "binary_sensor", THINNED) == "on"
    assert issue(hass, entry, THINNED)
    before, shown = telemetry_sent(mosquitto), state(hass, entry, *POWER)

    for _ in range(50):
        await node.send_telemetry({"power": 12345})
    switch = {"entity_id": entity_id(hass, entry, *RELAY)}
    await hass.services.async_call("switch", "turn_off", switch, blocking=True)

    assert [each.action for each in node.executed] == ["off"]
    assert state(hass, entry, *RELAY) == "off"
    assert telemetry_sent(mosquitto) == before
    assert state(hass, entry, *POWER) == shown

    await hass.config_entries.async_reload(entry.entry_id)
    await until(hass, lambda: is_connected(hass, entry))
    assert state(hass, entry, "binary_sensor", THINNED) == "on"
    await node.send_telemetry({"power": 12345})
    await hass.services.async_call("switch", "turn_on", switch, blocking=True)
    assert telemetry_sent(mosquitto) == before
    assert state(hass, entry, *POWER) == shown


async def test_it_is_whole_again_when_the_option_goes(
    hass: HomeAssistant, thinned: tuple[MockConfigEntry, Node]
) -> None:
    entry, node = thinned
    options: dict[str, Any] = {**entry.options, "thin_at_limit": False}
    hass.config_entries.async_update_entry(entry, options=options)
    await hass.async_block_till_done()
    await until(hass, lambda: is_connected(hass, entry))

    assert not issue(hass, entry, THINNED)
    await node.send_telemetry({"power": 12345})
    await until(hass, partial(shows, hass, entry, 12345))


async def test_it_is_whole_again_in_a_new_month(
    hass: HomeAssistant,
    mosquitto: Mosquitto,
    thinned: tuple[MockConfigEntry, Node],
    caplog: pytest.LogCaptureFixture,
) -> None:
    def granted() -> int:
        return mosquitto.log.count("Sending SUBACK to homesync_villa_")

    caplog.set_level(logging.INFO)
    entry, node = thinned
    before = granted()
    ledger = coordinator(entry).household.statistics._ledger
    assert ledger.current is not None
    # Everything was used in the month before.
    ledger.current = replace(ledger.current, key="2020-01", begin=0)
    await look(hass)

    assert state(hass, entry, "binary_sensor", THINNED) == "off"
    assert not issue(hass, entry, THINNED)
    await reached(lambda: granted() > before)
    await node.send_telemetry({"power": 12345})
    await until(hass, partial(shows, hass, entry, 12345))
    assert "Household Villa: telemetry is whole again" in logged(caplog)


async def test_an_alert_that_holds_stands_from_the_start_of_the_next_run(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp
) -> None:
    entry = await set_up(mosquitto.port, options={"plan_data": BYTE})
    await until(hass, lambda: is_connected(hass, entry))
    await look(hass)
    sensor = entity_id(hass, entry, "binary_sensor", alert_key(Alert.DATA))
    changes = async_capture_events(hass, EVENT_STATE_CHANGED)

    assert await hass.config_entries.async_reload(entry.entry_id)
    await until(hass, lambda: is_connected(hass, entry))

    seen = [each.data["new_state"] for each in changes if each.data["entity_id"] == sensor]
    assert [each and each.state for each in seen] == ["unavailable", "on"]
    assert raised(hass, entry) == {Alert.DATA}


async def test_all_of_it_is_gone_with_the_household(
    hass: HomeAssistant, thinned: tuple[MockConfigEntry, Node]
) -> None:
    entry, _ = thinned
    assert Alert.DATA in raised(hass, entry)

    assert await hass.config_entries.async_remove(entry.entry_id)

    left = [each for each in ir.async_get(hass).issues if each[0] == DOMAIN]
    assert left == []
    assert er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id) == []
