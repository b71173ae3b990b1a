"""Every entity that a node and a household can have, platform by platform."""

from collections.abc import Iterator
from unittest.mock import patch

from homeassistant.const import Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr, entity_registry as er
import pytest
from pytest_homeassistant_custom_component.common import snapshot_platform
from syrupy.assertion import SnapshotAssertion

from custom_components.homesync.const import PLATFORMS
from custom_components.homesync.figure_sensors import Figures
from tests.broker import Mosquitto

from .conftest import SetUp
from .lookup import attribute, coordinator, device, is_connected, state
from .waiting import until
from .wire import Wire

AT = "2025-02-06T14:30:00Z"
READINGS: dict[str, tuple[float, str | None]] = {
    "power": (125.5, "W"),
    "voltage": (229.9, "V"),
    "current": (546, "mA"),
    "energy": (12.345, "kWh"),
    "power_factor": (0.98, None),
    "frequency": (50.02, "Hz"),
    "temperature": (21.5, "°C"),
    "soil_moisture": (41, "%"),
}
RARE_OF_HOUSEHOLDS = {
    "bytes_received",
    "bytes_sent",
    "certificate_expires",
    "connected_since",
    "messages_conflated",
    "nodes_refused",
}
INFO = {
    "model": "Plug S",
    "manufacturer": "Example Works",
    "hardware": "rev B",
    "capabilities": ["relay", "led", "ota", "restart", "identify"],
    "effects": ["rainbow", "blink"],
    "available": {
        "version": "1.3.0",
        "url": "https://firmware.example/plug-s-1.3.0.bin",
        "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "notes": "Measures twice as often.",
    },
}


@pytest.fixture
def _figures_of_the_start() -> Iterator[None]:
    """Let figures stay what they were: in no two runs would they be the same."""
    with patch.object(Figures, "_look"):
        yield


@pytest.fixture(params=PLATFORMS)
def platform(request: pytest.FixtureRequest) -> Iterator[Platform]:
    with patch("custom_components.homesync.PLATFORMS", (request.param,)):
        yield request.param


def say_everything(wire: Wire) -> None:
    """Say all that a node can say of itself, long ago."""
    wire.say(
        "status/online",
        {"online": True, "timestamp": AT, "uptime": 3600, "firmware": "1.2.3"},
    )
    wire.say("status/relay", {"state": "on", "timestamp": AT})
    wire.say("status/firmware", {"version": "1.2.3", "timestamp": AT})
    wire.say("status/rssi", {"value": -61, "timestamp": AT})
    led = {"state": "on", "brightness": 200, "color": [255, 120, 0], "effect": "rainbow"}
    wire.say("status/led", {**led, "timestamp": AT})
    wire.say("status/info", {**INFO, "timestamp": AT})
    for metric, (value, unit) in READINGS.items():
        reading = {"value": value, "timestamp": AT, "quality": 99}
        wire.say(f"telemetry/{metric}", reading if unit is None else {**reading, "unit": unit})


@pytest.mark.usefixtures("all_enabled", "_figures_of_the_start")
async def test_a_platforms_entities_and_their_states(
    hass: HomeAssistant,
    *,
    mosquitto: Mosquitto,
    set_up: SetUp,
    wire: Wire,
    platform: Platform,
    snapshot: SnapshotAssertion,
) -> None:
    # Without echo: no round trip is like another.
    entry = await set_up(mosquitto.port, options={"echo_interval": 0})
    await until(hass, lambda: coordinator(entry).reachable)
    say_everything(wire)
    nodes = coordinator(entry).household.nodes
    await until(
        hass, lambda: "plug-1" in nodes and "telemetry/soil_moisture" in nodes["plug-1"].values
    )

    await snapshot_platform(hass, er.async_get(hass), snapshot, entry.entry_id)


async def test_devices(
    hass: HomeAssistant,
    mosquitto: Mosquitto,
    set_up: SetUp,
    wire: Wire,
    snapshot: SnapshotAssertion,
) -> None:
    entry = await set_up(mosquitto.port)
    say_everything(wire)
    await until(hass, lambda: state(hass, entry, "switch", "plug-1", "status/relay") == "on")

    devices = dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id)
    for each in sorted(devices, key=lambda each: each.name or ""):
        assert each == snapshot(name=each.name)
    node, household = device(hass, entry, "plug-1"), device(hass, entry)
    assert node is not None
    assert household is not None
    assert node.via_device_id == household.id


async def test_rare_entities_are_disabled_at_first(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp, wire: Wire
) -> None:
    entry = await set_up(mosquitto.port)
    await until(hass, lambda: is_connected(hass, entry))
    say_everything(wire)
    await until(hass, lambda: state(hass, entry, "sensor", "plug-1", "telemetry/temperature"))
    await until(hass, lambda: disabled(hass, entry.entry_id) >= {"telemetry/soil_moisture"})

    assert disabled(hass, entry.entry_id) == {
        *(f"{entry.entry_id}/{key}" for key in RARE_OF_HOUSEHOLDS),
        "last_seen",
        "telemetry/soil_moisture",
    }


