"""Sent commands when the link goes, when the caller leaves, and when all ends."""

import asyncio

import pytest

from custom_components.homesync.client import Outcome, Reason
from custom_components.homesync.client.errors import CongestedError

from .desk import IDENTIFY, ON, Desk, own
from .virtual_time import on_virtual_time


@on_virtual_time
async def test_f31_when_the_link_is_back_the_same_id_is_sent_again_at_once() -> None:
    desk = Desk()
    task = desk.execute()
    await desk.pass_time(1)
    desk.lose_link()
    await desk.pass_time(1)
    desk.restore_link()
    assert desk.seconds == [0, 2]
    desk.answer()
    result = await task
    assert (result.outcome, result.attempts) == (Outcome.CONFIRMED, 2)
    assert len(desk.ids) == 1


@on_virtual_time
async def test_a_flapping_link_does_not_multiply_the_sends() -> None:
    desk = Desk()
    task = desk.execute()
    for _ in range(10):
        await desk.pass_time(2.5)
        desk.flap()
    assert desk.seconds == [0, 2.5, 5, 7.5]
    result = await task
    assert (result.outcome, result.attempts) == (Outcome.TIMED_OUT, 4)
    assert len(desk.sent) == 4


@on_virtual_time
async def test_the_last_send_has_its_full_timeout_even_after_a_flapping_link() -> None:
    desk = Desk()
    task = desk.execute(retries=1)
    await desk.pass_time(5.9)
    desk.lose_link()
    desk.restore_link()
    await desk.pass_time(4.9)
    assert not task.done()
    desk.answer()
    assert (await task).outcome is Outcome.CONFIRMED


@on_virtual_time
async def test_while_the_link_is_away_the_deadline_stands_and_the_cause_is_told() -> None:
    desk = Desk()
    task = desk.execute()
    await desk.pass_time(1)
    desk.lose_link()
    result = await task
    assert (result.outcome, result.reason) == (Outcome.TIMED_OUT, Reason.CONNECTION_LOST)
    assert (result.attempts, desk.now) == (1, 27)


@on_virtual_time
async def test_silence_after_the_link_came_back_is_the_nodes() -> None:
    desk = Desk()
    task = desk.execute()
    await desk.pass_time(1)
    desk.lose_link()
    await desk.pass_time(1)
    desk.restore_link()
    result = await task
    assert (result.outcome, result.reason) == (Outcome.TIMED_OUT, Reason.NO_ANSWER)


@on_virtual_time
async def test_a_stream_that_stays_full_is_told_as_the_cause() -> None:
    desk = Desk()
    task = desk.execute()
    await desk.pass_time(1)
    desk.broken = CongestedError("full")
    result = await task
    assert (result.outcome, result.reason) == (Outcome.TIMED_OUT, Reason.CONGESTED)


@on_virtual_time
async def test_a_command_that_waits_for_its_turn_is_not_sent_when_the_link_comes_back() -> None:
    desk = Desk()
    first = desk.execute()
    second = desk.execute(command=IDENTIFY)
    await desk.pass_time(1)
    desk.lose_link()
    desk.restore_link()
    assert len(desk.ids) == 1
    desk.answer()
    assert (await first).outcome is Outcome.CONFIRMED
    await desk.pass_time(0)
    desk.answer()
    assert (await second).outcome is Outcome.CONFIRMED


@on_virtual_time
async def test_an_answered_command_is_not_sent_again() -> None:
    desk = Desk()
    task = desk.execute()
    await desk.pass_time(1)
    desk.answer()
    desk.restore_link()
    await task
    desk.restore_link()
    assert len(desk.sent) == 1


@on_virtual_time
async def test_the_first_answer_is_never_outdated() -> None:
    desk = Desk()
    task = desk.execute()
    await desk.pass_time(0)
    desk.dispatch.state_told("plug-1")
    answered = desk.answer()
    assert answered is not None
    assert not answered.outdated
    await task


@pytest.mark.parametrize(
    ("told_by", "outdated"), [("plug-1", True), ("plug-2", False), ("", False)]
)
@on_virtual_time
async def test_an_answer_to_a_repeat_is_outdated_if_the_node_told_its_state_since(
    told_by: str, *, outdated: bool
) -> None:
    desk = Desk()
    task = desk.execute()
    await desk.pass_time(1)
    desk.dispatch.state_told(told_by)
    await desk.pass_time(6)
    answered = desk.answer()
    assert answered is not None
    assert answered.outdated is outdated
    await task


@on_virtual_time
async def test_a_caller_who_leaves_ends_the_command_and_lets_the_next_one_go() -> None:
    desk = Desk()
    first, waiting, last = (desk.execute(command=each) for each in (ON, own(), IDENTIFY))
    await desk.pass_time(1)
    waiting.cancel()
    first.cancel()
    await asyncio.wait((first, waiting))
    assert first.cancelled()
    assert waiting.cancelled()
    assert desk.answer(desk.sent[0][3]) is None
    await desk.pass_time(0)
    assert len(desk.sent) == 2
    desk.answer()
    assert (await last).outcome is Outcome.CONFIRMED
    assert desk.dispatch.counts == {"cancelled": 2, "confirmed": 1, "late_answer": 1}


@on_virtual_time
async def test_f52_stopping_ends_every_command_as_cancelled() -> None:
    desk = Desk()
    tasks = [
        desk.execute(node_id, command)
        for node_id, command in (("plug-1", ON), ("plug-1", own()), ("plug-2", ON))
    ]
    await desk.pass_time(1)
    desk.dispatch.stop()
    results = await asyncio.gather(*tasks)
    assert {(each.outcome, each.reason) for each in results} == {
        (Outcome.CANCELLED, Reason.STOPPED)
    }
    assert [each.attempts for each in results] == [1, 0, 1]
    assert (len(desk.sent), desk.now) == (2, 1)
    late = await desk.execute()
    assert (late.outcome, late.reason) == (Outcome.CANCELLED, Reason.STOPPED)


@on_virtual_time
async def test_stopping_does_not_undo_an_answer_that_came() -> None:
    desk = Desk()
    task = desk.execute()
    await desk.pass_time(1)
    desk.answer()
    desk.dispatch.stop()
    assert (await task).outcome is Outcome.CONFIRMED


@on_virtual_time
async def test_nothing_is_kept_of_commands_that_ended() -> None:
    desk = Desk()
    desk.on_send = desk.answer
    for number in range(50):
        await desk.execute(f"plug-{number}")
    assert (desk.dispatch.waiting, desk.dispatch.sent) == (0, 0)
    assert not desk.dispatch._outbox._lines
    assert len(desk.dispatch._inflight._ended) == 50


@on_virtual_time
async def test_of_what_ended_only_so_many_ids_are_remembered() -> None:
    desk = Desk()
    desk.on_send = desk.answer
    for _ in range(300):
        await desk.execute()
    assert len(desk.dispatch._inflight._ended) == 256
