"""Relays. A switch shows what the node confirmed, never what was merely asked for."""

from typing import Any, override

from homeassistant.components.switch import SwitchEntity, SwitchEntityDescription
from homeassistant.components.switch.const import SwitchDeviceClass
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity import Entity
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .client import RELAY, RelayAction, RelayCommand
from .coordinator import HomeSyncConfigEntry, HomeSyncCoordinator
from .entity import NodeOnOffEntity

PARALLEL_UPDATES = 0

RELAY_SWITCH = SwitchEntityDescription(
    key="relay", translation_key="relay", device_class=SwitchDeviceClass.OUTLET
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: HomeSyncConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add a relay when its node first tells of it."""
    entry.runtime_data.add_platform(_build, async_add_entities)


def _build(coordinator: HomeSyncCoordinator, node_id: str, key: str) -> Entity | None:
    if key != RELAY:
        return None
    return RelaySwitch(coordinator, node_id, key, RELAY_SWITCH)


class RelaySwitch(NodeOnOffEntity, SwitchEntity):
    """A node's relay."""

    @override
    async def async_turn_on(self, **kwargs: Any) -> None:
        await self._command(RelayCommand(RelayAction.ON))

    @override
    async def async_turn_off(self, **kwargs: Any) -> None:
        await self._command(RelayCommand(RelayAction.OFF))
