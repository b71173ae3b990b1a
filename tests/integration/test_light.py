"""LEDs: what a light can do follows what its node has shown."""

from typing import Any

from homeassistant.core import HomeAssistant, State
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import entity_registry as er
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, mock_restore_cache

from custom_components.homesync.const import DOMAIN
from simulator import Behaviour, Info, Led, Node
from tests.broker import Mosquitto

from .conftest import SetUp, StartNode
from .lookup import attribute, entity_id, is_connected, state
from .waiting import until
from .wire import Wire

LED = ("light", "plug-1", "status/led")


@pytest.fixture
async def entry(hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp) -> MockConfigEntry:
    return await set_up(mosquitto.port)


@pytest.fixture
async def node(hass: HomeAssistant, entry: MockConfigEntry, start_node: StartNode) -> Node:
    node = await start_node(info=Info())
    await until(hass, lambda: state(hass, entry, *LED) == "off")
    return node


async def turn(hass: HomeAssistant, entry: MockConfigEntry, to: str, **data: Any) -> None:
    target = {"entity_id": entity_id(hass, entry, *LED), **data}
    await hass.services.async_call("light", f"turn_{to}", target, blocking=True)


def shows(hass: HomeAssistant, entry: MockConfigEntry, name: str) -> Any:
    return attribute(hass, entry, *LED, name=name)


async def test_a_light_tells_its_node_what_to_show_and_shows_what_the_node_confirms(
    hass: HomeAssistant, entry: MockConfigEntry, node: Node
) -> None:
    await turn(hass, entry, "on", brightness=200, rgb_color=[255, 120, 0], effect="rainbow")

    assert node.led == Led(True, 200, (255, 120, 0), "rainbow")
    assert state(hass, entry, *LED) == "on"
    assert shows(hass, entry, "brightness") == 200
    assert shows(hass, entry, "rgb_color") == (255, 120, 0)
    assert shows(hass, entry, "effect") == "rainbow"
    assert shows(hass, entry, "color_mode") == "rgb"

    await turn(hass, entry, "off")
    assert not node.led.on
    assert state(hass, entry, *LED) == "off"
    assert [each.action for each in node.executed] == ["on", "off"]


async def test_what_is_not_asked_for_stays_as_it_is(
    hass: HomeAssistant, entry: MockConfigEntry, node: Node
) -> None:
    node.show(Led(on=False, brightness=7, color=(1, 2, 3)))

    await turn(hass, entry, "on")

    assert node.led == Led(True, 7, (1, 2, 3))
    assert shows(hass, entry, "brightness") == 7


async def test_the_features_are_those_that_the_node_has_shown(
    hass: HomeAssistant, entry: MockConfigEntry, wire: Wire
) -> None:
    def features() -> tuple[Any, ...]:
        names = ("supported_color_modes", "effect_list", "supported_features")
        return tuple(shows(hass, entry, name) for name in names)

    wire.say("status/led", {"state": "on"})
    await until(hass, lambda: state(hass, entry, *LED) == "on")
    assert features() == (["onoff"], None, 0)

    wire.say("status/led", {"state": "on", "brightness": 100})
    await until(hass, lambda: shows(hass, entry, "brightness") == 100)
    assert features() == (["brightness"], None, 0)

    wire.say("status/led", {"state": "on", "color": [1, 2, 3]})
    await until(hass, lambda: shows(hass, entry, "rgb_color") == (1, 2, 3))
    assert features() == (["rgb"], None, 0)
    assert shows(hass, entry, "brightness") == 100

    wire.say("status/info", {"effects": ["rainbow", "blink"]})
    await until(hass, lambda: shows(hass, entry, "effect_list") is not None)
    assert features() == (["rgb"], ["rainbow", "blink"], 4)

    wire.say("status/info", {"effects": None})
    await until(hass, lambda: shows(hass, entry, "effect_list") is None)
    assert features() == (["rgb"], None, 0)

    wire.say("status/led", b"")
    await until(hass, lambda: state(hass, entry, *LED) == "unknown")
    assert features() == (["rgb"], None, 0)


async def test_a_light_appears_with_the_capability_before_the_led_has_shown_anything(
    hass: HomeAssistant, entry: MockConfigEntry, wire: Wire
) -> None:
    wire.say("status/info", {"capabilities": ["led"]})

    await until(hass, lambda: state(hass, entry, *LED) == "unknown")
    assert shows(hass, entry, "supported_color_modes") == ["onoff"]


@pytest.mark.parametrize("effect", ["disco", ""])
async def test_an_effect_that_the_node_does_not_list_is_refused_unsent(
    hass: HomeAssistant, entry: MockConfigEntry, node: Node, effect: str
) -> None:
    with pytest.raises(ServiceValidationError) as caught:
        await turn(hass, entry, "on", effect=effect)

    assert caught.value.translation_key == "unknown_effect"
    assert caught.value.translation_placeholders == {"node": "plug-1", "effect": effect}
    assert node.received == ()


async def test_a_refusal_is_raised_and_nothing_changes(
    hass: HomeAssistant, entry: MockConfigEntry, node: Node
) -> None:
    node.behaviour = Behaviour(reject="too hot")

    with pytest.raises(HomeAssistantError) as caught:
        await turn(hass, entry, "on")

    assert caught.value.translation_key == "refused_by_node"
    assert caught.value.translation_placeholders is not None
    assert caught.value.translation_placeholders["detail"] == "too hot"
    assert state(hass, entry, *LED) == "off"


@pytest.mark.parametrize(
    ("last", "attributes", "expected"),
    [
        (
            "on",
            {"brightness": 7, "rgb_color": [1, 2, 3], "effect": "blink", "color_mode": "rgb"},
            {"brightness": 7, "rgb_color": (1, 2, 3), "effect": "blink", "color_mode": "rgb"},
        ),
        ("off", {}, {"brightness": None, "rgb_color": None, "effect": None, "color_mode": None}),
        ("unavailable", {}, {"brightness": None, "effect": None}),
    ],
)
async def test_a_light_is_restored_with_its_features(
    hass: HomeAssistant,
    *,
    mosquitto: Mosquitto,
    set_up: SetUp,
    last: str,
    attributes: dict[str, Any],
    expected: dict[str, Any],
) -> None:
    before = MockConfigEntry(domain=DOMAIN, entry_id="entry_villa")
    before.add_to_hass(hass)
    registered = er.async_get(hass).async_get_or_create(
        "light", DOMAIN, "entry_villa/plug-1/status/led", config_entry=before
    )
    features = {"supported_color_modes": ["rgb"], "effect_list": ["blink"]}
    mock_restore_cache(hass, [State(registered.entity_id, last, {**features, **attributes})])

    entry = await set_up(mosquitto.port)
    await until(hass, lambda: is_connected(hass, entry))

    assert state(hass, entry, *LED) == ("unknown" if last == "unavailable" else last)
    assert shows(hass, entry, "supported_color_modes") == ["rgb"]
    assert shows(hass, entry, "effect_list") == ["blink"]
    assert {name: shows(hass, entry, name) for name in expected} == expected


async def test_a_light_survives_a_reload(
    hass: HomeAssistant, entry: MockConfigEntry, node: Node
) -> None:
    await turn(hass, entry, "on", rgb_color=[9, 8, 7])
    await node.stop()
    await until(hass, lambda: state(hass, entry, *LED) == "unavailable")

    assert await hass.config_entries.async_reload(entry.entry_id)
    await node.start()

    await until(hass, lambda: state(hass, entry, *LED) == "on")
    assert shows(hass, entry, "rgb_color") == (9, 8, 7)
