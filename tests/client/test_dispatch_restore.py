"""What is put down when all ends, and what is taken up again by the next run."""

import asyncio
from dataclasses import replace
import math
from typing import Any

import pytest

from custom_components.homesync.client import (
    Command,
    ConfigCommand,
    InvalidSettingError,
    LedAction,
    LedCommand,
    Outcome,
    OwnCommand,
    Reason,
    RestartCommand,
    StoredCommand,
)

from .desk import ACCEPTED, IDENTIFY, NOW, OFF, ON, UPDATE, Desk, light, own
from .virtual_time import on_virtual_time

STORED = StoredCommand(
    request_id="id-1",
    node_id="plug-1",
    kind="relay",
    fields='{"action": "on"}',
    created=NOW,
    ttl=600.0,
    timeout=5.0,
    retries=3,
)
SENT = replace(STORED, attempts=1, first_sent=NOW)


@on_virtual_time
async def test_f52_stopping_cancels_what_is_open_and_what_is_queued_rests() -> None:
    desk = Desk()
    tasks = [
        desk.execute("plug-1", ON),
        desk.execute("plug-1", own(), queue=True),
        desk.execute("plug-2", OFF, queue=True),
        desk.execute("plug-2", own()),
    ]
    await desk.pass_time(1)
    stored = desk.dispatch.stored()
    desk.dispatch.stop()
    results = await asyncio.gather(*tasks)
    assert [each.outcome for each in results] == ["cancelled", "queued", "queued", "cancelled"]
    assert {each.reason for each in results} == {Reason.STOPPED}
    assert desk.outcomes == [("cancelled", "stopped")] * 2
    assert desk.dispatch.counts == {"cancelled": 2}
    assert desk.dispatch.stored() == stored
    assert [(each.request_id, each.attempts) for each in stored] == [
        (results[1].request_id, 0),
        (results[2].request_id, 1),
    ]


@on_virtual_time
async def test_f52_after_the_stop_nothing_that_arrives_changes_what_rests() -> None:
    desk = Desk()
    order = desk.submit(queue=True)
    update = desk.submit("plug-2", UPDATE, queue=True)
    desk.submit(command=own(), queue=True)
    stored = desk.dispatch.stored()
    desk.dispatch.stop()
    desk.answer(order.request_id)
    desk.dispatch.broker_answered(order.request_id, 0x87)
    desk.dispatch.firmware_told("plug-2", "1.3.0")
    desk.flap(5)
    desk.dispatch.pump()
    late = desk.submit(queue=True)
    assert (await late.done).outcome is Outcome.CANCELLED
    assert (await update.done).outcome is Outcome.QUEUED
    assert desk.dispatch.stored() == stored
    assert len(desk.sent) == 2
    desk.dispatch.stop()
    assert desk.dispatch.stored() == stored


@pytest.mark.parametrize(
    "command",
    [
        ON,
        light(brightness=0, color=(1, 2, 255), effect="blink"),
        IDENTIFY,
        LedCommand(LedAction.OFF),
        ConfigCommand('{"interval":5}'),
        UPDATE,
        replace(UPDATE, firmware=replace(UPDATE.firmware, size=5)),
        RestartCommand(),
        OwnCommand("dance", '{"steps":[1,2.5,null]}'),
    ],
    ids=str,
)
@on_virtual_time
async def test_every_command_is_taken_up_as_it_was_put_down(command: Command) -> None:
    desk = Desk()
    desk.lose_link()
    order = desk.submit(command=command, queue=True, ttl=100, timeout=7, retries=2)
    await desk.pass_time(30)
    (stored,) = desk.dispatch.stored()
    desk.dispatch.stop()
    again = desk.restored(stored)
    assert again.dispatch.stored() == [stored]
    await again.pass_time(60)
    again.restore_link()
    assert again.commands == [command]
    assert again.ids == {order.request_id}
    again.answer()
    assert again.outcomes == [("confirmed", None)]
    assert again.dispatch.stored() == []


@on_virtual_time
async def test_f48_f51_the_time_that_is_left_is_what_the_last_run_left() -> None:
    desk = Desk()
    desk.wall = NOW + 400
    again = desk.restored(STORED)
    await again.pass_time(199)
    assert again.results == []
    await again.pass_time(2)
    assert again.outcomes == [("expired", "not_connected")]


@pytest.mark.parametrize("stored", [STORED, SENT])
@on_virtual_time
async def test_f51_what_has_no_time_left_expires_at_once_and_is_told(stored: StoredCommand) -> None:
    desk = Desk()
    desk.wall = NOW + 600
    again = desk.restored(stored)
    assert again.outcomes == [("expired", "too_late")]
    assert again.results[0].attempts == stored.attempts
    again.restore_link()
    assert again.sent == []


@pytest.mark.parametrize(("seconds", "sent"), [(20, True), (59, True), (60, False), (90, False)])
@on_virtual_time
async def test_f51_what_was_sent_before_is_sent_again_only_while_the_node_remembers(
    seconds: float, *, sent: bool
) -> None:
    desk = Desk()
    desk.wall = NOW + 10
    again = desk.restored(SENT)
    await again.pass_time(seconds - 10)
    again.restore_link()
    assert again.ids == ({"id-1"} if sent else set())
    await again.pass_time(1000)
    (result,) = again.results
    assert result.outcome == (Outcome.TIMED_OUT if sent else Outcome.EXPIRED)
    assert max(again.seconds, default=0) < 50


