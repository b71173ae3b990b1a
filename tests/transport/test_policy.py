"""What follows from each failure, and which protocol comes next."""

import pytest

from custom_components.homesync.client import (
    Cause,
    ConnectError,
    Learned,
    MqttVersion,
    Step,
    Timing,
    Transport,
)
from custom_components.homesync.client.transport.backoff import Backoff
from custom_components.homesync.client.transport.policy import NOTHING_LEARNED
from custom_components.homesync.client.transport.reasons import reason_of

from .policy_desk import CERTIFICATE_CAUSES, SLOW, V5, V311, Desk, secured


@pytest.mark.parametrize(
    ("code", "cause", "wait"),
    [
        (0x00, Cause.CLOSED, 1.0),
        (0x80, Cause.SERVER_UNAVAILABLE, 1.0),
        (0x81, Cause.PROTOCOL_ERROR, 1.0),
        (0x82, Cause.PROTOCOL_ERROR, 1.0),
        (0x83, Cause.SERVER_UNAVAILABLE, 1.0),
        (0x84, Cause.PROTOCOL_VERSION, SLOW),
        (0x85, Cause.CLIENT_ID, SLOW),
        (0x86, Cause.CREDENTIALS, SLOW),
        (0x87, Cause.NOT_AUTHORISED, SLOW),
        (0x88, Cause.SERVER_UNAVAILABLE, 1.0),
        (0x89, Cause.SERVER_UNAVAILABLE, 1.0),
        (0x8A, Cause.BANNED, SLOW),
        (0x8B, Cause.SERVER_UNAVAILABLE, 1.0),
        (0x8C, Cause.CREDENTIALS, SLOW),
        (0x8D, Cause.KEEPALIVE, 1.0),
        (0x8E, Cause.TAKEN_OVER, 1.0),
        (0x93, Cause.RECEIVE_MAXIMUM, 1.0),
        (0x95, Cause.PACKET_TOO_LARGE, 1.0),
        (0x96, Cause.RATE, 61.0),
        (0x97, Cause.QUOTA, SLOW),
        (0x98, Cause.BANNED, SLOW),
        (0x9A, Cause.NO_RETAIN, 1.0),
        (0x9B, Cause.NO_QOS, 1.0),
        (0x9C, Cause.OTHER_SERVER, SLOW),
        (0x9D, Cause.OTHER_SERVER, SLOW),
        (0x9F, Cause.RATE, 61.0),
        (0xA0, Cause.CLOSED, 1.0),
        (0x94, Cause.PROTOCOL_ERROR, 1.0),
        (0x42, Cause.PROTOCOL_ERROR, 1.0),
    ],
)
def test_each_code_leads_to_its_wait(code: int, cause: Cause, wait: float) -> None:
    reason = reason_of(code)
    assert reason.cause is cause
    assert reason.words
    assert Desk(version=V5).fail(cause) == wait
    assert Desk(version=V5).live(30, cause) == wait


def test_a_refused_subscription_is_for_the_user() -> None:
    assert Desk(version=V5).fail(Cause.SUBSCRIPTION_REFUSED, Step.SUBSCRIBE) == SLOW


@pytest.mark.parametrize("cause", CERTIFICATE_CAUSES)
def test_f20_a_bad_certificate_is_tried_rarely_and_never_by_another_way(cause: Cause) -> None:
    desk = secured()
    assert [desk.fail(cause, Step.TLS) for _ in range(5)] == [SLOW] * 5
    assert desk.terms().transport is Transport.TCP


def test_f01_the_start_is_tried_three_times_quickly() -> None:
    desk = Desk(version=V5)
    desk.policy._timing = Timing()
    error = ConnectError(Cause.REFUSED, Step.TCP, "words")
    seen = []
    for _ in range(5):
        deadline = desk.policy.next()[1]
        seen.append((deadline, desk.policy.failed(error)))
    assert seen == [(5.0, 2.0), (5.0, 2.0), (5.0, 1.0), (10.0, 2.0), (10.0, 4.0)]


def test_f10_only_a_connection_that_held_starts_the_backoff_anew() -> None:
    desk = Desk(version=V5)
    waits = [desk.live(held) for held in (6, 6, 19, 20, 6, 19.9)]
    assert waits == [1.0, 2.0, 4.0, 1.0, 2.0, 4.0]


def test_the_backoff_is_capped_and_drawn_at_random() -> None:
    numbers = iter([0.0, 0.5, 1.0, 0.25] + [1.0] * 30)
    backoff = Backoff(lambda: next(numbers))
    waits = [backoff.next() for _ in range(34)]
    assert waits[:4] == [0.0, 1.0, 4.0, 2.0]
    assert waits[4:7] == [16.0, 32.0, 60.0]
    assert waits[-1] == 60.0


def test_the_keep_alive_is_halved_down_to_ten_seconds() -> None:
    desk = Desk(version=V5, keepalive=60)
    seen = []
    for _ in range(4):
        desk.live(30, Cause.KEEPALIVE)
        seen.append(desk.terms().keepalive)
    assert seen == [30, 15, 10, 10]


