"""Whose turn it is: limits per node and household, places taken, congestion, callers."""

import asyncio

import pytest

from custom_components.homesync.client import (
    Command,
    CommandResult,
    Limits,
    Outcome,
    OwnCommand,
    Reason,
    RelayAction,
    RelayCommand,
)
from custom_components.homesync.client.errors import (
    CongestedError,
    HomeSyncError,
    InvalidSettingError,
    NotConnectedError,
    TooLargeError,
)
from custom_components.homesync.client.order import Order

from .desk import ACCEPTED, IDENTIFY, OFF, ON, TOGGLE, Desk, light, own
from .virtual_time import on_virtual_time


@on_virtual_time
async def test_the_commands_of_one_node_go_one_after_the_other() -> None:
    desk = Desk()
    commands: list[Command] = [own("a"), own("b"), own("a")]
    tasks = [desk.execute(command=each) for each in commands]
    await desk.pass_time(0)
    for number, task in enumerate(tasks, 1):
        assert len(desk.sent) == number
        assert not task.done()
        desk.answer()
        assert (await task).outcome is Outcome.CONFIRMED
    assert desk.commands == commands


@on_virtual_time
async def test_f47_of_100_toggles_one_flies_the_newest_waits_and_the_rest_is_cancelled() -> None:
    desk = Desk()
    orders = [desk.submit(command=TOGGLE) for _ in range(100)]
    assert len(desk.sent) == 1
    assert desk.outcomes == [("cancelled", "superseded")] * 98
    assert [order.done.done() for order in orders] == [False, *[True] * 98, False]
    desk.answer()
    desk.answer()
    assert desk.ids == {orders[0].request_id, orders[99].request_id}
    assert desk.outcomes[98:] == [("confirmed", None)] * 2


@on_virtual_time
async def test_f53_the_commands_of_other_nodes_pass_and_over_the_bound_the_oldest_is_told() -> None:
    desk = Desk()
    blocked = [desk.submit(command=own()) for _ in range(129)]
    other = desk.submit("plug-2")
    assert desk.nodes == ["plug-1", "plug-2"]
    desk.answer(node_id="plug-2")
    assert (await other.done).outcome is Outcome.CONFIRMED
    assert desk.dispatch.waiting == 128
    newest = desk.submit(command=own())
    result = await blocked[1].done
    assert (result.outcome, result.reason) == (Outcome.DROPPED, Reason.OUTBOX_FULL)
    assert result.attempts == 0
    assert desk.dispatch.waiting == 128
    desk.on_send = desk.answer
    desk.answer(blocked[0].request_id)
    assert (await newest.done).outcome is Outcome.CONFIRMED
    assert desk.dispatch.counts == {"confirmed": 130, "dropped": 1}


@on_virtual_time
async def test_a_household_sends_no_more_at_once_than_allowed() -> None:
    desk = Desk(Limits(per_household=2))
    for node_id in "abc":
        desk.submit(node_id)
    assert desk.nodes == ["a", "b"]
    desk.answer(desk.sent[0][3])
    assert desk.nodes == ["a", "b", "c"]
    desk.dispatch.cancel()


@on_virtual_time
async def test_a_node_with_much_to_do_does_not_keep_the_others_waiting() -> None:
    desk = Desk(Limits(per_household=1))
    for node_id, kind in ("a1", "a2", "a3", "a4", "b1"):
        desk.submit(node_id, own(kind))
    for _ in range(5):
        desk.answer()
    assert desk.nodes == ["a", "a", "b", "a", "a"]


@on_virtual_time
async def test_a_node_may_be_allowed_more_at_once_but_never_two_of_a_kind() -> None:
    desk = Desk(Limits(per_node=2))
    for command in (ON, OFF, own("a"), own("b")):
        desk.submit(command=command)
    assert desk.commands == [ON, own("a")]
    desk.answer(desk.sent[0][3])
    assert desk.commands == [ON, own("a"), OFF]
    desk.dispatch.cancel()


