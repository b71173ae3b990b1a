"""The waiting commands: their order, their bounds, and what takes whose place."""

import asyncio
from collections.abc import Iterable
from itertools import count

import pytest

from custom_components.homesync.client import Command, Delivery, LedAction, LedCommand
from custom_components.homesync.client.order import Order
from custom_components.homesync.client.outbox import PER_NODE, TOTAL, Outbox
from custom_components.homesync.client.prompt import Prompt

from .desk import IDENTIFY, OFF, ON, UPDATE, light, own

_numbers = count()
LED_OFF = LedCommand(LedAction.OFF)


@pytest.fixture
def loop() -> Iterable[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


class Box(Outbox):
    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._loop = loop

    def order(self, node_id: str = "plug-1", command: Command = ON) -> Order:
        return Order(
            request_id=str(next(_numbers)),
            node_id=node_id,
            command=command,
            delivery=Delivery(),
            created=0.0,
            waits_since=0.0,
            ends=60.0,
            done=Prompt(self._loop),
            sends_left=4,
        )

    def put(self, node_id: str = "plug-1", command: Command = ON) -> Order:
        order = self.order(node_id, command)
        assert self.add(order) is None
        return order

    def free(self, node_id: str = "plug-1", *flying: Order, slots: int = 1) -> Order | None:
        return self.next(node_id, list(flying), slots, may_update=True)


@pytest.fixture
def box(loop: asyncio.AbstractEventLoop) -> Box:
    return Box(loop)


def test_the_commands_of_a_node_leave_in_the_order_in_which_they_came(box: Box) -> None:
    first, second = box.put(command=own("a")), box.put(command=own("b"))
    assert box.free() is first
    assert box.remove(first)
    assert box.free() is second
    assert box.remove(second)
    assert box.free() is None
    assert (len(box), box.nodes, list(box)) == (0, (), [])


def test_what_does_not_wait_cannot_be_taken_out(box: Box) -> None:
    order = box.put()
    assert not box.remove(box.order())
    assert not box.remove(box.order("plug-2"))
    assert box.remove(order)
    assert not box.remove(order)
    assert len(box) == 0


def test_who_has_had_a_turn_is_the_last_to_have_the_next(box: Box) -> None:
    orders = [box.put(node_id, own(kind)) for node_id in ("a", "b") for kind in ("x", "y")]
    assert box.nodes == ("a", "b")
    box.remove(orders[0])
    assert box.nodes == ("b", "a")
    box.remove(orders[2])
    assert box.nodes == ("a", "b")


def test_what_could_not_be_sent_is_the_nodes_first_again(box: Box) -> None:
    first, second = box.put(command=own("a")), box.put(command=own("b"))
    box.remove(first)
    box.put_back(first)
    assert box.line("plug-1") == (first, second)
    assert len(box) == 2
    alone = box.put("plug-2")
    box.remove(alone)
    box.put_back(alone)
    assert box.line("plug-2") == (alone,)


def test_f53_over_a_nodes_bound_its_oldest_is_dropped(box: Box) -> None:
    orders = [box.put(command=own()) for _ in range(PER_NODE)]
    other = box.put("plug-2")
    newest = box.order(command=own())
    assert box.add(newest) is orders[0]
    assert box.line("plug-1") == (*orders[1:], newest)
    assert box.line("plug-2") == (other,)
    assert len(box) == PER_NODE + 1


def test_f53_over_the_bound_of_all_the_oldest_of_the_longest_line_is_dropped(box: Box) -> None:
    long = [box.put("long", own()) for _ in range(PER_NODE)]
    for number in range(TOTAL - PER_NODE):
        box.put(f"n-{number}")
    newcomer = box.order("new")
    assert box.add(newcomer) is long[0]
    assert len(box) == TOTAL
    assert box.line("new") == (newcomer,)
    assert box.line("n-0")


@pytest.mark.parametrize(("older", "newer"), [(ON, OFF), (ON, ON), (LED_OFF, light())])
def test_f47_of_an_actuator_only_the_newest_waits(box: Box, older: Command, newer: Command) -> None:
    first = box.put(command=older)
    between = box.put(command=own())
    order = box.order(command=newer)
    assert box.supersede(order) is first
    box.add(order)
    assert box.line("plug-1") == (between, order)


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        (own(), own()),
        (UPDATE, UPDATE),
        (ON, light()),
        (light(brightness=5), IDENTIFY),
        (IDENTIFY, light(brightness=5)),
    ],
)
def test_what_sets_something_else_takes_no_place(box: Box, older: Command, newer: Command) -> None:
    first = box.put(command=older)
    assert box.supersede(box.order(command=newer)) is None
    assert box.supersede(box.order("plug-2", older)) is None
    assert box.line("plug-1") == (first,)


def test_a_second_wish_to_identify_is_one_too_many(box: Box) -> None:
    box.put(command=light(brightness=5))
    first = box.put(command=IDENTIFY)
    assert box.supersede(box.order(command=IDENTIFY)) is first


@pytest.mark.parametrize(
    ("older", "newer", "merged"),
    [
        (
            light(brightness=5, effect="blink"),
            light(color=(1, 2, 3)),
            light(brightness=5, color=(1, 2, 3), effect="blink"),
        ),
        (light(brightness=5), light(brightness=0), light(brightness=0)),
        (light(brightness=5), LED_OFF, LED_OFF),
        (LED_OFF, light(brightness=5), light(brightness=5)),
        (light(color=(1, 2, 3)), light(), light(color=(1, 2, 3))),
    ],
)
def test_a_newer_led_command_carries_what_the_unsent_one_wanted_besides(
    box: Box, older: LedCommand, newer: LedCommand, merged: LedCommand
) -> None:
    box.put(command=older)
    order = box.order(command=newer)
    box.supersede(order)
    assert order.command == merged


def test_a_node_gets_no_more_at_once_than_it_has_slots(box: Box) -> None:
    flying = box.order(command=own("a"))
    waiting = box.put(command=own("b"))
    assert box.free("plug-1", flying) is None
    assert box.free("plug-1", flying, slots=2) is waiting
    assert box.free("plug-1", slots=0) is None


def test_an_accepted_order_frees_its_slot_but_not_its_kind(box: Box) -> None:
    flying = box.order(command=own("long"))
    flying.accepted = True
    box.put(command=own("long"))
    other = box.put(command=own("short"))
    assert box.free("plug-1", flying) is other


def test_of_two_of_a_kind_the_second_never_overtakes_the_first(box: Box) -> None:
    box.put(command=UPDATE)
    box.put(command=UPDATE)
    assert box.next("plug-1", [], 1, may_update=False) is None
    relay = box.put()
    assert box.next("plug-1", [], 1, may_update=False) is relay


def test_an_update_takes_no_slot_and_needs_none(box: Box) -> None:
    update = box.put(command=UPDATE)
    assert box.free(slots=0) is update
    box.remove(update)
    relay = box.put()
    assert box.free("plug-1", update) is relay
