"""When the WebSocket stands in, and when another client has our id."""

import pytest

from custom_components.homesync.client import Cause, ConnectError, Learned, Step, Transport
from custom_components.homesync.client.transport.policy import NOTHING_LEARNED

from .policy_desk import CERTIFICATE_CAUSES, TLS, V5, V311, Desk, secured

BLOCKED = [
    (Cause.REFUSED, Step.TCP),
    (Cause.UNREACHABLE, Step.TCP),
    (Cause.TIMED_OUT, Step.TCP),
    (Cause.TIMED_OUT, Step.TLS),
    (Cause.TLS, Step.TLS),
]


@pytest.mark.parametrize(("cause", "step"), BLOCKED)
def test_f12_the_websocket_takes_over_after_three_blocked_tries(cause: Cause, step: Step) -> None:
    desk = secured()
    seen = []
    for _ in range(4):
        seen.append(desk.terms().transport)
        desk.policy.failed(ConnectError(cause, step, "words"))
    assert seen == [Transport.TCP] * 3 + [Transport.WEBSOCKET]


@pytest.mark.parametrize(
    ("cause", "step"),
    [
        *((cause, Step.TLS) for cause in CERTIFICATE_CAUSES),
        (Cause.CREDENTIALS, Step.CONNACK),
        (Cause.TIMED_OUT, Step.CONNACK),
        (Cause.CLOSED, Step.CONNACK),
        (Cause.CANNOT_RESOLVE, Step.RESOLVE),
        (Cause.SUBSCRIPTION_REFUSED, Step.SUBSCRIBE),
    ],
)
def test_f12_nothing_else_leads_to_the_websocket(cause: Cause, step: Step) -> None:
    desk = secured()
    for _ in range(6):
        desk.fail(cause, step)
    assert desk.terms().transport is Transport.TCP
    mixed = secured()
    for _ in range(4):
        mixed.fail(Cause.REFUSED, Step.TCP)
        mixed.fail(Cause.REFUSED, Step.TCP)
        mixed.fail(cause, step)
    assert mixed.terms().transport is Transport.TCP


@pytest.mark.parametrize("lacking", [{"tls": None}, {"websocket": None}])
def test_s13_a_plain_connection_never_changes_its_way(lacking: dict[str, None]) -> None:
    desk = secured(**lacking)
    for _ in range(6):
        desk.fail(Cause.REFUSED, Step.TCP)
    assert desk.terms().transport is Transport.TCP


def fallen_back() -> Desk:
    desk = secured()
    for _ in range(3):
        desk.fail(Cause.REFUSED, Step.TCP)
    return desk


def test_f12_a_websocket_that_worked_is_remembered_until_the_direct_way_works() -> None:
    desk = fallen_back()
    desk.live(30)
    assert desk.policy.learned == Learned(None, Transport.WEBSOCKET)
    assert desk.policy.fell_back
    assert Desk(desk.policy.learned, tls=TLS).terms().transport is Transport.WEBSOCKET
    desk.policy.return_to_tcp()
    assert desk.policy.learned == NOTHING_LEARNED
    assert desk.terms().transport is Transport.TCP


@pytest.mark.parametrize(
    ("cause", "step"),
    [
        (Cause.WEBSOCKET, Step.WEBSOCKET),
        (Cause.TIMED_OUT, Step.WEBSOCKET),
        (Cause.TLS_EXPIRED, Step.TLS),
        (Cause.CANNOT_RESOLVE, Step.RESOLVE),
    ],
)
def test_a_websocket_that_fails_gives_the_direct_way_its_turn(cause: Cause, step: Step) -> None:
    desk = fallen_back()
    desk.fail(cause, step)
    assert desk.terms().transport is Transport.TCP
    for _ in range(3):
        desk.fail(Cause.REFUSED, Step.TCP)
    assert desk.terms().transport is Transport.WEBSOCKET


def test_a_chosen_websocket_stays() -> None:
    desk = secured(transport=Transport.WEBSOCKET)
    for _ in range(6):
        desk.fail(Cause.WEBSOCKET, Step.WEBSOCKET)
    assert desk.terms().transport is Transport.WEBSOCKET
    assert not desk.policy.fell_back
    desk.live(30)
    assert desk.policy.learned == NOTHING_LEARNED


def test_f23_three_short_lives_in_a_row_mean_a_rival() -> None:
    desk = Desk(version=V311)
    assert [desk.live(4.9) for _ in range(2)] == [1.0, 2.0]
    assert not desk.policy.rival
    assert [desk.live(4.9) for _ in range(2)] == [300.0, 300.0]
    assert desk.policy.rival


def test_f23_short_lives_with_a_longer_one_between_mean_no_rival() -> None:
    desk = Desk(version=V311)
    for held in (1, 1, 6, 1, 1):
        desk.live(held)
    assert not desk.policy.rival
    desk.live(1, Cause.SILENT)
    desk.live(1)
    assert not desk.policy.rival


def test_f23_a_second_take_over_within_a_minute_means_a_rival() -> None:
    desk = Desk(version=V5)
    assert desk.live(30, Cause.TAKEN_OVER) == 1.0
    assert not desk.policy.rival
    assert desk.live(59, Cause.TAKEN_OVER) == 300.0
    assert desk.policy.rival


def test_a_take_over_now_and_then_means_no_rival() -> None:
    desk = Desk(version=V5)
    for _ in range(5):
        assert desk.live(61, Cause.TAKEN_OVER) == 1.0
    assert not desk.policy.rival


def test_f23_a_rival_is_over_once_a_connection_holds() -> None:
    desk = Desk(version=V5)
    for _ in range(3):
        desk.live(1)
    assert desk.policy.rival
    desk.policy.next()
    desk.policy.connected()
    rivals = []
    for _ in range(2):
        rivals.append(desk.policy.rival)
        desk.now += 61
    assert rivals == [True, False]
    assert desk.policy.lost(ConnectError(Cause.CLOSED, Step.LINK, "words"), 61) == 1.0
    assert not desk.policy.rival
