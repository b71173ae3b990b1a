"""Received bytes with the properties of MQTT 5."""

from contextlib import suppress
from itertools import pairwise

from hypothesis import given, strategies as st
import pytest

from custom_components.homesync.client.errors import MalformedPacketError
from custom_components.homesync.client.transport.packets import MqttVersion
from custom_components.homesync.client.transport.reader import SOFT_LIMIT, PacketReader

from .packets import PINGRESP, binary, packet, puback, publish, user_property


class Desk:
    """A reader and what it handed on."""

    def __init__(self, version: int) -> None:
        self.messages: list[tuple[bytes, bytes, bool]] = []
        self.packets: list[bytes] = []
        self.oversize: list[bytes] = []
        self.acks = b""
        self.reader = PacketReader(
            self.messages.extend,
            self.packets.append,
            self.oversize.append,
            MqttVersion(version),
        )

    def feed(self, *pieces: bytes) -> Desk:
        for piece in pieces:
            self.acks += self.reader.feed(piece)
        return self


PROPERTIES = b"\x02" + (30).to_bytes(4) + b"\x03" + binary(b"text/plain") + user_property(b"a", b"")


@pytest.mark.parametrize("properties", [b"", PROPERTIES, user_property(b"k", b"v" * 200)])
def test_properties_of_a_publish_are_left_out_of_its_payload(properties: bytes) -> None:
    raw = publish(5, b"t", b"value", qos=1, packet_id=9, retain=True, properties=properties)
    desk = Desk(5).feed(raw)
    assert desk.messages == [(b"t", b"value", True)]
    assert desk.acks == puback(9)


def test_what_looks_like_properties_is_payload_in_mqtt_311() -> None:
    assert Desk(4).feed(publish(4, b"t", b"\x03\x23\0\1x")).messages == [
        (b"t", b"\x03\x23\0\1x", False)
    ]


def test_f32_a_topic_alias_that_was_not_offered_is_malformed() -> None:
    for topic in (b"", b"t"):
        with pytest.raises(MalformedPacketError, match="alias"):
            Desk(5).feed(publish(5, topic, b"x", properties=b"\x23\0\1"))


def test_f32_an_unknown_property_of_a_publish_is_malformed() -> None:
    with pytest.raises(MalformedPacketError, match="unknown property"):
        Desk(5).feed(publish(5, b"t", b"x", properties=b"\x7f\0"))


def test_f32_a_thousand_user_properties_of_a_publish_are_ignored() -> None:
    many = b"".join(user_property(b"k%d" % n, b"v") for n in range(1000))
    assert Desk(5).feed(publish(5, b"t", b"x", properties=many)).messages == [(b"t", b"x", False)]


@pytest.mark.parametrize(
    "body", [b"\0\1t", b"\0\1t\x80", b"\0\1t\x05\x01", b"\0\1t\xff\xff\xff\xff\1"]
)
def test_f24_properties_beyond_their_packet_are_malformed(body: bytes) -> None:
    with pytest.raises(MalformedPacketError):
        Desk(5).feed(packet(0x30, body), publish(5, b"good", b""))


def test_f26_a_publish_above_the_soft_limit_is_skipped_and_acknowledged() -> None:
    big = publish(5, b"big", bytes(SOFT_LIMIT), qos=1, packet_id=3, properties=PROPERTIES)
    after = publish(5, b"t", b"x")
    cut = len(big) - 1
    desk = Desk(5).feed(big[:7], big[7:cut], big[cut:] + after + PINGRESP)
    assert desk.oversize == [b"big"]
    assert desk.messages == [(b"t", b"x", False)]
    assert desk.packets == [PINGRESP]
    assert desk.acks == puback(3)


@given(data=st.data(), version=st.sampled_from([4, 5]))
def test_f06_any_slicing_gives_the_same_packets(data: st.DataObject, version: int) -> None:
    properties = PROPERTIES if version == 5 else b""
    raw = b"".join(
        (
            publish(version, b"a", b"1", properties=properties),
            PINGRESP,
            publish(version, b"b" * 200, b"2" * 300, qos=1, packet_id=5, properties=properties),
            publish(version, b"c", bytes(SOFT_LIMIT), qos=1, packet_id=6, properties=properties),
            puback(7),
        )
    )
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=20)))
    near = sorted({*cuts, *data.draw(st.lists(st.integers(0, 700), max_size=20))})
    edges = [0, *near, len(raw)]
    pieces = [raw[a:b] for a, b in pairwise(edges)]
    desk = Desk(version).feed(*pieces)
    whole = Desk(version).feed(raw)
    assert (desk.messages, desk.packets, desk.oversize, desk.acks) == (
        whole.messages,
        whole.packets,
        whole.oversize,
        whole.acks,
    )
    assert whole.acks == puback(5) + puback(6)
    assert len(whole.messages) == len(whole.packets) == 2


@given(raw=st.binary(max_size=300), version=st.sampled_from([4, 5]))
def test_any_bytes_are_packets_or_malformed(raw: bytes, version: int) -> None:
    with suppress(MalformedPacketError):
        Desk(version).feed(raw)
