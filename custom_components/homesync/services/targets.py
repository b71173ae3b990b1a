"""Which nodes and households an action is for, and whether its caller may command them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from homeassistant.auth.models import User
from homeassistant.auth.permissions.const import POLICY_CONTROL
from homeassistant.const import ATTR_CONFIG_ENTRY_ID
from homeassistant.core import HomeAssistant, ServiceCall
from homeassistant.exceptions import Unauthorized, UnknownUser
from homeassistant.helpers import (
    config_validation as cv,
    device_registry as dr,
    entity_registry as er,
)
from homeassistant.helpers.service import async_get_config_entry, async_get_device_and_config_entry
from homeassistant.helpers.target import TargetSelection, async_extract_referenced_entity_ids

from ..const import DOMAIN
from ..coordinator import HomeSyncConfigEntry
from ..errors import invalid

TARGET_FIELDS = cv.ENTITY_SERVICE_FIELDS


@dataclass(frozen=True, slots=True)
class Target:
    """A node of a household that runs."""

    entry: HomeSyncConfigEntry
    node_id: str
    device_id: str


async def async_targets(call: ServiceCall) -> list[Target]:
    """Return the chosen nodes, each once; raises if there is none or the caller may not."""
    targets = _targets(call.hass, call.data)
    if not targets:
        raise invalid("no_node")
    user = await _async_caller(call)
    if user is not None and not all(_may_control(call.hass, user, each) for each in targets):
        raise Unauthorized(context=call.context, permission=POLICY_CONTROL)
    return targets


def household(call: ServiceCall) -> HomeSyncConfigEntry:
    """Return the chosen household; raises unless it runs."""
    entry: HomeSyncConfigEntry = async_get_config_entry(
        call.hass, DOMAIN, call.data[ATTR_CONFIG_ENTRY_ID]
    )
    return entry


async def async_check_all_control(call: ServiceCall) -> None:
    """Raise unless the caller may control everything."""
    user = await _async_caller(call)
    if user is not None and not user.permissions.access_all_entities(POLICY_CONTROL):
        raise Unauthorized(context=call.context, permission=POLICY_CONTROL)


def _targets(hass: HomeAssistant, data: Mapping[str, Any]) -> list[Target]:
    """Return the nodes that were named, and those in the areas and under the labels.

    What was named must be a node of a household that runs; elsewhere others lie about too.
    """
    selection = TargetSelection(dict(data))
    selected = async_extract_referenced_entity_ids(hass, selection, primary_entities_only=False)
    named = {*selection.device_ids, *_devices_of(hass, selected.referenced, missing_ok=False)}
    around = selected.referenced_devices | set(
        _devices_of(hass, selected.indirectly_referenced, missing_ok=True)
    )
    found = [_named_node(hass, each) for each in named]
    found += [node for each in around - named if (node := _node_around(hass, each)) is not None]
    targets = {(each.entry.entry_id, each.node_id): each for each in found}
    return [targets[key] for key in sorted(targets)]


def _devices_of(
    hass: HomeAssistant, entity_ids: Iterable[str], *, missing_ok: bool
) -> Iterable[str]:
    """Give the devices of entities."""
    registry = er.async_get(hass)
    for entity_id in entity_ids:
        entity = registry.async_get(entity_id)
        if entity is not None and entity.device_id is not None:
            yield entity.device_id
        elif not missing_ok:
            raise invalid("not_a_node", device=entity_id)


def _named_node(hass: HomeAssistant, device_id: str) -> Target:
    device, entry = async_get_device_and_config_entry(hass, DOMAIN, device_id)
    node_id = entry.runtime_data.devices.node_id_of(device)
    if node_id is None:
        raise invalid("not_a_node", device=device.name_by_user or device.name or "")
    return Target(entry, node_id, device.id)


def _node_around(hass: HomeAssistant, device_id: str) -> Target | None:
    """Return a node that was not named itself, None for whatever else is there."""
    device, entry = dr.async_get_device_and_config_entry_for_domain(hass, device_id, domain=DOMAIN)
    if device is None or entry is None or (DOMAIN, entry.entry_id) in device.identifiers:
        return None
    return _named_node(hass, device_id)


async def _async_caller(call: ServiceCall) -> User | None:
    """Return whose doing the call is, None for automations and Home Assistant itself."""
    if call.context.user_id is None:
        return None
    user = await call.hass.auth.async_get_user(call.context.user_id)
    if user is None:
        raise UnknownUser(context=call.context, permission=POLICY_CONTROL)
    return user


def _may_control(hass: HomeAssistant, user: User, target: Target) -> bool:
    """Whether a user may control all that a node shows."""
    if user.permissions.access_all_entities(POLICY_CONTROL):
        return True
    entities = er.async_entries_for_device(er.async_get(hass), target.device_id)
    return bool(entities) and all(
        user.permissions.check_entity(each.entity_id, POLICY_CONTROL) for each in entities
    )
