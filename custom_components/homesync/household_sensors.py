"""What holds of a household now: its connection, its nodes, its certificates."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import override

from homeassistant.components.sensor import (
    SensorDeviceClass,
    SensorEntity,
    SensorEntityDescription,
    SensorStateClass,
)
from homeassistant.const import EntityCategory, UnitOfTime
from homeassistant.util import dt as dt_util

from .client import ConnectionState, Household, Transport
from .coordinator import HomeSyncConfigEntry, HomeSyncCoordinator
from .entity import HouseholdEntity
from .issues import client_certificate_expires


@dataclass(frozen=True, kw_only=True)
class HouseholdSensorDescription(SensorEntityDescription):
    """A figure of a household; `needs_link` tells that it means nothing without one."""

    value_fn: Callable[[Household], str | int | float | datetime | None]
    attributes_fn: Callable[[Household], dict[str, str]] | None = None
    needs_link: bool = False


def _connection_attributes(household: Household) -> dict[str, str]:
    """Tell why there is no connection: a cause that is translated, and words."""
    error = household.link.error
    if error is None:
        return {"cause": "none", "reason": ""}
    return {"cause": error.cause, "reason": str(error)}


def _transport(household: Household) -> str | None:
    """Name the way that is in use: TCP or WebSocket, plain or secured."""
    link = household.link
    if link.terms is None or link.state is not ConnectionState.CONNECTED:
        return None
    secured = "secure_" if link.secured else ""
    return f"{secured}{link.terms.transport}"


def _round_trip(household: Household) -> float | None:
    echo = household.link.echo
    if echo is None or echo.round_trip is None:
        return None
    return round(echo.round_trip * 1000, 1)


def _certificate_expires(household: Household) -> datetime | None:
    ends = household.link.certificate_expires
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
        value_fn=lambda household: household.link.state.value,
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


def household_sensors(entry: HomeSyncConfigEntry) -> list[HouseholdEntity]:
    """Make a household's sensors, but for its figures."""
    coordinator = entry.runtime_data
    sensors: list[HouseholdEntity] = [
        HouseholdSensor(coordinator, description) for description in HOUSEHOLD_SENSORS
    ]
    if (ends := client_certificate_expires(entry)) is not None:
        sensors.append(ClientCertificateSensor(coordinator, ends))
    return sensors


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
