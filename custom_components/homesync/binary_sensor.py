"""Whether a household is connected, what is wrong with it, and whether a node is online."""

from typing import override

from homeassistant.components.binary_sensor import BinarySensorEntity, BinarySensorEntityDescription
from homeassistant.components.binary_sensor.const import BinarySensorDeviceClass
from homeassistant.const import EntityCategory, Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.entity import Entity
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .client import ONLINE, Alert, ConnectionState
from .const import DOMAIN
from .coordinator import HomeSyncConfigEntry, HomeSyncCoordinator
from .entity import HouseholdEntity, NodeOnOffEntity
from .issues import THINNED, alert_key
from .names import unique_id

PARALLEL_UPDATES = 0

CONNECTED = BinarySensorEntityDescription(
    key="connected",
    translation_key="connected",
    device_class=BinarySensorDeviceClass.CONNECTIVITY,
    entity_category=EntityCategory.DIAGNOSTIC,
)
ALERTS = {
    alert: BinarySensorEntityDescription(
        key=alert_key(alert),
        translation_key=alert_key(alert),
        device_class=BinarySensorDeviceClass.PROBLEM,
        entity_category=EntityCategory.DIAGNOSTIC,
    )
    for alert in Alert
}
TELEMETRY_THINNED = BinarySensorEntityDescription(
    key=THINNED, translation_key=THINNED, entity_category=EntityCategory.DIAGNOSTIC
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
    """Add the household's sensors now and each node's when it is heard."""
    coordinator = entry.runtime_data
    own: list[HouseholdEntity] = [
        ConnectedBinarySensor(coordinator, CONNECTED),
        *(
            AlertBinarySensor(coordinator, each)
            for each in Alert
            if coordinator.alerts.watches(each)
        ),
    ]
    if coordinator.household.thins:
        own.append(ThinnedBinarySensor(coordinator, TELEMETRY_THINNED))
    _forget_all_but(own, hass, entry)
    async_add_entities(own)
    coordinator.add_platform(_build, async_add_entities)


def _forget_all_but(
    wanted: list[HouseholdEntity], hass: HomeAssistant, entry: HomeSyncConfigEntry
) -> None:
    """Take sensors of alerts that are switched off out of the registry."""
    registry = er.async_get(hass)
    kept = {entity.unique_id for entity in wanted}
    for key in (THINNED, *map(alert_key, Alert)):
        unique = unique_id(entry.entry_id, key)
        known = registry.async_get_entity_id(Platform.BINARY_SENSOR, DOMAIN, unique)
        if known is not None and unique not in kept:
            registry.async_remove(known)


def _build(coordinator: HomeSyncCoordinator, node_id: str, key: str) -> Entity | None:
    if key != ONLINE:
        return None
    return OnlineBinarySensor(coordinator, node_id, key, NODE_ONLINE)


class ConnectedBinarySensor(HouseholdEntity, BinarySensorEntity):
    """Whether the household's link is there."""

    @override
    def _take(self) -> None:
        self._attr_is_on = self.coordinator.household.link.state is ConnectionState.CONNECTED


class AlertBinarySensor(HouseholdEntity, BinarySensorEntity):
    """Whether an alert is raised."""

    def __init__(self, coordinator: HomeSyncCoordinator, alert: Alert) -> None:
        super().__init__(coordinator, ALERTS[alert])
        self._alert = alert

    @override
    def _take(self) -> None:
        self._attr_is_on = self.coordinator.alerts.is_raised(self._alert)


class ThinnedBinarySensor(HouseholdEntity, BinarySensorEntity):
    """Whether telemetry comes in short windows only, since the plan is used up."""

    @override
    def _take(self) -> None:
        self._attr_is_on = self.coordinator.household.thinned


class OnlineBinarySensor(NodeOnOffEntity, BinarySensorEntity):
    """Whether a node is online, by its own word or its last will's."""