@on_virtual_time
async def test_while_a_node_takes_its_time_others_of_its_commands_pass_but_none_of_the_kind() -> (
    None
):
    desk = Desk()
    first = desk.submit(command=own("long"))
    second = desk.submit(command=own("long"))
    third = desk.submit()
    desk.answer(status=ACCEPTED)
    await desk.pass_time(0)
    assert desk.ids == {first.request_id, third.request_id}
    desk.answer(third.request_id)
    assert second.request_id not in desk.ids
    desk.answer(first.request_id)
    assert second.request_id in desk.ids
    desk.answer()
    assert desk.outcomes == [("confirmed", None)] * 3


@on_virtual_time
async def test_an_led_command_waits_and_takes_on_what_is_wanted_meanwhile() -> None:
    desk = Desk()
    desk.submit(command=light(brightness=1))
    desk.submit(command=light(brightness=100))
    identify = desk.submit(command=IDENTIFY)
    desk.submit(command=light(color=(255, 0, 0)))
    for _ in range(3):
        desk.answer()
    assert desk.commands == [
        light(brightness=1),
        IDENTIFY,
        light(brightness=100, color=(255, 0, 0)),
    ]
    assert (await identify.done).outcome is Outcome.CONFIRMED
    assert desk.outcomes.count(("cancelled", "superseded")) == 1


@pytest.mark.parametrize("error", [CongestedError("full"), NotConnectedError("closing")])
@on_virtual_time
async def test_what_the_link_does_not_take_now_waits_and_keeps_its_place(
    error: HomeSyncError,
) -> None:
    desk = Desk()
    desk.broken = error
    tasks = [desk.submit(command=each) for each in (own("a"), own("b"))]
    await desk.pass_time(3)
    assert desk.sent == []
    desk.broken = None
    await desk.pass_time(1)
    assert desk.commands == [own("a")]
    desk.answer()
    desk.answer()
    results = await asyncio.gather(*(each.done for each in tasks))
    assert [(each.outcome, each.attempts) for each in results] == [(Outcome.CONFIRMED, 1)] * 2


@on_virtual_time
async def test_an_acknowledgement_lets_what_waits_go_at_once() -> None:
    desk = Desk()
    desk.submit("plug-1")
    desk.broken = CongestedError("full")
    desk.submit("plug-2")
    desk.broken = None
    desk.dispatch.broker_answered(desk.sent[0][3], 0)
    assert desk.nodes == ["plug-1", "plug-2"]
    desk.dispatch.cancel()


@on_virtual_time
async def test_what_the_link_never_takes_expires_unsent() -> None:
    desk = Desk()
    desk.broken = CongestedError("full")
    result = await desk.execute(ttl=10)
    assert (result.outcome, result.reason, result.attempts) == (
        Outcome.EXPIRED,
        Reason.TOO_LATE,
        0,
    )
    assert desk.now == 10


@on_virtual_time
async def test_f50_what_this_broker_never_takes_is_rejected_and_the_queue_goes_on() -> None:
    desk = Desk()
    first = desk.submit()
    second, third = desk.submit(command=own()), desk.submit(command=IDENTIFY)
    desk.broken = TooLargeError(300, 200)
    desk.answer()
    assert (await first.done).outcome is Outcome.CONFIRMED
    for order in (second, third):
        result = await order.done
        assert (result.outcome, result.reason) == (Outcome.REJECTED, Reason.TOO_LARGE)
        assert (result.detail, result.attempts) == (str(desk.broken), 0)
    assert (desk.dispatch.waiting, desk.dispatch.sent) == (0, 0)


@pytest.mark.parametrize(
    ("node_id", "command"),
    [
        ("a/b", ON),
        ("+", ON),
        ("", ON),
        ("plug-1", OwnCommand("a/#")),
        ("plug-1", OwnCommand("")),
        ("plug-1", OwnCommand("dance", "[1]")),
        ("plug-1", OwnCommand("dance", "{")),
        ("plug-1", OwnCommand("dance", '{"x": "%s"}' % ("x" * 20_000))),
        ("plug-1", OwnCommand("relay", '{"action": "explode"}')),
        ("plug-1", OwnCommand("ota", '{"url": "http://firmware.example/x"}')),
        ("plug-1", light(brightness=256)),
    ],
)
@on_virtual_time
async def test_f50_what_no_node_should_be_sent_never_enters_the_outbox(
    node_id: str, command: Command
) -> None:
    desk = Desk()
    with pytest.raises(InvalidSettingError):
        await desk.dispatch.execute(node_id, command)
    assert (desk.dispatch.waiting, desk.results, desk.sent) == (0, [], [])


