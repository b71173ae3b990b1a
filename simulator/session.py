"""One connection of a node, from CONNECT to its end."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
import json

from .config import Broker, NodeConfig
from .link import Link, LinkConfig, LinkError, Message
from .reports import Payload

_WILL = b'{"online": false, "reason": "unexpected_disconnect"}'


class NotConnected(Exception):
    """The node has no connection to send on."""


class End(Enum):
    """Why a session is over."""

    LOST = "connection lost"
    STOPPED = "stopped"
    DEAD = "died"
    ASLEEP = "asleep"


@dataclass(slots=True)
class Chore:
    """Something to do every `interval` seconds, first after `first`."""

    interval: float
    first: float
    do: Callable[[], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Duties:
    """What a session asks of its node; the first greeting must be status/online."""

    greetings: Callable[[], Iterable[tuple[str, Payload]]]
    came_online: Callable[[], None]
    command: Callable[[Message], None]
    chores: tuple[Chore, ...]


class Session:
    """Runs once; `connected` from CONNACK until nothing can be sent any more."""

    def __init__(
        self, config: NodeConfig, broker: Broker, duties: Duties, *, persistent: bool = False
    ) -> None:
        self.farewell = "shutdown"
        self.persistent = persistent
        self._config = config
        self._broker = broker
        self._duties = duties
        self._link: Link | None = None
        self._ending: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._end = End.LOST
        # A persistent session brings commands before anything can be answered.
        self._early: list[Message] | None = []

    @property
    def connected(self) -> bool:
        """Whether messages can be sent."""
        return self._link is not None

    async def run(self) -> End:
        """Stay connected until `finish`; LinkError if it could not begin."""
        link = await Link.open(self._link_config(), self._arrived, self._lost)
        self._link = link
        try:
            await self._begin(link)
            await self._work()
            if self._end in {End.STOPPED, End.ASLEEP}:
                goodbye = {"online": False, "reason": self.farewell}
                self.publish("status/online", goodbye)
                await link.disconnect()
            return self._end
        finally:
            self._link = None
            await link.drop()

    def finish(self, end: End) -> None:
        """Let `run` come to its end; dead means at once and without a word."""
        if end is not End.LOST:
            self._end = end
        if not self._ending.done():
            self._ending.set_result(None)
        if end is End.DEAD and self._link is not None:
            self._link.abort()

    def publish(
        self,
        leaf: str,
        payload: Payload | str,
        *,
        qos: int | None = None,
        retain: bool | None = None,
    ) -> None:
        """Send, by default with the protocol's QoS and retain flag."""
        if self._link is None:
            raise NotConnected(f"{self._config.client_id} is not connected")
        if isinstance(payload, Mapping):
            payload = json.dumps(payload, ensure_ascii=False)
        data = payload.encode() if isinstance(payload, str) else payload
        if qos is None:
            qos = 0 if leaf.startswith("telemetry/") else 1
        if retain is None:
            retain = leaf.startswith("status/")
        self._link.publish(Message(self._config.topic(leaf), data, qos, retain))

    async def drained(self) -> None:
        """Return when the broker has acknowledged every QoS 1 message."""
        if self._link is not None:
            await self._link.drained()

    async def _begin(self, link: Link) -> None:
        if link.lost:
            raise LinkError("closed by the broker")
        # No pause up to SUBSCRIBE: who sees the node online may command it.
        for leaf, payload in self._duties.greetings():
            self.publish(leaf, payload)
        granted = await link.subscribe(self._config.topic("command/+"))
        if self._ending.done():
            return
        if not granted:
            raise LinkError("subscription refused by the broker")
        self._duties.came_online()
        early, self._early = self._early or (), None
        for message in early:
            self._duties.command(message)

    def _arrived(self, message: Message) -> None:
        if self._early is None:
            self._duties.command(message)
        else:
            self._early.append(message)

    async def _work(self) -> None:
        now = asyncio.get_running_loop().time
        due = [now() + chore.first for chore in self._duties.chores]
        while not self._ending.done():
            pause = max(0.0, min(due) - now())
            await asyncio.wait({self._ending}, timeout=pause)
            for index, chore in enumerate(self._duties.chores):
                if not self._ending.done() and now() >= due[index]:
                    chore.do()
                    due[index] = max(due[index] + chore.interval, now())

    def _lost(self) -> None:
        self.finish(End.LOST)

    def _link_config(self) -> LinkConfig:
        config = self._config
        topic = config.topic("status/online")
        return LinkConfig(
            broker=self._broker,
            client_id=config.client_id,
            will=Message(topic, _WILL, qos=1, retain=True),
            keepalive=config.keepalive,
            version=config.mqtt_version,
            persistent=self.persistent,
        )
