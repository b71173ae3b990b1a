"""How a step of the check looks, asks and compares."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .errors import DemoError
from .nodes import Nodes
from .stage import SENSORS, Stage
from .waiting import until

type Json = dict[str, Any]

WITHIN = 20.0


@dataclass(frozen=True, slots=True)
class Probe:
    """One node of one household, seen from Home Assistant and from itself."""

    stage: Stage
    home_id: str
    node_id: str

    @property
    def nodes(self) -> Nodes:
        """The simulator that runs the node."""
        return self.stage.nodes[self.home_id]

    def entity(self, key: str) -> str:
        """Give the id of one of the node's entities."""
        return self.stage.registry.entity(self.home_id, self.node_id, key)

    async def executed(self) -> list[Json]:
        """Give the node's own record of the commands it carried out."""
        return await self.nodes.executed(self.node_id)

    async def truth(self) -> Json:
        """Give what is so in the node, whatever Home Assistant thinks."""
        return await self.nodes.state(self.node_id)

    async def send(self, **fields: Any) -> Json:
        """Send the node a command through the action; give its one outcome."""
        device = self.stage.registry.device(self.home_id, self.node_id)
        answer = await self.stage.api.act_for_response(
            "homesync.send_command", device_id=device, **fields
        )
        (result,) = answer["results"]
        return dict(result)

    async def wait_for(self, key: str, wanted: str, within: float = WITHIN) -> None:
        """Return when the node's entity has this state."""
        await wait_for_state(self.stage, self.home_id, self.node_id, key, wanted, within=within)

    async def wait_for_values(self) -> None:
        """Return when all its sensors are numbers."""
        has = self.stage.registry.has
        keys = [key for key in (*SENSORS, "temperature") if has(self.home_id, self.node_id, key)]
        await wait_for_numbers(self.stage, self.home_id, self.node_id, keys)


async def wait_for_state(
    stage: Stage,
    home_id: str,
    node_id: str | None,
    key: str,
    wanted: str,
    *,
    within: float = WITHIN,
) -> None:
    """Return when an entity of a node, or of the household itself, has this state."""
    entity_id = stage.registry.entity(home_id, node_id, key)
    seen = ""

    async def reached() -> bool:
        nonlocal seen
        seen = (await stage.api.states()).get(entity_id, "missing")
        return seen == wanted

    await until(reached, lambda: f"{entity_id} is {wanted}; it is {seen}", within)


async def wait_for_numbers(
    stage: Stage, home_id: str, node_id: str | None, keys: Iterable[str]
) -> None:
    """Return when these entities of a node, or of the household itself, are numbers."""
    ids = [stage.registry.entity(home_id, node_id, key) for key in keys]
    missing: list[str] = []

    async def complete() -> bool:
        states = await stage.api.states()
        missing[:] = [each for each in ids if not _is_number(states.get(each, ""))]
        return not missing

    await until(complete, lambda: f"numbers from {', '.join(missing)}", WITHIN)


def expect(found: Sequence[Mapping[str, Any]], wanted: Sequence[Mapping[str, Any]]) -> None:
    """Compare the wanted fields only; DemoError tells both."""
    narrowed = [
        {key: each.get(key) for key in wish} for each, wish in zip(found, wanted, strict=False)
    ]
    if len(found) != len(wanted) or narrowed != list(wanted):
        raise DemoError(f"expected {wanted}, found {found}")


def _is_number(state: str) -> bool:
    try:
        float(state)
    except ValueError:
        return False
    return True
