"""What nodes measure and what is known of nodes and households."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import override

from homeassistant.components.sensor import (
    RestoreSensor,
    SensorDeviceClass,
    SensorEntity,
    SensorEntityDescription,
    SensorStateClass,
)
from homeassistant.components.sensor.const import UNIT_CONVERTERS
from homeassistant.const import SIGNAL_STRENGTH_DECIBELS_MILLIWATT, EntityCategory, UnitOfTime
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity import Entity
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.util import dt as dt_util

from .client import (
    LAST_BOOT,
    LAST_SEEN,
    RSSI,
    ConnectionState,
    Household,
    NodeState,
    Transport,
    telemetry_key,
)
from .coordinator import HomeSyncConfigEntry, HomeSyncCoordinator
from .entity import HouseholdEntity, NodeEntity
from .issues import client_certificate_expires

PARALLEL_UPDATES = 0


@dataclass(frozen=True, kw_only=True)
class HouseholdSensorDescription(SensorEntityDescription):
    """A figure of a household; `needs_link` tells that it means nothing without one."""

    value_fn: Callable[[Household], str | int | float | datetime | None]
    attributes_fn: Callable[[Household], dict[str, str]] | None = None
    needs_link: bool = False


def _connection_attributes(household: Household) -> dict[str, str]:
    """Tell why there is no connection: a cause that is translated, and words."""
    error = household.error
    if error is None:
        return {"cause": "none", "reason": ""}
    return {"cause": error.cause, "reason": str(error)}


def _transport(household: Household) -> str | None:
    """Name the way that is in use: TCP or WebSocket, plain or secured."""
    if household.terms is None or household.state is not ConnectionState.CONNECTED:
        return None
    secured = "secure_" if household.secured else ""
    return f"{secured}{household.terms.transport}"


def _round_trip(household: Household) -> float | None:
    echo = household.echo
    if echo is None or echo.round_trip is None:
        return None
    return round(echo.round_trip * 1000, 1)


def _certificate_expires(household: Household) -> datetime | None:
    ends = household.certificate_expires
    return None if ends is None else dt_util.utc_from_timestamp(ends)


TRANSPORTS = [f"{secured}{transport}" for transport in Transport for secured in ("", "secure_")]

CLIENT_CERTIFICATE = SensorEntityDescription(
    key="client_certificate_expires",
    translation_key="client_certificate_expires",
    device_class=SensorDeviceClass.TIMESTAMP,
    entity_category=EntityCategory.DIAGNOSTIC,
    entity_registry_enabled_default=False,
)

HOUSEHOLD_SENSORS = (
    HouseholdSensorDescription(
        key="transport",
        translation_key="transport",
        device_class=SensorDeviceClass.ENUM,
        options=TRANSPORTS,
        entity_category=EntityCategory.DIAGNOSTIC,
        value_fn=_transport,
        needs_link=True,
    ),
    HouseholdSensorDescription(
        key="round_trip",
        translation_key="round_trip",
        device_class=SensorDeviceClass.DURATION,
        state_class=SensorStateClass.MEASUREMENT,
        native_unit_of_measurement=UnitOfTime.MILLISECONDS,
        suggested_display_precision=1,
        entity_category=EntityCategory.DIAGNOSTIC,
        value_fn=_round_trip,
        needs_link=True,
    ),
    HouseholdSensorDescription(
        key="certificate_expires",
        translation_key="certificate_expires",
        device_class=SensorDeviceClass.TIMESTAMP,
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        value_fn=_certificate_expires,
        needs_link=True,
    ),
    HouseholdSensorDescription(
        key="connection_state",
        translation_key="connection_state",
        device_class=SensorDeviceClass.ENUM,
        options=[state.value for state in ConnectionState],
        entity_category=EntityCategory.DIAGNOSTIC,
        value_fn=lambda household: household.state.value,
        attributes_fn=_connection_attributes,
    ),
    HouseholdSensorDescription(
        key="nodes_online",
        translation_key="nodes_online",
        state_class=SensorStateClass.MEASUREMENT,
        value_fn=lambda household: sum(node.online for node in household.nodes.values()),
        needs_link=True,
    ),
)


def _measured(
    metric: str,
    device_class: SensorDeviceClass,
    state_class: SensorStateClass = SensorStateClass.MEASUREMENT,
    precision: int | None = None,
) -> SensorEntityDescription:
    return SensorEntityDescription(
        key=telemetry_key(metric),
        device_class=device_class,
        state_class=state_class,
        suggested_display_precision=precision,
    )


VALUE_SENSORS = {
    description.key: description
    for description in (
        _measured("power", SensorDeviceClass.POWER, precision=1),
        _measured("voltage", SensorDeviceClass.VOLTAGE),
        _measured("current", SensorDeviceClass.CURRENT),
        _measured("energy", SensorDeviceClass.ENERGY, SensorStateClass.TOTAL_INCREASING),
        _measured("power_factor", SensorDeviceClass.POWER_FACTOR, precision=2),
        _measured("frequency", SensorDeviceClass.FREQUENCY, precision=2),
        _measured("temperature", SensorDeviceClass.TEMPERATURE),
        SensorEntityDescription(
            key=RSSI,
            device_class=SensorDeviceClass.SIGNAL_STRENGTH,
            state_class=SensorStateClass.MEASUREMENT,
            native_unit_of_measurement=SIGNAL_STRENGTH_DECIBELS_MILLIWATT,
            entity_category=EntityCategory.DIAGNOSTIC,
        ),
    )
}
OTHER_METRIC = SensorEntityDescription(
    key="other_metric",
    translation_key="other_metric",
    entity_registry_enabled_default=False,
)


@dataclass(frozen=True, kw_only=True)
class TimeSensorDescription(SensorEntityDescription):
    """A moment, in seconds since the epoch."""

    value_fn: Callable[[NodeState], float | None]


TIME_SENSORS = {
    LAST_BOOT: TimeSensorDescription(
        key=LAST_BOOT,
        translation_key="last_boot",
        device_class=SensorDeviceClass.TIMESTAMP,
        entity_category=EntityCategory.DIAGNOSTIC,
        value_fn=lambda node: node.last_boot,
    ),
    LAST_SEEN: TimeSensorDescription(
        key=LAST_SEEN,
        translation_key="last_seen",
        device_class=SensorDeviceClass.TIMESTAMP,
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        value_fn=lambda node: node.last_seen,
    ),
}


async def async_setup_entry(
    hass: HomeAssistant,
    entry: HomeSyncConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the household's sensors now and the nodes' when their values are first heard."""
    async_add_entities(
        HouseholdSensor(entry.runtime_data, description) for description in HOUSEHOLD_SENSORS
    )
    if (ends := client_certificate_expires(entry)) is not None:
        async_add_entities([ClientCertificateSensor(entry.runtime_data, ends)])
    entry.runtime_data.add_platform(_build, async_add_entities)


