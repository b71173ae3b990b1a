"""Commands and their answers: one outcome each."""

import asyncio
import re

import pytest

from custom_components.homesync.client import Outcome, Reason
from custom_components.homesync.client.commands import ResponseStatus

from .desk import ACCEPTED, ON, PROGRESS, Desk, own
from .virtual_time import on_virtual_time


@on_virtual_time
async def test_an_answer_confirms_the_command() -> None:
    desk = Desk()
    task = desk.execute()
    await desk.pass_time(0.25)
    answered = desk.answer()
    assert answered is not None
    assert (answered.command, answered.outdated) == (ON, False)
    result = await task
    assert result.outcome is Outcome.CONFIRMED
    assert (result.reason, result.detail) == (None, None)
    assert (result.result, result.attempts) == ("on", 1)
    assert result.latency == pytest.approx(0.25)
    assert desk.ids == {result.request_id}
    assert desk.now == 0.25
    assert desk.dispatch.counts == {"confirmed": 1}


@on_virtual_time
async def test_f44_an_answer_counts_that_comes_while_the_command_is_being_sent() -> None:
    desk = Desk()
    desk.on_send = desk.answer
    result = await desk.execute()
    assert (result.outcome, result.attempts, result.latency) == (Outcome.CONFIRMED, 1, 0)
    assert desk.now == 0


@on_virtual_time
async def test_f45_a_refusal_is_told_in_the_nodes_words_and_not_repeated() -> None:
    desk = Desk()
    task = desk.execute()
    await desk.pass_time(1)
    desk.refuse("overload protection")
    result = await task
    assert (result.outcome, result.reason) == (Outcome.REJECTED, Reason.REFUSED_BY_NODE)
    assert result.detail == "overload protection"
    await desk.pass_time(100)
    assert len(desk.sent) == 1


@on_virtual_time
async def test_f40_without_an_answer_the_same_id_is_sent_four_times_with_growing_gaps() -> None:
    desk = Desk()
    result = await desk.execute()
    assert desk.seconds == [0, 6, 13, 22]
    assert desk.now == 27
    assert len(desk.ids) == 1
    assert (result.outcome, result.reason) == (Outcome.TIMED_OUT, Reason.NO_ANSWER)
    assert (result.attempts, result.latency) == (4, None)
    assert desk.dispatch.counts == {"timed_out": 1}


@pytest.mark.parametrize(("retries", "seconds"), [(0, [0]), (1, [0, 2.5]), (2, [0, 2.5, 6.0])])
@on_virtual_time
async def test_timeout_and_retries_are_the_callers_choice(
    retries: int, seconds: list[float]
) -> None:
    desk = Desk()
    result = await desk.execute(timeout=1.5, retries=retries)
    assert desk.seconds == seconds
    assert desk.now == seconds[-1] + 1.5
    assert result.attempts == retries + 1


@on_virtual_time
async def test_without_retries_an_answer_within_the_timeout_counts() -> None:
    desk = Desk()
    task = desk.execute(timeout=5, retries=0)
    await desk.pass_time(4.9)
    desk.answer()
    assert (await task).outcome is Outcome.CONFIRMED


@pytest.mark.parametrize("second", [5.5, 7, 15, 26.9])
@on_virtual_time
async def test_f46_an_answer_to_any_of_the_sends_confirms_and_ends_the_repeats(
    second: float,
) -> None:
    desk = Desk()
    task = desk.execute()
    await desk.pass_time(second)
    sent = len(desk.sent)
    desk.answer()
    result = await task
    assert (result.outcome, result.attempts) == (Outcome.CONFIRMED, sent)
    assert result.latency == pytest.approx(second)
    await desk.pass_time(100)
    assert len(desk.sent) == sent


@on_virtual_time
async def test_f41_an_answer_after_the_timeout_changes_nothing_and_matches_nothing() -> None:
    desk = Desk()
    first = await desk.execute(retries=0)
    second = desk.execute()
    await desk.pass_time(0)
    assert desk.answer(first.request_id) is None
    assert desk.dispatch.counts == {"timed_out": 1, "late_answer": 1}
    assert not second.done()
    desk.answer()
    assert (await second).outcome is Outcome.CONFIRMED
    assert first.outcome is Outcome.TIMED_OUT


@pytest.mark.parametrize("pause", [False, True])
@on_virtual_time
async def test_f42_the_second_of_two_answers_is_not_counted_as_one(*, pause: bool) -> None:
    desk = Desk()
    task = desk.execute()
    await desk.pass_time(1)
    assert desk.answer() is not None
    if pause:
        await desk.pass_time(1)
    assert desk.refuse("no") is None
    assert (await task).outcome is Outcome.CONFIRMED
    assert desk.dispatch.counts == {"confirmed": 1, "repeated_answer": 1}


@on_virtual_time
async def test_f43_answers_of_another_node_or_to_another_request_match_nothing() -> None:
    desk = Desk()
    task = desk.execute()
    await desk.pass_time(0)
    request_id = desk.sent[0][3]
    assert desk.answer(node_id="plug-2") is None
    assert desk.answer("0" * 32) is None
    assert desk.answer(request_id.upper()) is None
    assert desk.answer(request_id[:-1]) is None
    assert desk.answer(request_id, leaf="ota") is None
    assert not task.done()
    assert desk.dispatch.counts == {
        "foreign_answer": 1,
        "unmatched_answer": 3,
        "misplaced_answer": 1,
    }
    desk.answer(request_id)
    assert (await task).outcome is Outcome.CONFIRMED


