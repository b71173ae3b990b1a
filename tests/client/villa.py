"""A household whose broker is in the test's hand."""

import asyncio
from contextlib import AsyncExitStack
import json
from typing import Any, Self

from custom_components.homesync.client import (
    CommandResult,
    Delivery,
    ConnectionState,
    Household,
    HouseholdSettings,
    NodeState,
    RelayAction,
    RelayCommand,
)

from .link import LOGGER, NO_PROBES, settings, until
from .packets import puback, publish
from .scripted import Peer, ScriptedBroker

NOW = 1_738_852_200.0  # 2025-02-06T14:30:00Z
ROOT = "homesync/villa/nodes"
ON = RelayCommand(RelayAction.ON)
_SETTLED = 60_000


async def accept(peer: Peer) -> None:
    await peer.accept()
    await peer.until_closed()


class Villa:
    """Connected while entered; `changes` lists (node id, key, value) as listeners were told."""

    def __init__(self, **changes: Any) -> None:
        self.broker = ScriptedBroker(accept)
        self.changes: list[tuple[str, str, object]] = []
        self.refused: list[str] = []
        self.now = NOW
        self.household: Household
        self._settings: dict[str, Any] = {"name": "Villa", "home_id": "villa", **changes}
        self._stack = AsyncExitStack()
        self._settled = _SETTLED

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self.broker)
        self.household = Household(
            HouseholdSettings(**self._settings),
            settings(self.broker.port),
            LOGGER,
            timing=NO_PROBES,
            sleep=lambda _: asyncio.sleep(0),
            wall_clock=lambda: self.now,
        )
        self.household.add_change_listener(self._changed)
        self.household.on_node_refused = self.refused.append
        self._stack.push_async_callback(self.household.stop)
        self.household.start()
        await self.connected()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    @property
    def peer(self) -> Peer:
        return self.broker.peers[-1]

    @property
    def node(self) -> NodeState:
        return self.household.nodes["plug-1"]

    @property
    def told(self) -> list[tuple[str, object]]:
        """Changed keys and values of plug-1, but for when it was seen."""
        return [
            (key, value)
            for node_id, key, value in self.changes
            if node_id == "plug-1" and key != "last_seen"
        ]

    @property
    def commands(self) -> list[tuple[str, dict[str, Any], int]]:
        """What was published to the broker: topic, content, header."""
        found = []
        for each in self.peer.received:
            if each[0] & 0xF0 == 0x30:
                start = 3 if each[1] & 0x80 else 2
                end = start + 2 + int.from_bytes(each[start : start + 2])
                body = each[end + 2 :]
                found.append((each[start + 2 : end].decode(), json.loads(body or "{}"), each[0]))
        return found

    async def connected(self) -> None:
        await until(lambda: self.household.state is ConnectionState.CONNECTED)

    def post(
        self, rest: str | bytes, payload: bytes | dict[str, Any], *, retain: bool = False
    ) -> None:
        """Send from the broker; `rest` follows the household's root, bytes are a whole topic."""
        topic = rest if isinstance(rest, bytes) else f"{ROOT}/{rest}".encode()
        raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        self.peer.send(publish(topic, raw, retain=retain))

    async def settle(self) -> None:
        """Wait until everything posted so far has been dealt with."""
        self._settled += 1
        nothing = f"{ROOT}/nobody/status/relay".encode()
        self.peer.send(publish(nothing, b"", qos=1, packet_id=self._settled))
        await until(lambda: puback(self._settled) in self.peer.received)

    async def arrive(
        self, rest: str | bytes, payload: bytes | dict[str, Any], *, retain: bool = False
    ) -> None:
        self.post(rest, payload, retain=retain)
        await self.settle()

    async def command(self, node_id: str = "plug-1", **options: Any) -> asyncio.Task[CommandResult]:
        """Begin a command and wait until the broker has it."""
        before = len(self.commands)
        task = asyncio.create_task(self.household.commands.execute(node_id, ON, Delivery(**options)))
        await until(lambda: len(self.commands) > before)
        return task

    async def answer(
        self, *, node_id: str = "plug-1", retain: bool = False, **content: Any
    ) -> None:
        """Answer the last command."""
        request_id = self.commands[-1][1]["request_id"]
        await self.arrive(
            f"{node_id}/response/command",
            {"request_id": request_id, "status": "success", "result": "on", **content},
            retain=retain,
        )

    def _changed(self, node: NodeState, keys: tuple[str, ...]) -> None:
        values = {"last_seen": node.last_seen, "last_boot": node.last_boot}
        self.changes += [
            (node.node_id, key, values[key] if key in values else node.get(key)) for key in keys
        ]
