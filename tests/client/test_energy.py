"""A counter that falls is held back until it is back or known to be a new one."""

from itertools import pairwise

from hypothesis import given, strategies as st
import pytest

from custom_components.homesync.client.model.energy import CounterGuard
from custom_components.homesync.client.model.household import (
    LAST_SEEN,
    HouseholdModel,
    telemetry_key,
)
from custom_components.homesync.client.protocol.metrics import METRICS
from custom_components.homesync.client.records import Reading

ENERGY = telemetry_key("energy")
NOW = 1_738_852_200.0
FELL, DROPPED, RESET = "energy_fell", "energy_dropped", "energy_reset"


class Meter:
    """A node's counter, and what is shown of it."""

    def __init__(self) -> None:
        self.model = HouseholdModel(2, METRICS)
        self.node = self.model.add("plug-1")
        self.now = NOW

    def say(
        self,
        value: float,
        after: float = 10.0,
        *,
        unit: str = "kWh",
        stamped: bool = True,
        metric: str = "energy",
        quality: int | None = None,
    ) -> tuple[str, ...]:
        """Send a value so many seconds after the one before."""
        self.now += after
        reading = Reading(
            node_id="plug-1",
            metric=metric,
            value=value,
            unit=unit,
            quality=quality,
            at=self.now,
            stamped=stamped,
        )
        return self.model.apply_reading(reading, live=True)

    def show(self, *values: float, after: float = 10.0) -> list[float]:
        """Send values; return what is shown after each."""
        shown = []
        for value in values:
            self.say(value, after)
            shown.append(self.shown)
        return shown

    @property
    def shown(self) -> float:
        shown = self.node.get(ENERGY)
        assert isinstance(shown, float)
        return shown

    @property
    def counts(self) -> dict[str, int]:
        return dict(self.model.counts)


@pytest.fixture
def meter() -> Meter:
    return Meter()


@pytest.mark.parametrize(
    ("said", "shown", "counts"),
    [
        pytest.param((5.0, 5.0, 6.0), (5.0, 5.0, 6.0), {}, id="counts"),
        pytest.param((0.0, 0.0, 0.01), (0.0, 0.0, 0.01), {}, id="starts at zero"),
        pytest.param((50.0, 0.0, 50.1), (50.0, 50.0, 50.1), {DROPPED: 1}, id="zero once"),
        pytest.param(
            (50.0, 0.0, 0.0, 50.0, 0.0, 51.0),
            (50.0, 50.0, 50.0, 50.0, 50.0, 51.0),
            {DROPPED: 2},
            id="zero twice",
        ),
        pytest.param((50.0, 3.0, 50.1), (50.0, 50.0, 50.1), {DROPPED: 1}, id="a part once"),
        pytest.param((500.0, 494.0, 500.1), (500.0, 500.0, 500.1), {DROPPED: 1}, id="1.2 %"),
        pytest.param((0.5, 0.485, 0.5), (0.5, 0.5, 0.5), {DROPPED: 1}, id="more than rounding"),
        pytest.param((0.85, 0.84, 0.86), (0.85, 0.85, 0.86), {FELL: 1}, id="rounding"),
        pytest.param((0.02, 0.01, 0.02), (0.02, 0.02, 0.02), {FELL: 1}, id="rounding, small"),
        pytest.param(
            (500.0, 495.0, 499.9, 500.1),
            (500.0, 500.0, 500.0, 500.1),
            {FELL: 1},
            id="one hundredth",
        ),
        pytest.param(
            (500.0, 0.0, 499.9, 500.1),
            (500.0, 500.0, 500.0, 500.1),
            {DROPPED: 1, FELL: 1},
            id="zero, then saved a little earlier",
        ),
        pytest.param(
            (500.0, 499.9, 0.0, 500.1),
            (500.0, 500.0, 500.0, 500.1),
            {DROPPED: 1, FELL: 1},
            id="a little less, then zero",
        ),
    ],
)
def test_a_false_fall_is_never_shown_and_counted_once(
    meter: Meter, said: tuple[float, ...], shown: tuple[float, ...], counts: dict[str, int]
) -> None:
    assert tuple(meter.show(*said)) == shown
    assert meter.counts == counts


