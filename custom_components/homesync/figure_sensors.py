"""A household's figures: one look a minute, and whenever its connection changes, for all of them."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
import random
from typing import Any, override

from homeassistant.components.sensor import (
    SensorDeviceClass,
    SensorEntity,
    SensorEntityDescription,
    SensorStateClass,
)
from homeassistant.const import PERCENTAGE, EntityCategory, Platform, UnitOfInformation, UnitOfTime
from homeassistant.core import CALLBACK_TYPE, HassJob, HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.event import async_call_later
from homeassistant.util import dt as dt_util

from .client import DISCONNECT_REASONS, HouseholdStatistics, Outcome
from .const import DOMAIN
from .coordinator import HomeSyncConfigEntry, HomeSyncCoordinator
from .entity import HouseholdEntity
from .names import unique_id

_EVERY = 60.0  # seconds
# Rates need some seconds; the rest keeps many households apart.
_FIRST_AFTER = (15.0, 60.0)
_FAILED = (Outcome.REJECTED, Outcome.TIMED_OUT, Outcome.EXPIRED, Outcome.DROPPED)

type Value = int | float | str | datetime | None


@dataclass(frozen=True, kw_only=True)
class FigureDescription(SensorEntityDescription):
    """A figure; `has_fn` tells whether the household has it at all."""

    value_fn: Callable[[HouseholdStatistics], Value]
    has_fn: Callable[[HouseholdStatistics], bool] = lambda _: True


def _figure(
    key: str, value_fn: Callable[[HouseholdStatistics], Value], *, usual: bool = True, **more: Any
) -> FigureDescription:
    """Describe a figure; one that is not `usual` is disabled at first."""
    return FigureDescription(
        key=key,
        translation_key=key,
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=usual,
        value_fn=value_fn,
        **more,
    )


_level = partial(_figure, state_class=SensorStateClass.MEASUREMENT)
_count = partial(_figure, state_class=SensorStateClass.TOTAL_INCREASING)
_percentage = partial(_level, native_unit_of_measurement=PERCENTAGE, suggested_display_precision=1)
_data = partial(
    _figure,
    device_class=SensorDeviceClass.DATA_SIZE,
    native_unit_of_measurement=UnitOfInformation.BYTES,
    suggested_unit_of_measurement=UnitOfInformation.MEGABYTES,
    suggested_display_precision=1,
)
_total_data = partial(_data, state_class=SensorStateClass.TOTAL_INCREASING)
_moment = partial(_figure, device_class=SensorDeviceClass.TIMESTAMP)


def _per_minute(name: str) -> Callable[[HouseholdStatistics], float | None]:
    return lambda now: None if now.rates is None else round(getattr(now.rates, name), 1)


def _percent(part: float | None) -> float | None:
    return None if part is None else round(part * 100, 1)


def _time(moment: float | None) -> datetime | None:
    return None if moment is None else dt_util.utc_from_timestamp(moment)


def _has_data_limit(now: HouseholdStatistics) -> bool:
    return now.budget.plan_bytes is not None


FIGURES = (
    _level("messages_received", _per_minute("messages_received")),
    _level("messages_sent", _per_minute("messages_sent")),
    _total_data("bytes_received", lambda now: now.traffic.bytes_received, usual=False),
    _total_data("bytes_sent", lambda now: now.traffic.bytes_sent, usual=False),
    _total_data("month_data", lambda now: now.budget.bytes),
    # Three digits are more than a forecast knows, and spare the database every other.
    _data("month_forecast", lambda now: int(float(f"{now.budget.forecast:.3g}"))),
    _percentage("plan_used", lambda now: _percent(now.budget.share), has_fn=_has_data_limit),
    _percentage(
        "plan_forecast", lambda now: _percent(now.budget.forecast_share), has_fn=_has_data_limit
    ),
    _percentage(
        "plan_connections",
        lambda now: _percent(now.budget.connections_share),
        has_fn=lambda now: now.budget.plan_connections is not None,
    ),
    _percentage("connect_failure_rate", lambda now: _percent(now.connection.failure_rate)),
    _percentage("publish_failure_rate", lambda now: _percent(now.publishing.failure_rate)),
    _level("commands_waiting", lambda now: now.commands.waiting),
    _level(
        "oldest_command",
        lambda now: round(now.commands.oldest or 0),
        device_class=SensorDeviceClass.DURATION,
        native_unit_of_measurement=UnitOfTime.SECONDS,
        suggested_display_precision=0,
    ),
    _count("commands_failed", lambda now: sum(now.commands.outcomes[each] for each in _FAILED)),
    _count("messages_malformed", lambda now: now.intake.malformed),
    _count("messages_refused", lambda now: now.intake.refused),
    _count("messages_conflated", lambda now: now.intake.conflated, usual=False),
    _level("nodes_total", lambda now: now.nodes.total),
    _level("nodes_refused", lambda now: now.nodes.refused, usual=False),
    _figure(
        "last_disconnect",
        lambda now: now.connection.last_disconnect,
        device_class=SensorDeviceClass.ENUM,
        options=list(DISCONNECT_REASONS),
    ),
    _moment("next_attempt", lambda now: _time(now.connection.next_attempt)),
    _moment("connected_since", lambda now: _time(now.connection.since), usual=False),
)


class Figures:
    """Looks at a household's statistics for those that show them."""

    def __init__(self, hass: HomeAssistant, coordinator: HomeSyncCoordinator) -> None:
        self.now = coordinator.household.statistics.snapshot()
        self._hass = hass
        self._coordinator = coordinator
        self._state = coordinator.household.link.state
        self._listeners: list[CALLBACK_TYPE] = []
        self._end_waiting = self._wait(random.uniform(*_FIRST_AFTER))
        self._end_listening = coordinator.listen_household(self._on_change)

    def close(self) -> None:
        """Look no more."""
        self._end_waiting()
        self._end_listening()

    def listen(self, update: CALLBACK_TYPE) -> CALLBACK_TYPE:
        """Call `update` after each look; returns what ends that."""
        self._listeners.append(update)
        return partial(self._listeners.remove, update)

    @callback
    def _on_time(self, _now: datetime) -> None:
        self._end_waiting = self._wait(_EVERY)
        self._look()

    @callback
    def _on_change(self) -> None:
        """The household changed, perhaps its connection."""
        state = self._coordinator.household.link.state
        if state is not self._state:
            self._state = state
            self._look()

    def _look(self) -> None:
        if self._listeners:
            self.now = self._coordinator.household.statistics.snapshot()
        for update in tuple(self._listeners):
            update()

    def _wait(self, seconds: float) -> CALLBACK_TYPE:
        return async_call_later(
            self._hass, seconds, HassJob(self._on_time, cancel_on_shutdown=True)
        )


