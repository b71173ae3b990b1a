"""A plain MQTT client: says on the broker whatever a test wants said."""

import asyncio
from collections.abc import Callable, Mapping
from itertools import count
import json

from simulator import Broker
from simulator.link import Link, LinkConfig, Message

_MARKER = "homesync-test/marker"
_DEADLINE = 60.0
_NUMBERS = count()


class Wire:
    """Publishes for nodes that do not exist, and tells what the broker keeps."""

    def __init__(self, port: int, *, username: str | None = None, password: str | None = None):
        self._broker = Broker(port=port, username=username, password=password)
        self._link: Link | None = None

    async def open(self) -> None:
        """Connect."""
        self._link = await self._connect(lambda _: None)

    async def close(self) -> None:
        """Say what is left to say, and leave."""
        if self._link is not None:
            await self._link.disconnect()
            await self._link.drop()
            self._link = None

    def say(
        self,
        leaf: str,
        payload: Mapping[str, object] | bytes,
        *,
        node: str = "plug-1",
        home: str = "villa",
        retain: bool | None = None,
    ) -> None:
        """Publish on a node's topic, with the retain flag that the protocol wants."""
        self.publish(
            f"homesync/{home}/nodes/{node}/{leaf}",
            payload,
            retain=leaf.startswith("status/") if retain is None else retain,
        )

    def publish(
        self, topic: str, payload: Mapping[str, object] | bytes, *, retain: bool = False
    ) -> None:
        """Publish anywhere."""
        assert self._link is not None
        data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        self._link.publish(Message(topic, data, qos=1, retain=retain))

    async def drained(self) -> None:
        """Return when the broker has all that was said."""
        assert self._link is not None
        await self._link.drained()

    async def kept(self, topic_filter: str = "homesync/#") -> dict[str, bytes]:
        """Return the broker's retained messages by topic."""
        seen: list[Message] = []
        marker = f"{_MARKER}/{next(_NUMBERS)}"
        marked = asyncio.Event()

        def see(message: Message) -> None:
            seen.append(message)
            if message.topic == marker:
                marked.set()

        link = await self._connect(see)
        try:
            await link.subscribe(topic_filter)
            # On one connection nothing overtakes: all retained messages come before it.
            await link.subscribe(marker)
            link.publish(Message(marker, b"1", qos=1))
            async with asyncio.timeout(_DEADLINE):
                await marked.wait()
        finally:
            await link.disconnect()
            await link.drop()
        return {message.topic: message.payload for message in seen if message.retain}

    async def _connect(self, see: Callable[[Message], None]) -> Link:
        config = LinkConfig(
            broker=self._broker,
            client_id=f"wire-{next(_NUMBERS)}",
            will=Message(f"{_MARKER}/will", b"", qos=0),
            keepalive=60,
            version=4,
        )
        return await Link.open(config, see, lambda: None)
