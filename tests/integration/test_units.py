"""Units: the first one stays, others of the same quantity are converted, unknown ones refused."""

import logging

from homeassistant.components.sensor.const import DEVICE_CLASS_UNITS, UNIT_CONVERTERS
from homeassistant.core import HomeAssistant
from homeassistant.util.unit_system import US_CUSTOMARY_SYSTEM
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.homesync.client import METRICS, telemetry_key
from custom_components.homesync.sensor import VALUE_SENSORS
from tests.broker import Mosquitto

from .conftest import SetUp
from .lookup import attribute, coordinator, is_connected, state
from .waiting import until
from .wire import Wire


@pytest.fixture
async def entry(hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp) -> MockConfigEntry:
    entry = await set_up(mosquitto.port)
    await until(hass, lambda: is_connected(hass, entry))
    return entry


def unit(hass: HomeAssistant, entry: MockConfigEntry, metric: str) -> object:
    return attribute(
        hass, entry, "sensor", "plug-1", f"telemetry/{metric}", name="unit_of_measurement"
    )


async def shows(hass: HomeAssistant, entry: MockConfigEntry, metric: str, value: float) -> None:
    """Wait until a sensor has this value."""

    def matches() -> bool:
        shown = state(hass, entry, "sensor", "plug-1", f"telemetry/{metric}")
        return shown not in {None, "unknown", "unavailable"} and float(shown or "") == (
            pytest.approx(value, rel=1e-6)
        )

    await until(hass, matches)


@pytest.mark.parametrize(
    ("metric", "first", "then", "converted"),
    [
        ("power", (500, "W"), (1.5, "kW"), 1500),
        ("power", (1.5, "kW"), (500, "W"), 0.5),
        ("power", (500, None), (1.5, "kW"), 1500),
        ("energy", (1, "kWh"), (7.2, "MJ"), 2),
        ("voltage", (230, "V"), (1000, "uV"), 0.001),
        ("current", (100, "mA"), (2, "A"), 2000),
        ("frequency", (50, "Hz"), (0.06, "kHz"), 60),
        ("power_factor", (0.9, None), (95, "%"), 0.95),
        ("power_factor", (90, "%"), (0.95, None), 95),
        ("temperature", (20, "°C"), (212, "F"), 100),
        ("temperature", (20, "C"), (300, "K"), 26.85),
    ],
)
async def test_the_first_unit_stays_and_others_are_converted(
    hass: HomeAssistant,
    *,
    entry: MockConfigEntry,
    wire: Wire,
    metric: str,
    first: tuple[float, str | None],
    then: tuple[float, str],
    converted: float,
) -> None:
    wire.say(f"telemetry/{metric}", {"value": first[0], "unit": first[1]})
    await shows(hass, entry, metric, first[0])
    before = unit(hass, entry, metric)

    wire.say(f"telemetry/{metric}", {"value": then[0], "unit": then[1]})

    await shows(hass, entry, metric, converted)
    assert unit(hass, entry, metric) == before


async def test_home_assistant_converts_to_what_its_user_reads(
    hass: HomeAssistant, entry: MockConfigEntry, wire: Wire
) -> None:
    hass.config.units = US_CUSTOMARY_SYSTEM
    wire.say("telemetry/temperature", {"value": 100, "unit": "°C"})

    await shows(hass, entry, "temperature", 212)
    assert unit(hass, entry, "temperature") == "°F"


async def test_an_unknown_unit_is_refused_with_a_warning_and_the_old_value_stays(
    hass: HomeAssistant, entry: MockConfigEntry, wire: Wire, caplog: pytest.LogCaptureFixture
) -> None:
    wire.say("telemetry/power", {"value": 5, "unit": "W"})
    await shows(hass, entry, "power", 5)

    wire.say("telemetry/power", {"value": 7, "unit": "hp"})
    wire.say("telemetry/voltage", {"value": 230})
    await shows(hass, entry, "voltage", 230)

    await shows(hass, entry, "power", 5)
    assert coordinator(entry).household.counts["unknown_unit"] == 1
    (warning,) = [
        record
        for record in caplog.records
        if record.levelno == logging.WARNING and "homesync.coordinator" in record.name
    ]
    assert warning.getMessage().startswith("Household Villa: ")
    assert "telemetry/power" in warning.getMessage()
    assert "hp" in warning.getMessage()


async def test_the_unit_stays_over_a_restart_whatever_comes_then(
    hass: HomeAssistant, entry: MockConfigEntry, wire: Wire
) -> None:
    wire.say("telemetry/power", {"value": 500, "unit": "W"})
    await shows(hass, entry, "power", 500)

    assert await hass.config_entries.async_reload(entry.entry_id)
    await until(hass, lambda: is_connected(hass, entry))
    await shows(hass, entry, "power", 500)
    assert unit(hass, entry, "power") == "W"

    wire.say("telemetry/power", {"value": 2, "unit": "kW"})
    await shows(hass, entry, "power", 2000)
    assert unit(hass, entry, "power") == "W"


async def test_the_signal_strength_has_its_unit_from_the_start(
    hass: HomeAssistant, entry: MockConfigEntry, wire: Wire
) -> None:
    wire.say("status/rssi", {"value": -61})
    rssi = ("sensor", "plug-1", "status/rssi")
    await until(hass, lambda: state(hass, entry, *rssi) == "-61")
    assert attribute(hass, entry, *rssi, name="unit_of_measurement") == "dBm"


@pytest.mark.parametrize("metric", METRICS)
def test_home_assistant_knows_every_unit_and_converts_it_as_the_client_does(metric: str) -> None:
    device_class = VALUE_SENSORS[telemetry_key(metric)].device_class
    assert device_class is not None
    known = METRICS[metric]
    assert set(known.units) <= DEVICE_CLASS_UNITS[device_class]

    converter = UNIT_CONVERTERS[device_class]
    for name, (scale, offset) in known.units.items():
        for value in (0.0, 1.0, 12.5, 300.0):
            expected = converter.convert(value, name, known.unit)
            assert value * scale + offset == pytest.approx(expected), name


def test_every_metric_has_a_sensor() -> None:
    assert {telemetry_key(metric) for metric in METRICS} == {
        key for key in VALUE_SENSORS if key.startswith("telemetry/")
    }
