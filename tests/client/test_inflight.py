"""Commands and their answers: one outcome each."""

import asyncio
import re

import pytest

from custom_components.homesync.client import Outcome, Reason
from custom_components.homesync.client.errors import CongestedError, NotConnectedError

from .desk import OFF, ON, Desk
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
    assert desk.inflight.counts == {"confirmed": 1}


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
    desk.answer(success=False, error="overload protection")
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
    assert desk.inflight.counts == {"timed_out": 1}


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
    assert desk.inflight.counts == {"timed_out": 1, "unmatched_answer": 1}
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
    assert desk.answer(success=False, error="no") is None
    assert (await task).outcome is Outcome.CONFIRMED
    assert desk.inflight.counts == {"confirmed": 1, "unmatched_answer": 1}


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
    assert not task.done()
    assert desk.inflight.counts["unmatched_answer"] == 4
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
async def test_the_commands_of_one_node_go_one_after_the_other() -> None:
    desk = Desk()
    tasks = [desk.execute(command=command) for command in (ON, OFF, ON)]
    await desk.pass_time(0)
    for number, task in enumerate(tasks, 1):
        assert len(desk.sent) == number
        assert not task.done()
        desk.answer()
        assert (await task).outcome is Outcome.CONFIRMED
        await desk.pass_time(0)
    assert [command for _, _, command, _ in desk.sent] == [ON, OFF, ON]


@on_virtual_time
async def test_f53_the_commands_of_other_nodes_do_not_wait() -> None:
    desk = Desk()
    blocked = [desk.execute("plug-1") for _ in range(20)]
    other = desk.execute("plug-2")
    await desk.pass_time(0)
    assert [node_id for _, node_id, _, _ in desk.sent] == ["plug-1", "plug-2"]
    desk.answer(node_id="plug-2")
    assert (await other).outcome is Outcome.CONFIRMED
    for task in blocked:
        task.cancel()
    await asyncio.wait(blocked)


@on_virtual_time
async def test_a_node_has_at_most_so_many_commands_waiting() -> None:
    desk = Desk()
    tasks = [desk.execute() for _ in range(128)]
    await desk.pass_time(0)
    result = await desk.execute()
    assert (result.outcome, result.reason) == (Outcome.DROPPED, Reason.CONGESTED)
    assert result.attempts == 0
    assert (await desk.execute("plug-2", timeout=1, retries=0)).outcome is Outcome.TIMED_OUT
    desk.on_send = desk.answer
    desk.answer(desk.sent[0][3])
    results = await asyncio.gather(*tasks)
    assert {each.outcome for each in results} == {Outcome.CONFIRMED}
    assert (await desk.execute()).outcome is Outcome.CONFIRMED


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (NotConnectedError("x"), Reason.NOT_CONNECTED),
        (CongestedError("x"), Reason.CONGESTED),
    ],
)
@on_virtual_time
async def test_what_cannot_be_sent_at_all_is_dropped_at_once(
    error: NotConnectedError | CongestedError, reason: Reason
) -> None:
    desk = Desk()
    desk.broken = error
    result = await desk.execute()
    assert (result.outcome, result.reason) == (Outcome.DROPPED, reason)
    assert (result.attempts, desk.now) == (0, 0)


@on_virtual_time
async def test_a_command_can_be_rejected_before_it_is_sent() -> None:
    desk = Desk()
    result = desk.inflight.reject("plug-1", ON, Reason.NODE_OFFLINE)
    assert (result.outcome, result.reason) == (Outcome.REJECTED, Reason.NODE_OFFLINE)
    assert (result.attempts, desk.sent) == (0, [])
    assert desk.inflight.counts == {"rejected": 1}
