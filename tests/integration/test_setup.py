"""Setting a household up, ending it, starting it again."""

import asyncio
from collections.abc import Iterator
from functools import partial
from typing import Any
from unittest.mock import patch

from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import EVENT_HOMEASSISTANT_STOP
from homeassistant.core import CoreState, HomeAssistant
from homeassistant.helpers import device_registry as dr, entity_registry as er
import pytest

from custom_components import homesync
from custom_components.homesync.client import ConnectionState
from custom_components.homesync.const import DOMAIN
from custom_components.homesync.coordinator import HomeSyncCoordinator
from tests.broker import Mosquitto

from .conftest import SetUp, StartNode, StartScripted
from .lookup import connection_state, coordinator, device, entity_id, is_connected, state
from .scripted import refusal
from .waiting import until

CLIENT_ID = "homesync_villa_0123abcd"
RELAY = ("switch", "plug-1", "status/relay")


def own_tasks() -> list[str]:
    return [task.get_name() for task in asyncio.all_tasks() if task.get_name().startswith("MQTT")]


async def test_a_household_is_there_with_its_nodes(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp, start_node: StartNode
) -> None:
    await start_node("plug-1")
    entry = await set_up(mosquitto.port)

    assert entry.state is ConfigEntryState.LOADED
    assert hass.services.has_service(DOMAIN, "send_command")
    await until(hass, lambda: state(hass, entry, *RELAY) == "on")
    assert state(hass, entry, "binary_sensor", "connected") == "on"
    assert state(hass, entry, "sensor", "connection_state") == "connected"
    assert state(hass, entry, "sensor", "nodes_online") == "1"
    assert own_tasks() == ["MQTT Villa"]


async def test_unloading_says_goodbye_and_leaves_nothing(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp, start_node: StartNode
) -> None:
    await start_node("plug-1")
    entry = await set_up(mosquitto.port)
    await until(hass, lambda: state(hass, entry, *RELAY) == "on")

    assert await hass.config_entries.async_unload(entry.entry_id)

    assert entry.state is ConfigEntryState.NOT_LOADED
    assert state(hass, entry, *RELAY) == "unavailable"
    assert own_tasks() == []
    await until(hass, lambda: f"Received DISCONNECT from {CLIENT_ID}" in mosquitto.log)
    goodbye = mosquitto.log.index(f"Received UNSUBSCRIBE from {CLIENT_ID}")
    assert mosquitto.log.index(f"Received DISCONNECT from {CLIENT_ID}") > goodbye
    assert hass.services.has_service(DOMAIN, "send_command")


async def test_reloading_keeps_entities_and_devices(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp, start_node: StartNode
) -> None:
    await start_node("plug-1")
    entry = await set_up(mosquitto.port)
    await until(hass, lambda: state(hass, entry, *RELAY) == "on")
    entities = er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id)
    node = device(hass, entry, "plug-1")

    for _ in range(3):
        assert await hass.config_entries.async_reload(entry.entry_id)
        await until(hass, lambda: is_connected(hass, entry))
    await until(hass, lambda: state(hass, entry, *RELAY) == "on")

    assert er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id) == entities
    after = device(hass, entry, "plug-1")
    assert node is not None
    assert after is not None
    assert after.id == node.id
    assert own_tasks() == ["MQTT Villa"]
    goodbye = f"Received DISCONNECT from {CLIENT_ID}"
    await until(hass, lambda: mosquitto.log.count(goodbye) >= 3)
    assert mosquitto.log.count(goodbye) == 3
    assert "already connected" not in mosquitto.log


async def test_removing_takes_entities_and_devices_away(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp, start_node: StartNode
) -> None:
    await start_node("plug-1")
    entry = await set_up(mosquitto.port)
    await until(hass, lambda: state(hass, entry, *RELAY) == "on")

    await hass.config_entries.async_remove(entry.entry_id)
    await hass.async_block_till_done()

    assert er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id) == []
    assert dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id) == []
    assert hass.states.async_entity_ids(["switch", "sensor", "binary_sensor"]) == []
    assert own_tasks() == []


async def test_when_home_assistant_stops_the_broker_is_told(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp
) -> None:
    entry = await set_up(mosquitto.port)
    await until(hass, lambda: is_connected(hass, entry))

    hass.bus.async_fire(EVENT_HOMEASSISTANT_STOP)
    await until(hass, lambda: f"Received DISCONNECT from {CLIENT_ID}" in mosquitto.log)

    assert own_tasks() == []
    assert connection_state(hass, entry) == "stopped"


@pytest.mark.parametrize("options", [{}, {"grace_time": 0}])
async def test_values_stay_when_home_assistant_stops_so_that_they_can_be_restored(
    hass: HomeAssistant,
    mosquitto: Mosquitto,
    set_up: SetUp,
    start_node: StartNode,
    options: dict[str, int],
) -> None:
    await start_node("plug-1")
    entry = await set_up(mosquitto.port, options=options)
    await until(hass, lambda: state(hass, entry, *RELAY) == "on")

    hass.bus.async_fire(EVENT_HOMEASSISTANT_STOP)
    await until(hass, lambda: connection_state(hass, entry) == "stopped")

    assert state(hass, entry, *RELAY) == "on"


