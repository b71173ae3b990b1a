"""A household on a real broker."""

import asyncio
from collections.abc import Iterable
from typing import Any, Self

import gmqtt  # type: ignore[import-untyped]  # it has no types

from custom_components.homesync.client import (
    BrokerSettings,
    ConnectionState,
    Household,
    HouseholdSettings,
    NodeState,
)
from tests.broker import Mosquitto

from ..transport.link import LOGGER, until


class Home:
    """Connected while entered; reconnects when it may, at once."""

    def __init__(self, mosquitto: Mosquitto, home_id: str = "villa", **settings: Any) -> None:
        self.changes: list[tuple[str, str]] = []
        self.may_reconnect = asyncio.Event()
        self.may_reconnect.set()
        self.household = Household(
            HouseholdSettings(name=home_id, home_id=home_id, **settings),
            BrokerSettings(host=mosquitto.host, port=mosquitto.port, client_id=f"hs-{home_id}"),
            LOGGER,
            sleep=self._sleep,
        )
        self.household.add_change_listener(self._changed)

    async def __aenter__(self) -> Self:
        self.household.start()
        await self.connected()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.household.stop()

    @property
    def plug(self) -> NodeState:
        return self.household.nodes["plug-1"]

    async def connected(self) -> None:
        await until(lambda: self.household.link.state is ConnectionState.CONNECTED)

    async def knows(self, key: str, value: object, node_id: str = "plug-1") -> None:
        nodes = self.household.nodes
        await until(lambda: node_id in nodes and nodes[node_id].get(key) == value)

    async def counted(self, kind: str, times: int) -> None:
        await until(lambda: self.household.counts.get(kind, 0) >= times)

    async def _sleep(self, seconds: float) -> None:
        if self.household.link.state is ConnectionState.CONNECTED:
            await asyncio.sleep(seconds)
            return
        await asyncio.sleep(0.005)
        await self.may_reconnect.wait()

    def _changed(self, node: NodeState, keys: tuple[str, ...]) -> None:
        self.changes += [(node.node_id, key) for key in keys]


class Stranger:
    """A client on the same broker that publishes whatever it likes."""

    def __init__(self, mosquitto: Mosquitto, client_id: str = "stranger") -> None:
        self._mosquitto = mosquitto
        self._client = gmqtt.Client(client_id)
        self.seen: list[tuple[str, bytes]] = []
        self._client.on_message = self._message
        self._listening = asyncio.Event()
        self._client.on_subscribe = lambda *_: self._listening.set()

    async def __aenter__(self) -> Self:
        await self._client.connect(self._mosquitto.host, self._mosquitto.port)
        self._client.subscribe("homesync/+/nodes/+/command/+", qos=1)
        await self._listening.wait()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.disconnect()

    def publish(
        self, topic: str, payload: str | bytes, *, qos: int = 1, retain: bool = False
    ) -> None:
        self._client.publish(f"homesync/{topic}", payload, qos=qos, retain=retain)

    def publish_all(self, messages: Iterable[tuple[str, str]]) -> None:
        for topic, payload in messages:
            self.publish(topic, payload, qos=0)

    def _message(self, _client: object, topic: str, payload: bytes, *_: object) -> int:
        self.seen.append((topic, payload))
        return 0
