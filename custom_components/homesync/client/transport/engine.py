"""The state of one MQTT connection: what is built and sent, and which answers are awaited.

The only file that imports paho, which builds CONNECT with its will, SUBSCRIBE, UNSUBSCRIBE
and DISCONNECT, without a socket. `_create_socket` is the one private name that is
overridden; the same in paho 2.1.0 and 2.2.0. What the broker answers is decoded in
`packets.py` and not shown to paho, which stumbles over codes and properties that it does not
know, and after a refusal changes the protocol by itself.

PUBLISH is built in `packets.py`, numbered and tracked here. paho would keep a QoS 1 message
beyond its connection and send it again, late; and its locks and conditions for threads cost
as much as all the rest of sending.
"""

from collections import deque
from collections.abc import Callable, Iterable
import struct
from typing import Any, Protocol, override

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from ..errors import (
    CongestedError,
    InvalidSettingError,
    MalformedPacketError,
    NotConnectedError,
    TooLargeError,
)
from ..records import Publication
from .packets import (
    LARGEST_BODY,
    Answer,
    BrokerLimits,
    Connack,
    MqttVersion,
    encode_publish,
    encode_topic,
    read_connack,
    read_disconnect,
    read_puback,
    read_suback,
)
from .reader import SOFT_LIMIT
from .reasons import FAILURE
from .settings import BrokerSettings
from .statistics import Traffic

_CONNACK, _PUBACK, _SUBACK, _UNSUBACK, _DISCONNECT = 0x20, 0x40, 0x90, 0xB0, 0xE0
_WAITING_QOS1 = 1000
_HEADERS = 16  # bytes of a PUBLISH besides topic and payload, at most
# Packet ids of PUBLISH. paho counts those of SUBSCRIBE and UNSUBSCRIBE up from 1 and needs
# months to get here; even then their answers are packets of another kind.
_FIRST_ID, _LAST_ID = 0x8000, 0xFFFF

type OnAnswer = Callable[[int], None]


class Wire:
    """Stands in for paho's socket: what it sends goes to the stream."""

    def __init__(self, write: Callable[[bytes], None]) -> None:
        self.paused = False
        self._write = write

    def send(self, data: bytes) -> int:
        """Take bytes from paho, unless the stream is full."""
        if self.paused:
            raise BlockingIOError
        self._write(bytes(data))
        return len(data)

    def setblocking(self, flag: bool) -> None:
        """Part of paho's socket interface; this one never blocks."""

    def fileno(self) -> int:
        """Part of paho's socket interface; there is no descriptor."""
        return -1

    def close(self) -> None:
        """Part of paho's socket interface; the stream is closed by its owner."""


class _PahoClient(Client):
    """paho's client on a wire instead of a socket."""

    def __init__(self, wire: Wire, settings: BrokerSettings, version: MqttVersion) -> None:
        super().__init__(
            CallbackAPIVersion.VERSION2,
            client_id=settings.client_id,
            clean_session=settings.session_expiry == 0 if version is MqttVersion.V311 else None,
            protocol=MQTTProtocolVersion(version),
            # paho would otherwise connect again by itself, inside a read.
            reconnect_on_failure=False,
        )
        self._wire = wire

    @override
    def _create_socket(self) -> Any:
        return self._wire


class EngineEvents(Protocol):
    """Who is told of the broker's answers."""

    def on_connack(self, connack: Connack) -> None:
        """CONNECT was answered."""

    def on_puback(self) -> None:
        """A message was acknowledged."""

    def on_suback(self, answer: Answer) -> None:
        """SUBSCRIBE was answered."""

    def on_unsuback(self, answer: Answer) -> None:
        """UNSUBSCRIBE was answered."""

    def on_disconnect(self, code: int, server_reference: str | None) -> None:
        """The broker ends the connection (MQTT 5)."""