@on_virtual_time
async def test_an_own_command_of_a_known_kind_is_what_it_says() -> None:
    desk = Desk()
    desk.submit(command=OwnCommand("relay", '{"action": "off", "more": 1}'))
    assert desk.commands == [RelayCommand(RelayAction.OFF)]
    desk.dispatch.cancel()


@pytest.mark.parametrize("sent", [True, False])
@on_virtual_time
async def test_a_caller_who_leaves_withdraws_the_command(*, sent: bool) -> None:
    desk = Desk()
    if not sent:
        desk.submit(command=own())
    task = desk.execute()
    await desk.pass_time(1)
    task.cancel()
    await asyncio.wait((task,))
    assert task.cancelled()
    (result,) = desk.results
    assert (result.outcome, result.reason) == (Outcome.CANCELLED, Reason.WITHDRAWN)
    assert result.attempts == int(sent)
    desk.dispatch.cancel()


@pytest.mark.parametrize("queue", [True, False])
@pytest.mark.parametrize("answered", [True, False])
@on_virtual_time
async def test_what_ends_a_command_while_its_caller_leaves_is_its_one_outcome(
    *, answered: bool, queue: bool
) -> None:
    desk = Desk()
    task = desk.execute(queue=queue)
    await desk.pass_time(1)
    stored = desk.dispatch.stored()
    task.cancel()
    # The caller has not had his turn yet.
    if answered:
        desk.answer()
    desk.dispatch.stop()
    await asyncio.wait((task,))
    assert task.cancelled()
    if answered:
        assert desk.outcomes == [("confirmed", None)]
        assert desk.dispatch.stored() == []
    else:
        assert desk.outcomes == ([] if queue else [("cancelled", "stopped")])
        assert desk.dispatch.stored() == stored


@on_virtual_time
async def test_the_commands_of_one_node_can_be_withdrawn_sent_or_not() -> None:
    desk = Desk()
    mine = [desk.submit(command=each) for each in (ON, own("a"), own("b"))]
    other = desk.submit("plug-2")
    assert desk.dispatch.cancel("plug-1") == 3
    assert {(await each.done).outcome for each in mine} == {Outcome.CANCELLED}
    assert len(desk.sent) == 2
    assert not other.done.done()
    assert desk.dispatch.cancel() == 1
    assert desk.dispatch.cancel() == 0
    assert desk.dispatch.counts == {"cancelled": 4}


@on_virtual_time
async def test_who_hears_of_an_outcome_may_send_something_at_once() -> None:
    desk = Desk()

    def next_one(result: CommandResult) -> None:
        if result.node_id == "plug-1":
            desk.submit("plug-2")

    desk.on_result = next_one
    desk.connected = False
    desk.submit(queue=False, command=ON)
    assert desk.outcomes == [("rejected", "not_connected")] * 2
    desk.connected = True
    desk.broken = CongestedError("full")
    desk.submit()
    desk.broken = None
    desk.goes_offline()
    assert desk.outcomes[2:] == [("rejected", "node_offline")]
    assert desk.nodes == ["plug-2"]
    desk.dispatch.cancel()


@on_virtual_time
async def test_a_new_command_does_not_overtake_one_that_the_link_did_not_take() -> None:
    desk = Desk()
    desk.broken = CongestedError("full")
    first = desk.submit(command=own("first"))
    desk.broken = None
    second = desk.submit("plug-2", own("second"))
    assert desk.commands == [own("first"), own("second")]
    desk.answer(first.request_id)
    desk.answer(second.request_id)
    assert desk.outcomes == [("confirmed", None)] * 2


@on_virtual_time
async def test_what_is_sent_while_another_is_being_sent_waits_for_its_turn() -> None:
    desk = Desk()
    orders: list[Order] = []

    def send_more(_: str) -> None:
        desk.on_send = lambda _: None
        orders.append(desk.submit(command=OFF))

    desk.on_send = send_more
    first = desk.submit(command=ON)
    assert desk.commands == [ON]
    desk.answer(first.request_id)
    assert desk.commands == [ON, OFF]
    desk.answer(orders[0].request_id)
    assert desk.outcomes == [("confirmed", None)] * 2