def disabled(hass: HomeAssistant, entry_id: str) -> set[str]:
    prefix = f"{entry_id}/plug-1/"
    return {
        entity.unique_id.removeprefix(prefix)
        for entity in er.async_entries_for_config_entry(er.async_get(hass), entry_id)
        if entity.disabled_by is er.RegistryEntryDisabler.INTEGRATION
    }


@pytest.mark.usefixtures("all_enabled")
async def test_a_metric_of_the_nodes_own_is_named_after_its_topic_and_has_its_unit_of_now(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp, wire: Wire
) -> None:
    entry = await set_up(mosquitto.port)
    await until(hass, lambda: is_connected(hass, entry))
    own = ("sensor", "plug-1", "telemetry/soil_moisture")
    wire.say("telemetry/soil_moisture", {"value": 1, "unit": "%"})
    await until(hass, lambda: state(hass, entry, *own) == "1")
    assert attribute(hass, entry, *own, name="friendly_name") == "Villa plug-1 soil_moisture"
    assert attribute(hass, entry, *own, name="unit_of_measurement") == "%"

    wire.say("telemetry/soil_moisture", {"value": 2, "unit": "hPa"})
    await until(hass, lambda: state(hass, entry, *own) == "2")
    assert attribute(hass, entry, *own, name="unit_of_measurement") == "hPa"

    wire.say("telemetry/soil_moisture", {"value": 3})
    await until(hass, lambda: state(hass, entry, *own) == "3")
    assert attribute(hass, entry, *own, name="unit_of_measurement") is None


async def test_metrics_of_the_nodes_own_are_bounded(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp, wire: Wire
) -> None:
    entry = await set_up(mosquitto.port)
    await until(hass, lambda: is_connected(hass, entry))
    for number in range(40):
        wire.say(f"telemetry/own_{number}", {"value": number})
    wire.say("telemetry/power", {"value": 1})
    await until(hass, lambda: state(hass, entry, "sensor", "plug-1", "telemetry/power") == "1")
    await until(hass, lambda: len(disabled(hass, entry.entry_id)) >= 33)

    own = [key for key in disabled(hass, entry.entry_id) if key.startswith("telemetry/own_")]
    assert len(own) == 32
    assert coordinator(entry).household.counts["metric_refused"] == 8


async def test_nodes_online_counts_what_is_there(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp, wire: Wire
) -> None:
    entry = await set_up(mosquitto.port)
    for number in range(3):
        wire.say("status/online", {"online": True}, node=f"plug-{number}")
    await until(hass, lambda: state(hass, entry, "sensor", "nodes_online") == "3")

    wire.say("status/online", {"online": False}, node="plug-0")
    await until(hass, lambda: state(hass, entry, "sensor", "nodes_online") == "2")


async def test_firmware_is_shown_on_the_device_and_follows_updates(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp, wire: Wire
) -> None:
    entry = await set_up(mosquitto.port)

    def shown() -> str | None:
        found = device(hass, entry, "plug-1")
        return None if found is None else found.sw_version

    wire.say("status/online", {"online": True})
    wire.say("status/firmware", {"version": "{{ 1/0 }}"})
    await until(hass, lambda: shown() == "{{ 1/0 }}")
    wire.say("status/online", {"online": True, "firmware": "1.0.1"})
    await until(hass, lambda: shown() == "1.0.1")

    # Nothing is known any more, but the device keeps what was known last.
    wire.say("status/firmware", b"")
    wire.say("status/relay", {"state": "on"})
    await until(hass, lambda: state(hass, entry, "switch", "plug-1", "status/relay") == "on")
    assert shown() == "1.0.1"


@pytest.mark.usefixtures("all_enabled")
async def test_last_boot_and_last_seen_follow_the_node(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp, wire: Wire
) -> None:
    entry = await set_up(mosquitto.port)
    boot, seen = ("sensor", "plug-1", "last_boot"), ("sensor", "plug-1", "last_seen")
    wire.say("status/online", {"online": True, "uptime": 60, "timestamp": AT})
    await until(hass, lambda: state(hass, entry, *boot) == "2025-02-06T14:29:00+00:00")
    await until(hass, lambda: state(hass, entry, *seen) == "2025-02-06T14:30:00+00:00")

    # A clock and an uptime that disagree by seconds are no new boot.
    wire.say("status/rssi", {"value": -50, "uptime": 3655, "timestamp": "2025-02-06T15:30:00Z"})
    await until(hass, lambda: state(hass, entry, *seen) == "2025-02-06T15:30:00+00:00")
    assert state(hass, entry, *boot) == "2025-02-06T14:29:00+00:00"

    wire.say("status/rssi", {"value": -51, "uptime": 0, "timestamp": "2025-02-06T16:00:00Z"})
    await until(hass, lambda: state(hass, entry, *boot) == "2025-02-06T16:00:00+00:00")
