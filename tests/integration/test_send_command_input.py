"""What the action `homesync.send_command` does not take."""

from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import device_registry as dr
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
import voluptuous as vol

from simulator import Node
from tests.broker import Mosquitto

from .actions import respond
from .conftest import SetUp, StartNode
from .lookup import device_id, entity_id, state
from .waiting import until

RELAY = ("switch", "plug-1", "status/relay")


@pytest.fixture
async def entry(hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp) -> MockConfigEntry:
    return await set_up(mosquitto.port)


@pytest.fixture(autouse=True)
async def node(hass: HomeAssistant, entry: MockConfigEntry, start_node: StartNode) -> Node:
    node = await start_node(relay_on=False)
    await until(hass, lambda: state(hass, entry, *RELAY) == "off")
    return node


async def call(hass: HomeAssistant, **data: Any) -> None:
    await respond(hass, "send_command", **{"action": "on", **data})


@pytest.mark.parametrize(
    "data",
    [
        {"action": "blink"},
        {"action": None},
        {"action": 1},
        {"action": ["on"]},
        {"command": "no/id"},
        {"command": ""},
        {"command": 5},
        {"brightness": 256},
        {"brightness": "bright"},
        {"color": [1, 2]},
        {"color": [1, 2, 256]},
        {"color": "red"},
        {"effect": ""},
        {"effect": "x" * 256},
        {"config": "interval"},
        {"content": []},
        {"queue": "perhaps"},
        {"ttl": 0},
        {"ttl": 86401},
        {"ttl": "nan"},
        {"timeout": 0.4},
        {"timeout": 60.1},
        {"timeout": "nan"},
        {"timeout": "soon"},
        {"retries": -1},
        {"retries": 11},
        {"retries": "many"},
        {"payload": "{}"},
    ],
)
async def test_values_out_of_bounds_are_refused(
    hass: HomeAssistant, entry: MockConfigEntry, node: Node, data: dict[str, Any]
) -> None:
    with pytest.raises(vol.Invalid):
        await call(hass, device_id=device_id(hass, entry, "plug-1"), **data)

    assert node.received == ()


@pytest.mark.parametrize(("timeout", "retries"), [(0.5, 0), (60, 10), ("5", "3")])
async def test_bounds_themselves_are_taken(
    hass: HomeAssistant, entry: MockConfigEntry, node: Node, timeout: object, retries: object
) -> None:
    await call(hass, device_id=device_id(hass, entry, "plug-1"), timeout=timeout, retries=retries)
    assert len(node.executed) == 1


@pytest.mark.parametrize(
    ("data", "key", "placeholders"),
    [
        ({}, "field_missing", {"command": "relay", "fields": "action"}),
        ({"command": "led"}, "field_missing", {"command": "led", "fields": "action"}),
        ({"command": "config"}, "field_missing", {"command": "config", "fields": "config"}),
        (
            {"action": "on", "brightness": 1, "effect": "rainbow"},
            "field_not_for_command",
            {"command": "relay", "fields": "brightness, effect"},
        ),
        (
            {"command": "led", "action": "off", "color": [1, 2, 3]},
            "field_not_for_command",
            {"command": "led off", "fields": "color"},
        ),
        (
            {"command": "restart", "action": "on"},
            "field_not_for_command",
            {"command": "restart", "fields": "action"},
        ),
        (
            {"command": "config", "config": {}, "content": {}},
            "field_not_for_command",
            {"command": "config", "fields": "content"},
        ),
        (
            {"command": "shutter", "action": "on"},
            "field_not_for_command",
            {"command": "shutter", "fields": "action"},
        ),
        (
            {"command": "shutter", "content": {"request_id": "1", "timestamp": "2"}},
            "field_not_for_command",
            {"command": "shutter", "fields": "content.request_id, content.timestamp"},
        ),
        (
            {"action": "identify"},
            "action_not_for_command",
            {"command": "relay", "action": "identify"},
        ),
        (
            {"command": "led", "action": "toggle"},
            "action_not_for_command",
            {"command": "led", "action": "toggle"},
        ),
        ({"command": "ota"}, "use_install_firmware", {}),
        (
            {"command": "config", "config": {"text": "x" * 20_000}},
            "setting_not_allowed",
            {"field": "content", "detail": "20011 bytes, at most 16384 are sent"},
        ),
        (
            {"command": "shutter", "content": {"position": object}},
            "setting_not_allowed",
            {"field": "content", "detail": "not JSON: Type is not JSON serializable: type"},
        ),
    ],
)
async def test_fields_that_do_not_fit_the_command_are_named(
    hass: HomeAssistant,
    *,
    entry: MockConfigEntry,
    node: Node,
    data: dict[str, Any],
    key: str,
    placeholders: dict[str, str],
) -> None:
    with pytest.raises(ServiceValidationError) as caught:
        await respond(hass, "send_command", device_id=device_id(hass, entry, "plug-1"), **data)

    assert caught.value.translation_key == key
    assert (caught.value.translation_placeholders or {}) == placeholders
    assert node.received == ()


@pytest.mark.parametrize("target", [{}, {"device_id": []}, {"area_id": "nowhere"}])
async def test_at_least_one_node_is_wanted(
    hass: HomeAssistant, entry: MockConfigEntry, node: Node, target: dict[str, Any]
) -> None:
    with pytest.raises(ServiceValidationError) as caught:
        await call(hass, **target)

    assert caught.value.translation_key == "no_node"
    assert node.received == ()


async def test_a_node_that_is_chosen_twice_is_commanded_once(
    hass: HomeAssistant, entry: MockConfigEntry, node: Node
) -> None:
    chosen = device_id(hass, entry, "plug-1")
    await call(hass, device_id=[chosen, chosen], entity_id=entity_id(hass, entry, *RELAY))
    assert len(node.executed) == 1


async def test_the_households_own_device_is_no_node(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    with pytest.raises(ServiceValidationError) as caught:
        await call(hass, device_id=device_id(hass, entry))

    assert caught.value.translation_key == "not_a_node"
    assert caught.value.translation_placeholders == {"device": "Villa"}
    assert str(caught.value).startswith("Villa is no node of a household")


async def test_a_device_that_does_not_exist(hass: HomeAssistant) -> None:
    with pytest.raises(ServiceValidationError) as caught:
        await call(hass, device_id="nobody")

    assert caught.value.translation_key == "service_device_not_found"


async def test_a_device_of_another_integration(hass: HomeAssistant) -> None:
    other = MockConfigEntry(domain="other")
    other.add_to_hass(hass)
    foreign = dr.async_get(hass).async_get_or_create(
        config_entry_id=other.entry_id, identifiers={("other", "1")}, name="Foreign"
    )

    with pytest.raises(ServiceValidationError) as caught:
        await call(hass, device_id=foreign.id)

    assert caught.value.translation_key == "service_device_wrong_domain"


async def test_a_node_of_a_household_that_is_not_loaded(
    hass: HomeAssistant, entry: MockConfigEntry, node: Node
) -> None:
    target = device_id(hass, entry, "plug-1")
    assert await hass.config_entries.async_unload(entry.entry_id)

    with pytest.raises(ServiceValidationError) as caught:
        await call(hass, device_id=target)

    assert caught.value.translation_key == "service_config_entry_not_loaded"
    assert node.received == ()
