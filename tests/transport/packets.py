"""Packets of a broker, written by hand from the standards: MQTT 3.1.1 (4) and 5."""

PINGREQ = b"\xc0\x00"
PINGRESP = b"\xd0\x00"
CONNECT, PUBLISH, SUBSCRIBE, UNSUBSCRIBE, DISCONNECT = 0x10, 0x30, 0x82, 0xA2, 0xE0


def varint(value: int) -> bytes:
    encoded = bytearray()
    while True:
        value, digit = divmod(value, 128)
        encoded.append(digit | (0x80 if value else 0))
        if not value:
            return bytes(encoded)


def packet(header: int, body: bytes = b"") -> bytes:
    return bytes((header,)) + varint(len(body)) + body


def binary(data: bytes) -> bytes:
    return len(data).to_bytes(2) + data


def user_property(name: bytes, value: bytes) -> bytes:
    return b"\x26" + binary(name) + binary(value)


def _properties(version: int, properties: bytes) -> bytes:
    return varint(len(properties)) + properties if version == 5 else b""


def connack(version: int, code: int = 0, properties: bytes = b"", present: int = 0) -> bytes:
    return packet(0x20, bytes((present, code)) + _properties(version, properties))


def publish(
    version: int,
    topic: bytes,
    payload: bytes,
    *,
    qos: int = 0,
    packet_id: int = 1,
    retain: bool = False,
    properties: bytes = b"",
) -> bytes:
    identifier = packet_id.to_bytes(2) if qos else b""
    extra = _properties(version, properties)
    return packet(0x30 | qos << 1 | retain, binary(topic) + identifier + extra + payload)


def puback(packet_id: int, code: int | None = None) -> bytes:
    return packet(0x40, packet_id.to_bytes(2) + (b"" if code is None else bytes((code,))))


def suback(version: int, packet_id: int, *codes: int) -> bytes:
    return packet(0x90, packet_id.to_bytes(2) + _properties(version, b"") + bytes(codes))


def read_filters(whole: bytes, version: int) -> list[str]:
    """Return the filters of a SUBSCRIBE or UNSUBSCRIBE."""
    options = 1 if whole[0] == SUBSCRIBE else 0
    rest = body_of(whole)[2 if version == 4 else 3 :]
    filters = []
    while rest:
        end = 2 + int.from_bytes(rest[:2])
        filters.append(rest[2:end].decode())
        rest = rest[end + options :]
    return filters


def unsuback(version: int, packet_id: int, *codes: int) -> bytes:
    body = packet_id.to_bytes(2)
    return packet(0xB0, body + b"\0" + bytes(codes) if version == 5 else body)


def disconnect(code: int | None = None, properties: bytes | None = None) -> bytes:
    if code is None:
        return packet(0xE0)
    extra = b"" if properties is None else _properties(5, properties)
    return packet(0xE0, bytes((code,)) + extra)


GOODBYE = disconnect()
CONNACK = connack(4)


def body_of(whole: bytes) -> bytes:
    start = 2
    while whole[start - 1] & 0x80:
        start += 1
    return whole[start:]


def version_of(connect: bytes) -> int:
    return body_of(connect)[6]


def keepalive_of(connect: bytes) -> int:
    return int.from_bytes(body_of(connect)[8:10])


def read_publish(whole: bytes, version: int) -> tuple[str, bytes, int]:
    """Topic, payload and packet id (0 without) of a PUBLISH without long properties."""
    body = body_of(whole)
    end = 2 + int.from_bytes(body[:2])
    topic = body[2:end].decode()
    packet_id = 0
    if whole[0] & 0x06:
        packet_id = int.from_bytes(body[end : end + 2])
        end += 2
    if version == 5:
        end += 1 + body[end]
    return topic, body[end:], packet_id
