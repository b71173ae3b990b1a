"""Commands that wait: for a lost link, for a node that is away, and for how long."""

import asyncio
from typing import Any

import pytest

from custom_components.homesync.client import (
    Command,
    ConfigCommand,
    InvalidSettingError,
    Outcome,
    Reason,
    RestartCommand,
)
from custom_components.homesync.client.errors import CongestedError

from .desk import ACCEPTED, IDENTIFY, OFF, ON, UPDATE, Desk, light, own
from .virtual_time import on_virtual_time

CONFIG = ConfigCommand("{}")
PATIENT: list[Command] = [ON, light(brightness=5), IDENTIFY]
IMPATIENT: list[Command] = [UPDATE, CONFIG, own(), RestartCommand()]


def names(command: Command) -> str:
    return str(command.kind)


@pytest.mark.parametrize("command", PATIENT, ids=names)
@on_virtual_time
async def test_a_switch_waits_out_a_short_loss(command: Command) -> None:
    desk = Desk()
    desk.lose_link()
    await desk.pass_time(5)
    order = desk.submit(command=command)
    await desk.pass_time(20)
    assert desk.sent == []
    desk.restore_link()
    assert desk.seconds == [25]
    desk.answer()
    assert (await order.done).outcome is Outcome.CONFIRMED


@pytest.mark.parametrize("command", PATIENT, ids=names)
@on_virtual_time
async def test_a_loss_that_lasts_ends_even_a_switch(command: Command) -> None:
    desk = Desk()
    desk.lose_link()
    await desk.pass_time(5)
    result = await desk.execute(command=command)
    assert (result.outcome, result.reason) == (Outcome.EXPIRED, Reason.NOT_CONNECTED)
    assert (result.attempts, desk.now) == (0, 30)
    late = await desk.execute(command=command)
    assert (late.outcome, late.reason) == (Outcome.REJECTED, Reason.NOT_CONNECTED)
    assert desk.now == 30


@pytest.mark.parametrize("command", IMPATIENT, ids=names)
@on_virtual_time
async def test_f48_what_is_not_safe_late_is_refused_at_once_while_the_link_is_away(
    command: Command,
) -> None:
    desk = Desk()
    desk.lose_link()
    result = await desk.execute(command=command)
    assert (result.outcome, result.reason) == (Outcome.REJECTED, Reason.NOT_CONNECTED)
    assert (result.attempts, desk.now) == (0, 0)


@pytest.mark.parametrize("command", IMPATIENT, ids=names)
@on_virtual_time
async def test_f48_what_waits_for_its_turn_and_is_not_safe_late_ends_with_the_link(
    command: Command,
) -> None:
    desk = Desk()
    desk.broken = CongestedError("full")
    waiting, patient = desk.submit(command=command), desk.submit()
    desk.lose_link()
    result = await waiting.done
    assert (result.outcome, result.reason) == (Outcome.REJECTED, Reason.NOT_CONNECTED)
    desk.restore_link()
    desk.answer()
    assert (await patient.done).outcome is Outcome.CONFIRMED


@pytest.mark.parametrize("command", [*PATIENT, *IMPATIENT], ids=names)
@on_virtual_time
async def test_f48_without_queue_a_node_that_is_offline_gets_nothing(command: Command) -> None:
    desk = Desk()
    desk.offline.add("plug-1")
    result = await desk.execute(command=command)
    assert (result.outcome, result.reason) == (Outcome.REJECTED, Reason.NODE_OFFLINE)
    desk.comes_online()
    assert desk.sent == []


@pytest.mark.parametrize("command", [*PATIENT, *IMPATIENT], ids=names)
@on_virtual_time
async def test_f48_what_may_be_queued_waits_for_link_and_node(command: Command) -> None:
    desk = Desk()
    desk.lose_link()
    desk.offline.add("plug-1")
    order = desk.submit(command=command, queue=True, ttl=1000)
    await desk.pass_time(500)
    desk.restore_link()
    assert desk.sent == []
    await desk.pass_time(400)
    desk.comes_online()
    assert desk.seconds == [900]
    desk.answer()
    assert (await order.done).outcome is Outcome.CONFIRMED


@pytest.mark.parametrize(("away", "reason"), [("link", "not_connected"), ("node", "node_offline")])
@on_virtual_time
async def test_f48_what_expires_is_never_sent(away: str, reason: str) -> None:
    desk = Desk()
    if away == "link":
        desk.lose_link()
    else:
        desk.offline.add("plug-1")
    result = await desk.execute(queue=True, ttl=1000)
    assert (result.outcome, result.reason, result.attempts) == (Outcome.EXPIRED, reason, 0)
    assert desk.now == 1000
    desk.restore_link()
    desk.comes_online()
    assert desk.sent == []


