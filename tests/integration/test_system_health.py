"""The system's health: numbers of all households together."""

from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import get_system_health_info

from custom_components.homesync.const import DOMAIN
from tests.broker import Mosquitto, free_port

from .conftest import SetUp, StartNode
from .lookup import coordinator, is_connected, state
from .waiting import until


async def test_all_households_are_counted_and_none_is_named(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp, start_node: StartNode
) -> None:
    assert await async_setup_component(hass, "system_health", {})
    entry = await set_up(mosquitto.port)
    other = await set_up(free_port(), "hut", title="Hut")
    node = await start_node()
    await until(hass, lambda: is_connected(hass, entry))
    await until(hass, lambda: state(hass, entry, "switch", "plug-1", "status/relay"))
    await until(hass, lambda: coordinator(entry).household.link.echo is not None)
    await until(hass, lambda: coordinator(other).household.link.error is not None)

    told = await get_system_health_info(hass, DOMAIN)

    trip = told.pop("slowest_round_trip")
    assert trip.endswith(" ms")
    assert float(trip.removesuffix(" ms")) > 0
    assert told.pop("paho_version").startswith("2.")
    assert told == {
        "version": "0.1.0",
        "households": 2,
        "loaded": 2,
        "connected": 1,
        "need_user": 0,
        "reachable": "1/2",
        "nodes_online": "1/1",
        "commands_waiting": 0,
    }
    node.die()
    await until(
        hass, lambda: state(hass, entry, "switch", "plug-1", "status/relay") == "unavailable"
    )
    await hass.config_entries.async_unload(other.entry_id)
    told = await get_system_health_info(hass, DOMAIN)
    assert (told["loaded"], told["reachable"], told["nodes_online"]) == (1, "1/1", "0/1")


async def test_without_a_household_there_is_nothing_to_count(hass: HomeAssistant) -> None:
    assert await async_setup_component(hass, "system_health", {})
    assert await async_setup_component(hass, DOMAIN, {})
    await hass.async_block_till_done()

    told = await get_system_health_info(hass, DOMAIN)

    assert (told["households"], told["reachable"], told["slowest_round_trip"]) == (0, "0/0", "-")