@on_virtual_time
async def test_s02_request_ids_are_random_and_of_128_bits() -> None:
    desk = Desk()
    desk.on_send = desk.answer
    for _ in range(100):
        await desk.execute()
    assert len(desk.ids) == 100
    assert all(re.fullmatch("[0-9a-f]{32}", each) for each in desk.ids)


@on_virtual_time
async def test_f44_an_answer_while_a_repeat_is_being_sent_counts_and_ends_the_repeats() -> None:
    desk = Desk()
    task = desk.execute()
    await desk.pass_time(1)
    desk.on_send = desk.answer
    result = await task
    assert (result.outcome, result.attempts) == (Outcome.CONFIRMED, 2)
    await desk.pass_time(100)
    assert desk.seconds == [0, 6]


@pytest.mark.parametrize("status", [ACCEPTED, PROGRESS])
@on_virtual_time
async def test_a_node_that_asks_for_time_gets_it_and_no_repeats(status: ResponseStatus) -> None:
    desk = Desk()
    task = desk.execute(command=own())
    await desk.pass_time(4)
    answered = desk.answer(status=status, wait=120)
    assert answered is not None
    await desk.pass_time(119)
    assert not task.done()
    desk.answer()
    result = await task
    assert (result.outcome, result.attempts, result.latency) == (Outcome.CONFIRMED, 1, 123)
    assert desk.seconds == [0]


@pytest.mark.parametrize(("wait", "seconds"), [(None, 60), (7, 7), (600, 600), (100_000, 600)])
@on_virtual_time
async def test_after_the_time_it_asked_for_the_node_is_given_up(
    wait: float | None, seconds: float
) -> None:
    desk = Desk()
    task = desk.execute(command=own())
    await desk.pass_time(4)
    desk.answer(status=ACCEPTED, wait=wait)
    result = await task
    assert (result.outcome, result.reason) == (Outcome.TIMED_OUT, Reason.NO_ANSWER)
    assert (result.attempts, desk.now) == (1, 4 + seconds)


@on_virtual_time
async def test_each_sign_of_the_node_starts_the_time_again_for_an_hour_at_most() -> None:
    desk = Desk()
    task = desk.execute(command=own())
    await desk.pass_time(0)
    while not task.done():
        desk.answer(status=PROGRESS)
        await asyncio.wait((task,), timeout=50)
    assert (await task).outcome is Outcome.TIMED_OUT
    assert desk.now == pytest.approx(3600)
    assert desk.seconds == [0]


@pytest.mark.parametrize(("timeout", "retries"), [(5, 10), (0.5, 10), (29, 3), (58, 3), (600, 10)])
@on_virtual_time
async def test_nothing_is_repeated_later_than_nodes_remember(timeout: float, retries: int) -> None:
    desk = Desk()
    result = await desk.execute(timeout=timeout, retries=retries)
    assert result.outcome is Outcome.TIMED_OUT
    assert max(desk.seconds) < 60
    assert desk.now >= desk.seconds[-1] + timeout


@on_virtual_time
async def test_f56_a_machine_that_slept_repeats_nothing_that_a_node_may_have_forgotten() -> None:
    desk = Desk()
    task = desk.execute()
    await desk.pass_time(1)
    asyncio.get_running_loop()._clock.now += 100  # type: ignore[attr-defined]  # a test looks inside
    assert (await task).outcome is Outcome.TIMED_OUT
    assert desk.seconds == [0]


@on_virtual_time
async def test_f25_what_the_broker_refuses_is_rejected_in_its_words_and_not_repeated() -> None:
    desk = Desk()
    order = desk.submit()
    desk.dispatch.broker_answered(order.request_id, 0x87)
    result = await order.done
    assert (result.outcome, result.reason) == (Outcome.REJECTED, Reason.REFUSED_BY_BROKER)
    assert result.detail
    await desk.pass_time(100)
    assert len(desk.sent) == 1


@on_virtual_time
async def test_a_repeat_that_the_broker_refuses_says_nothing_of_the_first_send() -> None:
    desk = Desk()
    order = desk.submit()
    await desk.pass_time(7)
    desk.dispatch.broker_answered(order.request_id, 0x97)
    assert not order.done.done()
    desk.answer()
    assert (await order.done).outcome is Outcome.CONFIRMED


@pytest.mark.parametrize(("code", "reason"), [(0x10, "nobody_listens"), (0, "no_answer")])
@on_virtual_time
async def test_f21_the_broker_may_tell_that_nobody_listens(code: int, reason: str) -> None:
    desk = Desk()
    order = desk.submit(retries=0)
    desk.dispatch.broker_answered(order.request_id, code)
    desk.dispatch.broker_answered("unknown", 0x87)
    result = await order.done
    assert (result.outcome, result.reason) == (Outcome.TIMED_OUT, reason)
