"""Whether a household is connected and a node online."""

from typing import override

from homeassistant.components.binary_sensor import BinarySensorEntity, BinarySensorEntityDescription
from homeassistant.components.binary_sensor.const import BinarySensorDeviceClass
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity import Entity
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .client import ONLINE, ConnectionState
from .coordinator import HomeSyncConfigEntry, HomeSyncCoordinator
from .entity import HouseholdEntity, NodeOnOffEntity

PARALLEL_UPDATES = 0

CONNECTED = BinarySensorEntityDescription(
    key="connected",
    translation_key="connected",
    device_class=BinarySensorDeviceClass.CONNECTIVITY,
    entity_category=EntityCategory.DIAGNOSTIC,
)
NODE_ONLINE = BinarySensorEntityDescription(
    key="online",
    translation_key="online",
    device_class=BinarySensorDeviceClass.CONNECTIVITY,
    entity_category=EntityCategory.DIAGNOSTIC,
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: HomeSyncConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the household's sensor now and each node's when it is heard."""
    async_add_entities([ConnectedBinarySensor(entry.runtime_data, CONNECTED)])
    entry.runtime_data.add_platform(_build, async_add_entities)


def _build(coordinator: HomeSyncCoordinator, node_id: str, key: str) -> Entity | None:
    if key != ONLINE:
        return None
    return OnlineBinarySensor(coordinator, node_id, key, NODE_ONLINE)


class ConnectedBinarySensor(HouseholdEntity, BinarySensorEntity):
    """Whether the household's link is there."""

    @override
    def _take(self) -> None:
        self._attr_is_on = self.coordinator.household.state is ConnectionState.CONNECTED


class OnlineBinarySensor(NodeOnOffEntity, BinarySensorEntity):
    """Whether a node is online, by its own word or its last will's."""
