"""Home Assistant's own MQTT integration hears a household's nodes on a real broker."""

from collections.abc import AsyncIterator

from homeassistant.config_entries import SOURCE_MQTT, ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.homesync.const import DOMAIN
from tests.broker import Mosquitto

from .conftest import StartNode
from .flows import proposed, submit
from .lookup import is_connected, state
from .waiting import until


@pytest.fixture
async def mqtt(
    hass: HomeAssistant, mosquitto: Mosquitto, mock_hass_config: None
) -> AsyncIterator[MockConfigEntry]:
    """Home Assistant's own MQTT integration, connected."""
    data = {"broker": mosquitto.host, "port": mosquitto.port, "protocol": "5"}
    entry = MockConfigEntry(domain="mqtt", data=data, version=2, minor_version=1)
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    yield entry
    for household in hass.config_entries.async_entries(DOMAIN):
        assert await hass.config_entries.async_unload(household.entry_id)
    assert await hass.config_entries.async_unload(entry.entry_id)


async def test_a_household_on_its_broker_is_offered_and_works_once_it_is_added(
    hass: HomeAssistant, mosquitto: Mosquitto, mqtt: MockConfigEntry, start_node: StartNode
) -> None:
    node = await start_node("plug-1", "villa")
    await until(hass, lambda: hass.config_entries.flow.async_progress_by_handler(DOMAIN))
    (offer,) = hass.config_entries.flow.async_progress_by_handler(DOMAIN)
    assert offer["context"]["source"] == SOURCE_MQTT
    form = await hass.config_entries.flow.async_configure(offer["flow_id"])
    filled_in = proposed(form)
    assert filled_in["home_id"] == "villa"
    assert filled_in["port"] == mosquitto.port
    assert filled_in["tls"] is False

    result = await submit(hass, offer["flow_id"], filled_in)

    assert result["type"] is FlowResultType.CREATE_ENTRY
    (entry,) = hass.config_entries.async_entries(DOMAIN)
    assert entry.state is ConfigEntryState.LOADED
    await until(hass, lambda: is_connected(hass, entry))
    await until(
        hass, lambda: state(hass, entry, "binary_sensor", "plug-1", "status/online") == "on"
    )
    await node.send_telemetry()
    await until(hass, lambda: state(hass, entry, "sensor", "plug-1", "telemetry/power"))
    # Nothing is offered again, however often the node tells that it is there.
    assert hass.config_entries.flow.async_progress_by_handler(DOMAIN) == []
