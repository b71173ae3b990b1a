"""MQTT 3.1.1 packets, written by hand from the standard."""

PINGREQ = b"\xc0\x00"
PINGRESP = b"\xd0\x00"
DISCONNECT = b"\xe0\x00"
CONNACK = b"\x20\x02\x00\x00"


def packet(header: int, body: bytes = b"") -> bytes:
    return bytes((header,)) + _remaining_length(len(body)) + body


def connack(code: int, session_present: int = 0) -> bytes:
    return packet(0x20, bytes((session_present, code)))


def publish(
    topic: bytes, payload: bytes, *, qos: int = 0, packet_id: int = 1, retain: bool = False
) -> bytes:
    identifier = packet_id.to_bytes(2) if qos else b""
    return packet(0x30 | qos << 1 | retain, len(topic).to_bytes(2) + topic + identifier + payload)


def puback(packet_id: int) -> bytes:
    return packet(0x40, packet_id.to_bytes(2))


def suback(packet_id: int, *codes: int) -> bytes:
    return packet(0x90, packet_id.to_bytes(2) + bytes(codes))


def unsuback(packet_id: int) -> bytes:
    return packet(0xB0, packet_id.to_bytes(2))


def _remaining_length(length: int) -> bytes:
    encoded = bytearray()
    while True:
        length, digit = divmod(length, 128)
        encoded.append(digit | (0x80 if length else 0))
        if not length:
            return bytes(encoded)
