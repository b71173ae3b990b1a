"""What a reading changes, when a node counts as seen, and what is bounded."""

import pytest

from custom_components.homesync.client.model.household import (
    LAST_SEEN,
    MAX_OTHER_METRICS,
    HouseholdModel,
    NodeState,
    telemetry_key,
)
from custom_components.homesync.client.protocol.metrics import METRICS
from custom_components.homesync.client.records import Reading

POWER = telemetry_key("power")
NOW = 1_738_852_200.0
READING = Reading(
    node_id="plug-1", metric="power", value=1.0, unit="W", quality=None, at=NOW, stamped=False
)


@pytest.fixture
def model() -> HouseholdModel:
    model = HouseholdModel(2, METRICS)
    model.add("plug-1")
    return model


@pytest.fixture
def node(model: HouseholdModel) -> NodeState:
    return model.nodes["plug-1"]


def test_the_first_reading_makes_a_value_and_the_node_seen(
    model: HouseholdModel, node: NodeState
) -> None:
    reading = READING._replace(quality=90)
    assert model.apply_reading(reading, live=True) == (POWER, LAST_SEEN)
    assert node.get(POWER) == 1.0
    value = node.values[POWER]
    assert (value.unit, value.quality, value.at, value.stamped) == ("W", 90, NOW, False)
    assert node.last_seen == NOW


def test_an_unchanged_value_changes_nothing(model: HouseholdModel, node: NodeState) -> None:
    model.apply_reading(READING, live=True)
    again = READING._replace(at=NOW + 1, quality=50)
    assert model.apply_reading(again, live=True) == ()
    assert (node.values[POWER].at, node.values[POWER].quality) == (NOW + 1, 50)


@pytest.mark.parametrize("change", [{"value": 2.0}, {"unit": "kW"}])
def test_another_value_or_unit_is_a_change(
    model: HouseholdModel, change: dict[str, object]
) -> None:
    model.apply_reading(READING, live=True)
    changed = READING._replace(**change)  # type: ignore[arg-type]  # a test is loose here
    assert model.apply_reading(changed, live=True) == (POWER,)


@pytest.mark.parametrize(
    ("first", "second", "taken"),
    [
        ((NOW, True), (NOW - 1, True), False),
        ((NOW, True), (NOW, True), True),
        ((NOW, True), (NOW + 1, True), True),
        ((NOW, False), (NOW - 1, True), True),
        ((NOW, True), (NOW - 1, False), True),
    ],
)
def test_f36_only_the_older_of_two_times_of_the_node_is_dropped(
    model: HouseholdModel,
    node: NodeState,
    first: tuple[float, bool],
    second: tuple[float, bool],
    *,
    taken: bool,
) -> None:
    model.apply_reading(READING._replace(at=first[0], stamped=first[1]), live=True)
    late = READING._replace(value=2.0, at=second[0], stamped=second[1])
    keys = model.apply_reading(late, live=True)
    assert (POWER in keys, node.get(POWER)) == (taken, 2.0 if taken else 1.0)
    assert model.counts["outdated"] == (not taken)


def test_an_older_reading_does_not_make_a_node_seen_earlier(
    model: HouseholdModel, node: NodeState
) -> None:
    model.apply_reading(READING._replace(stamped=True), live=True)
    model.apply_reading(READING._replace(metric="voltage", at=NOW - 100, stamped=True), live=True)
    assert node.last_seen == NOW


def test_last_seen_is_told_at_most_once_a_minute_but_always_known(
    model: HouseholdModel, node: NodeState
) -> None:
    told = []
    for second in range(181):
        if LAST_SEEN in model.apply_reading(READING._replace(at=NOW + second), live=True):
            told.append(second)
        assert node.last_seen == NOW + second
    assert told == [0, 60, 120, 180]


def test_what_the_broker_kept_shows_a_value_but_no_sign_of_life(
    model: HouseholdModel, node: NodeState
) -> None:
    assert model.apply_reading(READING, live=False) == (POWER,)
    assert model.apply_reading(READING._replace(value=2.0), live=False) == (POWER,)
    assert node.last_seen is None


def test_what_the_broker_kept_tells_when_the_node_was_seen_if_it_carries_a_time(
    model: HouseholdModel, node: NodeState
) -> None:
    kept = READING._replace(at=NOW - 900, stamped=True)
    assert model.apply_reading(kept, live=False) == (POWER, LAST_SEEN)
    assert node.last_seen == NOW - 900


def test_f39_a_value_taken_back_is_unknown_and_the_node_stays(
    model: HouseholdModel, node: NodeState
) -> None:
    model.apply_reading(READING, live=True)
    assert model.forget_reading("plug-1", "power") == (POWER,)
    assert node.get(POWER) is None
    assert model.forget_reading("plug-1", "power") == ()
    assert model.forget_reading("plug-1", "voltage") == ()
    assert "plug-1" in model.nodes
    assert model.apply_reading(READING._replace(at=NOW + 1), live=True) == (POWER,)


def test_s04_a_node_invents_no_more_than_so_many_metrics(
    model: HouseholdModel, node: NodeState
) -> None:
    for number in range(MAX_OTHER_METRICS + 10):
        keys = model.apply_reading(READING._replace(metric=f"own-{number}"), live=True)
        assert (telemetry_key(f"own-{number}") in keys) == (number < MAX_OTHER_METRICS)
    assert model.counts["metric_refused"] == 10
    assert len(node.values) == MAX_OTHER_METRICS
    assert POWER in model.apply_reading(READING, live=True)
    first = READING._replace(metric="own-0", value=9.0)
    assert model.apply_reading(first, live=True) == (telemetry_key("own-0"),)


def test_the_bound_of_metrics_is_each_nodes_own(model: HouseholdModel) -> None:
    for number in range(MAX_OTHER_METRICS):
        model.apply_reading(READING._replace(metric=f"own-{number}"), live=True)
    model.add("plug-2")
    other = READING._replace(node_id="plug-2", metric="own-x")
    assert telemetry_key("own-x") in model.apply_reading(other, live=True)


def test_a_known_name_is_bounded_where_it_is_no_metric(model: HouseholdModel) -> None:
    model.apply_reading(READING._replace(metric="relay"), live=True)
    assert model.nodes["plug-1"].get("status/relay") is None
    assert model.nodes["plug-1"].get("telemetry/relay") == 1.0


def test_s04_there_is_room_for_so_many_nodes(model: HouseholdModel) -> None:
    assert model.has_room("plug-2")
    model.add("plug-2")
    assert not model.has_room("plug-3")
    assert model.has_room("plug-1")
    model.remove("plug-1")
    assert model.has_room("plug-3")
    assert list(model.nodes) == ["plug-2"]
    model.remove("plug-1")


def test_a_node_added_twice_keeps_its_values(model: HouseholdModel, node: NodeState) -> None:
    model.apply_reading(READING, live=True)
    assert model.add("plug-1") is node
    assert node.get(POWER) == 1.0
