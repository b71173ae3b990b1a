"""PUBLISH encoded, and what brokers answer decoded: CONNACK, PUBACK, SUBACK, UNSUBACK, DISCONNECT.

MQTT 3.1.1 and 5 give the same records; codes are always those of MQTT 5 (section 2.4).
Every length is checked; what breaks the rules raises MalformedPacketError.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from ..errors import MalformedPacketError
from ..records import Publication


class MqttVersion(IntEnum):
    """The protocol level that CONNECT carries."""

    V311 = 4
    V5 = 5


class _Type(IntEnum):
    BYTE = 1
    U16 = 2
    U32 = 4
    VARINT = 5
    BYTES = 6
    PAIR = 7


# MQTT 5 section 2.2.2.2: every property that a broker may send.
_PROPERTIES: Final = {
    0x01: _Type.BYTE,
    0x02: _Type.U32,
    0x03: _Type.BYTES,
    0x08: _Type.BYTES,
    0x09: _Type.BYTES,
    0x0B: _Type.VARINT,
    0x11: _Type.U32,
    0x12: _Type.BYTES,
    0x13: _Type.U16,
    0x15: _Type.BYTES,
    0x16: _Type.BYTES,
    0x1A: _Type.BYTES,
    0x1C: _Type.BYTES,
    0x1F: _Type.BYTES,
    0x21: _Type.U16,
    0x22: _Type.U16,
    0x23: _Type.U16,
    0x24: _Type.BYTE,
    0x25: _Type.BYTE,
    0x26: _Type.PAIR,
    0x27: _Type.U32,
    0x28: _Type.BYTE,
    0x29: _Type.BYTE,
    0x2A: _Type.BYTE,
}
TOPIC_ALIAS: Final = 0x23
LARGEST_BODY: Final = 268_435_455
"""Bytes of any packet after its length: what four bytes of seven bits can tell."""

_PUBLISH: Final = 0x30
_QOS_1: Final = 0x02
_SUBACK: Final = 0x90
_LONGEST_TOPIC: Final = 65_535

type Properties = dict[int, int | bytes]

_OTHER_VERSION: Final = 0x84
_CONNACK_311: Final = {0: 0x00, 1: _OTHER_VERSION, 2: 0x85, 3: 0x88, 4: 0x86, 5: 0x87}


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerLimits:
    """What a broker announced for one connection; MQTT 3.1.1 announces nothing.

    `maximum_packet` is in bytes and `keepalive` in seconds, None without a limit.
    """

    maximum_packet: int | None = None
    receive_maximum: int = 65_535
    maximum_qos: int = 2
    retain_available: bool = True
    wildcards_available: bool = True
    subscription_ids_available: bool = True
    shared_available: bool = True
    topic_aliases: int = 0
    keepalive: int | None = None
    assigned_client_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Connack:
    """A broker's answer to CONNECT."""

    code: int
    session_present: bool = False
    limits: BrokerLimits = BrokerLimits()
    server_reference: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """The codes of a SUBACK or UNSUBACK."""

    packet_id: int
    codes: tuple[int, ...]


def encode_topic(text: str) -> bytes:
    """Encode a topic; empty if MQTT lets nobody publish on it (3.1.1 sections 1.5.3 and 4.7)."""
    try:
        encoded = text.encode()
    except UnicodeEncodeError:
        return b""
    bad = b"+" in encoded or b"#" in encoded or b"\0" in encoded
    return b"" if bad or len(encoded) > _LONGEST_TOPIC else encoded


def is_topic(text: str) -> bool:
    """Whether MQTT lets anybody publish on a topic."""
    return encode_topic(text) != b""


def encode_publish(
    message: Publication, packet_id: int, version: MqttVersion, *, retain: bool
) -> bytes:
    """Encode a message: QoS 1 with a packet id, QoS 0 with 0; section 3.3.

    Its topic has to be one (`is_topic`), and its body at most LARGEST_BODY. No properties.
    """
    topic, payload = message.topic.encode(), message.payload
    header, between = _PUBLISH | retain, b""
    if packet_id:
        header, between = header | _QOS_1, packet_id.to_bytes(2)
    if version is MqttVersion.V5:
        between += b"\0"
    size = encode_varint(2 + len(topic) + len(between) + len(payload))
    return b"".join((bytes((header,)), size, len(topic).to_bytes(2), topic, between, payload))


def encode_varint(value: int) -> bytes:
    """Return a variable byte integer of at most four bytes; section 2.2.3."""
    if value <= 0x7F:
        return bytes((value,))
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def read_varint(data: bytes, position: int, end: int) -> tuple[int, int]:
    """Return (variable byte integer, where it ends)."""
    value = 0
    for index in range(4):
        if position + index >= end:
            raise MalformedPacketError("truncated length")
        byte = data[position + index]
        value |= (byte & 0x7F) << (7 * index)
        if not byte & 0x80:
            return value, position + index + 1
    raise MalformedPacketError("length of more than four bytes")