@on_virtual_time
async def test_a_command_that_gets_no_turn_expires() -> None:
    desk = Desk()
    desk.submit(command=own("long"))
    desk.answer(status=ACCEPTED, wait=600)
    result = await desk.execute(command=own("long"), ttl=20)
    assert (result.outcome, result.reason, desk.now) == (Outcome.EXPIRED, Reason.TOO_LATE, 20)
    desk.dispatch.cancel()


@on_virtual_time
async def test_the_time_to_live_ends_with_the_first_send() -> None:
    desk = Desk()
    result = await desk.execute(ttl=1)
    assert (result.outcome, desk.now) == (Outcome.TIMED_OUT, 27)


@on_virtual_time
async def test_a_short_loss_costs_what_still_waits_nothing_of_its_time() -> None:
    desk = Desk()
    desk.submit(command=own())
    desk.answer(status=ACCEPTED, wait=600)
    desk.lose_link()
    await desk.pass_time(29)
    switch = desk.submit("plug-2", ttl=50)
    desk.broken = CongestedError("full")
    desk.connected = True
    desk.dispatch.connection_is_back()
    await desk.pass_time(40)
    desk.broken = None
    await desk.pass_time(0.5)
    assert desk.sent[-1][1] == "plug-2"
    desk.answer(switch.request_id)
    assert (await switch.done).outcome is Outcome.CONFIRMED
    desk.dispatch.cancel()


@on_virtual_time
async def test_f48_what_waits_for_a_node_that_goes_offline_is_refused_unless_queued() -> None:
    desk = Desk()
    desk.broken = CongestedError("full")
    hasty, queued = desk.submit(), desk.submit(command=own(), queue=True)
    desk.goes_offline()
    result = await hasty.done
    assert (result.outcome, result.reason) == (Outcome.REJECTED, Reason.NODE_OFFLINE)
    desk.broken = None
    desk.comes_online()
    desk.answer()
    assert (await queued.done).outcome is Outcome.CONFIRMED


@pytest.mark.parametrize("queue", [False, True])
@on_virtual_time
async def test_a_sent_command_that_may_be_queued_waits_for_the_link_while_the_node_remembers(
    *, queue: bool
) -> None:
    desk = Desk()
    task = desk.execute(command=own(), queue=queue, retries=0)
    await desk.pass_time(1)
    desk.lose_link()
    await desk.pass_time(50)
    desk.restore_link()
    await desk.pass_time(0)
    assert desk.seconds == ([0, 51] if queue else [0])
    result = await task
    assert (result.outcome, result.attempts) == (Outcome.TIMED_OUT, 1 + queue)


@on_virtual_time
async def test_but_no_longer() -> None:
    desk = Desk()
    task = desk.execute(queue=True, ttl=1000)
    await desk.pass_time(1)
    desk.lose_link()
    result = await task
    assert (result.outcome, result.reason) == (Outcome.TIMED_OUT, Reason.CONNECTION_LOST)
    assert desk.now == 60
    desk.restore_link()
    assert desk.seconds == [0]


@on_virtual_time
async def test_f56_on_waking_what_expired_meanwhile_is_not_sent() -> None:
    desk = Desk()
    desk.lose_link()
    order = desk.submit(queue=True, ttl=50)
    await desk.pass_time(1)
    asyncio.get_running_loop()._clock.now += 100  # type: ignore[attr-defined]  # a test looks inside
    desk.restore_link()
    assert (await order.done).outcome is Outcome.EXPIRED
    assert desk.sent == []


@on_virtual_time
async def test_a_newer_wish_takes_the_place_of_the_one_that_is_queued() -> None:
    desk = Desk()
    desk.lose_link()
    older = desk.submit(queue=True)
    newer = desk.submit(command=OFF)
    assert (await older.done).reason is Reason.SUPERSEDED
    desk.restore_link()
    assert desk.commands == [OFF]
    desk.answer()
    assert (await newer.done).outcome is Outcome.CONFIRMED


@pytest.mark.parametrize(
    "delivery",
    [
        {"ttl": 0},
        {"ttl": -1},
        {"ttl": 86_401},
        {"ttl": float("nan")},
        {"timeout": 0},
        {"timeout": float("inf")},
        {"retries": -1},
        {"retries": 11},
    ],
)
@on_virtual_time
async def test_a_delivery_that_cannot_be_is_refused(delivery: dict[str, Any]) -> None:
    desk = Desk()
    with pytest.raises(InvalidSettingError):
        desk.submit(**delivery)
    assert desk.dispatch.waiting == 0
