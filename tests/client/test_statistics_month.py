"""Bytes of a month: what a wrong clock, time zones and restarts make of it."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given, strategies as st
import pytest

from custom_components.homesync.client import PRESETS, Month, Plan, utc_month_of
from custom_components.homesync.client.statistics_month import BudgetStatistics, MonthLedger, budget

BERLIN = ZoneInfo("Europe/Berlin")
DAY = 86_400.0
TEN_GIGABYTES = Plan(bytes_a_month=10_000, connections=100)


def at(text: str, zone: ZoneInfo | None = None) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=zone or UTC).timestamp()


def berlin_month_of(now: float) -> tuple[str, float, float]:
    begin = datetime.fromtimestamp(now, BERLIN).replace(
        day=1, hour=0, minute=0, second=0, microsecond=0, fold=0
    )
    end = (begin + timedelta(days=32)).replace(day=1)
    return f"{begin:%Y-%m}", begin.timestamp(), end.timestamp()


class Month10:
    """A ledger at ten bytes each look, unless told otherwise."""

    def __init__(self, *times: str) -> None:
        self.ledger = MonthLedger(utc_month_of)
        self.total = 0
        for time in times:
            self.look(time)

    def look(self, time: str, count: int = 10) -> BudgetStatistics:
        self.total += count
        return budget(self.ledger, at(time), self.total, 0, Plan())

    def run(self, time: str, hours: float) -> None:
        """Go on from a time, looking once a minute, without a byte."""
        begin = at(time)
        for minute in range(int(hours * 60) + 1):
            self.ledger.update(begin + 60 * minute, self.total)


def test_a_month_begins_where_its_zone_says() -> None:
    assert utc_month_of(at("2026-12-31T23:59:59")) == Month(
        "2026-12", at("2026-12-01"), at("2027-01-01")
    )
    assert berlin_month_of(at("2026-10-31T23:30"))[0] == "2026-11"


def test_a_month_follows_its_zone_wherever_that_moves() -> None:
    in_berlin = True

    def month_of(now: float) -> tuple[str, float, float]:
        return berlin_month_of(now) if in_berlin else utc_month_of(now)

    ledger = MonthLedger(month_of)
    noon = at("2026-10-15T12:00")
    assert ledger.update(noon, 10).begin == at("2026-10-01", BERLIN)
    in_berlin = False
    moved = ledger.update(noon + 10, 15)
    assert (moved.key, moved.begin, moved.end) == utc_month_of(noon)
    assert (moved.counted_from, moved.bytes_before) == (noon, 10)
    in_berlin = True
    late = at("2026-10-31T23:30")
    assert (ledger.update(late, 30).key, ledger.last_bytes()) == ("2026-11", 20)


def test_a_new_month_begins_with_nothing_and_the_last_ones_total_is_kept() -> None:
    book = Month10("2026-10-15", "2026-10-31T23:59:59")
    told = book.look("2026-11-01", 5)
    assert (told.month, told.bytes) == ("2026-11", 0)
    assert (told.last_month, told.last_month_bytes) == ("2026-10", 15)
    assert book.look("2026-11-02", 7).bytes == 7


def test_bytes_before_the_first_look_are_of_no_month() -> None:
    book = Month10()
    assert book.look("2026-10-15", 1000).bytes == 0
    assert book.look("2026-10-16", 10).bytes == 10


@pytest.mark.parametrize(
    ("change", "name"), [("2026-03-29T02:30", "2026-03"), ("2026-10-25T02:30", "2026-10")]
)
def test_a_change_to_or_from_summer_time_changes_no_month(change: str, name: str) -> None:
    ledger = MonthLedger(berlin_month_of)
    middle = at(change, BERLIN)
    for hour in range(-5, 6):
        ledger.update(middle + 3600 * hour, 10 * (hour + 5))
    assert ledger.current is not None
    assert (ledger.current.key, ledger.current.bytes_before, ledger.last) == (name, 0, None)
    length = ledger.current.end - ledger.current.begin
    assert length == 31 * DAY + (-3600 if name == "2026-03" else 3600)
    ledger.update(ledger.current.end - 1, 150)
    assert ledger.last is None
    ledger.update(ledger.current.end, 160)
    assert ledger.last_bytes() == 160


@pytest.mark.parametrize("earlier", ["2026-11-03", "2026-10-31T23:59:58", "1970-01-01"])
def test_a_clock_set_back_for_a_while_resets_nothing(earlier: str) -> None:
    book = Month10("2026-10-15", "2026-10-20", "2026-11-01", "2026-11-20")
    assert book.look(earlier).bytes == 20
    book.run(earlier, 23)
    told = book.look("2026-11-21")
    assert (told.month, told.bytes) == ("2026-11", 30)
    assert (told.last_month, told.last_month_bytes) == ("2026-10", 20)


def test_a_clock_that_jumps_in_the_past_has_not_run_for_a_day() -> None:
    book = Month10("2026-11-01", "2026-11-20")
    for wrong in ("1970-01-01", "2020-05-05", "2024-01-01", "2026-10-01"):
        book.look(wrong)
    assert (book.look("2026-11-21").month, book.look("2026-11-21").bytes) == ("2026-11", 70)


def test_a_clock_that_was_ahead_gets_its_month_back_after_a_day() -> None:
    book = Month10("2026-11-01", "2026-11-20")
    assert book.look("2099-01-01").bytes == 0
    assert book.look("2026-11-21").month == "2099-01"
    book.run("2026-11-21", 24.1)
    told = book.look("2026-11-22T01:00")
    assert (told.month, told.bytes, told.last_month) == ("2026-11", 40, None)


def test_a_clock_that_is_behind_for_good_takes_the_bytes_with_it() -> None:
    book = Month10("2026-11-01", "2026-11-20")
    book.run("2026-09-05", 24.1)
    told = book.look("2026-09-07")
    assert (told.month, told.bytes, told.last_month) == ("2026-09", 20, None)


@given(st.lists(st.tuples(st.floats(0, 20 * DAY), st.integers(0, 10**9)), min_size=1, max_size=30))
def test_months_of_a_right_clock_add_up_to_everything(steps: list[tuple[float, int]]) -> None:
    ledger = MonthLedger(utc_month_of)
    now, total = at("2026-01-15"), 0
    ledger.update(now, 0)
    months: dict[str, int] = {}
    for wait, count in steps:
        now += wait
        total += count
        before = ledger.current
        mark = ledger.update(now, total)
        if before is not None and mark.key != before.key:
            assert ledger.last == before
            months[before.key] = ledger.last_bytes() or 0
        months[mark.key] = total - mark.bytes_before
        assert mark.begin <= now < mark.end
    assert sum(months.values()) == total
    assert all(count >= 0 for count in months.values())


@given(
    st.lists(st.tuples(st.floats(-400 * DAY, -1), st.integers(0, 10**6)), min_size=1, max_size=30)
)
def test_no_excursion_into_the_past_changes_anything(steps: list[tuple[float, int]]) -> None:
    ledger = MonthLedger(utc_month_of)
    now = at("2026-11-20")
    ledger.update(at("2026-10-02"), 0)
    ledger.update(now, 500)
    total = 500
    for back, count in steps:
        total += count
        told = budget(ledger, now + back, total, 0, TEN_GIGABYTES)
        assert told.bytes == total - 500
        assert told.forecast >= told.bytes
    told = budget(ledger, now + 1, total, 0, TEN_GIGABYTES)
    assert (told.month, told.bytes, told.last_month_bytes) == ("2026-11", total - 500, 500)


@given(st.floats(-3 * DAY, 40 * DAY), st.integers(0, 10**12))
def test_a_forecast_is_at_least_what_is_used_and_bounded_by_a_day_of_it(
    later: float, used: int
) -> None:
    ledger = MonthLedger(utc_month_of)
    begin = at("2026-11-01")
    ledger.update(begin, 0)
    told = budget(ledger, begin + later, used, 0, TEN_GIGABYTES)
    assert told.bytes <= told.forecast <= 31 * max(told.bytes, 1)


def test_a_forecast_goes_on_as_it_went() -> None:
    book = Month10()
    book.look("2026-10-15", 0)
    book.look("2026-11-01", 0)
    assert book.look("2026-11-11", 1000).forecast == 3000
    assert book.look("2026-11-30T23:59:59", 2000).forecast == 3000


def test_the_first_hours_count_as_a_day() -> None:
    book = Month10()
    book.look("2026-11-10", 0)
    assert book.look("2026-11-10T01:00", 100).forecast == round(100 * (1 + 20 + 23 / 24))


def test_who_starts_in_the_middle_of_a_month_is_not_taken_for_idle_before() -> None:
    book = Month10()
    book.look("2026-11-21", 0)
    assert book.look("2026-11-26", 100).forecast == 200


def test_shares_are_of_what_the_plan_bills() -> None:
    ledger = MonthLedger(utc_month_of)
    ledger.update(at("2026-11-01"), 0)
    plan = Plan(bytes_a_month=10_000, connections=50, weight=2.0)
    told = budget(ledger, at("2026-11-16"), 2000, 40, plan)
    assert (told.bytes, told.forecast) == (2000, 4000)
    assert (told.share, told.forecast_share, told.connections_share) == (0.4, 0.8, 0.8)
    free = budget(ledger, at("2026-11-16"), 2000, 40, Plan())
    assert (free.share, free.forecast_share, free.connections_share) == (None, None, None)


def test_presets_know_the_plans_that_are_documented() -> None:
    assert PRESETS["hivemq_cloud"].plan == Plan(
        bytes_a_month=10_000_000_000, connections=100, weight=2.0
    )
    assert PRESETS["emqx_cloud"].plan.bytes_a_month == 1_000_000_000
    assert PRESETS["emqx_cloud"].plan.stops
    assert PRESETS["other"].plan == Plan()