def _build(coordinator: HomeSyncCoordinator, node_id: str, key: str) -> Entity | None:
    if (moment := TIME_SENSORS.get(key)) is not None:
        return TimeSensor(coordinator, node_id, key, moment)
    if (value := VALUE_SENSORS.get(key)) is not None:
        return ValueSensor(coordinator, node_id, key, value)
    _, _, metric_name = key.partition("/")
    if telemetry_key(metric_name) != key:
        return None
    return OtherMetricSensor(coordinator, node_id, key, metric_name)


class HouseholdSensor(HouseholdEntity, SensorEntity):
    """A figure of the household."""

    entity_description: HouseholdSensorDescription

    @override
    def _take(self) -> None:
        description = self.entity_description
        household = self.coordinator.household
        self._attr_native_value = description.value_fn(household)
        self._attr_available = self.coordinator.reachable or not description.needs_link
        if description.attributes_fn is not None:
            self._attr_extra_state_attributes = dict(description.attributes_fn(household))


class ClientCertificateSensor(HouseholdEntity, SensorEntity):
    """When the certificate ends by which the broker knows the household."""

    def __init__(self, coordinator: HomeSyncCoordinator, ends: float) -> None:
        super().__init__(coordinator, CLIENT_CERTIFICATE)
        self._attr_native_value = dt_util.utc_from_timestamp(ends)

    @override
    def _take(self) -> None:
        """It changes with the settings only, and these start the household anew."""


class ValueSensor(NodeEntity, RestoreSensor):
    """A number that a node sends.

    The unit of the first value stays the sensor's unit; later values in another one of
    the same quantity are converted, so that automations and statistics can rely on it.
    """

    def __init__(
        self,
        coordinator: HomeSyncCoordinator,
        node_id: str,
        key: str,
        description: SensorEntityDescription,
    ) -> None:
        super().__init__(coordinator, node_id, key, description)
        self._unit_known = False
        # The registry takes the unit down before the entity is added.
        if (value := self.node.values.get(key)) is not None and value.value is not None:
            self._adopt_unit(value.unit)

    @override
    def _take(self, node: NodeState) -> None:
        value = node.values.get(self._key)
        if value is None or not isinstance(value.value, int | float):
            self._attr_native_value = None
            return
        self._adopt_unit(value.unit)
        self._attr_native_value = self._converted(value.value, value.unit)

    @override
    async def _restore(self) -> None:
        last = await self.async_get_last_sensor_data()
        if last is not None and isinstance(last.native_value, int | float):
            self._unit_known = False
            self._adopt_unit(last.native_unit_of_measurement)
            self.coordinator.household.restore_value(
                self.node_id, self._key, last.native_value, last.native_unit_of_measurement
            )

    def _adopt_unit(self, unit: str | None) -> None:
        if not self._unit_known and self.entity_description.native_unit_of_measurement is None:
            self._attr_native_unit_of_measurement = unit
        self._unit_known = True

    def _converted(self, value: float, unit: str | None) -> float:
        own = self.native_unit_of_measurement
        if unit == own or (converter := UNIT_CONVERTERS.get(self.device_class)) is None:
            return value
        return converter.convert(value, unit, own)


class OtherMetricSensor(ValueSensor):
    """A number whose meaning only the node's maker knows; its unit is whatever came last."""

    def __init__(
        self, coordinator: HomeSyncCoordinator, node_id: str, key: str, metric: str
    ) -> None:
        super().__init__(coordinator, node_id, key, OTHER_METRIC)
        self._attr_translation_placeholders = {"metric": metric}

    @override
    def _adopt_unit(self, unit: str | None) -> None:
        self._attr_native_unit_of_measurement = unit


class TimeSensor(NodeEntity, RestoreSensor):
    """A moment in a node's life."""

    entity_description: TimeSensorDescription

    @override
    def _take(self, node: NodeState) -> None:
        moment = self.entity_description.value_fn(node)
        self._attr_native_value = None if moment is None else dt_util.utc_from_timestamp(moment)

    @override
    async def _restore(self) -> None:
        last = await self.async_get_last_sensor_data()
        if last is not None and isinstance(last.native_value, datetime):
            self.coordinator.household.restore_value(
                self.node_id, self._key, last.native_value.timestamp()
            )
