"""MQTT 3.1.1 packets built by hand: generators send bytes that were made before the clock runs."""

import socket
import struct
from typing import Final

LOOPBACK: Final = "127.0.0.1"
CONNACK, PUBLISH, PUBACK, SUBSCRIBE, SUBACK = 0x20, 0x30, 0x40, 0x82, 0x90
UNSUBSCRIBE, UNSUBACK, PINGREQ, PINGRESP, CONNECT = 0xA2, 0xB0, 0xC0, 0xD0, 0x10


def length(size: int) -> bytes:
    """Encode a remaining length."""
    out = bytearray()
    while size > 0x7F:
        out.append(size & 0x7F | 0x80)
        size >>= 7
    out.append(size)
    return bytes(out)


def text(value: str) -> bytes:
    """Encode a string with its length."""
    data = value.encode()
    return struct.pack(">H", len(data)) + data


def packet(header: int, body: bytes) -> bytes:
    """Put header and length before a body."""
    return bytes((header,)) + length(len(body)) + body


def connect(client_id: str) -> bytes:
    """CONNECT with a clean session and no keep-alive."""
    return packet(CONNECT, text("MQTT") + b"\x04\x02\0\0" + text(client_id))


def subscribe(topic_filter: str, qos: int) -> bytes:
    """SUBSCRIBE to one filter."""
    return packet(SUBSCRIBE, b"\0\x01" + text(topic_filter) + bytes((qos,)))


def publish(topic: str, payload: bytes, *, retain: bool = False, packet_id: int = 0) -> bytes:
    """PUBLISH, with QoS 1 if it has a packet id."""
    number = struct.pack(">H", packet_id) if packet_id else b""
    header = PUBLISH | (2 if packet_id else 0) | retain
    return packet(header, text(topic) + number + payload)


def with_properties(whole: bytes) -> bytes:
    """Make an MQTT 5 PUBLISH of 128 bytes and more of one of 3.1.1: an empty list of properties."""
    size = (whole[1] & 0x7F | whole[2] << 7) + 1
    end = 5 + (whole[3] << 8 | whole[4])
    return whole[:1] + length(size) + whole[3:end] + b"\0" + whole[end:]


def acknowledge_quickly(sock: socket.socket) -> None:
    """Keep the broker's Nagle algorithm from holding its next packet back for 40 ms."""
    if hasattr(socket, "TCP_QUICKACK"):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)


class Packets:
    """Splits received bytes into (header, body)."""

    def __init__(self) -> None:
        self._data = bytearray()

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """Take bytes; return what is whole."""
        self._data += data
        found = []
        while (whole := self._next()) is not None:
            found.append(whole)
        return found

    def _next(self) -> tuple[int, bytes] | None:
        size, shift, position = 0, 0, 1
        while position < len(self._data):
            byte = self._data[position]
            size |= (byte & 0x7F) << shift
            position, shift = position + 1, shift + 7
            if not byte & 0x80:
                break
        else:
            return None
        if len(self._data) < position + size:
            return None
        whole = self._data[0], bytes(self._data[position : position + size])
        del self._data[: position + size]
        return whole


def read_publish(header: int, body: bytes) -> tuple[str, bytes, bytes]:
    """Return topic, payload and packet id (empty for QoS 0) of a PUBLISH."""
    end = 2 + struct.unpack(">H", body[:2])[0]
    start = end + 2 if header & 6 else end
    return body[2:end].decode(), body[start:], body[end:start]


def open_client(port: int, client_id: str) -> socket.socket:
    """Connect to the broker on this machine."""
    sock = socket.create_connection((LOOPBACK, port), timeout=10)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.sendall(connect(client_id))
    if sock.recv(4)[:1] != bytes((CONNACK,)):
        raise OSError("the broker refused the connection")
    sock.settimeout(None)
    return sock
