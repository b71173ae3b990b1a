"""One MQTT connection of one node; the only file that knows gmqtt.

Each connection has its own gmqtt client: a client that reconnects by itself asks for a
persistent session, sends unacknowledged messages again and has no jitter in its back-off.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
import logging
from typing import Any, Self, override

import gmqtt  # type: ignore[import-untyped] # it has no types
from gmqtt.mqtt import connection as gmqtt_connection  # type: ignore[import-untyped] # as above
from gmqtt.mqtt.handler import MQTTConnectError  # type: ignore[import-untyped] # as above
from gmqtt.mqtt.protocol import MQTTProtocol  # type: ignore[import-untyped] # as above

from .config import Broker


class _Protocol(MQTTProtocol):  # type: ignore[misc] # it has no types
    @override
    def connection_lost(self, exc: Exception | None) -> None:
        if self._connection is None:
            # Lost before gmqtt had taken it: nobody to tell, on which gmqtt would stumble.
            self.set_connection(_Nobody())
        super().connection_lost(exc)


class _Nobody:
    def put_package(self, package: object) -> None:
        """Nothing waits for it."""


gmqtt_connection.MQTTProtocol = _Protocol

# What gmqtt has to say of a lost connection is an everyday event here, and told as one.
logging.getLogger("gmqtt").setLevel(logging.CRITICAL)

# MQTT 5 brokers commonly take 20 unacknowledged messages; gmqtt raises beyond that.
_MAX_UNACKNOWLEDGED = 16
# A broker that does not read must not keep a node from ending.
_CLOSE_TIMEOUT = 3.0
# MQTT 5 for a session without end; 3.1.1 knows no other.
_NEVER = 0xFFFFFFFF


class LinkError(Exception):
    """The connection could not be made; the text says why."""


@dataclass(frozen=True, slots=True)
class Message:
    """One PUBLISH, out or in."""

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkConfig:
    """CONNECT of one connection; `keepalive` in seconds.

    A `persistent` one leaves its session at the broker and takes up what is there.
    """

    broker: Broker
    client_id: str
    will: Message
    keepalive: int
    version: int
    persistent: bool = False
    timeout: float = 10.0


class Link:
    """An accepted connection. Callbacks run in the event loop; `on_lost` runs once."""

    def __init__(self, on_message: Callable[[Message], None], on_lost: Callable[[], None]) -> None:
        self._on_message = on_message
        self._on_lost = on_lost
        self._unacknowledged = _Unacknowledged(self._send_waiting)
        self._waiting: deque[Message] = deque()
        self._subscribed: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._lost = asyncio.get_running_loop().create_future()
        self._client: Any = None

    @classmethod
    async def open(
        cls,
        config: LinkConfig,
        on_message: Callable[[Message], None],
        on_lost: Callable[[], None],
    ) -> Self:
        """Connect; raises LinkError."""
        link = cls(on_message, on_lost)
        try:
            await link._connect(config)
        except BaseException:
            await link.drop()
            raise
        return link

    def publish(self, message: Message) -> None:
        """Send; QoS 1 waits its turn when too many are unacknowledged."""
        if self.lost:
            return
        if message.qos:
            self._waiting.append(message)
            self._send_waiting()
        else:
            self._send(message)

    async def subscribe(self, topic_filter: str) -> bool:
        """Whether the broker granted it; sent before the first await."""
        self._client.subscribe(topic_filter, qos=1)
        await asyncio.wait({self._subscribed, self._lost}, return_when=asyncio.FIRST_COMPLETED)
        return self._subscribed.done() and self._subscribed.result()

    async def drained(self) -> None:
        """Until every QoS 1 message is acknowledged or the connection is lost."""
        await self._unacknowledged.wait_empty()

    async def disconnect(self) -> None:
        """Wait for acknowledgements, then DISCONNECT; `drop` comes after it."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_TIMEOUT):
                await self.drained()
        if not self.lost:
            with suppress(TimeoutError, OSError):
                async with asyncio.timeout(_CLOSE_TIMEOUT):
                    await self._client.disconnect()

    def abort(self) -> None:
        """Cut the connection without a word."""
        if self._connection is not None:
            self._connection._transport.abort()  # noqa: SLF001  # gmqtt has no such call

    async def drop(self) -> None:
        """Release everything, cutting the connection if it is still there."""
        self.abort()
        if self._connection is not None:
            with suppress(OSError):
                await self._connection.close()

    @property
    def lost(self) -> bool:
        """Whether the connection is gone."""
        return self._lost.done()

    @property
    def _connection(self) -> Any:
        return None if self._client is None else self._client._connection  # noqa: SLF001 - gmqtt offers no other way

    async def _connect(self, config: LinkConfig) -> None:
        self._client = _make_client(config, self._unacknowledged)
        self._client.on_message = self._message
        self._client.on_disconnect = self._disconnected
        self._client.on_subscribe = self._suback
        broker = config.broker
        connecting = asyncio.ensure_future(
            self._client.connect(
                broker.host,
                broker.port,
                ssl=broker.ssl_context(),
                keepalive=config.keepalive,
                version=config.version,
            )
        )
        try:
            await asyncio.wait(
                {connecting, self._lost},
                timeout=config.timeout,
                return_when=asyncio.FIRST_COMPLETED,
            )
            if not connecting.done():
                why = "closed by the broker" if self.lost else "no answer from the broker"
                raise LinkError(why)
            connecting.result()
        except (OSError, ValueError, MQTTConnectError) as error:
            raise LinkError(str(error) or type(error).__name__) from error
        finally:
            connecting.cancel()
            await asyncio.wait({connecting})
            if not connecting.cancelled():
                connecting.exception()

    def _send_waiting(self) -> None:
        while self._waiting and self._unacknowledged.count < _MAX_UNACKNOWLEDGED:
            self._send(self._waiting.popleft())

    def _send(self, message: Message) -> None:
        self._client.publish(message.topic, message.payload, qos=message.qos, retain=message.retain)

    def _message(
        self,
        _client: object,
        topic: str,
        payload: bytes,
        qos: int,
        properties: dict[str, Any],
    ) -> None:
        message = Message(topic, payload, qos, bool(properties["retain"]))
        # gmqtt would swallow an exception of the callback.
        asyncio.get_running_loop().call_soon(self._on_message, message)

    def _suback(self, _client: object, _mid: int, granted: tuple[int, ...], _: object) -> None:
        if not self._subscribed.done():
            self._subscribed.set_result(all(qos < 0x80 for qos in granted))

    def _disconnected(self, _client: object, _packet: object, _exc: object = None) -> None:
        if self.lost:
            return
        self._lost.set_result(None)
        self._waiting.clear()
        self._unacknowledged.clear()
        self._on_lost()


