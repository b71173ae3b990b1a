"""A soak in the real Home Assistant: carried out, calmed, verified, told."""

import asyncio
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
import time
from typing import Any

import aiohttp

from simulator import Node

from ..api import ApiError
from ..errors import DemoError
from ..registry import Registry
from ..stage import say
from ..waiting import until
from .conductor import Conductor, CutOffError, RefusedError
from .house import PLANS, House
from .ledger import Ledger
from .plan import Scale, Send, Step, make_plan

# The longest time to live, four sends and their gaps, and a start of Home Assistant.
_CALM_WITHIN = 240.0
_EQUAL_WITHIN = 30.0
_KNOWN_WITHIN = 60.0
_ENTITIES = ("relay", "led", "firmware", "online")
_PROGRESS_EVERY = 30.0
_SHOWN = 40


@dataclass(slots=True)
class _HouseStage:
    """A plan's stage in a house."""

    house: House
    registry: Registry

    def node(self, home_id: str, node_id: str) -> Node:
        return self.house.node(home_id, node_id)

    def nodes(self) -> Iterable[Node]:
        return self.house.nodes()

    async def call(self, send: Send) -> dict[str, Any]:
        action, fields = "homesync.send_command", dict(send.fields)
        if send.kind == "ota":
            order = self.house.image.available(f"2.{send.number}.0").as_json()
            action, fields = "homesync.install_firmware", order
        return await self._act(action, send.home_id, send.node_id, fields)

    async def cancel(self, home_id: str, node_id: str) -> None:
        try:
            await self._act("homesync.cancel_commands", home_id, node_id, {})
        except RefusedError, CutOffError:
            # Not loaded, or dead: nothing to withdraw.
            return

    async def reload(self, home_id: str) -> None:
        entry = self.house.state.entries[home_id]
        try:
            await self.house.api.post(f"config/config_entries/entry/{entry}/reload", {})
        except (ApiError, aiohttp.ClientError, OSError) as error:
            if self.house.up.is_set():
                raise DemoError(f"{home_id} was not reloaded: {error}") from error

    async def break_broker(self, *, kill: bool, away: float) -> None:
        broker = self.house.broker
        await (broker.kill() if kill else broker.stop())
        await asyncio.sleep(away)
        await broker.start()

    async def kill(self) -> Iterable[str]:
        return await self.house.kill_home_assistant()

    async def revive(self) -> None:
        await self.house.start_home_assistant()
        # Home Assistant writes new devices down only after minutes; until then they are
        # others after a kill.
        self.registry = await _known_nodes(self.house)

    async def _act(
        self, action: str, home_id: str, node_id: str, fields: dict[str, object]
    ) -> dict[str, Any]:
        device = self.registry.device(home_id, node_id)
        try:
            answer = await self.house.api.act_for_response(action, device_id=device, **fields)
        except ApiError as error:
            raise RefusedError(str(error)) from error
        except (aiohttp.ClientError, OSError) as error:
            if self.house.up.is_set():
                raise DemoError(f"{action}: {error!r}") from error
            raise CutOffError from error
        (result,) = answer.get("results", [{}])
        return dict(result)


async def soak(house: House, ledger: Ledger, seed: int, scale: Scale) -> bool:
    """Carry out, calm down, verify and tell; whether all held."""
    addresses = [(plan.home_id, node_id) for plan in PLANS for node_id in plan.node_ids]
    stage = _HouseStage(house, await _known_nodes(house))
    steps = make_plan(seed, scale, addresses)
    conductor = Conductor(stage, ledger)
    telling = asyncio.create_task(_tell_progress(ledger, scale.commands))
    started = time.monotonic()
    try:
        await conductor.play(steps)
        say("calming down")
        problems = await _calm(conductor)
    finally:
        telling.cancel()
        await conductor.close()
    problems += ledger.verify(conductor.records())
    problems += await _differences(house, stage.registry)
    _tell(ledger, steps, time.monotonic() - started)
    for problem in problems[:_SHOWN]:
        print(f"✗ {problem}", flush=True)
    if problems:
        print(f"✗ {len(problems)} problems; repeat with --seed {seed}", flush=True)
    else:
        print(f"✓ everything adds up (seed {seed})", flush=True)
    return not problems


async def _known_nodes(house: House) -> Registry:
    async def known() -> Registry | None:
        registry = await house.registry()
        complete = all(
            registry.has(node.config.home_id, node.config.node_id, *_ENTITIES)
            for node in house.nodes()
        )
        return registry if complete else None

    return await until(known, "all nodes have their entities", _KNOWN_WITHIN)


async def _calm(conductor: Conductor) -> list[str]:
    try:
        await conductor.calm(_CALM_WITHIN)
    except TimeoutError:
        return [f"not everything ended within {_CALM_WITHIN:g} s"]
    return []


async def _differences(house: House, registry: Registry) -> list[str]:
    """Return where Home Assistant shows something else than the node knows."""
    found: list[str] = []

    async def equal() -> bool:
        states = await house.api.states()
        found[:] = [
            f"{entity} is {states.get(entity)}, the node says {truth}"
            for node in house.nodes()
            for entity, truth in _truth(node, registry)
            if states.get(entity) != truth
        ]
        return not found

    try:
        await until(equal, "states are equal", _EQUAL_WITHIN)
    except DemoError:
        return found
    return []


def _truth(node: Node, registry: Registry) -> Iterable[tuple[str, str]]:
    address = (node.config.home_id, node.config.node_id)
    yield registry.entity(*address, "relay"), "on" if node.relay else "off"
    yield registry.entity(*address, "led"), node.led.state
    yield registry.entity(*address, "online"), "on"


async def _tell_progress(ledger: Ledger, commands: int) -> None:
    while True:
        await asyncio.sleep(_PROGRESS_EVERY)
        waiting = sum(_is_open(call) for call in ledger.calls)
        say(f"{len(ledger.calls)} of {commands} commands, {waiting} of them without an answer")


def _is_open(call: Any) -> bool:
    return call.response is None and call.refused is None and call.cut_off is None


def _tell(ledger: Ledger, steps: list[Step], seconds: float) -> None:
    kinds = Counter(call.send.kind for call in ledger.calls)
    calls = Counter(
        "cut off"
        if call.cut_off is not None
        else "refused before it became a command"
        if call.refused is not None or call.request_id is None
        else "answered"
        for call in ledger.calls
    )
    print(f"{len(ledger.calls)} commands in {seconds:.0f} s:", _listed(kinds))
    print("steps:", _listed(Counter(type(step).__name__ for step in steps)))
    print("callers:", _listed(calls))
    refusals = Counter((call.refused or "")[:160] for call in ledger.calls if call.refused)
    for words, count in refusals.most_common(5):
        print(f"  {count} × {words}")
    print("outcomes:", _listed(ledger.outcomes()))
    for kind, outcomes in ledger.outcomes_by_kind().items():
        print(f"  {kind}: {_listed(outcomes)}")
    print(f"kills: {ledger.kills}, with {len(ledger.rested)} queued commands on disk")
    print(f"told again after a kill: {len(ledger.repeated)}", flush=True)


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.most_common())
