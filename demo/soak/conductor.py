"""Carries a plan out, and keeps the ledger of what came of it."""

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, Protocol

from simulator import Node

from ..waiting import until
from .ledger import Call, Ledger, NodeRecord
from .plan import Behave, BreakBroker, Cancel, KillHomeAssistant, OnNode, Press, Reload, Send, Step


class RefusedError(Exception):
    """Home Assistant did not make a command of a call; says why."""


class CutOffError(Exception):
    """Home Assistant died before it answered."""


class Stage(Protocol):
    """Where a plan is carried out."""

    def node(self, home_id: str, node_id: str) -> Node:
        """Give a node."""

    def nodes(self) -> Iterable[Node]:
        """Give all nodes."""

    async def call(self, send: Send) -> dict[str, Any]:
        """Send a command; return its outcome, or raise RefusedError or CutOffError."""

    async def cancel(self, home_id: str, node_id: str) -> None:
        """Withdraw a node's commands."""

    async def reload(self, home_id: str) -> None:
        """Reload a household."""

    async def break_broker(self, *, kill: bool, away: float) -> None:
        """End the broker, and start it again."""

    async def kill(self) -> Iterable[str]:
        """Kill Home Assistant; return the request ids that rest on disk."""

    async def revive(self) -> None:
        """Start Home Assistant again."""


class Conductor:
    """One plan on one stage."""

    def __init__(self, stage: Stage, ledger: Ledger) -> None:
        self._stage = stage
        self._ledger = ledger
        self._tasks: set[asyncio.Task[None]] = set()
        self._calls: set[asyncio.Task[None]] = set()
        self._broker = asyncio.Lock()
        self._now = asyncio.get_running_loop().time

    async def play(self, steps: Iterable[Step]) -> None:
        """Carry all steps out, each in its time; return when no caller waits any more."""
        began = self._now()
        for step in steps:
            await asyncio.sleep(max(0.0, began + step.at - self._now()))
            if isinstance(step, KillHomeAssistant):
                paused = self._now()
                await self._kill()
                began += self._now() - paused
            else:
                self._begin(step)

    async def calm(self, patience: float) -> None:
        """Let nodes be good and everybody come to an end; TimeoutError if somebody does not."""
        async with asyncio.timeout(patience):
            await self._all(self._tasks)
            for node in self._stage.nodes():
                node.behaviour = type(node.behaviour)()
            # An installation that stalled does not go on by itself.
            for node in self._stage.nodes():
                if node.pending:
                    await node.restart()
            await self._all(self._calls)
            await until(self._is_calm, "everything has ended", patience)

    async def _is_calm(self) -> bool:
        return not self._ledger.open() and all(node.online for node in self._stage.nodes())

    def records(self) -> list[NodeRecord]:
        """Ask every node what it did."""
        return [
            NodeRecord(
                home_id=node.config.home_id,
                node_id=node.config.node_id,
                executed=tuple(each.request_id for each in node.executed if each.request_id),
                relay=node.relay,
            )
            for node in self._stage.nodes()
        ]

    async def close(self) -> None:
        """Leave nothing running."""
        left = self._tasks | self._calls
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    def _begin(self, step: Step) -> None:
        match step:
            case Send():
                self._start(self._call(step), self._calls)
            case OnNode():
                self._on_node(step)
            case BreakBroker(kill=kill, away=away):
                self._start(self._break_broker(kill=kill, away=away), self._tasks)
            case Reload(home_id=home_id):
                self._start(self._stage.reload(home_id), self._tasks)

    def _on_node(self, step: OnNode) -> None:
        node = self._stage.node(step.home_id, step.node_id)
        match step:
            case Behave(settings=settings):
                node.behaviour = type(node.behaviour)().changed(settings)
            case Press():
                node.press()
            case Cancel():
                self._start(self._stage.cancel(step.home_id, step.node_id), self._tasks)

    async def _call(self, send: Send) -> None:
        call = Call(send, self._now())
        self._ledger.calls.append(call)
        try:
            call.response = await self._stage.call(send)
        except RefusedError as error:
            call.refused = str(error)
        except CutOffError:
            call.cut_off = self._now()

    async def _break_broker(self, *, kill: bool, away: float) -> None:
        async with self._broker:
            await self._stage.break_broker(kill=kill, away=away)

    async def _kill(self) -> None:
        at = self._now()
        for request_id in await self._stage.kill():
            self._ledger.rested[request_id] = at
        self._ledger.kills += 1
        await self._stage.revive()

    def _start(self, work: Coroutine[Any, Any, None], tasks: set[asyncio.Task[None]]) -> None:
        task = asyncio.create_task(work)
        tasks.add(task)

    async def _all(self, tasks: set[asyncio.Task[None]]) -> None:
        """Wait for all, and let the first failure be known."""
        await asyncio.gather(*tasks)
