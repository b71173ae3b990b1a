"""What is known before the first message after a restart."""

from typing import Any

from homeassistant.core import HomeAssistant, State
from homeassistant.helpers import device_registry as dr, entity_registry as er
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    mock_restore_cache_with_extra_data,
)

from custom_components.homesync.const import DOMAIN
from tests.broker import Mosquitto

from .conftest import SetUp
from .lookup import attribute, coordinator, device, entity_id, is_connected, state
from .waiting import until
from .wire import Wire

ENTRY_ID = "entry_villa"
BOOT = "2025-02-06T14:30:00+00:00"
KNOWN: dict[tuple[str, str], tuple[str, dict[str, Any]]] = {
    ("switch", "status/relay"): ("on", {}),
    ("binary_sensor", "status/online"): ("on", {}),
    ("sensor", "telemetry/power"): (
        "5.0",
        {"native_value": 5.0, "native_unit_of_measurement": "W"},
    ),
    ("sensor", "telemetry/soil_moisture"): (
        "41",
        {"native_value": 41, "native_unit_of_measurement": "%"},
    ),
    ("sensor", "status/rssi"): (
        "-61",
        {"native_value": -61, "native_unit_of_measurement": "dBm"},
    ),
    ("sensor", "last_boot"): (
        BOOT,
        {
            "native_value": {"__type": "<class 'datetime.datetime'>", "isoformat": BOOT},
            "native_unit_of_measurement": None,
        },
    ),
    ("sensor", "last_seen"): (
        BOOT,
        {
            "native_value": {"__type": "<class 'datetime.datetime'>", "isoformat": BOOT},
            "native_unit_of_measurement": None,
        },
    ),
}


@pytest.fixture
def last_run(hass: HomeAssistant, entity_registry: er.EntityRegistry) -> None:
    """Fill registries and store as an earlier run of Home Assistant left them."""
    entry = MockConfigEntry(domain=DOMAIN, entry_id=ENTRY_ID)
    entry.add_to_hass(hass)
    node = dr.async_get(hass).async_get_or_create(
        config_entry_id=ENTRY_ID,
        identifiers={(DOMAIN, f"{ENTRY_ID}/plug-1")},
        sw_version="1.2.3",
        name="Villa plug-1",
    )
    stored = []
    for (platform, key), (value, extra) in KNOWN.items():
        registered = entity_registry.async_get_or_create(
            platform,
            DOMAIN,
            f"{ENTRY_ID}/plug-1/{key}",
            config_entry=entry,
            device_id=node.id,
        )
        stored.append((State(registered.entity_id, value), extra))
    mock_restore_cache_with_extra_data(hass, stored)


def shown(hass: HomeAssistant, entry: MockConfigEntry) -> dict[tuple[str, str], str | None]:
    return {(platform, key): state(hass, entry, platform, "plug-1", key) for platform, key in KNOWN}


@pytest.mark.usefixtures("last_run")
async def test_entities_of_known_nodes_exist_before_any_message(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp
) -> None:
    mosquitto.stop()
    entry = await set_up(mosquitto.port)

    assert set(shown(hass, entry).values()) == {"unavailable"}
    node = device(hass, entry, "plug-1")
    assert node is not None
    assert node.sw_version == "1.2.3"
    assert set(coordinator(entry).household.nodes) == {"plug-1"}


@pytest.mark.usefixtures("last_run")
async def test_the_last_values_are_shown_once_connected_until_fresh_ones_come(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp, wire: Wire
) -> None:
    entry = await set_up(mosquitto.port)
    await until(hass, lambda: is_connected(hass, entry))

    assert shown(hass, entry) == {key: value for key, (value, _) in KNOWN.items()}
    power = ("sensor", "plug-1", "telemetry/power")
    assert attribute(hass, entry, *power, name="unit_of_measurement") == "W"
    assert state(hass, entry, "sensor", "nodes_online") == "1"

    wire.say("telemetry/power", {"value": 2, "unit": "kW", "timestamp": "2025-02-06T14:00:00Z"})
    wire.say("status/relay", {"state": "off"})
    await until(hass, lambda: state(hass, entry, "switch", "plug-1", "status/relay") == "off")
    await until(hass, lambda: float(state(hass, entry, *power) or 0) == 2000)


@pytest.mark.usefixtures("last_run")
async def test_a_will_that_was_said_meanwhile_counts_more_than_what_was_known(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp, wire: Wire
) -> None:
    wire.say("status/online", {"online": False, "reason": "unexpected_disconnect"})
    await wire.drained()
    entry = await set_up(mosquitto.port)

    online = ("binary_sensor", "plug-1", "status/online")
    await until(hass, lambda: state(hass, entry, *online) == "off")

    assert state(hass, entry, "switch", "plug-1", "status/relay") == "unavailable"
    assert state(hass, entry, "sensor", "nodes_online") == "0"


@pytest.mark.parametrize("lost", ["unknown", "unavailable"])
async def test_what_was_not_known_is_unknown(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp, lost: str, last_run: None
) -> None:
    stored = []
    for platform, key in KNOWN:
        found = er.async_get(hass).async_get_entity_id(platform, DOMAIN, f"{ENTRY_ID}/plug-1/{key}")
        extra = {"native_value": None, "native_unit_of_measurement": None}
        stored.append((State(str(found), lost), extra if platform == "sensor" else {}))
    mock_restore_cache_with_extra_data(hass, stored)

    entry = await set_up(mosquitto.port)
    await until(hass, lambda: is_connected(hass, entry))

    assert set(shown(hass, entry).values()) == {"unknown"}


@pytest.mark.parametrize("grace_time", [0, 30])
async def test_values_survive_a_reload(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp, wire: Wire, grace_time: int
) -> None:
    entry = await set_up(mosquitto.port, options={"grace_time": grace_time})
    await until(hass, lambda: is_connected(hass, entry))
    relay = ("switch", "plug-1", "status/relay")
    wire.say("status/relay", {"state": "on"}, retain=False)
    await until(hass, lambda: state(hass, entry, *relay) == "on")
    power = ("sensor", "plug-1", "telemetry/power")
    wire.say("telemetry/power", {"value": 5})
    await until(hass, lambda: state(hass, entry, *power) == "5")
    before = entity_id(hass, entry, *power)

    assert await hass.config_entries.async_reload(entry.entry_id)
    await until(hass, lambda: is_connected(hass, entry))

    assert state(hass, entry, *power) == "5"
    assert state(hass, entry, *relay) == "on"
    assert entity_id(hass, entry, *power) == before
