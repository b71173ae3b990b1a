"""What a broker's plan allows a household, by preset and options, and when its months begin."""

from datetime import datetime, timedelta

from homeassistant.config_entries import ConfigEntry
from homeassistant.util import dt as dt_util

from .client import PRESETS, Month, Plan
from .const import (
    CONF_PLAN_BOTH_WAYS,
    CONF_PLAN_CONNECTIONS,
    CONF_PLAN_DATA,
    CONF_PLAN_STOPS,
    CONF_PRESET,
    DEFAULT_PRESET,
)

_GIGABYTE = 1000**3
_BOTH_WAYS = 2.0


def usual_plan(entry: ConfigEntry) -> dict[str, float]:
    """Return the plan of a household's preset as options: data in GB, 0 without a limit."""
    plan = PRESETS[entry.data.get(CONF_PRESET, DEFAULT_PRESET)].plan
    return {
        CONF_PLAN_DATA: (plan.bytes_a_month or 0) / _GIGABYTE,
        CONF_PLAN_CONNECTIONS: plan.connections or 0,
        CONF_PLAN_BOTH_WAYS: plan.weight == _BOTH_WAYS,
        CONF_PLAN_STOPS: plan.stops,
    }


def chosen_plan(entry: ConfigEntry) -> Plan:
    """Return what a household's plan allows; an option that is not set follows the preset."""
    chosen = {**usual_plan(entry), **entry.options}
    return Plan(
        bytes_a_month=round(chosen[CONF_PLAN_DATA] * _GIGABYTE) or None,
        connections=chosen[CONF_PLAN_CONNECTIONS] or None,
        weight=_BOTH_WAYS if chosen[CONF_PLAN_BOTH_WAYS] else 1.0,
        stops=chosen[CONF_PLAN_STOPS],
    )


def month_of(now: float) -> Month:
    """Return the calendar month of `now` (epoch seconds) in Home Assistant's time zone of now."""
    begin = datetime.fromtimestamp(now, dt_util.get_default_time_zone()).replace(
        day=1, hour=0, minute=0, second=0, microsecond=0, fold=0
    )
    end = (begin + timedelta(days=32)).replace(day=1)
    return Month(f"{begin:%Y-%m}", begin.timestamp(), end.timestamp())
