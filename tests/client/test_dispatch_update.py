"""Firmware on its way into nodes, and commands that the broker answers by leaving."""

from dataclasses import replace

import pytest

from custom_components.homesync.client import Installation, Limits, Outcome, Reason

from .desk import ACCEPTED, ON, PROGRESS, UPDATE, Desk, own
from .virtual_time import on_virtual_time

AGAIN = replace(UPDATE, firmware=replace(UPDATE.firmware, version="1.4.0"))


@on_virtual_time
async def test_an_update_is_shown_from_its_begin_to_its_end() -> None:
    desk = Desk()
    task = desk.execute(command=UPDATE)
    await desk.pass_time(0)
    desk.answer(status=ACCEPTED)
    await desk.pass_time(10)
    desk.answer(status=PROGRESS, stage="downloading", percentage=40.0)
    desk.answer(result="1.3.0")
    result = await task
    assert (result.outcome, result.result) == (Outcome.CONFIRMED, "1.3.0")
    assert desk.installing == [
        ("plug-1", Installation(version="1.3.0")),
        ("plug-1", Installation(version="1.3.0")),
        ("plug-1", Installation(version="1.3.0", stage="downloading", percentage=40.0)),
        ("plug-1", None),
    ]


@on_virtual_time
async def test_an_update_needs_a_sign_every_five_minutes() -> None:
    desk = Desk()
    task = desk.execute(command=UPDATE)
    await desk.pass_time(0)
    for _ in range(10):
        desk.answer(status=PROGRESS)
        await desk.pass_time(299)
    assert not task.done()
    result = await task
    assert (result.outcome, result.reason) == (Outcome.TIMED_OUT, Reason.NO_ANSWER)
    assert desk.now == 9 * 299 + 300
    assert len(desk.sent) == 1
    assert desk.installing[-1] == ("plug-1", None)


@on_virtual_time
async def test_an_update_flies_beside_other_commands() -> None:
    desk = Desk()
    desk.submit(command=UPDATE)
    desk.submit(command=ON)
    desk.submit(command=own())
    assert desk.commands == [UPDATE, ON]
    desk.answer()
    assert desk.commands == [UPDATE, ON, own()]
    desk.dispatch.cancel()


@pytest.mark.parametrize("queue", [False, True])
@on_virtual_time
async def test_a_second_update_of_a_node_is_refused_as_busy(*, queue: bool) -> None:
    desk = Desk()
    first = desk.submit(command=UPDATE)
    shown = list(desk.installing)
    result = await desk.execute(command=AGAIN, queue=queue)
    assert (result.outcome, result.reason) == (Outcome.REJECTED, Reason.BUSY)
    assert desk.installing == shown
    assert not first.done.done()
    desk.answer(result="1.3.0")
    assert desk.submit(command=AGAIN).request_id in desk.ids
    desk.dispatch.cancel()


@on_virtual_time
async def test_a_household_updates_no_more_nodes_at_once_than_allowed() -> None:
    desk = Desk(Limits(updates=2))
    for node_id in "abc":
        desk.submit(node_id, UPDATE)
    desk.submit("c", ON)
    assert desk.nodes == ["a", "b", "c"]
    assert desk.commands[-1] == ON
    desk.refuse("hash mismatch", desk.sent[0][3])
    assert desk.sent[-1][1:3] == ("c", UPDATE)
    desk.dispatch.cancel()


@on_virtual_time
async def test_an_update_is_confirmed_by_the_version_that_runs() -> None:
    desk = Desk()
    first, second = desk.submit("plug-1", UPDATE), desk.submit("plug-2", UPDATE)
    desk.answer(first.request_id, status=ACCEPTED)
    await desk.pass_time(10)
    desk.dispatch.firmware_told("plug-1", "1.2.9")
    assert not first.done.done()
    desk.dispatch.firmware_told("plug-1", "1.3.0")
    result = await first.done
    assert (result.outcome, result.result, result.latency) == (Outcome.CONFIRMED, "1.3.0", 10)
    assert desk.installing[-1] == ("plug-1", None)
    assert not second.done.done()
    desk.dispatch.cancel()


@on_virtual_time
async def test_after_a_loss_an_accepted_command_is_asked_after_once_and_keeps_its_time() -> None:
    desk = Desk()
    task = desk.execute(command=UPDATE)
    await desk.pass_time(0)
    desk.answer(status=ACCEPTED)
    await desk.pass_time(20)
    desk.flap()
    await desk.pass_time(50)
    desk.flap()
    assert desk.seconds == [0, 20]
    await desk.pass_time(200)
    desk.answer(result="1.3.0")
    assert (await task).outcome is Outcome.CONFIRMED


@on_virtual_time
async def test_f50_what_ends_three_connections_is_dropped_and_the_queue_goes_on() -> None:
    desk = Desk()
    poison = desk.submit(command=own("poison"))
    other = desk.submit(queue=True)
    for _ in range(2):
        await desk.pass_time(1.5)
        desk.flap()
    assert not poison.done.done()
    await desk.pass_time(1.5)
    desk.lose_link()
    result = await poison.done
    assert (result.outcome, result.reason) == (Outcome.DROPPED, Reason.POISONOUS)
    assert result.attempts == 3
    desk.restore_link()
    assert desk.commands == [own("poison")] * 3 + [ON]
    desk.answer()
    assert (await other.done).outcome is Outcome.CONFIRMED


@on_virtual_time
async def test_a_command_that_the_broker_has_acknowledged_ended_no_connection() -> None:
    desk = Desk()
    order = desk.submit(command=own())
    for _ in range(4):
        desk.dispatch.broker_answered(order.request_id, 0)
        await desk.pass_time(1)
        desk.flap()
    assert not order.done.done()
    desk.answer()
    assert (await order.done).outcome is Outcome.CONFIRMED


@on_virtual_time
async def test_a_link_that_was_lost_long_after_the_send_blames_no_command() -> None:
    desk = Desk()
    order = desk.submit(command=own(), retries=10)
    for _ in range(5):
        await desk.pass_time(2.5)
        desk.flap()
    assert not order.done.done()
    desk.answer()
    assert (await order.done).outcome is Outcome.CONFIRMED