def read_properties(data: bytes, position: int, end: int) -> tuple[Properties, int]:
    """Return (properties, where they end); of a repeated one the last counts."""
    length, position = read_varint(data, position, end)
    stop = position + length
    if stop > end:
        raise MalformedPacketError("properties longer than their packet")
    found: Properties = {}
    while position < stop:
        kind = _PROPERTIES.get(data[position])
        if kind is None:
            raise MalformedPacketError(f"unknown property {data[position]:#04x}")
        value, next_position = _read_property(kind, data, position + 1, stop)
        found[data[position]] = value
        position = next_position
    return found, position


def _read_property(kind: _Type, data: bytes, position: int, stop: int) -> tuple[int | bytes, int]:
    if kind is _Type.VARINT:
        return read_varint(data, position, stop)
    if kind in (_Type.BYTES, _Type.PAIR):
        value, position = _read_binary(data, position, stop)
        return _read_binary(data, position, stop) if kind is _Type.PAIR else (value, position)
    end = position + int(kind)
    if end > stop:
        raise MalformedPacketError("truncated property")
    return int.from_bytes(data[position:end]), end


def _read_binary(data: bytes, position: int, stop: int) -> tuple[bytes, int]:
    start = position + 2
    end = start + int.from_bytes(data[position:start])
    if start > stop or end > stop:
        raise MalformedPacketError("truncated property")
    return data[start:end], end


def body_of(packet: bytes) -> int:
    """Return where a whole packet's body begins."""
    _, start = read_varint(packet, 1, len(packet))
    return start


def read_connack(packet: bytes, version: MqttVersion) -> Connack:
    """Decode a CONNACK. A broker that knows no MQTT 5 answers in the form of 3.1.1."""
    start, size = body_of(packet), len(packet)
    if size - start < 2:
        raise MalformedPacketError("CONNACK too short")
    flags, code = packet[start], packet[start + 1]
    if version is MqttVersion.V311 or size - start == 2:
        # A broker that knows only MQTT 5 refuses MQTT 3.1.1 in the form of 5.
        if size - start != 2 and code != _OTHER_VERSION:
            raise MalformedPacketError("CONNACK too long")
        normal = _CONNACK_311.get(code, max(code, 128))
        return Connack(code=normal, session_present=bool(flags & 1))
    found, end = read_properties(packet, start + 2, size)
    if end != size:
        raise MalformedPacketError("CONNACK with bytes left over")
    return Connack(
        code=code,
        session_present=bool(flags & 1),
        limits=_read_limits(found),
        server_reference=_text(found.get(0x1C)),
    )


def _read_limits(found: Properties) -> BrokerLimits:
    return BrokerLimits(
        maximum_packet=_number(found, 0x27, None),
        receive_maximum=_number(found, 0x21, 65_535) or 65_535,
        maximum_qos=_number(found, 0x24, 2) or 0,
        retain_available=bool(_number(found, 0x25, 1)),
        wildcards_available=bool(_number(found, 0x28, 1)),
        subscription_ids_available=bool(_number(found, 0x29, 1)),
        shared_available=bool(_number(found, 0x2A, 1)),
        topic_aliases=_number(found, 0x22, 0) or 0,
        keepalive=_number(found, 0x13, None),
        assigned_client_id=_text(found.get(0x12)),
    )


def _number(found: Properties, key: int, default: int | None) -> int | None:
    value = found.get(key, default)
    return value if isinstance(value, int) else default


def _text(value: int | bytes | None) -> str | None:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else None


def read_puback(packet: bytes, version: MqttVersion) -> tuple[int, int]:
    """Decode a PUBACK: (packet id, code); without a code it means success."""
    start, size = body_of(packet), len(packet)
    if size - start < 2 or (version is MqttVersion.V311 and size - start != 2):
        raise MalformedPacketError("PUBACK of the wrong length")
    code = packet[start + 2] if size - start > 2 else 0
    return int.from_bytes(packet[start : start + 2]), code


def read_suback(packet: bytes, version: MqttVersion) -> Answer:
    """Decode a SUBACK, or an UNSUBACK of MQTT 5, which has the same form."""
    start, size = body_of(packet), len(packet)
    if size - start < 2:
        raise MalformedPacketError("SUBACK too short")
    codes = start + 2
    if version is MqttVersion.V5:
        _, codes = read_properties(packet, codes, size)
    if packet[0] & 0xF0 == _SUBACK and codes == size:
        raise MalformedPacketError("SUBACK without codes")
    return Answer(int.from_bytes(packet[start : start + 2]), tuple(packet[codes:]))


def read_disconnect(packet: bytes) -> tuple[int, str | None]:
    """Decode a DISCONNECT of MQTT 5: (code, server reference)."""
    start, size = body_of(packet), len(packet)
    if size == start:
        return 0, None
    reference = None
    if size - start > 1:
        found, _ = read_properties(packet, start + 1, size)
        reference = _text(found.get(0x1C))
    return packet[start], reference
