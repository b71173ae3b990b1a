"""Received bytes → packets. PUBLISH is taken here, everything else is handed on whole.

MQTT 3.1.1 and 5, section 2.1 and 2.2 give the fixed header, 3.3 PUBLISH. Nothing is trusted: lengths
are checked before a body is kept, and a PUBLISH above the soft limit is skipped by
counting its bytes, since closing would meet a retained one again at each reconnect.
"""

from collections.abc import Callable
from typing import Final

from ..errors import MalformedPacketError
from .packets import TOPIC_ALIAS, MqttVersion, read_properties
from .statistics import Traffic

SOFT_LIMIT: Final = 256 * 1024
HARD_LIMIT: Final = 16 * 1024 * 1024
# The largest that we ask for is a SUBACK of a few bytes; properties may tell a story.
_CONTROL_LIMIT: Final = 64 * 1024
_PUBLISH: Final = 0x30
_QOS: Final = 0x06
_QOS_1: Final = 0x02
_PUBACK: Final = b"\x40\x02"

type Message = tuple[bytes, bytes, bool]
"""Topic, payload, whether the broker had kept it (retained)."""

type OnMessages = Callable[[list[Message]], None]


class PacketReader:
    """Splits one connection's bytes; a fresh one for each connection.

    `on_messages` takes what one read brought, `on_packet(packet)` all other packets, in their
    order; `on_oversize(topic)` is told of what was skipped; `traffic` counts. `feed` returns
    the acknowledgements to send, and raises MalformedPacketError when the connection cannot go on.
    """

    def __init__(
        self,
        on_messages: OnMessages,
        on_packet: Callable[[bytes], None],
        on_oversize: Callable[[bytes], None],
        version: MqttVersion = MqttVersion.V311,
        traffic: Traffic | None = None,
    ) -> None:
        self.on_messages = on_messages
        self._on_packet = on_packet
        self._on_oversize = on_oversize
        self._traffic = traffic or Traffic()
        self._has_properties = version is MqttVersion.V5
        self._tail = bytearray()
        self._needed = 0
        self._skip = 0
        self._acks = bytearray()
        self._closed = False

    def close(self) -> None:
        """Hand nothing more on, not even from the bytes being read now."""
        self._closed = True

    def feed(self, data: bytes) -> bytes:  # noqa: C901, PLR0912, PLR0915 - a call per packet costs more than the packet
        """Take bytes as they came."""
        position, needed, taken, acks = 0, 2, 0, b""
        if self._skip or self._tail:
            data, position = self._joined(data)
        size = len(data)
        messages: list[Message] = []
        try:
            while size - position >= 2:
                header = data[position]
                length = data[position + 1]
                start = position + 2
                if length & 0x80:
                    if start < size and not data[start] & 0x80:
                        length = length & 0x7F | data[start] << 7
                        start += 1
                    else:
                        length, start = self._long_length(data, position)
                        if not start:
                            needed = size - position + 1
                            break
                end = start + length
                if header & 0xF0 != _PUBLISH or length > SOFT_LIMIT:
                    if messages:
                        before, messages = messages, []
                        if not self._closed:
                            self.on_messages(before)
                    if needed := self._take_other(data, position, start, end):
                        break
                elif end > size:
                    needed = end - position
                    break
                else:
                    taken += 1
                    if length < 2:
                        raise MalformedPacketError("PUBLISH without topic")
                    start += 2
                    body = topic_end = start + (data[start - 2] << 8 | data[start - 1])
                    if header & _QOS:
                        body += 2
                    if body > end:
                        raise MalformedPacketError("PUBLISH shorter than its header")
                    if header & _QOS:
                        self._acknowledge(header, data[topic_end:body])
                    if self._has_properties:
                        # Nearly always the broker sends none.
                        no_property = body < end and not data[body]
                        body = body + 1 if no_property else _after_properties(data, body, end)
                    messages.append((data[start:topic_end], data[body:end], header & 1 == 1))
                position = end
        finally:
            # Before the last messages are handed on: whoever fails leaves no receipt behind.
            if self._acks:
                acks = bytes(self._acks)
                self._acks.clear()
            self._traffic.received += taken
            if messages and not self._closed:
                self.on_messages(messages)
        if position < size:
            self._tail += data[position:]
            self._needed = max(2, needed)
        return acks

    def _joined(self, data: bytes) -> tuple[bytes, int]:
        """Return what is to be split after what came before, and where that begins."""
        position = min(self._skip, len(data))
        self._skip -= position
        if not self._tail:
            return data, position
        # Append until it is whole: reading it again from its start at each byte
        # would cost the square of its size.
        self._tail += data
        if len(self._tail) < self._needed:
            return b"", 0
        data = bytes(self._tail)
        self._tail = bytearray()
        return data, 0

    def _take_other(self, data: bytes, position: int, start: int, end: int) -> int:
        """Take what is no message for anybody; return how many bytes are needed if they did not come."""
        if self._closed:
            return 0
        if data[position] & 0xF0 == _PUBLISH:
            return self._skip_publish(data, position, start, end)
        if end - start > _CONTROL_LIMIT:
            raise MalformedPacketError(f"control packet of {end - start} bytes")
        if end > len(data):
            return end - position
        self._on_packet(data[position:end])
        return 0

    @staticmethod
    def _long_length(data: bytes, position: int) -> tuple[int, int]:
        """Return (remaining length, where the body starts); (0, 0) if more bytes are needed."""
        length = 0
        for index in range(4):
            offset = position + 1 + index
            if offset >= len(data):
                return 0, 0
            byte = data[offset]
            length |= (byte & 0x7F) << (7 * index)
            if not byte & 0x80:
                if length > HARD_LIMIT:
                    raise MalformedPacketError(f"packet of {length} bytes announced")
                return length, offset + 1
        raise MalformedPacketError("remaining length of more than four bytes")

    def _acknowledge(self, header: int, packet_id: bytes) -> None:
        """Acknowledge a QoS 1 message, once the bytes that hold it are dealt with."""
        if header & _QOS != _QOS_1:
            raise MalformedPacketError("PUBLISH with a QoS that was not subscribed")
        if packet_id == b"\0\0":
            raise MalformedPacketError("PUBLISH with packet id 0")
        self._acks += _PUBACK + packet_id
        self._traffic.received_qos1 += 1

    def _skip_publish(self, data: bytes, position: int, start: int, end: int) -> int:
        """Skip a PUBLISH that is too large; return how many bytes are needed for its topic."""
        size = len(data)
        body = topic_end = start + 2
        if size >= body:
            body = topic_end = topic_end + (data[start] << 8 | data[start + 1])
            if data[position] & _QOS:
                body += 2
        if size < body:
            return body - position
        if body > end:
            raise MalformedPacketError("PUBLISH shorter than its header")
        if data[position] & _QOS:
            self._acknowledge(data[position], data[topic_end:body])
        self._skip = max(0, end - size)
        self._traffic.received += 1
        self._on_oversize(data[start + 2 : topic_end])
        return 0


def _after_properties(data: bytes, position: int, end: int) -> int:
    """Return where the payload begins."""
    found, position = read_properties(data, position, end)
    if TOPIC_ALIAS in found:
        raise MalformedPacketError("topic alias that was not offered")
    return position
