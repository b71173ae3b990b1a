"""What a broker's plan allows, and when its months begin."""

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from unittest.mock import patch
from zoneinfo import ZoneInfo

from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.homesync.client import Household, Plan
from custom_components.homesync.client.statistics_month import BudgetStatistics
from custom_components.homesync.plan import chosen_plan, month_of
from tests.broker import Mosquitto

from .conftest import SetUp
from .figures import figures
from .flows import configure, suggested
from .lookup import is_connected
from .waiting import until
from .wire import Wire

GB = 1000**3


def entry_of(preset: str | None = None, **options: Any) -> MockConfigEntry:
    return MockConfigEntry(data={} if preset is None else {"preset": preset}, options=options)


@pytest.mark.parametrize(
    ("entry", "plan"),
    [
        (entry_of(), Plan()),
        (entry_of("hivemq_cloud"), Plan(bytes_a_month=10 * GB, connections=100, weight=2.0)),
        (
            entry_of("emqx_cloud"),
            Plan(bytes_a_month=GB, connections=23, weight=2.0, stops=True),
        ),
        (
            entry_of("emqx_cloud", plan_data=2.5, plan_connections=0),
            Plan(bytes_a_month=2_500_000_000, weight=2.0, stops=True),
        ),
        (
            entry_of("emqx_cloud", plan_data=0, plan_both_ways=False),
            Plan(connections=23, stops=True),
        ),
        (
            entry_of(plan_data=0.1, plan_connections=5, plan_both_ways=True, plan_stops=True),
            Plan(bytes_a_month=100_000_000, connections=5, weight=2.0, stops=True),
        ),
    ],
)
def test_a_plan_is_the_presets_but_for_what_the_options_say(
    entry: MockConfigEntry, plan: Plan
) -> None:
    assert chosen_plan(entry) == plan


def at(text: str, zone: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


@pytest.mark.parametrize(
    ("zone", "now", "begin", "end"),
    [
        ("Europe/Berlin", "2026-10-25T02:30", "2026-10-01", "2026-11-01"),
        ("Europe/Berlin", "2026-10-31T23:59:59", "2026-10-01", "2026-11-01"),
        ("Europe/Berlin", "2026-11-01T00:00", "2026-11-01", "2026-12-01"),
        ("America/Los_Angeles", "2026-12-31T23:59", "2026-12-01", "2027-01-01"),
        ("Pacific/Auckland", "2028-02-29T12:00", "2028-02-01", "2028-03-01"),
        # Clocks went from midnight to one o'clock: this first has no midnight.
        ("America/Asuncion", "2017-10-01T02:00", "2017-10-01T01:00", "2017-11-01"),
    ],
)
async def test_a_month_begins_at_midnight_of_home_assistants_time_zone(
    hass: HomeAssistant, zone: str, now: str, begin: str, end: str
) -> None:
    await hass.config.async_set_time_zone(zone)
    month = month_of(at(now, zone))
    assert month == (begin[:7], at(begin, zone), at(end, zone))
    assert month_of(month.begin) == month_of(month.end - 1) == month
    assert month_of(month.begin - 1).end == month.begin


class Clock:
    """The wall clock of households that are set up while it is used."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now.timestamp()


async def test_the_month_rolls_over_at_midnight_and_follows_a_change_of_the_zone(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp, wire: Wire
) -> None:
    await hass.config.async_set_time_zone("Europe/Berlin")
    clock = Clock(datetime(2026, 10, 31, 22, 59, 30, tzinfo=UTC))
    with patch(
        "custom_components.homesync.coordinator.Household", partial(Household, wall_clock=clock)
    ):
        entry = await set_up(mosquitto.port, options={"echo_interval": 0})
    await until(hass, lambda: is_connected(hass, entry))

    def budget() -> BudgetStatistics:
        return figures(entry).budget

    october = budget()
    assert october.month == "2026-10"
    assert october.end == at("2026-11-01", "Europe/Berlin")
    assert october.bytes > 0

    clock.now += timedelta(minutes=1)
    november = budget()
    assert (november.month, november.bytes) == ("2026-11", 0)
    assert (november.last_month, november.last_month_bytes) == ("2026-10", october.bytes)
    wire.say("status/rssi", {"value": -60})
    await until(hass, lambda: budget().bytes > 0)

    await hass.config.async_set_time_zone("Asia/Tokyo")
    moved = budget()
    assert (moved.month, moved.last_month_bytes) == ("2026-11", october.bytes)
    assert (moved.begin, moved.end) == (
        at("2026-11-01", "Asia/Tokyo"),
        at("2026-12-01", "Asia/Tokyo"),
    )
    clock.now = datetime(2026, 11, 30, 15, 0, tzinfo=UTC)
    assert budget().month == "2026-12"


async def test_the_form_proposes_the_presets_plan_and_keeps_what_differs(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp
) -> None:
    entry = await set_up(mosquitto.port, preset="emqx_cloud")
    form = await hass.config_entries.options.async_init(entry.entry_id)
    proposed = {
        "plan_data": 1.0,
        "plan_connections": 23,
        "plan_both_ways": True,
        "plan_stops": True,
    }
    assert suggested(form) == proposed

    await configure(hass, entry, plan={**proposed, "plan_data": 2.5, "plan_connections": 40.0})
    await hass.async_block_till_done()
    kept = {key: value for key, value in entry.options.items() if key in proposed}
    assert kept == {"plan_data": 2.5, "plan_connections": 40}
    plan = figures(entry).budget
    assert (plan.plan_bytes, plan.plan_connections) == (2_500_000_000, 40)

    await configure(hass, entry, plan={"plan_data": 1})
    await hass.async_block_till_done()
    assert not proposed.keys() & entry.options.keys()
    assert chosen_plan(entry) == Plan(bytes_a_month=GB, connections=23, weight=2.0, stops=True)
