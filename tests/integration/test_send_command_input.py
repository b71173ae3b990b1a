"""What the action `homesync.send_command` does not take."""

from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ServiceNotFound, ServiceValidationError
from homeassistant.helpers import device_registry as dr
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
import voluptuous as vol

from custom_components.homesync.const import DOMAIN
from simulator import Node
from tests.broker import Mosquitto

from .conftest import SetUp, StartNode
from .lookup import device_id, state
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
    await hass.services.async_call(
        DOMAIN, "send_command", {"action": "on", **data}, blocking=True, return_response=True
    )


@pytest.mark.parametrize(
    "data",
    [
        {"action": "blink"},
        {"action": None},
        {"action": 1},
        {"action": ["on"]},
        {"command": "led"},
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


async def test_an_action_and_a_target_are_required(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    with pytest.raises(vol.Invalid):
        await call(hass)
    with pytest.raises(vol.Invalid):
        await hass.services.async_call(
            DOMAIN,
            "send_command",
            {"device_id": device_id(hass, entry, "plug-1")},
            blocking=True,
        )


@pytest.mark.parametrize("count", [0, 2])
async def test_exactly_one_device_is_wanted(
    hass: HomeAssistant, entry: MockConfigEntry, node: Node, count: int
) -> None:
    with pytest.raises(ServiceValidationError) as caught:
        await call(hass, device_id=[device_id(hass, entry, "plug-1")] * count)

    assert caught.value.translation_key == "one_node"
    assert caught.value.translation_placeholders == {"count": str(count)}
    assert node.received == ()


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


async def test_no_other_action_is_registered(hass: HomeAssistant) -> None:
    assert set(hass.services.async_services()[DOMAIN]) == {"send_command"}
    with pytest.raises(ServiceNotFound):
        await hass.services.async_call(DOMAIN, "publish", {}, blocking=True)
