"""Buttons of nodes and of households."""

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from simulator import Behaviour, Info, Node
from tests.broker import Mosquitto

from .conftest import SetUp, StartNode
from .lookup import coordinator, entity_id, is_connected, state
from .waiting import until
from .wire import Wire

IDENTIFY = ("button", "plug-1", "capability/identify")
RESTART = ("button", "plug-1", "capability/restart")
RECONNECT = ("button", "reconnect")


@pytest.fixture
async def entry(hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp) -> MockConfigEntry:
    entry = await set_up(mosquitto.port)
    await until(hass, lambda: is_connected(hass, entry))
    return entry


@pytest.fixture
async def node(hass: HomeAssistant, entry: MockConfigEntry, start_node: StartNode) -> Node:
    node = await start_node(info=Info(), identify_seconds=0.01)
    await until(hass, lambda: state(hass, entry, *RESTART))
    return node


async def press(hass: HomeAssistant, entry: MockConfigEntry, button: tuple[str, ...]) -> None:
    target = {"entity_id": entity_id(hass, entry, *button)}
    await hass.services.async_call("button", "press", target, blocking=True)


async def test_a_node_that_is_looked_for_blinks(
    hass: HomeAssistant, entry: MockConfigEntry, node: Node
) -> None:
    await press(hass, entry, IDENTIFY)

    assert node.identified == 1
    assert [each.kind for each in node.executed] == ["led"]


async def test_a_node_restarts_and_is_there_again(
    hass: HomeAssistant, entry: MockConfigEntry, node: Node
) -> None:
    await press(hass, entry, RESTART)

    await node.wait_for(lambda: node.restarts == 1 and node.online)
    await until(hass, lambda: state(hass, entry, *RESTART) not in (None, "unavailable"))


async def test_buttons_are_there_for_what_a_node_says_it_understands(
    hass: HomeAssistant, entry: MockConfigEntry, wire: Wire
) -> None:
    wire.say("status/info", {"capabilities": ["relay", "led"]})
    await until(hass, lambda: state(hass, entry, "light", "plug-1", "status/led"))
    assert entity_id(hass, entry, *IDENTIFY) is None
    assert entity_id(hass, entry, *RESTART) is None

    wire.say("status/info", {"capabilities": ["restart"]})
    await until(hass, lambda: state(hass, entry, *RESTART) == "unknown")
    assert entity_id(hass, entry, *IDENTIFY) is None

    wire.say("status/online", {"online": False})
    await until(hass, lambda: state(hass, entry, *RESTART) == "unavailable")


async def test_buttons_are_there_after_a_restart_before_the_node_has_said_anything(
    hass: HomeAssistant, entry: MockConfigEntry, wire: Wire
) -> None:
    wire.say("status/info", {"capabilities": ["identify"]}, retain=False)
    await until(hass, lambda: state(hass, entry, *IDENTIFY) == "unknown")

    assert await hass.config_entries.async_reload(entry.entry_id)
    await until(hass, lambda: is_connected(hass, entry))

    assert state(hass, entry, *IDENTIFY) == "unknown"


@pytest.mark.parametrize("button", [IDENTIFY, RESTART])
async def test_a_refusal_is_raised(
    hass: HomeAssistant, entry: MockConfigEntry, node: Node, button: tuple[str, ...]
) -> None:
    node.behaviour = Behaviour(reject="not now")

    with pytest.raises(HomeAssistantError) as caught:
        await press(hass, entry, button)

    assert caught.value.translation_key == "refused_by_node"
    assert caught.value.translation_placeholders == {
        "node": "plug-1",
        "household": "Villa",
        "detail": "not now",
        "attempts": "1",
    }
    assert node.restarts == node.identified == 0


async def test_a_household_connects_anew(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    before = coordinator(entry).household.link.terms

    await press(hass, entry, RECONNECT)

    household = coordinator(entry).household
    await until(hass, lambda: household.link.terms is not before and is_connected(hass, entry))


async def test_a_household_without_connection_tries_at_once(
    hass: HomeAssistant, entry: MockConfigEntry, mosquitto: Mosquitto
) -> None:
    mosquitto.stop()
    await until(hass, lambda: not is_connected(hass, entry))
    assert state(hass, entry, *RECONNECT) not in (None, "unavailable")
    mosquitto.start()

    await press(hass, entry, RECONNECT)

    await until(hass, lambda: is_connected(hass, entry))
