"""How many nodes a household takes, and how one that is gone is deleted."""

from datetime import timedelta
import logging
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er, issue_registry as ir
from homeassistant.helpers.entity_platform import async_get_platforms
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed
from pytest_homeassistant_custom_component.typing import WebSocketGenerator

from custom_components.homesync.binary_sensor import NODE_ONLINE, OnlineBinarySensor
from custom_components.homesync.client import ONLINE
from custom_components.homesync.const import DOMAIN
from simulator import Node
from tests.broker import Mosquitto

from .conftest import SetUp, StartNode
from .lookup import coordinator, device, device_id, is_connected, state
from .waiting import until
from .wire import Wire

RELAY = "status/relay"


def limit_issue(hass: HomeAssistant, entry: MockConfigEntry) -> ir.IssueEntry | None:
    return ir.async_get(hass).async_get_issue(DOMAIN, f"node_limit_{entry.entry_id}")


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [
        record.getMessage()
        for record in caplog.records
        if record.levelno == logging.WARNING and record.name.endswith("homesync.issues")
    ]


async def say_online(hass: HomeAssistant, entry: MockConfigEntry, wire: Wire, node: str) -> None:
    """Let a node be heard for the first time, and wait until it is there."""
    wire.say("status/online", {"online": True}, node=node)
    await until(hass, lambda: device(hass, entry, node))


async def refused(hass: HomeAssistant, entry: MockConfigEntry, times: int) -> None:
    """Wait until so many messages of unwelcome nodes were counted."""
    household = coordinator(entry).household
    await until(hass, lambda: household.counts.get("node_refused", 0) >= times)


async def test_nodes_beyond_the_limit_are_refused_counted_and_reported_once(
    hass: HomeAssistant,
    mosquitto: Mosquitto,
    set_up: SetUp,
    wire: Wire,
    caplog: pytest.LogCaptureFixture,
) -> None:
    entry = await set_up(mosquitto.port, options={"max_nodes": 2})
    for node in ("plug-1", "plug-2"):
        await say_online(hass, entry, wire, node)
    assert limit_issue(hass, entry) is None

    for number in range(50):
        wire.say("status/online", {"online": True}, node=f"stranger-{number}")
        wire.say("telemetry/power", {"value": 1}, node=f"stranger-{number}")
    await refused(hass, entry, 100)

    assert set(coordinator(entry).household.nodes) == {"plug-1", "plug-2"}
    assert device(hass, entry, "stranger-0") is None
    assert state(hass, entry, "sensor", "nodes_online") == "2"
    issue = limit_issue(hass, entry)
    assert issue is not None
    assert issue.translation_key == "node_limit"
    assert issue.translation_placeholders == {
        "household": "Villa",
        "limit": "2",
        "node": "stranger-0",
    }
    assert issue.severity is ir.IssueSeverity.WARNING
    assert not issue.is_fixable
    assert warnings(caplog) == [
        "Household Villa: node stranger-0 refused, the limit of 2 nodes is reached"
    ]


async def test_a_higher_limit_takes_the_report_back_and_the_node_in(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp, wire: Wire
) -> None:
    entry = await set_up(mosquitto.port, options={"max_nodes": 1})
    await say_online(hass, entry, wire, "plug-1")
    wire.say("status/online", {"online": True}, node="plug-2")
    await until(hass, lambda: limit_issue(hass, entry))

    hass.config_entries.async_update_entry(entry, options={"max_nodes": 2})
    await until(hass, lambda: device(hass, entry, "plug-2"))

    assert limit_issue(hass, entry) is None


async def test_unloading_takes_the_report_back(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp, wire: Wire
) -> None:
    entry = await set_up(mosquitto.port, options={"max_nodes": 1})
    await say_online(hass, entry, wire, "plug-1")
    wire.say("status/online", {"online": True}, node="plug-2")
    await until(hass, lambda: limit_issue(hass, entry))

    assert await hass.config_entries.async_unload(entry.entry_id)

    assert limit_issue(hass, entry) is None


async def test_nodes_known_from_before_stay_under_a_lower_limit(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp, wire: Wire
) -> None:
    entry = await set_up(mosquitto.port)
    for node in ("plug-1", "plug-2"):
        await say_online(hass, entry, wire, node)

    hass.config_entries.async_update_entry(entry, options={"max_nodes": 1})
    await hass.async_block_till_done()
    await until(hass, lambda: is_connected(hass, entry))

    await until(hass, lambda: state(hass, entry, "sensor", "nodes_online") == "2")
    assert limit_issue(hass, entry) is None


@pytest.fixture
async def remove(hass: HomeAssistant, hass_ws_client: WebSocketGenerator) -> Any:
    """Delete a device as a user does, and return the answer."""
    # What the household wants too; once there is a client, nothing more can be added.
    for component in ("config", "repairs", "homesync"):
        assert await async_setup_component(hass, component, {})
    client = await hass_ws_client(hass)

    async def _remove(device: str) -> dict[str, Any]:
        await client.send_json_auto_id(
            {"type": "config/device_registry/remove", "device_id": device}
        )
        answer: dict[str, Any] = await client.receive_json()
        await hass.async_block_till_done()
        return answer

    return _remove


@pytest.fixture
async def entry(hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp) -> MockConfigEntry:
    return await set_up(mosquitto.port)


@pytest.fixture
async def node(hass: HomeAssistant, entry: MockConfigEntry, start_node: StartNode) -> Node:
    node = await start_node()
    await until(hass, lambda: state(hass, entry, "switch", "plug-1", RELAY) == "on")
    return node


