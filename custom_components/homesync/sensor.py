"""What nodes measure and what is known of them; the household's own sensors are elsewhere."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from math import log10
from typing import Any, override

from homeassistant.components.sensor import (
    RestoreSensor,
    SensorDeviceClass,
    SensorEntityDescription,
    SensorStateClass,
)
from homeassistant.components.sensor.const import (
    DEFAULT_PRECISION_LIMIT,
    DOMAIN as SENSOR_DOMAIN,
    UNIT_CONVERTERS,
    UNITS_PRECISION,
    SensorEntityCapabilityAttribute,
)
from homeassistant.const import SIGNAL_STRENGTH_DECIBELS_MILLIWATT, EntityCategory
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.entity import Entity
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.util import dt as dt_util

from .client import LAST_BOOT, LAST_SEEN, RSSI, NodeState, telemetry_key
from .coordinator import HomeSyncConfigEntry, HomeSyncCoordinator
from .entity import NodeEntity
from .figure_sensors import figure_sensors
from .household_sensors import household_sensors
from .state_writes import NumberWriter

PARALLEL_UPDATES = 0


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
    async_add_entities([*household_sensors(entry), *figure_sensors(hass, entry)])
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


@lru_cache(maxsize=256)
def _precision_of(device_class: SensorDeviceClass | None, unit: str | None) -> int | None:
    """How many decimals Home Assistant shows of a quantity in a unit, None for unknown ones."""
    if device_class is None or device_class not in UNITS_PRECISION:
        return None
    usual_unit, precision = UNITS_PRECISION[device_class]
    if unit == usual_unit:
        return precision
    converter = UNIT_CONVERTERS.get(device_class)
    if converter is None or unit not in converter.VALID_UNITS:
        return None
    more = int(log10(converter.get_unit_ratio(usual_unit, unit)))
    return max(0, precision + min(more, DEFAULT_PRECISION_LIMIT))


@lru_cache
def _capabilities_of(state_class: str | None) -> dict[str, Any] | None:
    if state_class is None:
        return None
    return {SensorEntityCapabilityAttribute.STATE_CLASS: state_class}


class ValueSensor(NodeEntity, RestoreSensor):
    """A number that a node sends.

    The unit of the first value stays the sensor's unit; later values in another one of
    the same quantity are converted, so that automations and statistics can rely on it.
    """

    __slots__ = ("_numbers", "_unit", "_unit_known")
    entity_picture = None
    extra_state_attributes = None
    last_reset = None
    options = None
    suggested_unit_of_measurement = None
    supported_features = None

    def __init__(
        self,
        coordinator: HomeSyncCoordinator,
        node_id: str,
        key: str,
        description: SensorEntityDescription,
    ) -> None:
        super().__init__(coordinator, node_id, key, description)
        self._numbers: NumberWriter | None = None
        self._unit: str | None = None
        self._unit_known = False
        # The registry takes the unit down before the entity is added.
        if (value := self.node.values.get(key)) is not None and value.value is not None:
            self._adopt_unit(value.unit)

    @override
    def get_initial_entity_options(self) -> er.EntityOptionsType | None:
        # What Home Assistant finds there it need not write, with one more event, afterwards.
        options = super().get_initial_entity_options()
        precision = self._usual_precision()
        if precision is None:
            return options
        return {**(options or {}), SENSOR_DOMAIN: {"suggested_display_precision": precision}}

    def _usual_precision(self) -> int | None:
        """How many decimals are shown, None where that depends on another unit."""
        unit = self.unit_of_measurement
        if (precision := self.suggested_display_precision) is not None:
            return precision if unit == self.native_unit_of_measurement else None
        return _precision_of(self.device_class, unit)

    @property
    @override
    def native_unit_of_measurement(self) -> str | None:
        described = self.entity_description.native_unit_of_measurement
        return self._unit if described is None else described

    @property
    @override
    def device_class(self) -> SensorDeviceClass | None:
        return self.entity_description.device_class

    @property
    @override
    def state_class(self) -> SensorStateClass | None:
        return self.entity_description.state_class

    @property
    @override
    def suggested_display_precision(self) -> int | None:
        return self.entity_description.suggested_display_precision

    @property
    @override
    def capability_attributes(self) -> dict[str, Any] | None:
        # The registry keeps them: one for all sensors is enough.
        return _capabilities_of(self.state_class)

    @override
    async def async_added_to_hass(self) -> None:
        # The same entity is added again under another entity id.
        self._numbers = None
        await super().async_added_to_hass()

    @property
    @override
    def native_value(self) -> float | None:
        node = self.coordinator.nodes.get(self.node_id)
        value = None if node is None else node.values.get(self._key)
        if value is None or not isinstance(value.value, int | float):
            return None
        return self._converted(value.value, value.unit)

    @override
    @callback
    def _changed(self) -> None:
        coordinator, numbers = self.coordinator, self._numbers
        if numbers is not None and coordinator.reachable and self._context is None:
            node = coordinator.nodes[self.node_id]
            value = node.values.get(self._key)
            if value is not None and not node.offline:
                unit = self.entity_description.native_unit_of_measurement or value.unit
                if numbers.write(value.value, unit):
                    return
        super()._changed()
        if numbers is None:
            self._numbers = numbers = NumberWriter(self.hass, self.entity_id)
        numbers.remember(self.native_unit_of_measurement)

    @override
    def _take(self, node: NodeState) -> None:
        value = node.values.get(self._key)
        if value is not None and isinstance(value.value, int | float):
            self._adopt_unit(value.unit)

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
        if not self._unit_known:
            self._unit = unit
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
        self._unit = unit


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