@pytest.mark.parametrize(
    ("said", "after", "passes"),
    [
        pytest.param((0.1,) * 9, 10, 6, id="60 s after the first"),
        pytest.param((0.0, 0.0, 0.0, 0.01, 0.01, 0.02, 0.02), 10, 6, id="from zero"),
        pytest.param((0.0, 0.01, 0.02, 0.03), 30, 2, id="at the third reading"),
        pytest.param((1.0, 1.0, 1.0), 600, 2, id="seldom heard"),
        pytest.param((1.0, 1.0, 1.0), 7200, 2, id="heard every two hours"),
        pytest.param((0.0,) * 12, 60, 10, id="idle: after ten minutes of zeros"),
        pytest.param((0.0,) * 13, 59, 11, id="idle: not a second earlier"),
        pytest.param((0.0, 0.0, 0.01, 0.0, 0.01), 20, 3, id="with rounding of its own"),
        pytest.param((5.0, 5.0, 0.1, 0.1, 0.1, 0.1), 30, 4, id="from the last further fall"),
        pytest.param((9.0, 7.0, 5.0) * 4, 180, 10, id="never steady: after half an hour"),
        pytest.param((0.0, 9.9, 9.9, 0.0, 0.1, 0.1), 30, 5, id="zeros and noise before it"),
    ],
)
def test_a_reset_passes_within_the_stated_time(
    meter: Meter, said: tuple[float, ...], after: float, passes: int
) -> None:
    meter.show(10.0)
    shown = meter.show(*said, after=after)
    assert shown[:passes] == [10.0] * passes
    assert shown[passes] == said[passes]
    assert meter.counts[RESET] == 1


def test_after_a_reset_it_counts_on_at_once_and_is_guarded_again(meter: Meter) -> None:
    assert meter.show(10.0, 0.1, 0.2, 0.3, after=30) == [10.0, 10.0, 10.0, 0.3]
    assert meter.show(0.4, 0.0, 0.5) == [0.4, 0.4, 0.5]
    assert meter.counts == {RESET: 1, DROPPED: 1}


def test_noise_does_not_freeze_a_counter(meter: Meter) -> None:
    meter.show(500.0)
    shown = meter.show(*[499.0 + step / 100 for step in range(12)], after=200)
    assert shown[:9] == [500.0] * 9
    assert shown[9:] == [499.09, 499.1, 499.11]
    assert meter.counts == {FELL: 1, RESET: 1}


def test_noise_of_half_an_hour_needs_ten_readings(meter: Meter) -> None:
    assert meter.show(500.0, *[499.0] * 9, after=1200)[-1] == 500.0
    assert meter.counts == {FELL: 1}
    assert meter.show(499.0) == [499.0]


def test_a_false_zero_after_long_noise_does_not_pass(meter: Meter) -> None:
    meter.show(500.0)
    meter.show(*[499.0] * 9, after=220)
    assert meter.show(0.0, 500.0) == [500.0, 500.0]


def test_a_held_reading_is_a_sign_of_life_and_changes_nothing_else(meter: Meter) -> None:
    meter.say(50.0, quality=90)
    assert meter.say(0.0, 70, quality=10) == (LAST_SEEN,)
    value = meter.node.values[ENERGY]
    assert (value.value, value.quality, value.at) == (50.0, 90, meter.now)
    assert meter.node.last_seen == meter.now
    assert meter.say(50.0, 5) == ()
    assert meter.say(51.0, 5) == (ENERGY,)


def test_an_older_reading_than_a_held_one_is_dropped(meter: Meter) -> None:
    meter.say(50.0)
    meter.say(0.0)
    assert meter.say(51.0, -5) == ()
    assert meter.counts == {"outdated": 1}


@pytest.mark.parametrize("first", ["kWh", "Wh"])
def test_a_first_zero_after_a_restart_does_not_replace_the_restored_value(
    meter: Meter, first: str
) -> None:
    meter.model.restore("plug-1", ENERGY, 50.0 if first == "kWh" else 50_000.0, first)
    before = meter.shown
    assert meter.say(0.0) == (LAST_SEEN,)
    assert meter.shown == before
    meter.say(50.1)
    assert meter.shown == 50.1
    assert meter.counts == {DROPPED: 1}


def test_a_reset_while_home_assistant_was_away_passes(meter: Meter) -> None:
    meter.model.restore("plug-1", ENERGY, 50.0, "kWh")
    assert meter.show(0.1, 0.1, 0.1, after=30) == [50.0, 50.0, 0.1]


def test_a_restored_unit_that_means_nothing_guards_nothing(meter: Meter) -> None:
    meter.model.restore("plug-1", ENERGY, 50.0, "cal")
    assert meter.show(0.0, 0.1) == [0.0, 0.1]
    assert meter.counts == {}


def test_a_value_taken_back_begins_anew(meter: Meter) -> None:
    meter.show(50.0, 0.0)
    meter.model.forget_reading("plug-1", "energy")
    assert meter.show(0.0, 0.1) == [0.0, 0.1]
    assert meter.counts == {}


def test_units_are_compared_as_what_they_mean(meter: Meter) -> None:
    meter.say(1.234)
    for value, unit in ((1234.0, "Wh"), (1.234e-3, "MWh"), (1.234 * 3.6e6, "J")):
        meter.say(value, unit=unit)
    assert meter.counts == {}
    meter.say(2.0, unit="Wh")
    assert meter.node.values[ENERGY].unit != "Wh"
    meter.say(1235.0, unit="Wh")
    assert (meter.shown, meter.node.values[ENERGY].unit) == (1235.0, "Wh")
    assert meter.counts == {DROPPED: 1}


