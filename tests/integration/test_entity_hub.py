"""Who is told of a changed value, and when new sensors are written down."""

from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
import pytest

from custom_components.homesync.entity_hub import EntityHub
from tests.broker import Mosquitto

from .conftest import SetUp
from .lookup import is_connected, state
from .waiting import until
from .wire import Wire

KEYS = ("telemetry/power", "telemetry/voltage")


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def hub(hass: HomeAssistant) -> EntityHub:
    return EntityHub(hass, lambda _: True)


async def test_who_ignores_its_keys_is_told_no_more(hub: EntityHub, told: list[str]) -> None:
    def update() -> None:
        told.append("an entity")

    hub.listen("plug-1", KEYS, update)
    hub.tell("plug-1", KEYS[:1])
    hub.ignore("plug-1", KEYS, update)
    hub.tell("plug-1", KEYS)
    assert told == ["an entity"]


async def test_a_late_goodbye_does_not_silence_who_came_after(
    hub: EntityHub, told: list[str]
) -> None:
    def old() -> None:
        told.append("the old one")

    hub.listen("plug-1", KEYS, old)
    hub.forget("plug-1")
    hub.listen("plug-1", KEYS, lambda: told.append("the new one"))
    hub.ignore("plug-1", KEYS, old)
    hub.tell("plug-1", KEYS)
    assert told == ["the new one"]


async def test_a_goodbye_to_a_forgotten_node_is_no_error(hub: EntityHub) -> None:
    hub.ignore("plug-1", KEYS, lambda: None)


async def test_one_that_cannot_be_shown_keeps_no_other_from_being_told(
    hub: EntityHub, told: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise ValueError("no state")

    hub.listen("plug-1", KEYS[:1], fail)
    hub.listen("plug-1", KEYS[1:], lambda: told.append("an entity"))
    hub.tell("plug-1", KEYS)
    hub.tell_everybody()
    assert told == ["an entity", "an entity"]
    assert [each.getMessage() for each in caplog.records] == [
        "An entity could not be updated",
        "An entity could not be updated",
    ]
    caplog.clear()


async def test_a_new_sensor_is_written_down_once(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp, wire: Wire
) -> None:
    entry = await set_up(mosquitto.port)
    await until(hass, lambda: is_connected(hass, entry))
    updates: list[object] = []

    @callback
    def note(event: Event[er.EventEntityRegistryUpdatedData]) -> None:
        if event.data["action"] == "update":
            updates.append(event.data)

    hass.bus.async_listen(er.EVENT_ENTITY_REGISTRY_UPDATED, note)
    for metric, value, unit in (("power", 125.5, "W"), ("voltage", 229.9, "V")):
        wire.say(f"telemetry/{metric}", {"value": value, "unit": unit})
    await until(hass, lambda: state(hass, entry, "sensor", "plug-1", KEYS[1]) == "229.9")
    assert updates == []
