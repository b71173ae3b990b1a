"""Sources of figures: totals over restarts, rates, what is recent, and sources that fail."""

import json
import logging
from typing import Any

from hypothesis import given, strategies as st
import pytest

from custom_components.homesync.client import Figures, InvalidSettingError, MonthMark, read_state
from custom_components.homesync.client.statistics_sources import Sources
from custom_components.homesync.client.statistics_state import StatisticsState

LOGGER = logging.getLogger("sources")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(("counters", "since", "month", "last_month", "key", "begin")),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)
MARK = MonthMark(key="2026-11", begin=1.0, end=2.0, counted_from=1.5, bytes_before=7)


class Bench:
    """Sources on a clock in the test's hand, with one that counts `sent`."""

    def __init__(self) -> None:
        self.now = 0.0
        self.sent = 0
        self.fails = False
        self.sources = Sources(lambda: self.now, LOGGER, "Villa")
        self.end = self.sources.register("publisher", self.figures)

    def figures(self) -> Figures:
        if self.fails:
            raise RuntimeError("no figures today")
        return Figures(counters={"sent": self.sent}, gauges={"queue": 3})

    def run(self, seconds: int, each: int = 0) -> None:
        """Count so many every ten seconds."""
        for _ in range(seconds // 10):
            self.now += 10
            self.sent += each
            self.sources.sample()

    @property
    def total(self) -> float:
        return self.sources.totals("publisher")["sent"]

    @property
    def recent(self) -> float:
        return self.sources.recent("publisher").get("sent", 0)

    @property
    def rate(self) -> float:
        rates = self.sources.per_minute("publisher")
        assert rates is not None
        return rates["sent"]


def test_a_source_is_known_by_its_totals_and_gauges() -> None:
    bench = Bench()
    bench.sent = 5
    assert bench.sources.totals("publisher") == {"sent": 5}
    assert bench.sources.gauges("publisher") == {"queue": 3}
    assert bench.sources.names == ("publisher",)
    assert bench.sources.totals("nobody") == {}


def test_two_sources_of_one_name_are_a_mistake() -> None:
    bench = Bench()
    with pytest.raises(ValueError, match="publisher"):
        bench.sources.register("publisher", bench.figures)


def test_rates_are_those_of_the_last_minute() -> None:
    bench = Bench()
    bench.sources.sample()
    assert bench.sources.per_minute("publisher") is None
    bench.run(10, each=5)
    assert bench.rate == 30
    bench.run(50, each=5)
    assert bench.rate == 30
    bench.run(30, each=1)
    assert bench.rate == 18
    bench.run(30, each=1)
    assert bench.rate == 6


def test_a_rate_after_a_blocked_loop_is_of_the_time_that_passed() -> None:
    bench = Bench()
    bench.sources.sample()
    bench.now += 600
    bench.sent = 600
    bench.sources.sample()
    assert bench.rate == 60


def test_what_is_recent_happened_within_a_quarter_of_an_hour() -> None:
    bench = Bench()
    bench.sources.sample()
    bench.sent = 3
    assert bench.recent == 3
    bench.run(900)
    assert bench.recent == 3
    bench.run(10)
    assert bench.recent == 0
    bench.run(600, each=1)
    assert bench.recent == 60
    bench.sent += 1
    assert bench.recent == 61


def test_counting_goes_on_after_a_restart_and_is_not_recent() -> None:
    before = Bench()
    before.sent = 40
    after = Bench()
    after.sources.restore(before.sources.state())
    after.sources.sample()
    after.sent = 2
    assert (after.total, after.recent) == (42, 2)
    after.run(10)
    assert after.rate == 12


def test_figures_of_a_source_that_is_not_here_yet_are_kept() -> None:
    before = Bench()
    before.sent = 40
    without = Bench()
    without.end()
    without.sources.restore(before.sources.state())
    assert without.sources.names == ()
    assert without.sources.state() == {"publisher": {"sent": 40}}


def test_who_registers_again_counts_on() -> None:
    bench = Bench()
    bench.sent = 4
    bench.end()
    bench.end()
    bench.sent = 1
    bench.sources.register("publisher", bench.figures)
    assert bench.total == 5


def test_a_source_that_fails_hurts_nobody_and_is_told_of_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bench = Bench()
    bench.sources.register("other", lambda: Figures(counters={"a": 1}))
    bench.sent = 4
    assert bench.total == 4
    bench.fails = True
    for _ in range(3):
        bench.sources.sample()
    assert bench.total == 4
    assert bench.sources.totals("other") == {"a": 1}
    assert [each.getMessage() for each in caplog.records] == [
        "Household Villa: figures of publisher are not to be had"
    ]


@given(st.lists(st.tuples(st.integers(0, 1000), st.booleans()), max_size=40))
def test_no_restart_loses_or_doubles_anything(steps: list[tuple[int, bool]]) -> None:
    bench = Bench()
    counted = 0
    for count, restart in steps:
        bench.sent += count
        counted += count
        if restart:
            state = bench.sources.state()
            bench = Bench()
            bench.sources.restore(state)
        bench.sources.sample()
        assert bench.total == counted


def test_a_state_comes_back_from_json() -> None:
    state = StatisticsState(
        counters={"traffic": {"bytes_in": 3, "connected_seconds": 1.5}},
        since=1.0,
        month=MARK,
        last_month=None,
    )
    assert read_state(json.loads(json.dumps(state.fields()))) == state


@given(JSON)
def test_what_is_no_state_is_refused_and_nothing_else_happens(content: Any) -> None:
    try:
        state = read_state(content)
    except InvalidSettingError:
        return
    assert read_state(state.fields()) == state


def with_counters(counters: Any) -> dict[str, Any]:
    return {"counters": counters, "since": 0, "month": None, "last_month": None}


@pytest.mark.parametrize(
    "value", [-1, True, "1", None, float("nan"), float("inf"), 1e300, 10**400, [1]]
)
def test_a_counter_is_a_number_that_is_neither_negative_nor_huge(value: Any) -> None:
    with pytest.raises(InvalidSettingError):
        read_state(with_counters({"traffic": {"sent": value}}))


@pytest.mark.parametrize(
    "counters",
    [
        {"traffic": {f"counter_{n}": n for n in range(2000)}},
        {f"source_{n}": {} for n in range(2001)},
        {f"source_{n}": {f"counter_{m}": 1 for m in range(50)} for n in range(40)},
        {"x" * 201: {}},
        {"traffic": {"x" * 201: 1}},
        {"traffic": {"": 1}},
    ],
    ids=["counters", "sources", "together", "long source", "long counter", "nameless"],
)
def test_names_are_bounded_in_number_and_length(counters: Any) -> None:
    with pytest.raises(InvalidSettingError):
        read_state(with_counters(counters))


def test_as_many_counters_as_can_be_are_read() -> None:
    counters = {"x" * 200: {f"counter_{n}": n for n in range(1999)}}
    assert read_state(with_counters(counters)).counters == counters
