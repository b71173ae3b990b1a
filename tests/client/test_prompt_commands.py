"""Whoever waits for a command goes on in the read that brought the answer."""

import asyncio
from functools import partial
import json

import pytest

from custom_components.homesync.client import CommandResult, Delivery, Outcome, Reason

from ..transport.link import until
from ..transport.packets import publish
from .desk import OFF, ON
from .villa import ROOT, Villa
from .virtual_time import on_virtual_time

pytestmark = pytest.mark.usefixtures("socket_enabled")


def response(villa: Villa, number: int = -1, result: str = "on") -> bytes:
    """A node's answer to a command that the broker has got."""
    topic, content, _ = villa.commands[number]
    node_id = topic.split("/")[3]
    answer = {"request_id": content["request_id"], "status": "success", "result": result}
    where = f"{ROOT}/{node_id}/response/command".encode()
    return publish(4, where, json.dumps(answer).encode())


def relay(state: str) -> bytes:
    where = f"{ROOT}/plug-1/status/relay".encode()
    return publish(4, where, json.dumps({"state": state}).encode())


class Log:
    """What happens in which order."""

    def __init__(self, villa: Villa) -> None:
        self.villa = villa
        self.happened: list[str] = []
        villa.household.restore_node("plug-1")
        villa.household.restore_node("plug-2")
        villa.household.add_result_listener(self._ended)
        villa.household.add_change_listener(
            lambda node, keys: self.happened.extend(
                f"{key} {node.get(key)}" for key in keys if key != "last_seen"
            )
        )

    def _ended(self, result: CommandResult) -> None:
        self.happened.append(f"told {result.outcome} {result.node_id}")

    async def call(self, node_id: str = "plug-1") -> CommandResult:
        result = await self.villa.household.commands.execute(node_id, ON)
        self.happened.append(f"returned {result.outcome} {node_id}")
        return result

    async def begin(self, node_id: str = "plug-1") -> asyncio.Task[CommandResult]:
        before = len(self.villa.commands)
        task = asyncio.create_task(self.call(node_id))
        await until(lambda: len(self.villa.commands) > before)
        return task

    async def hear(self, *packets: bytes) -> None:
        """Let all come in one read."""
        self.villa.peer.send(*packets)
        await self.villa.settle()


@on_virtual_time
async def test_the_outcome_and_the_state_are_told_first_and_the_next_message_comes_after() -> None:
    async with Villa() as villa:
        log = Log(villa)
        task = await log.begin()
        await log.hear(response(villa), relay("off"))
        await task
        assert log.happened == [
            "told confirmed plug-1",
            "status/relay True",
            "returned confirmed plug-1",
            "status/relay False",
        ]


@on_virtual_time
async def test_two_answers_in_one_read_end_two_commands_one_after_the_other() -> None:
    async with Villa() as villa:
        log = Log(villa)
        tasks = [await log.begin("plug-1"), await log.begin("plug-2")]
        await log.hear(response(villa, 0), response(villa, 1))
        await asyncio.gather(*tasks)
        assert [each for each in log.happened if "status" not in each] == [
            "told confirmed plug-1",
            "returned confirmed plug-1",
            "told confirmed plug-2",
            "returned confirmed plug-2",
        ]


@on_virtual_time
async def test_a_caller_that_goes_on_may_cancel_what_the_same_read_would_have_confirmed() -> None:
    async with Villa() as villa:
        log = Log(villa)

        async def first() -> None:
            await log.call("plug-1")
            villa.household.commands.cancel("plug-2")

        before = len(villa.commands)
        task = asyncio.create_task(first())
        await until(lambda: len(villa.commands) > before)
        second = await log.begin("plug-2")
        await log.hear(response(villa, 0), response(villa, 1))
        await task
        result = await second
        assert (result.outcome, result.reason) == (Outcome.CANCELLED, Reason.WITHDRAWN)
        assert villa.household.counts["late_answer"] == 1
        assert villa.household.counts["confirmed"] == villa.household.counts["cancelled"] == 1


@on_virtual_time
async def test_a_caller_that_goes_on_may_send_the_next_command() -> None:
    async with Villa() as villa:
        log = Log(villa)

        async def toggle() -> list[Outcome]:
            commands = villa.household.commands
            return [(await commands.execute("plug-1", each)).outcome for each in (ON, OFF)]

        def sent(number: int) -> bool:
            return len(villa.commands) == number

        task = asyncio.create_task(toggle())
        for number, state in enumerate(("on", "off"), 1):
            await until(partial(sent, number))
            await log.hear(response(villa, result=state))
        assert await task == [Outcome.CONFIRMED] * 2
        assert villa.node.get("status/relay") is False


@on_virtual_time
async def test_a_caller_that_goes_on_may_end_the_household() -> None:
    async with Villa() as villa:
        log = Log(villa)

        async def call_and_stop() -> CommandResult:
            result = await log.call()
            await villa.household.stop()
            return result

        task = asyncio.create_task(call_and_stop())
        await until(lambda: bool(villa.commands))
        second = asyncio.create_task(
            villa.household.commands.execute("plug-2", ON, Delivery(queue=True))
        )
        await until(lambda: len(villa.commands) == 2)
        villa.peer.send(response(villa, 0), response(villa, 1))
        assert (await task).outcome is Outcome.CONFIRMED
        assert (await second).outcome is Outcome.QUEUED


@on_virtual_time
async def test_a_caller_cancelled_before_the_answer_is_read_gets_no_answer() -> None:
    async with Villa() as villa:
        log = Log(villa)
        task = await log.begin()
        villa.peer.send(response(villa))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await villa.settle()
        assert [each for each in log.happened if "status" not in each] == ["told cancelled plug-1"]


@on_virtual_time
async def test_a_caller_behind_other_futures_is_told_all_the_same() -> None:
    async with Villa() as villa:
        log = Log(villa)
        async with asyncio.timeout(3):
            waiting = asyncio.gather(asyncio.shield(log.call()), return_exceptions=True)
            await until(lambda: bool(villa.commands))
            await log.hear(response(villa))
            (result,) = await waiting
        assert isinstance(result, CommandResult)
        assert result.outcome is Outcome.CONFIRMED
