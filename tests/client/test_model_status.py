"""What a status report changes, and what is restored after a restart."""

import pytest

from custom_components.homesync.client.model.household import (
    FIRMWARE,
    LAST_BOOT,
    LAST_SEEN,
    ONLINE,
    RELAY,
    RSSI,
    HouseholdModel,
    NodeState,
    telemetry_key,
)
from custom_components.homesync.client.protocol.metrics import METRICS
from custom_components.homesync.client.records import Reading, StatusKey, StatusReport, StatusValue

NOW = 1_738_852_200.0


def report(
    *fields: tuple[StatusKey, StatusValue], at: float = NOW, stamped: bool = False
) -> StatusReport:
    return StatusReport(node_id="plug-1", fields=fields, at=at, stamped=stamped)


def online(value: bool = True, *, at: float = NOW, stamped: bool = False) -> StatusReport:
    return report((StatusKey.ONLINE, value), at=at, stamped=stamped)


def uptime(seconds: int, *, at: float = NOW, stamped: bool = False) -> StatusReport:
    return report((StatusKey.UPTIME, seconds), at=at, stamped=stamped)


@pytest.fixture
def model() -> HouseholdModel:
    model = HouseholdModel(2, METRICS)
    model.add("plug-1")
    return model


@pytest.fixture
def node(model: HouseholdModel) -> NodeState:
    return model.nodes["plug-1"]


def test_each_field_becomes_a_value(model: HouseholdModel, node: NodeState) -> None:
    keys = model.apply_status(
        report(
            (StatusKey.ONLINE, True),
            (StatusKey.UPTIME, 100),
            (StatusKey.FIRMWARE, "1.2.3"),
            (StatusKey.RELAY, False),
            (StatusKey.RSSI, -61),
        ),
        live=True,
    )
    assert set(keys) == {ONLINE, LAST_BOOT, FIRMWARE, RELAY, RSSI, LAST_SEEN}
    assert [node.get(key) for key in (ONLINE, FIRMWARE, RELAY, RSSI)] == [True, "1.2.3", False, -61]
    assert node.last_boot == NOW - 100


def test_the_same_again_changes_nothing(model: HouseholdModel) -> None:
    model.apply_status(online(), live=True)
    assert model.apply_status(online(at=NOW + 1), live=True) == ()


def test_a_node_that_never_told_is_not_offline(node: NodeState) -> None:
    assert not node.offline


def test_a_node_is_online_by_its_own_word_else_because_it_was_heard(
    model: HouseholdModel, node: NodeState
) -> None:
    seen = [node.online]
    model.apply_status(report((StatusKey.RSSI, -60)), live=False)
    seen.append(node.online)
    model.apply_status(report((StatusKey.RSSI, -60)), live=True)
    seen.append(node.online)
    model.apply_status(online(False), live=True)
    seen.append(node.online)
    model.apply_status(online(), live=True)
    seen.append(node.online)
    assert seen == [False, False, True, False, True]


def test_f60_the_last_will_speaks_and_is_no_sign_of_life(
    model: HouseholdModel, node: NodeState
) -> None:
    model.apply_status(online(), live=True)
    keys = model.apply_status(online(False, at=NOW + 500), live=True)
    assert set(keys) == {ONLINE, LAST_SEEN}
    assert node.offline
    assert node.last_seen == NOW
    assert model.apply_status(online(False, at=NOW + 501), live=True) == ()


def test_coming_back_tells_last_seen_at_once(model: HouseholdModel, node: NodeState) -> None:
    model.apply_status(online(), live=True)
    model.apply_status(online(False, at=NOW + 1), live=True)
    keys = model.apply_status(online(at=NOW + 2), live=True)
    assert set(keys) == {ONLINE, LAST_SEEN}
    assert node.last_seen == NOW + 2


@pytest.mark.parametrize("stamped", [True, False])
def test_f60_the_newest_by_the_nodes_clock_wins_else_the_last_to_come(
    model: HouseholdModel, node: NodeState, *, stamped: bool
) -> None:
    model.apply_status(online(at=NOW, stamped=True), live=True)
    model.apply_status(online(False, at=NOW - 5, stamped=stamped), live=True)
    assert node.offline is not stamped
    assert model.counts["outdated"] == stamped


def test_an_outdated_field_does_not_hold_the_others_back(
    model: HouseholdModel, node: NodeState
) -> None:
    model.apply_status(report((StatusKey.FIRMWARE, "2"), at=NOW, stamped=True), live=True)
    keys = model.apply_status(
        report((StatusKey.ONLINE, True), (StatusKey.FIRMWARE, "1"), at=NOW - 5, stamped=True),
        live=True,
    )
    assert keys == (ONLINE,)
    assert node.get(FIRMWARE) == "2"


