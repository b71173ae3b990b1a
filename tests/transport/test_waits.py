"""How long to wait, when to give up, and which state may follow which."""

from itertools import pairwise

from hypothesis import given, strategies as st
import pytest

from custom_components.homesync.client import (
    BrokerSettings,
    Cause,
    ConnectionState,
    WebSocketSettings,
)
from custom_components.homesync.client.transport.backoff import Backoff
from custom_components.homesync.client.transport.keepalive import KeepAlive, Verdict
from custom_components.homesync.client.transport.packets import MqttVersion, read_connack
from custom_components.homesync.client.transport.reasons import (
    ASKS_FOR_CREDENTIALS,
    Action,
    action_of,
    reason_of,
)
from custom_components.homesync.client.transport.state import LEGAL

from .packets import connack


def almost_one() -> float:
    return 1 - 2**-53


def test_the_waits_are_bounded_by_powers_of_two_up_to_a_minute() -> None:
    backoff = Backoff(almost_one)
    assert [round(backoff.next()) for _ in range(9)] == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_the_jitter_is_full() -> None:
    numbers = iter((0.0, 0.5, 0.25))
    backoff = Backoff(lambda: next(numbers))
    assert [backoff.next() for _ in range(3)] == [0, 1, 1]


@given(st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=200))
def test_no_wait_is_longer_than_its_bound(numbers: list[float]) -> None:
    given_numbers = iter(numbers)
    backoff = Backoff(lambda: next(given_numbers))
    for _ in numbers:
        bound = backoff.bound()
        assert 0 <= backoff.next() <= bound <= 60


@pytest.mark.parametrize(("held", "bound"), [(0, 8), (19.9, 8), (20, 1), (1e6, 1)])
def test_f10_only_a_connection_that_held_resets_the_waits(held: float, bound: float) -> None:
    backoff = Backoff(almost_one)
    for _ in range(3):
        backoff.next()
    backoff.held(held)
    assert backoff.bound() == bound


def test_a_household_that_was_away_for_years_still_waits_a_minute() -> None:
    backoff = Backoff(almost_one)
    for _ in range(5000):
        backoff.next()
    assert backoff.bound() == 60


def test_a_ping_is_due_when_nothing_came_for_half_the_interval() -> None:
    keepalive = KeepAlive(60, 0)
    keepalive.sent = 29
    assert keepalive.judge(29.9) is Verdict.WAIT
    assert keepalive.judge(30) is Verdict.PING


def test_a_ping_is_due_when_nothing_went_for_three_quarters() -> None:
    keepalive = KeepAlive(60, 0)
    keepalive.received = 44
    assert keepalive.judge(44.9) is Verdict.WAIT
    assert keepalive.judge(45) is Verdict.PING


def test_no_ping_is_due_while_both_directions_are_busy() -> None:
    keepalive = KeepAlive(60, 0)
    for second in range(1, 1000):
        keepalive.sent = second
        keepalive.received = second
        assert keepalive.judge(second + 0.9) is Verdict.WAIT


def test_an_answered_ping_starts_the_waiting_again() -> None:
    keepalive = KeepAlive(60, 0)
    keepalive.pinged(30)
    keepalive.received = 31
    keepalive.answered()
    assert keepalive.judge(60.9) is Verdict.WAIT
    assert keepalive.judge(61) is Verdict.PING


@pytest.mark.parametrize(("interval", "dead_at"), [(60, 40), (20, 20), (4, 6), (1, 1.5)])
def test_a_silent_broker_is_dead_ten_seconds_or_an_interval_after_the_ping(
    interval: float, dead_at: float
) -> None:
    keepalive = KeepAlive(interval, 0)
    assert keepalive.judge(interval / 2) is Verdict.PING
    keepalive.pinged(interval / 2)
    assert keepalive.due() == dead_at
    assert keepalive.judge(dead_at - 0.1) is Verdict.WAIT
    assert keepalive.judge(dead_at) is Verdict.DEAD


def test_f04_bytes_without_an_answer_to_the_ping_buy_one_interval() -> None:
    keepalive = KeepAlive(60, 0)
    keepalive.pinged(30)
    for second in range(31, 90):
        keepalive.received = second
        assert keepalive.judge(second) is Verdict.WAIT
    assert keepalive.judge(90) is Verdict.DEAD


@pytest.mark.parametrize(
    ("code", "cause"),
    [
        (1, Cause.PROTOCOL_VERSION),
        (2, Cause.CLIENT_ID),
        (3, Cause.SERVER_UNAVAILABLE),
        (4, Cause.CREDENTIALS),
        (5, Cause.NOT_AUTHORISED),
        (6, Cause.SERVER_UNAVAILABLE),
        (255, Cause.PROTOCOL_ERROR),
    ],
)
def test_each_refusal_has_its_cause(code: int, cause: Cause) -> None:
    assert reason_of(read_connack(connack(4, code), MqttVersion.V311).code).cause is cause


def test_only_refusals_that_a_person_must_settle_slow_the_attempts() -> None:
    assert {action_of(cause) for cause in ASKS_FOR_CREDENTIALS} == {Action.ASK}
    for cause in (
        Cause.SERVER_UNAVAILABLE,
        Cause.REFUSED,
        Cause.TIMED_OUT,
        Cause.CLOSED,
        Cause.SILENT,
        Cause.PROTOCOL_ERROR,
    ):
        assert action_of(cause) is Action.RETRY


def test_every_state_has_its_followers_and_stopping_ends_all() -> None:
    assert set(LEGAL) == set(ConnectionState)
    for state, followers in LEGAL.items():
        assert state not in followers
        assert followers
        if state is not ConnectionState.STOPPING:
            assert ConnectionState.STOPPING in followers
    assert LEGAL[ConnectionState.STOPPING] == {ConnectionState.STOPPED}


def test_connected_is_reached_from_connecting_alone() -> None:
    before = {state for state, after in LEGAL.items() if ConnectionState.CONNECTED in after}
    assert before == {ConnectionState.CONNECTING}
    life = "stopped connecting disconnected connecting connected disconnected connecting error"
    for one, next_one in pairwise(ConnectionState(each) for each in life.split()):
        assert next_one in LEGAL[one]


def test_s06_neither_user_name_nor_secrets_show() -> None:
    settings = BrokerSettings(
        host="h",
        port=1,
        client_id="c",
        username="canary-user",
        password="canary-password",
        tls=None,
        websocket=WebSocketSettings(
            port=2, path="/mqtt?token=canary-path", headers={"Authorization": "canary-header"}
        ),
    )
    assert "canary" not in repr(settings)
    assert "canary" not in str(settings)
