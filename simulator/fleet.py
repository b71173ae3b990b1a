"""Many nodes in many households."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import batched
from typing import Literal, Self

from .behaviour import GOOD, Behaviour
from .config import Broker, Event, NodeConfig, OwnCommand, Updates
from .curves import PROFILES
from .info import Info
from .life import PATIENCE
from .node import Node

# A broker's listen queue is short; mosquitto's has 100 places.
_LAUNCHED_AT_ONCE = 25
_LAUNCH_PAUSE = 0.02
_ANNOUNCED = Info()
_UPDATES = Updates()


class Fleet:
    """Nodes by household and id; `fleet["villa", "plug-1"]` is one of them."""

    def __init__(self, nodes: Iterable[Node]) -> None:
        self._nodes = {(node.config.home_id, node.config.node_id): node for node in nodes}

    @classmethod
    def build(
        cls,
        broker: Broker,
        households: Mapping[str, int],
        *,
        prefix: str = "homesync",
        interval: float | None = 10.0,
        seed: int = 0,
        mqtt_version: Literal[4, 5] = 4,
        firmware: str = "1.2.3",
        info: Info | None = _ANNOUNCED,
        updates: Updates | None = _UPDATES,
        own_commands: Mapping[str, OwnCommand] | None = None,
        behaviour: Behaviour = GOOD,
        on_event: Callable[[Event], None] | None = None,
    ) -> Self:
        """Nodes `plug-1`, `plug-2` … for each household, with the profiles in turn.

        They announce and can do everything; without `info` and `updates` they are of old.
        """
        configs = (
            NodeConfig(
                home_id=home_id,
                node_id=f"plug-{number + 1}",
                prefix=prefix,
                profile=PROFILES[number % len(PROFILES)],
                interval=interval,
                seed=seed,
                mqtt_version=mqtt_version,
                firmware=firmware,
                info=info,
                updates=updates,
                own_commands=own_commands or {},
            )
            for home_id, count in households.items()
            for number in range(count)
        )
        return cls([Node(config, broker, behaviour, on_event) for config in configs])

    def __getitem__(self, address: tuple[str, str]) -> Node:
        return self._nodes[address]

    def __iter__(self) -> Iterator[Node]:
        return iter(self._nodes.values())

    def __len__(self) -> int:
        return len(self._nodes)

    @property
    def online(self) -> bool:
        """Whether all of them are."""
        return all(node.online for node in self)

    async def launch(self) -> None:
        """Boot all, a few at a time, without waiting until they are online."""
        for batch in batched(self, _LAUNCHED_AT_ONCE, strict=False):
            for node in batch:
                node.launch()
            await asyncio.sleep(_LAUNCH_PAUSE)

    async def start(self, timeout: float = PATIENCE) -> None:
        """Return when all are online; on TimeoutError all are stopped again."""
        try:
            async with asyncio.timeout(timeout):
                await self.launch()
                for node in self:
                    await node.wait_online(timeout)
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stop all cleanly."""
        await asyncio.gather(*(node.stop() for node in self))
