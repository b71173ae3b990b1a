"""What has arrived and waits."""

import asyncio
from collections.abc import Callable, Iterator
from contextvars import Context
from functools import partial
from typing import override

import pytest

from custom_components.homesync.client.inbox import Inbox, Item

MIB = 1024 * 1024


class Loop(asyncio.BaseEventLoop):
    """Time passes only when somebody works or a test lets it pass."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.timers: list[tuple[float, Callable[[], object], asyncio.TimerHandle]] = []

    @override
    def time(self) -> float:
        return self.now

    @override
    def call_later[*Ts](
        self,
        delay: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        handle = asyncio.TimerHandle(self.now + delay, callback, args, self, context)
        self.timers.append((delay, partial(callback, *args), handle))
        return handle

    @property
    def pause(self) -> float | None:
        waiting = [delay for delay, _, handle in self.timers if not handle.cancelled()]
        assert len(waiting) <= 1
        return waiting[0] if waiting else None

    def let_pause_pass(self) -> None:
        (delay, callback, _) = self.timers.pop()
        self.now += delay
        callback()


class House:
    """Handles a message in `seconds`, and notes it."""

    def __init__(self) -> None:
        self.loop = Loop()
        self.seconds = 0.0
        self.handled: list[Item[int, str]] = []
        self.full: list[bool] = []
        self.choose: Callable[[Item[int, str], Item[int, str]], Item[int, str] | None] = (
            lambda _, newer: newer
        )
        self.inbox: Inbox[int, str] = Inbox(self.loop, self.handle, self.prefer, self.full.append)

    def handle(self, item: Item[int, str]) -> None:
        self.loop.now += self.seconds
        self.handled.append(item)

    def prefer(self, older: Item[int, str], newer: Item[int, str]) -> Item[int, str] | None:
        return self.choose(older, newer)

    def put(self, topic: bytes, payload: bytes = b"") -> None:
        self.inbox.put((0, topic, payload, False, None))

    def put_urgent(self, topic: bytes, payload: bytes = b"", *, sender: str = "plug-1") -> None:
        self.inbox.put_urgent((0, topic, payload, False, None), sender)

    @property
    def payloads(self) -> list[bytes]:
        return [each[2] for each in self.handled]

    def drain(self) -> None:
        self.inbox.flush()
        while self.loop.pause is not None:
            self.loop.let_pause_pass()


@pytest.fixture
def house() -> Iterator[House]:
    house = House()
    yield house
    house.loop.close()


def test_nothing_is_handed_on_before_the_batch_is_over(house: House) -> None:
    house.put(b"t")
    assert not house.handled
    house.inbox.flush()
    assert len(house.handled) == 1


def test_under_light_load_a_message_is_handed_on_in_the_same_turn(house: House) -> None:
    house.inbox.put((7, b"topic", b"payload", True, None))
    house.inbox.flush()
    assert house.handled == [(7, b"topic", b"payload", True, None)]
    assert house.loop.pause is None
    house.inbox.flush()
    assert len(house.handled) == 1


def test_the_newest_payload_of_a_topic_wins_and_keeps_its_turn(house: House) -> None:
    for payload in (b"1", b"2", b"3"):
        house.put(b"a", payload)
        house.put(b"b", payload + payload)
    house.inbox.flush()
    assert house.payloads == [b"3", b"33"]
    assert house.inbox.superseded == 4


def test_of_two_payloads_of_a_topic_the_preferred_one_is_handed_on(house: House) -> None:
    house.choose = lambda older, newer: (*max(older, newer)[:4], "read")
    for payload in (b"3", b"1", b"22"):
        house.put(b"a", payload)
    assert house.inbox.size == len(b"a") + len(b"3")
    house.inbox.flush()
    assert house.handled == [(0, b"a", b"3", False, "read")]
    assert house.inbox.superseded == 2
    assert house.inbox.size == 0


def test_a_payload_that_is_of_no_use_supersedes_nothing(house: House) -> None:
    house.choose = lambda _, newer: None if newer[2] == b"broken" else newer
    for payload in (b"1", b"22", b"broken"):
        house.put(b"a", payload)
    house.inbox.flush()
    assert house.payloads == [b"22"]
    assert house.inbox.superseded == 1
    assert house.inbox.size == 0


def test_what_was_handed_on_is_not_superseded(house: House) -> None:
    house.put(b"a", b"1")
    house.inbox.flush()
    house.put(b"a", b"2")
    house.inbox.flush()
    assert house.payloads == [b"1", b"2"]
    assert house.inbox.superseded == 0


def test_urgent_messages_overtake_and_are_never_dropped(house: House) -> None:
    house.put(b"t", b"telemetry")
    for payload in (b"on", b"off", b"on"):
        house.put_urgent(b"s", payload)
    house.inbox.flush()
    assert house.payloads == [b"on", b"off", b"on", b"telemetry"]
    assert house.inbox.superseded == 0


def test_an_urgent_message_overtakes_what_waits_for_the_next_slice(house: House) -> None:
    house.seconds = 0.005
    for number in range(3):
        house.put(b"t%d" % number, b"telemetry")
    house.inbox.flush()
    house.put_urgent(b"s", b"urgent")
    house.drain()
    assert house.payloads == [b"telemetry", b"urgent", b"telemetry", b"telemetry"]


def test_who_sends_many_urgent_messages_holds_up_nobody_but_himself(house: House) -> None:
    for number in range(50):
        house.put_urgent(b"s", b"loud %d" % number, sender="loud")
    for number in range(2):
        house.put_urgent(b"s", b"calm %d" % number, sender="calm")
    house.drain()
    assert house.payloads[:4] == [b"loud 0", b"calm 0", b"loud 1", b"calm 1"]
    assert house.payloads[4:] == [b"loud %d" % number for number in range(2, 50)]


def test_f38_urgent_messages_leave_the_others_a_share(house: House) -> None:
    house.seconds = 0.005
    for number in range(2):
        house.put(b"t%d" % number, b"telemetry")
    for _ in range(8):
        house.put_urgent(b"s", b"urgent")
    house.drain()
    urgent, telemetry = [b"urgent"] * 3, [b"telemetry"]
    assert house.payloads == [*urgent, *telemetry, *urgent, *telemetry, b"urgent", b"urgent"]


def test_f37_a_slice_ends_after_a_millisecond_and_pauses_for_a_moment(house: House) -> None:
    house.seconds = 0.0005
    for number in range(20):
        house.put(b"t%d" % number)
    house.inbox.flush()
    assert len(house.handled) == 3
    assert house.loop.pause == pytest.approx(0.0015 / 4)
    house.drain()
    assert len(house.handled) == 20


@pytest.mark.parametrize(
    ("topics", "pause"),
    [
        # Ten times a second each: three of seventeen topics have had their turn.
        (20, 0.1 * 3 / 17 - 0.0015),
        # A slice takes no more than a third of the time.
        (2000, 0.0015 * 2),
    ],
)
def test_f37_pauses_are_long_while_newer_payloads_come(
    house: House, topics: int, pause: float
) -> None:
    house.seconds = 0.0005
    for number in range(topics):
        house.put(b"t%d" % number)
    house.inbox.flush()
    house.put(b"t19", b"newer")
    house.loop.let_pause_pass()
    assert house.loop.pause == pytest.approx(pause)

    house.loop.let_pause_pass()
    assert house.loop.pause == pytest.approx(0.0015 / 4)
    house.drain()
    assert len(house.handled) == topics


def test_what_was_superseded_long_ago_is_no_flood(house: House) -> None:
    house.put(b"a", b"1")
    house.put(b"a", b"2")
    house.drain()
    house.seconds = 0.0005
    for number in range(20):
        house.put(b"t%d" % number)
    house.inbox.flush()
    assert house.inbox.superseded == 1
    assert not house.inbox.flooded
    assert house.loop.pause == pytest.approx(0.0015 / 4)


def test_f37_however_fast_they_are_a_flood_is_handed_on_as_browsers_take_it(house: House) -> None:
    for _ in range(2):
        flood(house)
    begin, handled = house.loop.now, len(house.handled)
    for _ in range(20):
        flood(house)
    rate = (len(house.handled) - handled) / (house.loop.now - begin)
    assert rate == pytest.approx(7_000)


def flood(house: House) -> None:
    """Let newer payloads of many topics come, and the pause pass."""
    for number in range(5000):
        house.put(b"t%d" % number)
    house.inbox.flush()
    house.loop.let_pause_pass()


def test_what_is_urgent_does_not_wait_for_the_pace_of_a_flood(house: House) -> None:
    house.seconds = 0.0005
    for number in range(20):
        house.put(b"t%d" % number)
    house.inbox.flush()
    house.put(b"t19", b"newer")
    house.loop.let_pause_pass()
    handled = len(house.handled)
    house.loop.now += 0.001
    house.put_urgent(b"s", b"urgent")
    house.inbox.flush()
    assert house.loop.pause == pytest.approx(0.002)
    house.put_urgent(b"s", b"too")
    house.inbox.flush()
    assert house.loop.pause == pytest.approx(0.002)
    house.drain()
    assert house.payloads[handled : handled + 2] == [b"urgent", b"too"]


def test_f38_nothing_more_needs_to_come_before_the_pause_of_a_flood_is_over(house: House) -> None:
    assert house.inbox.rest() == 0
    house.seconds = 0.0005
    for number in range(20):
        house.put(b"t%d" % number)
    house.inbox.flush()
    house.put(b"t19", b"newer")
    house.loop.let_pause_pass()
    assert house.inbox.flooded
    assert house.inbox.rest() == 0.002
    assert house.loop.pause is not None
    house.loop.now += house.loop.pause - 0.001
    assert house.inbox.rest() == pytest.approx(0.001)
    house.drain()
    assert house.inbox.rest() == 0


def test_what_is_still_urgent_after_a_slice_of_a_flood_waits_no_longer_than_it_must(
    house: House,
) -> None:
    house.seconds = 0.0005
    for number in range(20):
        house.put(b"t%d" % number)
    house.inbox.flush()
    house.put(b"t19", b"newer")
    for _ in range(5):
        house.put_urgent(b"s")
    house.inbox.flush()
    house.loop.let_pause_pass()
    assert house.loop.pause == pytest.approx(0.0015 * 2)


def test_a_slice_ends_after_so_many_messages_however_fast_they_are(house: House) -> None:
    for number in range(1000):
        (house.put_urgent if number % 2 else house.put)(b"t%d" % number)
    house.inbox.flush()
    assert len(house.handled) == 256
    house.drain()
    assert len(house.handled) == 1000


def test_during_a_pause_new_messages_wait(house: House) -> None:
    house.seconds = 0.005
    house.put(b"a")
    house.put(b"b")
    house.inbox.flush()
    house.put(b"c")
    house.inbox.flush()
    assert len(house.handled) == 1
    house.loop.let_pause_pass()
    assert len(house.handled) == 2


def test_one_slow_message_is_followed_by_a_pause_only_if_more_waits(house: House) -> None:
    house.seconds = 1.0
    house.put(b"a")
    house.inbox.flush()
    assert house.loop.pause is None


def test_no_more_bytes_are_asked_for_while_sixteen_mebibytes_wait(house: House) -> None:
    house.seconds = 0.005
    block = bytes(MIB)
    for number in range(16):
        house.put(b"t%02d" % number, block)
        assert house.full == ([True] if number == 15 else [])
    house.put(b"more", block)
    assert house.full == [True]
    house.inbox.flush()
    while house.full == [True]:
        house.loop.let_pause_pass()
    assert house.full == [True, False]
    # A quarter may still wait when bytes are asked for again.
    assert len(house.handled) in (13, 14)
    house.drain()
    assert house.full == [True, False]


@pytest.mark.parametrize("urgent", [False, True])
def test_tiny_messages_are_bounded_by_what_they_take_besides_their_bytes(
    house: House, *, urgent: bool
) -> None:
    put = house.put_urgent if urgent else house.put
    for number in range(50_000):
        put(b"%06d" % number)
    assert house.full == []
    assert house.inbox.size == 50_000 * 6
    for number in range(10_000):
        put(b"more%06d" % number)
    assert house.full == [True]
    house.drain()
    assert house.full == [True, False]
    assert house.inbox.size == 0


def test_superseded_payloads_do_not_count_as_waiting(house: House) -> None:
    for _ in range(100):
        house.put(b"t", bytes(MIB))
    assert house.full == []
    house.put(b"t", b"")
    for number in range(15):
        house.put(b"u%d" % number, bytes(MIB))
    assert house.full == []


def test_it_can_become_full_again(house: House) -> None:
    for _ in range(2):
        for _ in range(17):
            house.put_urgent(b"s", bytes(MIB))
        house.drain()
    assert house.full == [True, False, True, False]


def test_closing_makes_room(house: House) -> None:
    for _ in range(17):
        house.put_urgent(b"s", bytes(MIB))
    house.inbox.close()
    assert house.full == [True, False]


def test_closing_forgets_what_waits_and_ends_the_timer(house: House) -> None:
    house.seconds = 0.005
    house.put(b"a")
    house.put(b"b")
    house.put_urgent(b"c")
    house.inbox.flush()
    house.inbox.close()
    assert house.loop.pause is None
    house.inbox.flush()
    assert len(house.handled) == 1
    house.inbox.close()
