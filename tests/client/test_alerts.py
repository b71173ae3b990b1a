"""When alerts are raised and cleared, by figures alone."""

from collections.abc import Callable, Iterable
from dataclasses import replace

from hypothesis import given, strategies as st
import pytest

from custom_components.homesync.client import (
    Alert,
    Alerts,
    BudgetStatistics,
    CommandStatistics,
    ConnectionState,
    ConnectionStatistics,
    HouseholdStatistics,
    IntakeStatistics,
    MessageCounts,
    NodeStatistics,
    Percentiles,
    PublishingStatistics,
    TrafficStatistics,
    Transport,
)

NOW = 1_738_852_200.0
THRESHOLDS = {
    Alert.DISCONNECTED: 5,
    Alert.CONNECT_FAILURES: 10,
    Alert.PUBLISH_FAILURES: 5,
    Alert.QUEUE_AGE: 15,
    Alert.BAD_MESSAGES: 10,
    Alert.DATA: 80,
    Alert.CONNECTIONS: 80,
}
NO_MESSAGES = MessageCounts(
    total=0, qos0=0, qos1=0, telemetry=0, status=0, response=0, command=0, other=0
)
GOOD = HouseholdStatistics(
    name="Villa",
    home_id="villa",
    at=NOW,
    since=NOW,
    connection=ConnectionStatistics(
        state=ConnectionState.CONNECTED,
        url="mqtt://broker:1883",
        transport=Transport.TCP,
        since=NOW,
        seconds=0,
        connected_seconds=0,
        away_seconds=0,
        uptime=86_400,
        connects=1,
        failed=0,
        failures={},
        disconnects={},
        recent_connects=0,
        recent_failed=0,
        failure_rate=None,
        last_disconnect=None,
        last_disconnect_at=None,
        next_attempt=None,
        subscriptions=3,
        round_trip=None,
    ),
    traffic=TrafficStatistics(
        received=NO_MESSAGES, sent=NO_MESSAGES, bytes_received=0, bytes_sent=0
    ),
    publishing=PublishingStatistics(
        succeeded=0,
        failed=0,
        failures={},
        recent_succeeded=0,
        recent_failed=0,
        failure_rate=None,
    ),
    commands=CommandStatistics(
        outcomes={}, waiting=0, oldest=None, in_flight=0, latency=Percentiles.of(())
    ),
    intake=IntakeStatistics(
        malformed=0,
        refused=0,
        not_accepted=0,
        conflated=0,
        recent_malformed=0,
        recent_refused=0,
        recent_not_accepted=0,
        causes={},
        waiting=0,
        waiting_bytes=0,
        behind=0,
    ),
    nodes=NodeStatistics(total=0, online=0, refused=0),
    rates=None,
    budget=BudgetStatistics(
        month="2025-02",
        begin=NOW,
        end=NOW + 86_400,
        bytes=0,
        forecast=0,
        last_month=None,
        last_month_bytes=None,
        plan_bytes=None,
        share=None,
        forecast_share=None,
        connections=1,
        plan_connections=None,
        connections_share=None,
    ),
    others={},
)


def away(minutes: float) -> HouseholdStatistics:
    link = replace(GOOD.connection, state=ConnectionState.DISCONNECTED, away_seconds=minutes * 60)
    return replace(GOOD, connection=link)


def connects(failed: int, succeeded: int) -> HouseholdStatistics:
    tries = failed + succeeded
    return replace(
        GOOD,
        connection=replace(
            GOOD.connection,
            recent_failed=failed,
            recent_connects=succeeded,
            failure_rate=failed / tries if tries else None,
        ),
    )


def publishes(failed: int, succeeded: int) -> HouseholdStatistics:
    tries = failed + succeeded
    return replace(
        GOOD,
        publishing=replace(
            GOOD.publishing,
            recent_failed=failed,
            recent_succeeded=succeeded,
            failure_rate=failed / tries if tries else None,
        ),
    )


def queue(minutes: float | None) -> HouseholdStatistics:
    oldest = None if minutes is None else minutes * 60
    return replace(GOOD, commands=replace(GOOD.commands, oldest=oldest))


def bad_messages(malformed: int, refused: int) -> HouseholdStatistics:
    intake = replace(GOOD.intake, recent_malformed=malformed, recent_refused=refused)
    return replace(GOOD, intake=intake)


def data(percent: float) -> HouseholdStatistics:
    return replace(GOOD, budget=replace(GOOD.budget, share=percent / 100))


