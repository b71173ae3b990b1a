"""What nodes can be told besides their relay, and what becomes of it: steps of the check."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
import secrets
from typing import Any

from .errors import DemoError
from .firmware import VERSION
from .nodes import OWN_COMMAND
from .probe import WITHIN, Json, Probe, expect, wait_for_state
from .stage import Stage
from .waiting import until

_EVENT = "homesync_command"
_LEAST_STEPS = 3
_AWAY = 2.0

type Step = tuple[str, Callable[[], Awaitable[None]]]


@dataclass(frozen=True, slots=True)
class CommandsCheck:
    """Each step raises DemoError if it does not hold; all are about one node."""

    stage: Stage
    node: Probe

    def steps(self) -> tuple[Step, ...]:
        """Return what is tried, in order."""
        return (
            ("the light takes colour and brightness", self._light),
            ("the button Identify lets the LED blink", self._identify),
            ("settings are sent and read back", self._configure),
            ("a command of the maker's own, and its event", self._own_command),
            ("queued while the broker is away: carried out once, afterwards", self._queue),
            (f"firmware {VERSION} is installed, its progress shown", self._install),
        )

    async def _light(self) -> None:
        light = self.node.entity("led")
        await self.stage.api.act(
            "light.turn_on", entity_id=light, rgb_color=[255, 120, 0], brightness=200
        )
        await self.node.wait_for("led", "on", within=1)
        shown = (await self.stage.api.get(f"states/{light}"))["attributes"]
        led = (await self.node.truth())["led"]
        expect([led], [{"state": "on", "color": [255, 120, 0], "brightness": 200}])
        expect([shown], [{"rgb_color": led["color"], "brightness": led["brightness"]}])

    async def _identify(self) -> None:
        before = (await self.node.truth())["identified"]
        await self.stage.api.act("button.press", entity_id=self.node.entity("identify"))
        truth = await self.node.truth()
        expect([truth], [{"identified": before + 1, "identifying": True}])

    async def _configure(self) -> None:
        wanted = {"interval": 30, "name": secrets.token_hex(4)}
        answer = await self.node.send(command="config", config=wanted)
        expect([answer], [{"outcome": "confirmed", "result": "applied", "settings": wanted}])
        expect([await self.node.truth()], [{"settings": wanted}])

    async def _own_command(self) -> None:
        async with self.stage.api.watched(_EVENT) as events:
            answer = await self.node.send(command=OWN_COMMAND, content={"tune": 7})
            told = await self._event_of(events, answer["request_id"])
        same = ("device_id", "node_id", "household", "command", "outcome", "result", "attempts")
        expect([answer], [{"outcome": "confirmed", "result": '{"tune": 7}'}])
        expect([told], [{key: answer[key] for key in same} | {"home_id": self.node.home_id}])

    async def _queue(self) -> None:
        before = await self.node.executed()
        async with self.stage.api.watched(_EVENT) as events:
            await self.stage.broker.stop()
            await self._wait_for_connection("off")
            sending = asyncio.create_task(self.node.send(action="off", queue=True, ttl=WITHIN))
            await asyncio.wait({sending}, timeout=_AWAY)
            if sending.done():
                raise DemoError(f"it did not wait for the broker: {sending.result()}")
            await self.stage.broker.start()
            answer = await sending
            await self._event_of(events, answer["request_id"])
        expect([answer], [{"outcome": "confirmed", "result": "off"}])
        record = (await self.node.executed())[len(before) :]
        expect(record, [{"request_id": answer["request_id"], "action": "off", "result": "off"}])
        await self._wait_for_connection("on")

    async def _install(self) -> None:
        update = self.node.entity("firmware")
        await self.node.wait_for("firmware", "on")
        before = await self.node.executed()
        async with self.stage.api.watched("state_changed") as events:
            await self.stage.api.act("update.install", entity_id=update)
            await self.node.wait_for("firmware", "off")
        seen = _percentages(events, update)
        if seen != sorted(seen) or len(set(seen)) < _LEAST_STEPS:
            raise DemoError(f"no rising percentage: {seen}")
        state = (await self.stage.api.get(f"states/{update}"))["attributes"]
        expect([state], [{"installed_version": VERSION, "in_progress": False}])
        # The node tells its version first and is done with the command a moment later.
        record = await until(lambda: self._added(before), "a record of it", WITHIN)
        expect(record, [{"kind": "ota", "action": "install", "result": VERSION}])
        expect([await self.node.truth()], [{"firmware": VERSION}])

    async def _added(self, before: list[Json]) -> list[Json] | None:
        return [each for each in await self.node.executed() if each not in before] or None

    async def _wait_for_connection(self, wanted: str) -> None:
        await wait_for_state(self.stage, self.node.home_id, None, "connected", wanted)

    async def _event_of(self, events: list[Json], request_id: str) -> Json:
        async def told() -> Json | None:
            found = [each["data"] for each in events if each["data"]["request_id"] == request_id]
            return found[0] if found else None

        event: Json = await until(told, f"an event for {request_id}", 5)
        return event


def _percentages(events: list[dict[str, Any]], entity_id: str) -> list[int]:
    """Give what the update showed of its progress, in order."""
    states = [
        each["data"]["new_state"] for each in events if each["data"]["entity_id"] == entity_id
    ]
    shown = [state["attributes"]["update_percentage"] for state in states if state is not None]
    return [each for each in shown if each is not None]