def test_f39_a_value_taken_back_is_unknown(model: HouseholdModel, node: NodeState) -> None:
    model.apply_status(report((StatusKey.RELAY, True), at=NOW + 99, stamped=True), live=True)
    assert RELAY in model.apply_status(report((StatusKey.RELAY, None)), live=True)
    assert node.get(RELAY) is None


@pytest.mark.parametrize(("live", "stamped"), [(True, False), (True, True), (False, True)])
def test_last_boot_follows_from_a_timely_uptime(
    model: HouseholdModel, node: NodeState, *, live: bool, stamped: bool
) -> None:
    assert LAST_BOOT in model.apply_status(uptime(100, stamped=stamped), live=live)
    assert node.last_boot == NOW - 100


def test_an_uptime_of_unknown_age_tells_nothing(model: HouseholdModel, node: NodeState) -> None:
    assert model.apply_status(uptime(100), live=False) == ()
    assert node.last_boot is None
    assert node.last_seen is None


def test_an_uptime_taken_back_tells_nothing(model: HouseholdModel, node: NodeState) -> None:
    model.apply_status(report((StatusKey.UPTIME, None)), live=True)
    assert node.last_boot is None


@pytest.mark.parametrize(("drift", "told"), [(9.9, False), (-9.9, False), (10, True), (-10, True)])
def test_last_boot_bears_ten_seconds_of_drift(
    model: HouseholdModel, node: NodeState, drift: float, *, told: bool
) -> None:
    model.apply_status(uptime(100), live=True)
    keys = model.apply_status(uptime(160, at=NOW + 60 + drift), live=True)
    assert (LAST_BOOT in keys) is told
    assert node.last_boot == (NOW - 100 + drift if told else NOW - 100)


def test_small_drifts_do_not_add_up_unseen(model: HouseholdModel, node: NodeState) -> None:
    model.apply_status(uptime(0), live=True)
    for minute in range(1, 11):
        model.apply_status(uptime(minute * 60, at=NOW + minute * 63), live=True)
    assert node.last_boot == pytest.approx(NOW + 30, abs=10)


def test_what_the_broker_kept_from_an_earlier_boot_does_not_turn_the_last_boot_back(
    model: HouseholdModel, node: NodeState
) -> None:
    model.apply_status(uptime(10, at=NOW, stamped=True), live=False)
    keys = model.apply_status(uptime(86_400, at=NOW - 3600, stamped=True), live=False)
    assert LAST_BOOT not in keys
    assert node.last_boot == NOW - 10


def test_a_restored_value_stands_until_a_fresh_one_comes(
    model: HouseholdModel, node: NodeState
) -> None:
    model.restore("plug-1", RELAY, True, None)
    model.restore("plug-1", telemetry_key("power"), 5.0, "kW")
    assert node.get(RELAY) is True
    assert node.values[telemetry_key("power")].unit == "kW"
    assert model.apply_status(
        report((StatusKey.RELAY, False), at=NOW - 9e7, stamped=True), live=False
    ) == (RELAY, LAST_SEEN)
    reading = Reading(
        node_id="plug-1", metric="power", value=6.0, unit="W", quality=None, at=1.0, stamped=True
    )
    assert telemetry_key("power") in model.apply_reading(reading, live=True)


def test_a_fresh_value_is_not_overwritten_by_a_restored_one(
    model: HouseholdModel, node: NodeState
) -> None:
    model.apply_status(report((StatusKey.RELAY, False), (StatusKey.UPTIME, 5)), live=True)
    model.restore("plug-1", RELAY, True, None)
    model.restore("plug-1", LAST_SEEN, NOW - 900, None)
    model.restore("plug-1", LAST_BOOT, NOW - 900, None)
    assert node.get(RELAY) is False
    assert (node.last_seen, node.last_boot) == (NOW, NOW - 5)


@pytest.mark.parametrize("at", [NOW - 900, int(NOW - 900)])
def test_times_are_restored_and_the_next_sign_of_life_is_told(
    model: HouseholdModel, node: NodeState, at: float
) -> None:
    model.restore("plug-1", LAST_SEEN, at, None)
    model.restore("plug-1", LAST_BOOT, at, None)
    assert (node.last_seen, node.last_boot) == (at, at)
    assert not node.values
    assert model.apply_status(online(), live=True) == (ONLINE, LAST_SEEN)


def test_restoring_adds_a_node_even_when_there_is_no_room(model: HouseholdModel) -> None:
    for number in range(5):
        model.restore(f"old-{number}", RELAY, True, None)
    assert len(model.nodes) == 6
    assert not model.has_room("new")


def test_restored_metrics_of_the_nodes_own_count_towards_their_bound(
    model: HouseholdModel, node: NodeState
) -> None:
    for number in range(40):
        model.restore("plug-1", telemetry_key(f"own-{number}"), 1.0, None)
    assert len(node.values) == 32