@pytest.mark.parametrize(
    "script", [{"connack": None}, {}, {"connack": refusal(3)}, {"connack": refusal(5)}]
)
async def test_unloading_does_not_wait_for_a_broker_that_does_not_answer(
    hass: HomeAssistant, start_scripted: StartScripted, set_up: SetUp, script: dict[str, Any]
) -> None:
    broker = await start_scripted(**script)
    entry = await set_up(broker.port)
    await until(hass, lambda: broker.connections)

    begin = hass.loop.time()
    assert await hass.config_entries.async_unload(entry.entry_id)

    assert hass.loop.time() - begin < 3
    assert own_tasks() == []
    await until(hass, lambda: not broker.open_connections)


async def test_households_are_set_up_one_after_the_other(
    mosquitto: Mosquitto, set_up: SetUp
) -> None:
    at_it: list[HomeSyncCoordinator] = []
    most = 0
    restore, start = HomeSyncCoordinator.async_restore, HomeSyncCoordinator.async_start

    async def begin(coordinator: HomeSyncCoordinator) -> None:
        nonlocal most
        at_it.append(coordinator)
        most = max(most, len(at_it))
        await restore(coordinator)

    async def end(coordinator: HomeSyncCoordinator) -> None:
        await start(coordinator)
        at_it.remove(coordinator)

    with (
        patch.object(HomeSyncCoordinator, "async_restore", begin),
        patch.object(HomeSyncCoordinator, "async_start", end),
    ):
        homes = ("villa", "chalet", "cabin")
        await asyncio.gather(*(set_up(mosquitto.port, home) for home in homes))

    assert most == 1
    assert not at_it


@pytest.fixture
def stuck() -> Iterator[asyncio.Event]:
    """Household Stuck is not restored before this is set."""
    restore, go_on = HomeSyncCoordinator.async_restore, asyncio.Event()

    async def wait_and_restore(coordinator: HomeSyncCoordinator) -> None:
        if coordinator.entry.title == "Stuck":
            await go_on.wait()
        await restore(coordinator)

    with patch.object(HomeSyncCoordinator, "async_restore", wait_and_restore):
        yield go_on


async def test_a_household_that_hangs_does_not_hold_up_the_others_for_long(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp, stuck: asyncio.Event
) -> None:
    # Home Assistant sets all that there are up before it takes another one.
    await set_up(mosquitto.port)
    with patch.object(homesync, "_LONGEST_TURN", 0.05):
        hanging = asyncio.ensure_future(set_up(mosquitto.port, "stuck", title="Stuck"))
        await asyncio.sleep(0)
        for home in ("chalet", "cabin"):
            entry = await set_up(mosquitto.port, home)
            await until(hass, partial(is_connected, hass, entry))
    assert not hanging.done()
    stuck.set()
    entry = await hanging
    await until(hass, lambda: is_connected(hass, entry))
    # Its turn was over already, and it has not ended another's.
    assert (await set_up(mosquitto.port, "house")).state is ConfigEntryState.LOADED


async def test_nothing_is_started_any_more_once_home_assistant_stops(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp, stuck: asyncio.Event
) -> None:
    hanging = asyncio.ensure_future(set_up(mosquitto.port, "stuck", title="Stuck"))
    waiting = asyncio.ensure_future(set_up(mosquitto.port))
    await asyncio.sleep(0.1)
    hass.set_state(CoreState.stopping)
    hass.bus.async_fire_internal(EVENT_HOMEASSISTANT_STOP)
    stuck.set()
    for entry in (await hanging, await waiting):
        assert entry.state is ConfigEntryState.LOADED
        assert coordinator(entry).household.link.state is ConnectionState.STOPPED
    assert own_tasks() == []
    hass.set_state(CoreState.running)


async def test_unloading_at_once_after_setting_up(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp
) -> None:
    entry = await set_up(mosquitto.port)
    assert await hass.config_entries.async_unload(entry.entry_id)
    assert own_tasks() == []


async def test_a_node_that_is_first_heard_during_the_goodbye_ends_with_the_others(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp
) -> None:
    entry = await set_up(mosquitto.port)
    await until(hass, lambda: is_connected(hass, entry))
    household = coordinator(entry).household
    say_goodbye = household._session.stop

    async def hear_and_say_goodbye() -> None:
        topic = b"homesync/villa/nodes/late/status/relay"
        household._intake.receive([(topic, b'{"state": "on"}', False)])
        await say_goodbye()

    with patch.object(household._session, "stop", hear_and_say_goodbye):
        assert await hass.config_entries.async_unload(entry.entry_id)
    await hass.async_block_till_done()

    assert state(hass, entry, "switch", "late", "status/relay") == "unavailable"


async def test_a_new_name_is_everywhere_but_in_entity_ids(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp, start_node: StartNode
) -> None:
    await start_node("plug-1")
    entry = await set_up(mosquitto.port)
    await until(hass, lambda: state(hass, entry, *RELAY) == "on")
    before = entity_id(hass, entry, *RELAY)

    hass.config_entries.async_update_entry(entry, title="Chalet")
    await hass.async_block_till_done()
    await until(hass, lambda: state(hass, entry, *RELAY) == "on")

    household, node = device(hass, entry), device(hass, entry, "plug-1")
    assert household is not None
    assert node is not None
    assert household.name == "Chalet"
    assert node.name == "Chalet plug-1"
    assert entity_id(hass, entry, *RELAY) == before == "switch.villa_plug_1_relay"
    assert own_tasks() == ["MQTT Chalet"]
