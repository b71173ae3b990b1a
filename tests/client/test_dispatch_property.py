"""Whatever happens: every command has exactly one outcome, and nothing is left of it."""

import asyncio
from collections import Counter
from random import Random
from typing import Any

import pytest

from custom_components.homesync.client import (
    Command,
    CommandResult,
    ConfigCommand,
    Limits,
    Outcome,
    RestartCommand,
)
from custom_components.homesync.client.commands import ResponseStatus
from custom_components.homesync.client.errors import CongestedError, TooLargeError
from custom_components.homesync.client.order import Order

from .desk import IDENTIFY, OFF, TOGGLE, UPDATE, Desk, light, own
from .virtual_time import on_virtual_time

NODES = ("plug-1", "plug-2", "plug-3")
COMMANDS: tuple[Command, ...] = (
    OFF,
    TOGGLE,
    light(brightness=5),
    light(color=(1, 2, 3)),
    IDENTIFY,
    UPDATE,
    ConfigCommand("{}"),
    RestartCommand(),
    own("a"),
    own("b"),
)


class Chaos:
    """A household to which anything happens, in an order that a seed decides."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.desk = Desk(
            Limits(
                per_node=self.random.randint(1, 2),
                per_household=self.random.randint(1, 4),
                updates=self.random.randint(1, 2),
            ),
            grace=self.random.choice((0, 5, 30)),
        )
        self.orders: list[Order] = []
        self.callers: list[asyncio.Task[CommandResult]] = []
        self.deeds = (
            *(self.submit,) * 5,
            *(self.answer,) * 5,
            *(self.wait,) * 4,
            self.call,
            self.leave,
            self.withdraw,
            self.cancel,
            self.flap,
            self.lose,
            self.restore,
            self.node,
            self.congest,
            self.broker_answers,
            self.firmware,
        )

    async def run(self, deeds: int) -> None:
        for _ in range(deeds):
            done = self.random.choice(self.deeds)()
            if done is not None:
                await done

    def submit(self) -> None:
        node_id, command = self.random.choice(NODES), self.random.choice(COMMANDS)
        self.orders.append(self.desk.submit(node_id, command, **self.delivery()))

    def call(self) -> None:
        node_id, command = self.random.choice(NODES), self.random.choice(COMMANDS)
        self.callers.append(self.desk.execute(node_id, command, **self.delivery()))

    def delivery(self) -> dict[str, Any]:
        return {
            "queue": self.random.random() < 0.3,
            "ttl": self.random.choice((0.5, 5, 60, 1000)),
            "timeout": self.random.choice((0.2, 5, 40)),
            "retries": self.random.choice((0, 1, 3, 10)),
        }

    def leave(self) -> None:
        if self.callers:
            self.random.choice(self.callers).cancel()

    def withdraw(self) -> None:
        if self.orders:
            self.desk.dispatch.withdraw(self.random.choice(self.orders))

    def cancel(self) -> None:
        self.desk.dispatch.cancel(self.random.choice(NODES))

    def answer(self) -> None:
        if self.desk.sent:
            self.desk.answer(
                self.random.choice(self.desk.sent[-6:])[3],
                node_id=self.random.choice((None,) * 5 + NODES),
                leaf=self.random.choice((None,) * 5 + ("ota", "command")),
                status=self.random.choice(tuple(ResponseStatus)),
                wait=self.random.choice((None, 0, 3, 1e6)),
            )

    def wait(self) -> Any:
        return self.desk.pass_time(self.random.choice((0, 0.1, 1, 7, 70)))

    def lose(self) -> None:
        if self.desk.connected:
            self.desk.lose_link()

    def restore(self) -> None:
        if not self.desk.connected:
            self.desk.restore_link()

    def flap(self) -> None:
        self.lose()
        self.restore()

    def node(self) -> None:
        node_id = self.random.choice(NODES)
        if node_id in self.desk.offline:
            self.desk.comes_online(node_id)
        else:
            self.desk.goes_offline(node_id)

    def congest(self) -> None:
        if self.desk.connected:
            full, large = CongestedError("full"), TooLargeError(2, 1)
            self.desk.broken = self.random.choice((None, full, large))

    def broker_answers(self) -> None:
        if self.desk.sent:
            request_id = self.random.choice(self.desk.sent[-3:])[3]
            code = self.random.choice((0, 0, 0x10, 0x87))
            self.desk.dispatch.broker_answered(request_id, code)

    def firmware(self) -> None:
        self.desk.dispatch.firmware_told(self.random.choice(NODES), "1.3.0")


def check(chaos: Chaos, results: list[CommandResult]) -> None:
    desk = chaos.desk
    told = {each.request_id: each for each in desk.results}
    assert len(told) == len(desk.results)
    for result in results:
        assert (told.get(result.request_id) == result) is (result.outcome is not Outcome.QUEUED)
    counts = desk.dispatch.counts
    outcomes = Counter(each.outcome for each in desk.results)
    assert {name: counts[name] for name in Outcome if counts[name]} == outcomes
    sends = Counter(each[3] for each in desk.sent)
    firsts: dict[str, float] = {}
    for at, _, _, request_id in desk.sent:
        assert at - firsts.setdefault(request_id, at) < 60
    for result in desk.results:
        assert result.attempts == sends[result.request_id]
        if result.outcome is Outcome.REJECTED and result.reason != "refused_by_node":
            assert result.attempts <= 1
    assert (desk.dispatch.waiting, desk.dispatch.sent) == (0, 0)
    assert desk.dispatch._turns._later is None


@pytest.mark.parametrize("stops", [False, True])
@pytest.mark.parametrize("seed", range(40))
@on_virtual_time
async def test_every_command_has_one_outcome_that_callers_and_listeners_agree_on(
    seed: int, *, stops: bool
) -> None:
    chaos = Chaos(seed)
    await chaos.run(300)
    if stops:
        stored = chaos.desk.dispatch.stored()
        chaos.desk.dispatch.stop()
        assert chaos.desk.dispatch.stored() == stored
    else:
        chaos.restore()
        chaos.desk.broken = None
        await chaos.desk.pass_time(5000)
    done = [*(order.done for order in chaos.orders), *chaos.callers]
    results = await asyncio.wait_for(asyncio.gather(*done, return_exceptions=True), 1)
    ended = [each for each in results if isinstance(each, CommandResult)]
    assert len(ended) >= len(chaos.orders)
    check(chaos, ended)
    resting = {each.request_id for each in chaos.desk.dispatch.stored()}
    assert resting == {each.request_id for each in ended if each.outcome is Outcome.QUEUED}


@pytest.mark.parametrize("seed", range(20))
@on_virtual_time
async def test_what_rests_between_runs_has_its_outcome_in_one_of_them(seed: int) -> None:
    chaos = Chaos(seed)
    given: set[str] = set()
    told: list[str] = []
    for _ in range(5):
        await chaos.run(40)
        await chaos.desk.pass_time(0)
        desk = chaos.desk
        stored = desk.dispatch.stored()
        desk.dispatch.stop()
        given |= {order.request_id for order in chaos.orders}
        given |= {each.request_id for each in desk.results}
        given |= {each.request_id for each in stored}
        told += [each.request_id for each in desk.results]
        chaos.orders.clear()
        await asyncio.wait(chaos.callers or [asyncio.create_task(asyncio.sleep(0))])
        chaos.callers.clear()
        await asyncio.sleep(chaos.random.choice((0, 3, 100)))
        chaos.desk = desk.restored(*stored)
        chaos.restore()
    await chaos.desk.pass_time(5000)
    told += [each.request_id for each in chaos.desk.results]
    assert Counter(told) == Counter(given)
    chaos.desk.dispatch.stop()
