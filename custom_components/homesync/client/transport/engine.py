"""paho as MQTT state machine, without a socket: it builds packets and tracks their answers.

The only file that imports paho. `_create_socket` is the one private name that is
overridden; the same in paho 2.1.0 and 2.2.0.
"""

from collections.abc import Callable, Iterable
import struct
from typing import Any, override

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.reasoncodes import ReasonCode

from ..errors import CongestedError, MalformedPacketError, NotConnectedError
from ..records import Publication
from .settings import BrokerSettings

_CONNACK, _PUBACK, _SUBACK, _UNSUBACK = 0x20, 0x40, 0x90, 0xB0
# What mosquitto offers as receive maximum; more QoS 1 messages wait inside paho.
_OPEN_QOS1 = 20
_WAITING_QOS1 = 1000


class Wire:
    """Stands in for paho's socket: received bytes wait here, sent ones go to the stream."""

    def __init__(self, write: Callable[[bytes], None]) -> None:
        self.paused = False
        self._write = write
        self._received = bytearray()

    def put(self, packet: bytes) -> None:
        """Lay a whole received packet ready."""
        self._received += packet

    def recv(self, size: int) -> bytes:
        """Give paho bytes."""
        if not self._received:
            raise BlockingIOError
        data = bytes(self._received[:size])
        del self._received[:size]
        return data

    def send(self, data: bytes) -> int:
        """Take bytes from paho, unless the stream is full."""
        if self.paused:
            raise BlockingIOError
        self._write(bytes(data))
        return len(data)

    def pending(self) -> int:
        """How many received bytes wait."""
        return len(self._received)

    def setblocking(self, flag: bool) -> None:
        """Part of paho's socket interface; this one never blocks."""

    def fileno(self) -> int:
        """Part of paho's socket interface; there is no descriptor."""
        return -1

    def close(self) -> None:
        """Part of paho's socket interface; the stream is closed by its owner."""
        self._received.clear()


class _PahoClient(Client):
    """paho's client on a wire instead of a socket."""

    def __init__(self, wire: Wire, client_id: str) -> None:
        super().__init__(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            clean_session=True,
            # paho would otherwise connect again by itself, inside a read.
            reconnect_on_failure=False,
        )
        self._wire = wire

    @override
    def _create_socket(self) -> Any:
        return self._wire


class Engine:
    """One MQTT 3.1.1 connection's state machine; never used for a second connection.

    `write` sends bytes; `on_connack(code)` and `on_suback(packet id, codes)` tell of
    answers. Whatever paho raises becomes MalformedPacketError: its state is unknown then.
    """

    def __init__(
        self,
        settings: BrokerSettings,
        write: Callable[[bytes], None],
        on_connack: Callable[[int], None],
        on_suback: Callable[[int, list[int]], None],
        on_unsuback: Callable[[int], None],
    ) -> None:
        self._settings = settings
        self._on_connack = on_connack
        self._on_suback = on_suback
        self._on_unsuback = on_unsuback
        self._wire = Wire(write)
        self._connected = False
        self._client = client = _PahoClient(self._wire, settings.client_id)
        client.max_inflight_messages_set(_OPEN_QOS1)
        client.max_queued_messages_set(_WAITING_QOS1)
        client.on_subscribe = self._subscribed
        client.on_unsubscribe = self._unsubscribed
        # Without this callback paho writes from within its own calls.
        client.on_socket_register_write = lambda *_: None

    def connect(self) -> None:
        """Send CONNECT."""
        settings = self._settings
        if settings.username is not None:
            self._call(self._client.username_pw_set, settings.username, settings.password)
        self._call(self._client.connect_async, settings.host, settings.port, settings.keepalive)
        self._call(self._client.reconnect)
        self.flush()

    def feed(self, packet: bytes) -> None:
        """Take one whole packet that is no PUBLISH."""
        kind = packet[0] & 0xF0
        if kind == _CONNACK:
            self._take_connack(packet)
            return
        if not self._connected:
            raise MalformedPacketError("packet before CONNACK")
        if kind not in (_PUBACK, _SUBACK, _UNSUBACK) or len(packet) < (5 if kind == _SUBACK else 4):
            raise MalformedPacketError(f"unexpected packet {packet[:4].hex()}")
        self._hand_to_paho(packet)

    def subscribe(self, filters: Iterable[tuple[str, int]]) -> int:
        """Send SUBSCRIBE; return its packet id."""
        _, packet_id = self._call(self._client.subscribe, list(filters))
        self.flush()
        return int(packet_id or 0)

    def unsubscribe(self, filters: Iterable[str]) -> int:
        """Send UNSUBSCRIBE; return its packet id."""
        _, packet_id = self._call(self._client.unsubscribe, list(filters))
        self.flush()
        return int(packet_id or 0)

    def publish(self, message: Publication) -> None:
        """Send a message; raises NotConnectedError or CongestedError if it was not sent."""
        if not self._connected:
            raise NotConnectedError("not connected")
        if self._wire.paused:
            raise CongestedError("the broker takes no more bytes now")
        info = self._call(
            self._client.publish, message.topic, message.payload, message.qos, message.retain
        )
        if info.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise CongestedError("too many messages wait for the broker's acknowledgement")
        self.flush()

    def disconnect(self) -> None:
        """Send DISCONNECT, and nothing after it."""
        self._connected = False
        self._call(self._client.disconnect)
        self.flush()

    def pause(self) -> None:
        """The stream is full."""
        self._wire.paused = True

    def resume(self) -> None:
        """The stream has room again."""
        self._wire.paused = False
        self.flush()

    def flush(self) -> None:
        """Send what paho has ready."""
        self._call(self._client.loop_write)

    def _take_connack(self, packet: bytes) -> None:
        if self._connected or len(packet) != 4:
            raise MalformedPacketError("second or malformed CONNACK")
        code = packet[3]
        if code == 0:
            # A refusal is not shown to paho, which would change the protocol by itself.
            self._hand_to_paho(packet)
            self._connected = True
        self._on_connack(code)

    def _hand_to_paho(self, packet: bytes) -> None:
        self._wire.put(packet)
        while self._wire.pending():
            if self._call(self._client.loop_read) != MQTTErrorCode.MQTT_ERR_SUCCESS:
                raise MalformedPacketError(f"packet refused: {packet[:4].hex()}")
        self.flush()

    def _subscribed(
        self, _client: Client, _data: Any, packet_id: int, codes: list[ReasonCode], _props: Any
    ) -> None:
        self._on_suback(packet_id, [int(code.value) for code in codes])

    def _unsubscribed(
        self, _client: Client, _data: Any, packet_id: int, _codes: Any, _props: Any
    ) -> None:
        self._on_unsuback(packet_id)

    def _call[**P, R](self, method: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return method(*args, **kwargs)
        except (ValueError, IndexError, KeyError, TypeError, OSError, struct.error) as err:
            raise MalformedPacketError(f"paho failed with {type(err).__name__}") from err