@pytest.mark.parametrize(
    ("stored", "wall", "age"),
    [(STORED, NOW + 10, 10), (SENT, NOW + 10, 10), (STORED, NOW - 86_400, 0)],
)
@on_virtual_time
async def test_what_is_taken_up_has_waited_since_it_was_given(
    stored: StoredCommand, wall: float, age: float
) -> None:
    desk = Desk()
    desk.wall = wall
    again = desk.restored(stored)
    assert again.dispatch.oldest == pytest.approx(age)
    await again.pass_time(20)
    assert again.dispatch.oldest == pytest.approx(age + 20)
    again.dispatch.cancel()
    assert again.dispatch.oldest is None


@on_virtual_time
async def test_f51_an_answer_to_what_the_last_run_sent_confirms() -> None:
    desk = Desk()
    desk.wall = NOW + 10
    again = desk.restored(SENT)
    again.restore_link()
    again.answer()
    (result,) = again.results
    assert (result.outcome, result.attempts, result.latency) == (Outcome.CONFIRMED, 2, 10)


@on_virtual_time
async def test_f56_a_clock_set_back_grants_no_more_than_was_granted_first() -> None:
    desk = Desk()
    desk.wall = NOW - 86_400
    again = desk.restored(STORED)
    await again.pass_time(400)
    once_more = again.restored(*again.dispatch.stored())
    again.dispatch.stop()
    await once_more.pass_time(190)
    assert once_more.results == []
    await once_more.pass_time(20)
    assert once_more.outcomes == [("expired", "not_connected")]


@on_virtual_time
async def test_f56_a_clock_set_back_repeats_nothing_that_a_node_may_have_forgotten() -> None:
    desk = Desk()
    desk.wall = NOW - 86_400
    again = desk.restored(SENT)
    again.restore_link()
    assert (again.outcomes, again.sent) == ([("expired", "too_late")], [])


@on_virtual_time
async def test_f56_a_clock_that_jumps_while_we_run_changes_no_deadline() -> None:
    desk = Desk()
    desk.lose_link()
    order = desk.submit(queue=True, ttl=600)
    desk.wall += 31_536_000
    await desk.pass_time(599)
    assert not order.done.done()
    assert (await order.done).outcome is Outcome.EXPIRED
    assert desk.now == 600


@on_virtual_time
async def test_whoever_keeps_what_rests_is_told_of_each_change() -> None:
    desk = Desk()
    desk.submit()
    assert desk.changes == 0
    order = desk.submit("plug-2", own(), queue=True)
    queued, sent = 1, 1
    assert desk.changes == queued + sent
    desk.answer(status=ACCEPTED)
    desk.answer()
    accepted, ended = 1, 1
    assert desk.changes == queued + sent + accepted + ended
    assert order.done.done()
    desk.dispatch.cancel()


WRONG: dict[str, tuple[Any, ...]] = {
    "request_id": ("", "a" * 65, "a/b", 5, None, ["id-1"], "+"),
    "node_id": ("", "a/b", "+", "#", "a\0", 5, None, {}, True),
    "kind": ("", "a/#", "+", "relay/x", 5, None, []),
    "fields": (
        "",
        "{",
        "[]",
        "null",
        '"on"',
        "{}",
        '{"action": "explode"}',
        '{"action": ["on"]}',
        5,
        None,
        {"action": "on"},
        "\ud800",
    ),
    "created": ("now", None, -1, math.nan, math.inf, 1e300, True, []),
    "ttl": ("600", None, 0, -1, 86_401, math.nan, math.inf, True, {}),
    "timeout": ("5", None, 0, -1, 601, math.nan, True),
    "retries": ("3", None, -1, 11, 1.5, math.nan, True),
    "attempts": ("0", None, -1, 1, 1.5, math.nan, 10**9, False),
    "first_sent": ("now", -1, NOW, math.nan, math.inf, False, []),
}


@pytest.mark.parametrize(
    ("field", "value"), [(field, value) for field, values in WRONG.items() for value in values]
)
@on_virtual_time
async def test_s16_a_record_that_no_run_put_down_is_refused(field: str, value: Any) -> None:
    desk = Desk()
    with pytest.raises(InvalidSettingError):
        desk.dispatch.restore(replace(STORED, **{field: value}))
    assert (desk.dispatch.waiting, desk.results) == (0, [])


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("ota", '{"version": "1", "url": "http://x/y", "sha256": "%s"}' % ("a" * 64)),
        ("ota", '{"version": "1", "url": "https://x/y", "sha256": "a"}'),
        ("ota", '{"version": 1, "url": "https://x/y", "sha256": "%s"}' % ("a" * 64)),
        ("ota", '{"version": "1", "url": "https://x/y", "sha256": "%s", "size": -1}' % ("a" * 64)),
        ("ota", "[]"),
        ("led", '{"action": "on", "brightness": 256}'),
        ("led", '{"action": "on", "brightness": true}'),
        ("led", '{"action": "on", "color": [1, 2]}'),
        ("led", '{"action": "on", "color": 7}'),
        ("led", '{"action": "on", "effect": ""}'),
        ("led", "[]"),
        ("led", '"on"'),
        ("config", "{}"),
        ("config", '{"config": [1]}'),
        ("config", '{"config": {"x": "%s"}}' % ("x" * 20_000)),
        ("restart", "[]"),
        ("dance", "[]"),
    ],
)
@on_virtual_time
async def test_s16_a_command_that_nobody_could_have_given_is_refused(
    kind: str, fields: str
) -> None:
    desk = Desk()
    with pytest.raises(InvalidSettingError):
        desk.dispatch.restore(replace(STORED, kind=kind, fields=fields))
    assert desk.dispatch.waiting == 0


@on_virtual_time
async def test_s16_a_request_id_that_is_there_twice_is_refused() -> None:
    desk = Desk()
    desk.dispatch.restore(STORED)
    with pytest.raises(InvalidSettingError):
        desk.dispatch.restore(replace(STORED, node_id="plug-2"))
    desk.dispatch.cancel()