async def test_a_node_that_is_online_cannot_be_deleted(
    hass: HomeAssistant, entry: MockConfigEntry, node: Node, remove: Any
) -> None:
    answer = await remove(device_id(hass, entry, "plug-1"))

    assert not answer["success"]
    assert device(hass, entry, "plug-1")
    assert state(hass, entry, "switch", "plug-1", RELAY) == "on"


async def test_the_household_itself_cannot_be_deleted(
    hass: HomeAssistant, entry: MockConfigEntry, remove: Any
) -> None:
    answer = await remove(device_id(hass, entry))

    assert not answer["success"]
    assert device(hass, entry)


async def test_a_deleted_node_is_taken_off_the_broker_and_stays_away(
    hass: HomeAssistant, entry: MockConfigEntry, node: Node, wire: Wire, remove: Any
) -> None:
    await wire.drained()
    wire.say("status/online", {"online": True}, node="plug-2")
    await node.stop()
    await until(hass, lambda: state(hass, entry, "switch", "plug-1", RELAY) == "unavailable")
    assert len(await wire.kept("homesync/villa/nodes/plug-1/#")) == 4

    answer = await remove(device_id(hass, entry, "plug-1"))
    assert answer["success"]
    household = coordinator(entry).household
    wire.say("status/relay", {"state": "on"}, node="plug-2")
    await until(hass, lambda: state(hass, entry, "switch", "plug-2", RELAY) == "on")

    assert device(hass, entry, "plug-1") is None
    registry = er.async_get(hass)
    left = er.async_entries_for_config_entry(registry, entry.entry_id)
    assert not [each for each in left if "plug-1" in each.unique_id]
    assert set(household.nodes) == {"plug-2"}
    assert set(await wire.kept("homesync/+/nodes/#")) == {
        "homesync/villa/nodes/plug-2/status/online",
        "homesync/villa/nodes/plug-2/status/relay",
    }

    assert await hass.config_entries.async_reload(entry.entry_id)
    await until(hass, lambda: state(hass, entry, "sensor", "nodes_online") == "1")
    assert device(hass, entry, "plug-1") is None


async def test_a_node_that_is_deleted_while_its_entities_are_added_leaves_nothing(
    hass: HomeAssistant,
    *,
    entry: MockConfigEntry,
    node: Node,
    remove: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await node.stop()
    await until(hass, lambda: state(hass, entry, "switch", "plug-1", RELAY) == "unavailable")
    late = OnlineBinarySensor(coordinator(entry), "plug-1", ONLINE, NODE_ONLINE)
    assert (await remove(device_id(hass, entry, "plug-1")))["success"]

    (platform,) = (
        each
        for each in async_get_platforms(hass, DOMAIN)
        if (each.domain, each.config_entry) == ("binary_sensor", entry)
    )
    await platform.async_add_entities([late])

    assert "LookupError: Villa plug-1 was removed" in caplog.text
    assert device(hass, entry, "plug-1") is None
    registered = er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id)
    assert not [each for each in registered if "plug-1" in each.unique_id]


async def test_a_deleted_node_that_comes_back_is_there_again(
    hass: HomeAssistant, entry: MockConfigEntry, node: Node, remove: Any
) -> None:
    await node.stop()
    await until(hass, lambda: state(hass, entry, "switch", "plug-1", RELAY) == "unavailable")
    assert (await remove(device_id(hass, entry, "plug-1")))["success"]

    await node.start()

    await until(hass, lambda: state(hass, entry, "switch", "plug-1", RELAY) == "on")
    node.press(on=False)
    await until(hass, lambda: state(hass, entry, "switch", "plug-1", RELAY) == "off")


async def test_deleting_a_node_makes_room_for_a_refused_one(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp, wire: Wire, remove: Any
) -> None:
    entry = await set_up(mosquitto.port, options={"max_nodes": 1})
    await say_online(hass, entry, wire, "plug-1")
    wire.say("status/online", {"online": True}, node="plug-2")
    await until(hass, lambda: limit_issue(hass, entry))
    wire.say("status/online", {"online": False})
    await until(
        hass, lambda: state(hass, entry, "binary_sensor", "plug-1", "status/online") == "off"
    )

    assert (await remove(device_id(hass, entry, "plug-1")))["success"]
    assert limit_issue(hass, entry) is None
    await say_online(hass, entry, wire, "plug-2")
    assert limit_issue(hass, entry) is None


async def test_without_connection_a_node_can_be_deleted_and_comes_back_if_the_broker_knows_it(
    hass: HomeAssistant, entry: MockConfigEntry, node: Node, mosquitto: Mosquitto, remove: Any
) -> None:
    mosquitto.kill()
    await until(hass, lambda: not is_connected(hass, entry))
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=31))
    assert not coordinator(entry).reachable

    assert (await remove(device_id(hass, entry, "plug-1")))["success"]
    assert device(hass, entry, "plug-1") is None

    mosquitto.start()
    await until(hass, lambda: state(hass, entry, "switch", "plug-1", RELAY) == "on")


async def test_nodes_of_a_household_that_is_not_loaded_can_be_deleted(
    hass: HomeAssistant, entry: MockConfigEntry, node: Node, remove: Any
) -> None:
    assert await hass.config_entries.async_unload(entry.entry_id)

    assert (await remove(device_id(hass, entry, "plug-1")))["success"]
    assert not (await remove(device_id(hass, entry)))["success"]
    assert device(hass, entry, "plug-1") is None
