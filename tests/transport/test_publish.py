"""PUBLISH as we write it: the same bytes as paho's, and read as they were meant."""

from typing import Any, override

from hypothesis import given, strategies as st
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
import pytest

from custom_components.homesync.client import MqttVersion, Publication
from custom_components.homesync.client.transport.packets import encode_publish, is_topic
from custom_components.homesync.client.transport.reader import PacketReader

from .link import BOTH_VERSIONS

TOPICS = st.text(min_size=1).filter(is_topic)
# Lengths at which the remaining length needs another byte are among them.
PAYLOADS = st.binary() | st.integers(100, 130).map(bytes) | st.integers(16_370, 16_390).map(bytes)


class Wire:
    """A socket of paho's that keeps what is sent."""

    def __init__(self) -> None:
        self.sent = bytearray()

    def send(self, data: bytes) -> int:
        self.sent += data
        return len(data)

    def setblocking(self, flag: bool) -> None:
        pass

    def fileno(self) -> int:
        return -1

    def close(self) -> None:
        pass


class Paho(Client):
    """paho as a client that writes what it is told."""

    def __init__(self, version: MqttVersion) -> None:
        super().__init__(
            CallbackAPIVersion.VERSION2, client_id="c", protocol=MQTTProtocolVersion(version)
        )
        self.wire = Wire()
        # Nobody acknowledges.
        self.max_inflight_messages_set(0)
        self.on_socket_register_write = lambda *_: None
        self.connect_async("broker")
        self.reconnect()
        self.loop_write()

    @override
    def _create_socket(self) -> Any:
        return self.wire

    def written(self, message: Publication) -> tuple[int, bytes]:
        """Publish; return the packet id and the bytes."""
        self.wire.sent.clear()
        info = self.publish(message.topic, message.payload, message.qos, message.retain)
        assert info.rc == MQTTErrorCode.MQTT_ERR_SUCCESS
        while self.want_write():
            self.loop_write()
        return info.mid, bytes(self.wire.sent)


PAHO = {version: Paho(version) for version in MqttVersion}


def encoded(message: Publication, packet_id: int, version: MqttVersion) -> bytes:
    return encode_publish(message, packet_id, version, retain=message.retain)


@BOTH_VERSIONS
@given(topic=TOPICS, payload=PAYLOADS, qos=st.integers(0, 1), retain=st.booleans())
def test_our_bytes_are_those_of_paho(
    version: int, topic: str, payload: bytes, qos: int, retain: bool
) -> None:
    message = Publication(topic, payload, qos, retain)
    packet_id, expected = PAHO[MqttVersion(version)].written(message)
    assert encoded(message, packet_id if qos else 0, MqttVersion(version)) == expected


@BOTH_VERSIONS
@given(
    topic=TOPICS,
    payload=PAYLOADS,
    packet_id=st.none() | st.integers(1, 0xFFFF),
    retain=st.booleans(),
)
def test_our_bytes_are_read_as_they_were_meant(
    version: int, topic: str, payload: bytes, packet_id: int | None, retain: bool
) -> None:
    taken: list[tuple[bytes, bytes, bool]] = []
    reader = PacketReader(
        taken.extend,
        lambda packet: pytest.fail(packet.hex()),
        lambda each: pytest.fail(each.hex()),
        MqttVersion(version),
    )
    message = Publication(topic, payload, retain=retain)
    acks = reader.feed(encoded(message, packet_id or 0, MqttVersion(version)))
    assert taken == [(topic.encode(), payload, retain)]
    assert acks == (b"" if packet_id is None else b"\x40\x02" + packet_id.to_bytes(2))