class Engine:
    """One MQTT connection's state machine; never used for a second connection.

    `write` sends bytes. `window` bounds how many QoS 1 messages are open at once, `retain`
    and `qos` what is published, beside what CONNACK says: some brokers announce nothing and
    then disconnect. `traffic` counts. Whatever paho raises becomes MalformedPacketError: its
    state is unknown then.
    """

    def __init__(
        self,
        settings: BrokerSettings,
        version: MqttVersion,
        write: Callable[[bytes], None],
        events: EngineEvents,
        window: int,
        *,
        retain: bool = True,
        qos: int = 1,
        traffic: Traffic | None = None,
    ) -> None:
        self.limits = BrokerLimits()
        self._settings = settings
        self._version = version
        self._events = events
        self._window = window
        self._retain = retain
        self._qos = qos
        self._largest = LARGEST_BODY
        self._traffic = traffic or Traffic()
        self._write = write
        self._wire = Wire(write)
        self._connected = False
        self._last_id = _LAST_ID
        self._open: dict[int, OnAnswer | None] = {}
        self._waiting: deque[tuple[Publication, OnAnswer | None]] = deque()
        self._client = client = _PahoClient(self._wire, settings, version)
        # Without this callback paho writes from within its own calls.
        client.on_socket_register_write = lambda *_: None

    def connect(self) -> None:
        """Send CONNECT."""
        settings = self._settings
        extra: dict[str, Any] = {}
        if settings.username is not None:
            self._call(self._client.username_pw_set, settings.username, settings.password)
        if (will := settings.will) is not None:
            self._call(self._client.will_set, will.topic, will.payload, will.qos, will.retain)
        if self._version is MqttVersion.V5:
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call] # paho's
            properties.MaximumPacketSize = SOFT_LIMIT
            if settings.session_expiry:
                properties.SessionExpiryInterval = settings.session_expiry
            extra = {"clean_start": settings.session_expiry == 0, "properties": properties}
        self._call(
            self._client.connect_async,
            settings.host,
            settings.port,
            settings.keepalive,
            **extra,
        )
        self._call(self._client.reconnect)
        self.flush()

    def feed(self, packet: bytes) -> None:
        """Take one whole packet that is no PUBLISH."""
        kind = packet[0] & 0xF0
        if kind == _CONNACK:
            self._take_connack(packet)
        elif not self._connected and kind != _DISCONNECT:
            raise MalformedPacketError("packet before CONNACK")
        elif kind == _PUBACK:
            self._take_puback(packet)
        elif kind == _SUBACK:
            self._events.on_suback(read_suback(packet, self._version))
        elif kind == _UNSUBACK:
            self._events.on_unsuback(read_suback(packet, self._version))
        elif kind == _DISCONNECT and self._version is MqttVersion.V5:
            self._events.on_disconnect(*read_disconnect(packet))
        else:
            raise MalformedPacketError(f"unexpected packet {packet[:4].hex()}")

    def subscribe(self, filters: Iterable[tuple[str, int]]) -> int:
        """Send SUBSCRIBE; return its packet id."""
        wanted: list[Any] = list(filters)
        if self._version is MqttVersion.V5:
            wanted = [(text, self._call(SubscribeOptions, qos)) for text, qos in filters]
        _, packet_id = self._call(self._client.subscribe, wanted)
        self.flush()
        return int(packet_id or 0)

    def unsubscribe(self, filters: Iterable[str]) -> int:
        """Send UNSUBSCRIBE; return its packet id."""
        _, packet_id = self._call(self._client.unsubscribe, list(filters))
        self.flush()
        return int(packet_id or 0)

    @property
    def window_full(self) -> bool:
        """Whether the broker must acknowledge a message before the next may go."""
        return len(self._open) >= self._window

    def publish(
        self, message: Publication, on_answer: OnAnswer | None = None, *, wait: bool = True
    ) -> None:
        """Send a message, lowered to what the broker offers.

        A QoS 1 message may `wait` while the broker has enough of them open; `on_answer`
        is told the broker's code. Raises NotConnectedError or CongestedError if it is not
        sent, TooLargeError if this broker never takes it, InvalidSettingError for a topic
        that no broker takes.
        """
        if not self._connected:
            raise NotConnectedError("not connected")
        if self._wire.paused:
            raise CongestedError("the broker takes no more bytes now")
        self._check(message)
        if not message.qos or not self._qos:
            self._send(message)
        elif not self._waiting and not self.window_full:
            self._send_qos1(message, on_answer)
        elif wait and len(self._waiting) < _WAITING_QOS1:
            self._waiting.append((message, on_answer))
        else:
            raise CongestedError("too many messages wait for the broker's acknowledgement")

    def disconnect(self) -> None:
        """Send DISCONNECT, and nothing after it."""
        self._connected = False
        self._call(self._client.disconnect)
        self.flush()

    def give_up(self) -> None:
        """Take note that no answer will come any more."""
        self._traffic.unanswered += len(self._open) + len(self._waiting)
        self._open.clear()
        self._waiting.clear()

    def pause(self) -> None:
        """The stream is full."""
        self._wire.paused = True

    def resume(self) -> None:
        """The stream has room again."""
        self._wire.paused = False
        self.flush()
        self._send_waiting()

    def flush(self) -> None:
        """Send what paho has ready."""
        self._call(self._client.loop_write)

    def _send_waiting(self) -> None:
        while self._waiting and self._connected and not self.window_full and not self._wire.paused:
            self._send_qos1(*self._waiting.popleft())

    def _send_qos1(self, message: Publication, on_answer: OnAnswer | None) -> None:
        packet_id = self._last_id = self._free_id()
        # Before it is sent: the connection may end meanwhile, and gives up what is open.
        self._open[packet_id] = on_answer
        self._traffic.sent_qos1 += 1
        self._send(message, packet_id)

    def _send(self, message: Publication, packet_id: int = 0) -> None:
        self._traffic.sent += 1
        retain = message.retain and self._retain
        self._write(encode_publish(message, packet_id, self._version, retain=retain))

    def _free_id(self) -> int:
        packet_id = self._last_id
        while True:
            packet_id = packet_id + 1 if packet_id < _LAST_ID else _FIRST_ID
            if packet_id not in self._open:
                return packet_id

    def _check(self, message: Publication) -> None:
        """Refuse what this broker, or any, would end the connection for."""
        topic = encode_topic(message.topic)
        if not topic:
            raise InvalidSettingError("topic", "MQTT lets nobody publish on this topic")
        size = len(topic) + len(message.payload) + _HEADERS
        if size > self._largest:
            raise TooLargeError(size, self._largest)

    def _take_connack(self, packet: bytes) -> None:
        if self._connected:
            raise MalformedPacketError("second CONNACK")
        connack = read_connack(packet, self._version)
        if connack.code == 0:
            self._obey(connack.limits)
            self._connected = True
        self._events.on_connack(connack)

    def _obey(self, limits: BrokerLimits) -> None:
        """Bound what is sent; one packet id is always free."""
        self.limits = limits
        self._window = min(self._window, limits.receive_maximum, _LAST_ID - _FIRST_ID)
        self._qos = min(self._qos, limits.maximum_qos)
        self._retain = self._retain and limits.retain_available
        bounds = (self._largest, self._settings.maximum_packet, limits.maximum_packet)
        self._largest = min(bound for bound in bounds if bound is not None)

    def _take_puback(self, packet: bytes) -> None:
        packet_id, code = read_puback(packet, self._version)
        if packet_id not in self._open:
            return
        on_answer = self._open.pop(packet_id)
        if code >= FAILURE:
            self._traffic.refused += 1
        else:
            self._traffic.acknowledged += 1
        if self._waiting:
            self._send_waiting()
        self._events.on_puback()
        if on_answer is not None:
            on_answer(code)

    def _call[**P, R](self, method: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return method(*args, **kwargs)
        except (ValueError, IndexError, KeyError, TypeError, OSError, struct.error) as err:
            raise MalformedPacketError(f"paho failed with {type(err).__name__}") from err
