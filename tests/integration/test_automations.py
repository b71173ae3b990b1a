"""The examples of docs/automations.md, each at work."""

from pathlib import Path
import re
from typing import Any

from homeassistant.components import persistent_notification
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
from homeassistant.util import yaml as yaml_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from simulator import Behaviour, Node
from tests.broker import Mosquitto

from .actions import send
from .conftest import SetUp, StartNode
from .lookup import device_id, entity_id, state
from .waiting import until

pytestmark = pytest.mark.usefixtures("automations_at_rest")

PAGE = Path(__file__).parents[2] / "docs" / "automations.md"
POWER = ("sensor", "plug-1", "telemetry/power")
ONLINE = ("binary_sensor", "plug-1", "status/online")


@pytest.fixture
async def entry(hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp) -> MockConfigEntry:
    return await set_up(mosquitto.port)


@pytest.fixture
async def nodes(hass: HomeAssistant, entry: MockConfigEntry, start_node: StartNode) -> list[Node]:
    nodes = [await start_node("plug-1"), await start_node("plug-2")]
    await nodes[0].send_telemetry({"power": 1900})
    await until(hass, lambda: state(hass, entry, *POWER) == "1900")
    await until(hass, lambda: state(hass, entry, "switch", "plug-2", "status/relay") == "on")
    return nodes


async def automate(hass: HomeAssistant, entry: MockConfigEntry, alias: str) -> None:
    """Set up the example of this name, with the test's own nodes."""
    real = {
        "0123456789abcdef0123456789abcdef": device_id(hass, entry, "plug-1"),
        "fedcba9876543210fedcba9876543210": device_id(hass, entry, "plug-2"),
        "sensor.villa_heater_power": entity_id(hass, entry, *POWER),
        "binary_sensor.villa_heater_online": entity_id(hass, entry, *ONLINE),
    }
    blocks = re.findall(r"^```yaml\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    (text,) = (block for block in blocks if block.startswith(f"alias: {alias}\n"))
    for example, own in real.items():
        text = text.replace(example, str(own))
    config = {"automation": yaml_util.parse_yaml(text)}
    assert await async_setup_component(hass, "persistent_notification", {})
    assert await async_setup_component(hass, "automation", config)
    await hass.async_block_till_done()


def told(hass: HomeAssistant) -> list[dict[str, Any]]:
    """Title and message of every notification."""
    found = persistent_notification._async_get_or_create_notifications(hass)
    return [{"title": each["title"], "message": each["message"]} for each in found.values()]


async def test_failed_commands_are_told(
    hass: HomeAssistant, entry: MockConfigEntry, nodes: list[Node]
) -> None:
    await automate(hass, entry, "Tell of failed commands")
    await send(hass, device_id(hass, entry, "plug-1"), action="off")
    nodes[0].behaviour = Behaviour(reject="overload")

    await send(hass, device_id(hass, entry, "plug-1"), action="on")
    await until(hass, lambda: told(hass))

    message = "Villa plug-1: relay rejected (overload)"
    assert told(hass) == [{"title": "Villa", "message": message}]


async def test_at_night_all_are_switched_off_and_those_that_are_not_are_named(
    hass: HomeAssistant, entry: MockConfigEntry, nodes: list[Node]
) -> None:
    await automate(hass, entry, "Everything off at night")
    nodes[1].behaviour = Behaviour(reject="stuck")

    night = {"entity_id": "automation.everything_off_at_night"}
    await hass.services.async_call("automation", "trigger", night, blocking=True)
    await until(hass, lambda: told(hass))

    assert [node.relay for node in nodes] == [False, True]
    assert told(hass) == [{"title": "Not switched off", "message": "plug-2"}]


async def test_the_led_shows_how_much_is_drawn(
    hass: HomeAssistant, entry: MockConfigEntry, nodes: list[Node]
) -> None:
    await automate(hass, entry, "Red above two kilowatts")

    await nodes[0].send_telemetry({"power": 2500})
    await until(hass, lambda: nodes[0].led.color == (255, 0, 0))
    await nodes[0].send_telemetry({"power": 100})
    await until(hass, lambda: nodes[0].led.color == (0, 255, 0))

    assert (nodes[0].led.on, nodes[0].led.brightness) == (True, 120)
    assert nodes[1].executed == ()


@pytest.mark.parametrize("reject", [None, "read only"])
async def test_a_node_that_is_back_gets_its_settings(
    hass: HomeAssistant, entry: MockConfigEntry, nodes: list[Node], reject: str | None
) -> None:
    await automate(hass, entry, "Settings of the heater")
    nodes[0].behaviour = Behaviour(reject=reject)

    await nodes[0].stop()
    await until(hass, lambda: state(hass, entry, *ONLINE) == "off")
    await nodes[0].start()
    await until(hass, lambda: nodes[0].refused or nodes[0].executed)
    await hass.async_block_till_done()

    assert nodes[0].settings == ({"interval": 30} if reject is None else {})
    wrong = [{"title": "Heater", "message": "Its settings are None"}]
    assert told(hass) == ([] if reject is None else wrong)
