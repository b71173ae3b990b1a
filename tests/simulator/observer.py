"""What others see of the nodes."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
import json
from typing import Any, override

import gmqtt  # type: ignore[import-untyped]  # it has no types

from tests.broker import Mosquitto

DEADLINE = 60.0


@dataclass(frozen=True, slots=True)
class Seen:
    """A message; `retain` is the flag its sender gave it."""

    topic: str
    payload: bytes
    qos: int
    retain: bool

    @property
    def json(self) -> Any:
        return json.loads(self.payload)


class _Client(gmqtt.Client):  # type: ignore[misc]  # mypy cannot follow
    @override
    async def reconnect(self, delay: bool = False) -> None:
        """Stay away: a broker that is killed ends the observation."""


class Observer:
    """An MQTT 5 client that keeps everything below `homesync/`."""

    def __init__(self, name: str = "observer") -> None:
        self.seen: list[Seen] = []
        self._changed = asyncio.Event()
        self._listening = asyncio.Event()
        self._client = _Client(name)
        self._client.on_message = self._message
        self._client.on_subscribe = lambda *_: self._listening.set()

    async def start(self, broker: Mosquitto) -> None:
        await self._client.connect(broker.host, broker.port)
        everything = gmqtt.Subscription("homesync/#", qos=1, retain_as_published=True)
        self._client.subscribe(everything)
        async with asyncio.timeout(DEADLINE):
            await self._listening.wait()

    async def stop(self) -> None:
        await self._client.disconnect()

    def command(
        self,
        kind: str,
        fields: Mapping[str, object] | bytes,
        *,
        node: str = "villa/nodes/plug-1",
        retain: bool = False,
    ) -> None:
        payload = fields if isinstance(fields, bytes) else json.dumps(fields)
        topic = f"homesync/{node}/command/{kind}"
        self._client.publish(topic, payload, qos=1, retain=retain)

    def on(self, ending: str) -> list[Seen]:
        """What came on topics with this ending, oldest first."""
        return [each for each in self.seen if each.topic.endswith(ending)]

    @property
    def answers(self) -> list[Any]:
        return [each.json for each in self.on("response/command")]

    @property
    def installing(self) -> list[Any]:
        """Everything that was answered about firmware."""
        return [each.json for each in self.on("response/ota")]

    @property
    def online(self) -> list[bool]:
        """Every value that status/online has had, of all nodes."""
        return [each.json["online"] for each in self.on("status/online")]

    async def wait_for(self, predicate: Callable[[], bool]) -> None:
        async with asyncio.timeout(DEADLINE):
            while not predicate():
                self._changed.clear()
                await self._changed.wait()

    async def nothing_more_than(self, answers: int) -> None:
        """Prove by a marker that overtakes nothing that no further answer is under way."""
        marker = f"homesync/marker/{len(self.seen)}"
        self._client.publish(marker, b"{}", qos=1)
        await self.wait_for(lambda: bool(self.on(marker)))
        assert len(self.answers) == answers

    def _message(
        self, _: object, topic: str, payload: bytes, qos: int, properties: dict[str, Any]
    ) -> None:
        self.seen.append(Seen(topic, payload, qos, bool(properties["retain"])))
        self._changed.set()
