"""What brokers answer, decoded."""

from collections.abc import Callable
from contextlib import suppress

from hypothesis import given, strategies as st
import pytest

from custom_components.homesync.client.errors import MalformedPacketError
from custom_components.homesync.client.transport.packets import (
    BrokerLimits,
    MqttVersion,
    encode_varint,
    read_connack,
    read_disconnect,
    read_properties,
    read_puback,
    read_suback,
    read_varint,
)

from .packets import (
    binary,
    connack,
    disconnect,
    packet,
    puback,
    suback,
    unsuback,
    user_property,
    varint,
)

V311, V5 = MqttVersion.V311, MqttVersion.V5

READERS: list[Callable[[bytes], object]] = [
    lambda raw: read_connack(raw, V311),
    lambda raw: read_connack(raw, V5),
    lambda raw: read_puback(raw, V311),
    lambda raw: read_puback(raw, V5),
    lambda raw: read_suback(raw, V311),
    lambda raw: read_suback(raw, V5),
    read_disconnect,
    lambda raw: read_properties(raw, 0, len(raw)),
]


@pytest.mark.parametrize("read", READERS)
@given(body=st.binary(max_size=80))
def test_any_bytes_are_decoded_or_malformed(read: Callable[[bytes], object], body: bytes) -> None:
    for raw in (packet(0x20, body), body):
        with suppress(MalformedPacketError):
            read(raw)


@given(value=st.integers(0, 268_435_455))
def test_every_length_is_read_as_it_was_written(value: int) -> None:
    raw = varint(value)
    assert encode_varint(value) == raw
    assert read_varint(raw, 0, len(raw)) == (value, len(raw))
    with pytest.raises(MalformedPacketError, match="truncated"):
        read_varint(raw, 0, len(raw) - 1)


def test_a_length_of_five_bytes_is_malformed() -> None:
    with pytest.raises(MalformedPacketError, match="more than four"):
        read_varint(b"\x80\x80\x80\x80\x01", 0, 5)


def test_a_connack_tells_the_limits_of_its_broker() -> None:
    properties = b"".join(
        (
            b"\x27" + (4096).to_bytes(4),
            b"\x21" + (7).to_bytes(2),
            b"\x24\x00\x25\x00\x28\x00\x29\x00\x2a\x00",
            b"\x22" + (3).to_bytes(2),
            b"\x13" + (15).to_bytes(2),
            b"\x12" + binary(b"given"),
            b"\x1c" + binary(b"elsewhere:8883"),
            b"\x11" + (60).to_bytes(4),
            b"\x1a" + binary(b"info"),
            b"\x1f" + binary("wörds".encode()),
            user_property(b"a", b"b"),
        )
    )
    told = read_connack(connack(5, 0x9D, properties, present=1), V5)
    assert told.code == 0x9D
    assert told.session_present
    assert told.server_reference == "elsewhere:8883"
    assert told.limits == BrokerLimits(
        maximum_packet=4096,
        receive_maximum=7,
        maximum_qos=0,
        retain_available=False,
        wildcards_available=False,
        subscription_ids_available=False,
        shared_available=False,
        topic_aliases=3,
        keepalive=15,
        assigned_client_id="given",
    )


@pytest.mark.parametrize("version", [V311, V5])
def test_a_connack_without_properties_announces_no_limit(version: MqttVersion) -> None:
    told = read_connack(connack(version), version)
    assert (told.code, told.session_present, told.limits) == (0, False, BrokerLimits())


@pytest.mark.parametrize(
    ("old", "new"), [(0, 0), (1, 0x84), (2, 0x85), (3, 0x88), (4, 0x86), (5, 0x87), (9, 0x80)]
)
@pytest.mark.parametrize("version", [V311, V5])
def test_codes_of_mqtt_311_become_those_of_mqtt_5(old: int, new: int, version: MqttVersion) -> None:
    # nats-server and amqtt answer a CONNECT of MQTT 5 in this form too.
    assert read_connack(connack(4, old), version).code == new


@pytest.mark.parametrize(
    "raw",
    [
        packet(0x20, b"\0"),
        packet(0x20, b"\0\0\5\x21"),
        packet(0x20, b"\0\0\0x"),
        packet(0x20, b"\0\0\2\x7f\0"),
        packet(0x20, b"\0\0\2\x21\0"),
        packet(0x20, b"\0\0\3\x12\0\5"),
    ],
)
def test_f24_a_connack_that_breaks_the_rules_is_malformed(raw: bytes) -> None:
    with pytest.raises(MalformedPacketError):
        read_connack(raw, V5)


def test_f24_a_connack_of_mqtt_311_has_two_bytes() -> None:
    with pytest.raises(MalformedPacketError):
        read_connack(packet(0x20, b"\0\0\0"), V311)


def test_f32_a_thousand_user_properties_are_ignored() -> None:
    many = b"".join(user_property(b"k%d" % n, b"v" * 20) for n in range(1000))
    raw = varint(len(many)) + many + b"rest"
    found, end = read_properties(raw, 0, len(raw))
    assert raw[end:] == b"rest"
    assert list(found) == [0x26]


def test_f32_an_unknown_property_is_malformed() -> None:
    for unknown in (0x00, 0x04, 0x2B, 0x7F, 0xFF):
        with pytest.raises(MalformedPacketError, match="unknown property"):
            read_properties(bytes((2, unknown, 0)), 0, 3)


def test_of_a_repeated_property_the_last_counts() -> None:
    assert read_properties(b"\x04\x01\x00\x01\x01", 0, 5) == ({1: 1}, 5)


def test_a_property_may_be_a_length() -> None:
    assert read_properties(b"\x03\x0b\xc8\x01", 0, 4) == ({0x0B: 200}, 4)


def test_a_puback_without_a_code_means_success() -> None:
    for version in (V311, V5):
        assert read_puback(puback(300), version) == (300, 0)


def test_f25_a_puback_may_carry_any_code() -> None:
    assert read_puback(puback(7, 0x95), V5) == (7, 0x95)
    with pytest.raises(MalformedPacketError):
        read_puback(puback(7, 0x95), V311)


@pytest.mark.parametrize("version", [V311, V5])
def test_a_suback_and_an_unsuback_carry_a_code_for_each_filter(version: MqttVersion) -> None:
    answer = read_suback(suback(version, 513, 0, 1, 0x87), version)
    assert (answer.packet_id, answer.codes) == (513, (0, 1, 0x87))
    assert read_suback(unsuback(5, 4, 0, 0x11), V5).codes == (0, 0x11)
    assert read_suback(unsuback(4, 4), V311).codes == ()


def test_a_disconnect_may_be_empty_or_tell_its_reason_and_another_server() -> None:
    assert read_disconnect(disconnect()) == (0, None)
    assert read_disconnect(disconnect(0x8E)) == (0x8E, None)
    assert read_disconnect(disconnect(0x8B, b"")) == (0x8B, None)
    server = b"\x1c" + binary(b"b:1")
    assert read_disconnect(disconnect(0x9C, server)) == (0x9C, "b:1")
