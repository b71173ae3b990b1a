"""A household whose broker is in the test's hand."""

import asyncio
from contextlib import AsyncExitStack
import json
from typing import Any, Self

from custom_components.homesync.client import (
    Command,
    CommandResult,
    ConnectionState,
    Delivery,
    Household,
    HouseholdSettings,
    NodeState,
    RelayAction,
    RelayCommand,
)

from ..transport.link import LOGGER, NO_PROBES, plain_settings, until
from ..transport.packets import puback, publish, suback, unsuback
from ..transport.scripted import Peer, ScriptedBroker

NOW = 1_738_852_200.0  # 2025-02-06T14:30:00Z
ROOT = "homesync/villa/nodes"
ON = RelayCommand(RelayAction.ON)
QUIET = {"keepalive": 60_000}
"""For a villa over a long time: its broker answers no pings."""

_SETTLED = 60_000
_SUBSCRIBE, _UNSUBSCRIBE = 0x80, 0xA0


class Villa:
    """Connected while entered; `changes` lists (node id, key, value) as listeners were told.

    Whoever looks for it is shown what the broker `keeps` (topic, payload), unless `granted`
    is a refusal. Messages are acknowledged if it `acknowledges`; it leaves when it gets one
    for what it `hates`, and so many clients are `turned_away`. Whoever lost the connection
    waits until it `may_reconnect`.
    """

    def __init__(self, *, broker: dict[str, Any] | None = None, **changes: Any) -> None:
        self.broker = ScriptedBroker(self._serve)
        self.keeps: list[tuple[str, bytes]] = []
        self.granted = 0
        self.acknowledges = False
        self.hates: str | None = None
        self.turned_away = 0
        self.may_reconnect = asyncio.Event()
        self.may_reconnect.set()
        self.changes: list[tuple[str, str, object]] = []
        self.refused: list[str] = []
        self.now = NOW
        self.household: Household
        self._broker_settings = broker or {}
        self._settings: dict[str, Any] = {"name": "Villa", "home_id": "villa", **changes}
        self._stack = AsyncExitStack()
        self._settled = _SETTLED

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self.broker)
        self.household = Household(
            HouseholdSettings(**self._settings),
            plain_settings(self.broker.port, **self._broker_settings),
            LOGGER,
            timing=NO_PROBES,
            sleep=self._sleep,
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
                topic, _, body = _split(each)
                found.append((topic, json.loads(body or "{}"), each[0]))
        return found

    @property
    def packet_ids(self) -> list[int]:
        """Packet ids of what was published to the broker."""
        return [_split(each)[1] for each in self.peer.received if each[0] & 0xF0 == 0x30]

    async def connected(self) -> None:
        await until(lambda: self.household.link.state is ConnectionState.CONNECTED)

    def post(
        self, rest: str | bytes, payload: bytes | dict[str, Any], *, retain: bool = False
    ) -> None:
        """Send from the broker; `rest` follows the household's root, bytes are a whole topic."""
        topic = rest if isinstance(rest, bytes) else f"{ROOT}/{rest}".encode()
        raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        self.peer.send(publish(4, topic, raw, retain=retain))

    async def settle(self) -> None:
        """Wait until everything posted so far has been dealt with."""
        self._settled += 1
        nothing = f"{ROOT}/nobody/status/relay".encode()
        self.peer.send(publish(4, nothing, b"", qos=1, packet_id=self._settled))
        await until(lambda: puback(self._settled) in self.peer.received)

    async def arrive(
        self, rest: str | bytes, payload: bytes | dict[str, Any], *, retain: bool = False
    ) -> None:
        self.post(rest, payload, retain=retain)
        await self.settle()

    def execute(
        self, node_id: str = "plug-1", command: Command = ON, **options: Any
    ) -> asyncio.Task[CommandResult]:
        """Begin a command; it is sent when the caller next waits."""
        return asyncio.create_task(
            self.household.commands.execute(node_id, command, Delivery(**options))
        )

    async def command(
        self, node_id: str = "plug-1", command: Command = ON, **options: Any
    ) -> asyncio.Task[CommandResult]:
        """Begin a command and wait until the broker has it."""
        before = len(self.commands)
        task = self.execute(node_id, command, **options)
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

    async def _serve(self, peer: Peer) -> None:
        if self.turned_away:
            self.turned_away -= 1
            return
        await peer.accept()
        while packet := await peer.packet():
            kind = packet[0] & 0xF0
            if kind == _SUBSCRIBE:
                peer.send(suback(4, int.from_bytes(packet[2:4]), self.granted))
                if self.granted < _SUBSCRIBE:
                    peer.send(*(publish(4, t.encode(), p, retain=True) for t, p in self.keeps))
            elif kind == _UNSUBSCRIBE:
                peer.send(unsuback(4, int.from_bytes(packet[2:4])))
            elif kind == 0x30 and self.hates is not None and self.hates in _split(packet)[0]:
                return
            elif self.acknowledges and packet[0] & 0xF6 == 0x32:
                peer.send(puback(_split(packet)[1]))

    async def _sleep(self, _: float) -> None:
        await asyncio.sleep(0)
        await self.may_reconnect.wait()

    def _changed(self, node: NodeState, keys: tuple[str, ...]) -> None:
        values = {"last_seen": node.last_seen, "last_boot": node.last_boot}
        self.changes += [
            (node.node_id, key, values[key] if key in values else node.get(key)) for key in keys
        ]


def _split(packet: bytes) -> tuple[str, int, bytes]:
    """Return topic, packet id and payload of a PUBLISH with QoS 1."""
    start = 2 + next(number for number, byte in enumerate(packet[1:]) if not byte & 0x80)
    end = start + 2 + int.from_bytes(packet[start : start + 2])
    return (
        packet[start + 2 : end].decode(),
        int.from_bytes(packet[end : end + 2]),
        packet[end + 2 :],
    )
