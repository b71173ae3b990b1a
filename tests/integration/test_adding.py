"""Many entities: what each of them costs Home Assistant besides itself."""

from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.entity_platform import async_get_platforms

from custom_components.homesync.client import METRICS
from custom_components.homesync.const import DOMAIN
from custom_components.homesync.entity import NodeEntity
from tests.broker import Mosquitto

from .conftest import SetUp
from .lookup import is_connected, state
from .waiting import until
from .wire import Wire

# A dict of more keys takes twice as much.
_KEYS = 42
_OF_MANY = ("sensor", "binary_sensor", "button", "switch")


async def test_what_the_registry_knows_of_a_new_sensor_needs_no_change(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp, wire: Wire
) -> None:
    entry = await set_up(mosquitto.port)
    await until(hass, lambda: is_connected(hass, entry))
    changed: list[object] = []

    @callback
    def note(event: Event[er.EventEntityRegistryUpdatedData]) -> None:
        if event.data["action"] == "update":
            changed.append((event.data["entity_id"], event.data["changes"]))

    hass.bus.async_listen(er.EVENT_ENTITY_REGISTRY_UPDATED, note)
    readings = [
        (f"plug-{number}", metric, unit)
        for number, (metric, unit) in enumerate(
            (name, unit) for name, metric in METRICS.items() for unit in metric.units
        )
    ]
    for node, metric, unit in readings:
        wire.say(f"telemetry/{metric}", {"value": 0, "unit": unit}, node=node)

    await until(
        hass,
        lambda: all(
            state(hass, entry, "sensor", node, f"telemetry/{metric}")
            for node, metric, _ in readings
        ),
    )
    assert not changed


async def test_home_assistant_keeps_little_of_each_entity(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp, wire: Wire
) -> None:
    entry = await set_up(mosquitto.port)
    await until(hass, lambda: is_connected(hass, entry))
    wire.say("status/info", {"capabilities": ["restart", "identify"]})
    wire.say("status/relay", {"state": "on"})
    wire.say("telemetry/power", {"value": 1, "unit": "W"})
    for online, power in ((False, "unavailable"), (True, "1")):
        wire.say("status/online", {"online": online})
        await until(
            hass,
            lambda power=power: (  # type: ignore[misc]  # its default is its state
                state(hass, entry, "sensor", "plug-1", "telemetry/power") == power
            ),
        )

    many = {
        entity.entity_id: len(vars(entity))
        for platform in async_get_platforms(hass, DOMAIN)
        if platform.domain in _OF_MANY
        for entity in platform.entities.values()
        if isinstance(entity, NodeEntity)
    }
    assert len(many) == 5
    assert max(many.values()) <= _KEYS, many