class _Client(gmqtt.Client):  # type: ignore[misc] # it has no types
    @override
    async def reconnect(self, delay: bool = False) -> None:
        """Not here: the node opens a new link."""


def _make_client(config: LinkConfig, storage: _Unacknowledged) -> _Client:
    will = config.will
    expiry = {"session_expiry_interval": _NEVER} if config.persistent else {}
    client = _Client(
        config.client_id,
        clean_session=not config.persistent,
        will_message=gmqtt.Message(will.topic, will.payload, qos=will.qos, retain=will.retain),
        persistent_storage=storage,
        **expiry,
    )
    if config.broker.username is not None:
        client.set_auth_credentials(config.broker.username, config.broker.password)
    return client


class _Unacknowledged:
    """Stands in for gmqtt's storage: the QoS 1 messages without PUBACK.

    It must have no length: gmqtt takes an empty storage for none and uses its own.
    """

    def __init__(self, on_room: Callable[[], None]) -> None:
        self._on_room = on_room
        self._packets: dict[int, bytes] = {}
        self._empty = asyncio.Event()
        self._empty.set()

    @property
    def count(self) -> int:
        return len(self._packets)

    @property
    def is_empty(self) -> bool:
        return not self._packets

    def push_message(self, mid: int, packet: bytes) -> None:
        self._packets[mid] = packet
        self._empty.clear()

    def remove_message_by_mid(self, mid: int) -> None:
        self._packets.pop(mid, None)
        self._on_room()
        if not self._packets:
            self._empty.set()

    def clear(self) -> None:
        self._packets.clear()
        self._empty.set()

    def get_all(self) -> list[tuple[int, bytes]]:
        return list(self._packets.items())

    async def wait_empty(self) -> None:
        await self._empty.wait()