class FigureSensor(HouseholdEntity, SensorEntity):
    """A figure of the household, counted whether it is connected or not."""

    entity_description: FigureDescription

    def __init__(
        self, coordinator: HomeSyncCoordinator, figures: Figures, description: FigureDescription
    ) -> None:
        super().__init__(coordinator, description)
        self._figures = figures

    @override
    async def async_added_to_hass(self) -> None:
        self.async_on_remove(self._figures.listen(self._changed))
        self._take()

    @override
    @callback
    def _changed(self) -> None:
        before = self._attr_native_value
        self._take()
        if self._attr_native_value != before:
            self.async_write_ha_state()

    @override
    def _take(self) -> None:
        self._attr_native_value = self.entity_description.value_fn(self._figures.now)


def figure_sensors(hass: HomeAssistant, entry: HomeSyncConfigEntry) -> list[FigureSensor]:
    """Make the sensors of a household's figures; those that its plan does not have any more go."""
    coordinator = entry.runtime_data
    figures = Figures(hass, coordinator)
    entry.async_on_unload(figures.close)
    registry = er.async_get(hass)
    sensors = []
    for each in FIGURES:
        if each.has_fn(figures.now):
            sensors.append(FigureSensor(coordinator, figures, each))
        elif gone := registry.async_get_entity_id(
            Platform.SENSOR, DOMAIN, unique_id(entry.entry_id, each.key)
        ):
            registry.async_remove(gone)
    return sensors