def test_the_window_is_halved_down_to_one() -> None:
    desk = Desk(version=V5)
    seen = []
    for _ in range(6):
        desk.live(30, Cause.RECEIVE_MAXIMUM)
        seen.append(desk.terms().window)
    assert seen == [10, 5, 2, 1, 1, 1]


def test_a_broker_without_retain_or_qos_1_is_not_asked_for_it_again() -> None:
    desk = Desk(version=V5)
    assert (desk.terms().retain, desk.terms().qos) == (True, 1)
    desk.fail(Cause.NO_RETAIN)
    assert (desk.terms().retain, desk.terms().qos) == (False, 1)
    desk.fail(Cause.NO_QOS)
    assert (desk.terms().retain, desk.terms().qos) == (False, 0)


def test_a_broker_that_says_that_it_knows_no_mqtt_5_is_remembered() -> None:
    desk = Desk()
    assert desk.fail(Cause.PROTOCOL_VERSION) == 0.0
    assert desk.terms().version is V311
    desk.live(30)
    assert desk.policy.learned == Learned(V311, None)
    assert desk.fail(Cause.CLOSED) > 0
    assert desk.terms().version is V311


@pytest.mark.parametrize("cause", [Cause.CLOSED, Cause.PROTOCOL_ERROR])
def test_a_guess_that_a_broker_knows_no_mqtt_5_holds_for_one_connection(cause: Cause) -> None:
    desk = Desk()
    assert desk.fail(cause) == 0.0
    assert desk.terms().version is V311
    desk.live(30)
    assert desk.policy.learned == NOTHING_LEARNED
    assert desk.terms().version is V5
    desk.live(30)
    assert desk.policy.learned == Learned(V5)


def test_a_guess_is_dropped_too_when_the_connection_is_left_on_purpose() -> None:
    desk = Desk()
    desk.fail(Cause.CLOSED)
    desk.policy.connected()
    desk.policy.left(3)
    assert desk.terms().version is V5


def test_a_broker_that_refuses_both_protocols_is_tried_rarely() -> None:
    desk = Desk()
    assert [desk.fail(Cause.PROTOCOL_VERSION) for _ in range(4)] == [0.0, SLOW, 0.0, SLOW]
    known = Desk(Learned(V311))
    assert known.fail(Cause.PROTOCOL_VERSION) == 0.0
    assert known.terms().version is V5
    assert known.fail(Cause.CLOSED) == 1.0
    assert known.terms().version is V311


def test_three_objections_in_a_row_make_attempts_rare() -> None:
    desk = Desk(version=V5)
    waits = [
        desk.fail(Cause.PROTOCOL_ERROR, code=0x81),
        desk.fail(Cause.PROTOCOL_ERROR, code=0x82),
        desk.fail(Cause.REFUSED, Step.TCP),
        desk.live(1, Cause.PROTOCOL_ERROR, code=0x82),
        desk.live(299, Cause.PROTOCOL_ERROR, code=0x82),
        desk.fail(Cause.PROTOCOL_ERROR, code=0x81),
        desk.fail(Cause.PROTOCOL_ERROR, code=0x81),
    ]
    assert waits == [1.0, 2.0, 4.0, 8.0, 1.0, SLOW, SLOW]


def test_objections_long_apart_are_not_in_a_row() -> None:
    desk = Desk(version=V5)
    for _ in range(5):
        assert desk.live(300, Cause.PROTOCOL_ERROR, code=0x82) == 1.0


def test_a_broker_that_itself_breaks_the_rules_gets_the_usual_waits() -> None:
    desk = Desk(version=V5)
    assert [desk.fail(Cause.PROTOCOL_ERROR) for _ in range(4)] == [1.0, 2.0, 4.0, 8.0]


def test_the_older_protocol_is_tried_once_a_round() -> None:
    desk = Desk()
    assert [desk.fail(Cause.CLOSED) for _ in range(4)] == [0.0, 1.0, 0.0, 2.0]
    assert desk.terms().version is V5


def test_a_remembered_protocol_is_used_from_the_start() -> None:
    assert Desk(Learned(V311)).terms().version is V311
    assert Desk(Learned(V5)).terms().version is V5
    assert Desk(Learned(V311), version=V5).terms().version is V5


def test_a_broker_that_once_spoke_mqtt_5_must_say_that_it_no_longer_does() -> None:
    desk = Desk(Learned(V5))
    assert desk.fail(Cause.CLOSED) == 1.0
    assert desk.terms().version is V5
    assert desk.fail(Cause.PROTOCOL_VERSION) == 0.0
    assert desk.terms().version is V311
    desk.live(30)
    assert desk.policy.learned.version is V311


@pytest.mark.parametrize("cause", [Cause.CREDENTIALS, Cause.TIMED_OUT, Cause.BANNED])
def test_other_answers_do_not_lead_to_the_older_protocol(cause: Cause) -> None:
    desk = Desk()
    assert desk.fail(cause) > 0
    assert desk.terms().version is V5


@pytest.mark.parametrize("version", [V311, V5])
def test_a_chosen_protocol_stays(version: MqttVersion) -> None:
    desk = Desk(version=version)
    assert desk.fail(Cause.PROTOCOL_VERSION) == SLOW
    assert desk.terms().version is version
    desk.live(30)
    assert desk.policy.learned == NOTHING_LEARNED
