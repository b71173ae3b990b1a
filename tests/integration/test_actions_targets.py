"""Which nodes and households an action is for, and who may call it."""

from typing import Any

from homeassistant.auth.permissions.const import POLICY_CONTROL
from homeassistant.core import Context, HomeAssistant, SupportsResponse
from homeassistant.exceptions import ServiceValidationError, Unauthorized, UnknownUser
from homeassistant.helpers import (
    area_registry as ar,
    device_registry as dr,
    entity_registry as er,
    label_registry as lr,
)
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, MockUser

from custom_components.homesync.services import ACTIONS
from simulator import Node

from .actions import act, ids, respond
from .lookup import device_id, entity_id


@pytest.mark.parametrize("target", ["area", "label", "entity", "entity's area"])
async def test_nodes_are_found_by_area_label_and_entity(
    hass: HomeAssistant, entry: MockConfigEntry, nodes: tuple[Node, Node], target: str
) -> None:
    devices = dr.async_get(hass)
    other = MockConfigEntry(domain="other")
    other.add_to_hass(hass)
    foreign = devices.async_get_or_create(
        config_entry_id=other.entry_id, identifiers={("other", "1")}
    )
    area = ar.async_get(hass).async_create("Kitchen")
    label = lr.async_get(hass).async_create("Loads")
    for each in (device_id(hass, entry, "plug-2"), device_id(hass, entry), foreign.id):
        devices.async_update_device(each, area_id=area.id, labels={label.label_id})
    targets: dict[str, dict[str, Any]] = {
        "area": {"area_id": area.id},
        "entity's area": {"area_id": [area.id]},
        "label": {"label_id": label.label_id},
        "entity": {"entity_id": entity_id(hass, entry, "switch", "plug-2", "status/relay")},
    }

    (result,) = (await respond(hass, "send_command", action="on", **targets[target]))["results"]

    assert result["node_id"] == "plug-2"
    assert (nodes[0].relay, nodes[1].relay) == (False, True)


@pytest.mark.parametrize("named", ["household", "nobody"])
async def test_an_entity_that_is_named_must_be_one_of_a_node(
    hass: HomeAssistant, entry: MockConfigEntry, nodes: tuple[Node, Node], named: str
) -> None:
    chosen = {
        "household": entity_id(hass, entry, "sensor", "connection_state"),
        "nobody": "switch.nobody",
    }[named]
    with pytest.raises(ServiceValidationError) as caught:
        await act(hass, "send_command", action="on", entity_id=chosen)
    assert caught.value.translation_key == "not_a_node"


async def test_s09_who_may_only_look_commands_nothing(
    hass: HomeAssistant, entry: MockConfigEntry, nodes: tuple[Node, Node]
) -> None:
    reader = MockUser(name="Reader").add_to_hass(hass)
    reader.mock_policy({"entities": {"all": {"read": True}}})
    context = Context(user_id=reader.id)
    chosen = ids(hass, entry)[0]

    for name, data in (
        ("send_command", {"device_id": chosen, "action": "on"}),
        ("cancel_commands", {"device_id": chosen}),
        ("cancel_commands", {"config_entry_id": entry.entry_id}),
    ):
        with pytest.raises(Unauthorized) as caught:
            await act(hass, name, context=context, **data)
        assert caught.value.permission == POLICY_CONTROL
    assert nodes[0].received == ()


async def test_s09_who_may_control_a_node_commands_that_one_only(
    hass: HomeAssistant, entry: MockConfigEntry, nodes: tuple[Node, Node]
) -> None:
    first, second = ids(hass, entry)
    guest = MockUser(name="Guest").add_to_hass(hass)
    shown = er.async_entries_for_device(er.async_get(hass), first)
    guest.mock_policy({"entities": {"entity_ids": {each.entity_id: True for each in shown}}})
    context = Context(user_id=guest.id)

    await act(hass, "send_command", context=context, device_id=first, action="on")
    with pytest.raises(Unauthorized):
        await act(hass, "send_command", context=context, device_id=[first, second], action="off")

    assert (nodes[0].relay, nodes[1].relay) == (True, False)


@pytest.mark.parametrize("name", [name for name, action in ACTIONS.items() if action.admin])
async def test_s09_only_administrators_may(
    hass: HomeAssistant, entry: MockConfigEntry, nodes: tuple[Node, Node], name: str
) -> None:
    user = MockUser(name="User").add_to_hass(hass)
    user.mock_policy({"entities": True})
    data: dict[str, Any] = {"config_entry_id": entry.entry_id}
    if name == "publish":
        data["topic"] = "homesync/villa/x"
    if name == "install_firmware":
        data = {"device_id": ids(hass, entry)[0]}

    with pytest.raises(Unauthorized):
        await hass.services.async_call(
            "homesync",
            name,
            data,
            blocking=True,
            context=Context(user_id=user.id),
            return_response=ACTIONS[name].response is SupportsResponse.ONLY,
        )


async def test_s09_a_user_that_is_gone_commands_nothing(
    hass: HomeAssistant, entry: MockConfigEntry, nodes: tuple[Node, Node]
) -> None:
    with pytest.raises(UnknownUser):
        await act(
            hass,
            "send_command",
            context=Context(user_id="gone"),
            device_id=ids(hass, entry)[0],
            action="on",
        )


@pytest.mark.parametrize("name", ["cancel_commands", "purge_retained", "reconnect", "publish"])
async def test_s09_the_household_must_be_ours_and_loaded(
    hass: HomeAssistant, entry: MockConfigEntry, name: str
) -> None:
    other = MockConfigEntry(domain="other")
    other.add_to_hass(hass)
    topic = {"topic": "homesync/villa/x"} if name == "publish" else {}
    await hass.config_entries.async_unload(entry.entry_id)

    for entry_id, key in (
        ("nobody", "service_config_entry_not_found"),
        (other.entry_id, "service_config_entry_wrong_domain"),
        (entry.entry_id, "service_config_entry_not_loaded"),
    ):
        with pytest.raises(ServiceValidationError) as caught:
            await act(hass, name, config_entry_id=entry_id, **topic)
        assert caught.value.translation_key == key