def connections(percent: float) -> HouseholdStatistics:
    return replace(GOOD, budget=replace(GOOD.budget, connections_share=percent / 100))


# For each alert figures of so many minutes, percent or messages a minute.
AT: dict[Alert, Callable[[int], HouseholdStatistics]] = {
    Alert.DISCONNECTED: away,
    Alert.CONNECT_FAILURES: lambda percent: connects(percent, 100 - percent),
    Alert.PUBLISH_FAILURES: lambda percent: publishes(percent, 100 - percent),
    Alert.QUEUE_AGE: queue,
    Alert.BAD_MESSAGES: lambda rate: bad_messages(rate * 10, rate * 5),
    Alert.DATA: data,
    Alert.CONNECTIONS: connections,
}
EACH = pytest.mark.parametrize("alert", Alert)


def after(alerts: Alerts, *looks: HouseholdStatistics) -> set[Alert]:
    for look in looks:
        alerts.look(look)
    return set(alerts.raised)


def test_every_alert_has_a_threshold_and_figures_here() -> None:
    assert set(AT) == set(THRESHOLDS) == set(Alert)


def test_a_household_that_is_well_raises_nothing() -> None:
    assert after(Alerts(THRESHOLDS), GOOD) == set()


@EACH
def test_each_figure_raises_its_own_alert_and_tells_how_much(alert: Alert) -> None:
    alerts = Alerts(THRESHOLDS)
    assert after(alerts, AT[alert](90)) == {alert}
    assert alerts.raised[alert] == pytest.approx(90)
    assert after(alerts, GOOD) == set()


@EACH
def test_a_threshold_of_0_switches_an_alert_off(alert: Alert) -> None:
    alerts = Alerts({**THRESHOLDS, alert: 0})
    assert alert not in alerts.watched
    assert after(alerts, AT[alert](100)) == set()


@pytest.mark.parametrize("alert", [Alert.DATA, Alert.CONNECTIONS])
def test_what_a_plan_allows_is_told_at_the_threshold(alert: Alert) -> None:
    assert after(Alerts(THRESHOLDS), AT[alert](79)) == set()
    assert after(Alerts(THRESHOLDS), AT[alert](80)) == {alert}


@pytest.mark.parametrize("alert", sorted(set(Alert) - {Alert.DATA, Alert.CONNECTIONS}))
def test_everything_else_is_told_above_it(alert: Alert) -> None:
    threshold = THRESHOLDS[alert]
    assert after(Alerts(THRESHOLDS), AT[alert](threshold)) == set()
    assert after(Alerts(THRESHOLDS), AT[alert](threshold + 1)) == {alert}


@EACH
@given(percents=st.lists(st.integers(0, 200)))
def test_an_alert_is_raised_once_and_cleared_once(alert: Alert, percents: Iterable[int]) -> None:
    # In hundredths of the threshold, so that all meanings of a threshold are met.
    alerts = Alerts({alert: 50})
    was_raised = False
    for figure in percents:
        raised = bool(after(alerts, AT[alert](figure // 2)))
        if figure // 2 > 50:
            assert raised
        if figure // 2 < 40:
            assert not raised
        if 40 <= figure // 2 < 50:
            assert raised is was_raised
        was_raised = raised


def test_a_few_failures_at_the_start_are_no_rate() -> None:
    alerts = Alerts(THRESHOLDS)
    assert after(alerts, connects(9, 0), publishes(19, 0)) == set()
    assert after(alerts, connects(10, 0)) == {Alert.CONNECT_FAILURES}
    assert after(Alerts(THRESHOLDS), publishes(20, 0)) == {Alert.PUBLISH_FAILURES}


def test_a_rate_is_kept_while_attempts_become_rare_and_ends_when_none_is_left() -> None:
    alerts = Alerts(THRESHOLDS)
    assert after(alerts, connects(10, 0), connects(1, 0)) == {Alert.CONNECT_FAILURES}
    assert after(alerts, connects(0, 0)) == set()


def test_a_connection_ends_an_outage_at_once() -> None:
    alerts = Alerts(THRESHOLDS)
    assert after(alerts, away(6)) == {Alert.DISCONNECTED}
    assert after(alerts, GOOD) == set()


def test_an_empty_queue_is_not_old() -> None:
    assert after(Alerts(THRESHOLDS), queue(16), queue(None)) == set()