def test_the_same_number_in_another_unit_is_no_fall() -> None:
    guard = CounterGuard(HouseholdModel(1, METRICS).counts)
    assert not guard.holds_back(0.3, 0.30000000000000004, 10)
    assert guard.holds_back(0.30000000000000004, 0.3, 10)
    assert guard._fall is None


@pytest.mark.parametrize("stamped", [(False,), (True, False)])
def test_a_reset_passes_without_a_clock_that_can_be_relied_on(
    meter: Meter, stamped: tuple[bool, ...]
) -> None:
    meter.say(50.0)
    for number in range(8):
        meter.say(0.1, stamped=stamped[number % len(stamped)])
    assert meter.shown == 0.1


def test_times_of_two_clocks_are_not_compared(meter: Meter) -> None:
    meter.say(50.0, stamped=False)
    meter.say(0.1, stamped=False)
    meter.say(0.1, 250, stamped=True)
    meter.say(0.1, stamped=True)
    assert meter.shown == 50.0
    meter.say(0.1, 20, stamped=True)
    assert meter.shown == 0.1


@pytest.mark.parametrize("jump", [-7200.0, 86_400.0 * 365])
def test_a_clock_that_is_set_does_not_make_a_false_zero_pass(meter: Meter, jump: float) -> None:
    meter.say(50.0, stamped=False)
    meter.say(0.0, stamped=False)
    meter.say(0.0, jump, stamped=False)
    meter.say(0.0, stamped=False)
    assert meter.shown == 50.0


@pytest.mark.parametrize("jump", [-7200.0, 86_400.0 * 365])
def test_a_clock_that_is_set_does_not_keep_a_reset_from_passing(meter: Meter, jump: float) -> None:
    meter.say(50.0, stamped=False)
    for after in (10, 10, jump, 10):
        meter.say(0.1, after, stamped=False)
    assert meter.shown == 50.0
    meter.say(0.1, stamped=False)
    assert meter.shown == 0.1


def test_only_counters_are_guarded(meter: Meter) -> None:
    for value in (50.0, 0.0):
        assert telemetry_key("power") in meter.say(value, metric="power", unit="W")
    for value in (50.0, 0.0):
        assert telemetry_key("mine") in meter.say(value, metric="mine", unit="kWh")
    assert {name for name, metric in METRICS.items() if metric.counter} == {"energy"}
    assert all(value.guard is None for value in meter.node.values.values())


FAULTS = st.lists(st.sampled_from(("zero", "part", "fell", "true")), max_size=5)
EPISODES = st.lists(st.tuples(st.floats(0, 20), FAULTS, st.integers(1, 14)), max_size=30)


def falsified(true: float, fault: str) -> float:
    """Return what a faulty node says instead of the true number."""
    return {"zero": 0.0, "part": true * 0.3, "fell": true * 0.9901, "true": true}[fault]


def run(meter: Meter, true: float, episodes: list[tuple[float, list[str], int]]) -> float:
    """Count up with false readings in between, for less than 60 s each; return the end."""
    for increment, faults, gap in episodes:
        true += increment
        shown = meter.show(*[falsified(true, fault) for fault in faults], true, after=gap)
        assert all(value <= true for value in shown)
        assert shown[-1] == true
    return true


@given(start=st.floats(0, 1e6), episodes=EPISODES)
def test_what_is_shown_never_falls_and_ends_at_the_truth(
    start: float, episodes: list[tuple[float, list[str], int]]
) -> None:
    meter = Meter()
    history = meter.show(start)
    for episode in episodes:
        start = run(meter, start, [episode])
        history.append(meter.shown)
    assert all(before <= after for before, after in pairwise(history))
    assert history[-1] == start
    assert RESET not in meter.counts


@given(
    start=st.floats(1, 1e6),
    episodes=EPISODES,
    share=st.floats(0, 0.98),
    steps=st.lists(st.floats(0, 0.1), min_size=2, max_size=40),
    gap=st.integers(1, 900),
)
def test_a_reset_always_passes_and_is_the_only_fall(
    start: float,
    episodes: list[tuple[float, list[str], int]],
    share: float,
    steps: list[float],
    gap: int,
) -> None:
    meter = Meter()
    meter.show(start)
    before = run(meter, start, episodes)
    true = before * share
    meter.show(true)
    for number, step in enumerate(steps, start=2):
        true += step
        lasted = (number - 1) * gap
        shown = meter.show(true, after=gap)[-1]
        due = number >= 3 and lasted >= (60 if true > 0 else 600)
        assert shown == (true if due or true >= before else before)
    assert meter.counts.get(RESET, 0) <= 1
