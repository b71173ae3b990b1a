"""The state machine on both versions: limits of the broker, answers, what breaks the rules."""

from collections.abc import Callable
from typing import Any

import pytest

from custom_components.homesync.client import MqttVersion, Publication
from custom_components.homesync.client.errors import (
    CongestedError,
    MalformedPacketError,
    NotConnectedError,
    TooLargeError,
)
from custom_components.homesync.client.transport.engine import Engine
from custom_components.homesync.client.transport.packets import Answer, Connack

from . import packets
from .link import BOTH_VERSIONS, settings

WILL = Publication("home/status", b"offline", qos=1, retain=True)


class Bench:
    """An engine with a broker made of bytes."""

    def __init__(self, version: int, *, window: int = 20, **changes: Any) -> None:
        self.version = version
        self.sent: list[bytes] = []
        self.told: list[tuple[str, object]] = []
        self.codes: list[int] = []
        self.engine = Engine(
            settings(1, **changes), MqttVersion(version), self.sent.append, self, window
        )

    def connected(self, properties: bytes = b"") -> Bench:
        self.engine.connect()
        self.engine.feed(packets.connack(self.version, 0, properties))
        self.sent.clear()
        return self

    def publish(self, payload: bytes = b"x", qos: int = 1, *, retain: bool = False) -> None:
        self.engine.publish(Publication("t", payload, qos, retain), self.codes.append)

    @property
    def published(self) -> list[bytes]:
        return [packets.read_publish(each, self.version)[1] for each in self.sent]

    def acknowledge(self, at: int = -1, code: int | None = None) -> None:
        packet_id = packets.read_publish(self.sent[at], self.version)[2]
        self.engine.feed(packets.puback(packet_id, code))

    def on_connack(self, connack: Connack) -> None:
        self.told.append(("connack", connack.code))

    def on_puback(self) -> None:
        pass

    def on_suback(self, answer: Answer) -> None:
        self.told.append(("suback", answer))

    def on_unsuback(self, answer: Answer) -> None:
        self.told.append(("unsuback", answer))

    def on_disconnect(self, code: int, server_reference: str | None) -> None:
        self.told.append(("disconnect", (code, server_reference)))


@BOTH_VERSIONS
@pytest.mark.parametrize("expiry", [0, 3600])
def test_a_connect_asks_for_a_stored_session_only_with_an_expiry(version: int, expiry: int) -> None:
    bench = Bench(
        version, session_expiry=expiry, will=WILL, username="u", password="p", keepalive=33
    )
    bench.engine.connect()
    (connect,) = bench.sent
    body = packets.body_of(connect)
    assert packets.version_of(connect) == version
    assert packets.keepalive_of(connect) == 33
    assert body[7] == 0b1110_1100 | (0 if expiry else 0b10)
    assert (b"\x11" + expiry.to_bytes(4) in body) is (version == 5 and expiry > 0)
    assert (b"\x27" + (256 * 1024).to_bytes(4) in body) is (version == 5)
    assert packets.binary(b"home/status") + packets.binary(b"offline") in body


@BOTH_VERSIONS
def test_nothing_is_published_before_a_connack(version: int) -> None:
    bench = Bench(version)
    with pytest.raises(NotConnectedError):
        bench.publish()
    bench.engine.connect()
    bench.engine.feed(packets.connack(version, 5 if version == 4 else 0x87))
    assert bench.told == [("connack", 0x87)]
    with pytest.raises(NotConnectedError):
        bench.publish()


@BOTH_VERSIONS
def test_messages_beyond_the_window_wait_and_keep_their_order(version: int) -> None:
    bench = Bench(version, window=2).connected()
    for n in range(5):
        bench.publish(b"%d" % n)
    assert bench.published == [b"0", b"1"]
    bench.acknowledge(0)
    assert bench.published == [b"0", b"1", b"2"]
    bench.acknowledge(1)
    bench.acknowledge(2)
    bench.acknowledge(3)
    bench.acknowledge(4)
    assert bench.published == [b"0", b"1", b"2", b"3", b"4"]
    assert bench.codes == [0] * 5


def test_the_brokers_receive_maximum_bounds_the_window() -> None:
    bench = Bench(5).connected(b"\x21\0\3")
    for n in range(10):
        bench.publish(b"%d" % n)
    assert len(bench.sent) == 3


@BOTH_VERSIONS
def test_what_waits_is_sent_when_the_stream_has_room_again(version: int) -> None:
    bench = Bench(version, window=2).connected()
    for n in range(5):
        bench.publish(b"%d" % n)
    bench.engine.pause()
    with pytest.raises(CongestedError):
        bench.publish(b"refused")
    bench.acknowledge(0)
    bench.acknowledge(1)
    assert bench.published == [b"0", b"1"]
    bench.engine.resume()
    assert bench.published == [b"0", b"1", b"2", b"3"]
    bench.publish(b"last")
    bench.acknowledge(2)
    bench.acknowledge(3)
    assert bench.published == [b"0", b"1", b"2", b"3", b"4", b"last"]


@BOTH_VERSIONS
def test_what_is_asked_for_while_the_stream_is_full_goes_before_what_waits(version: int) -> None:
    bench = Bench(version, window=1).connected()
    for _ in range(2):
        bench.publish()
    bench.engine.pause()
    bench.engine.subscribe([("a/+", 0)])
    bench.acknowledge(0)
    assert len(bench.sent) == 1
    bench.engine.resume()
    assert [each[0] & 0xF0 for each in bench.sent[1:]] == [
        packets.SUBSCRIBE & 0xF0,
        packets.PUBLISH,
    ]


@BOTH_VERSIONS
def test_the_queue_is_bounded(version: int) -> None:
    bench = Bench(version, window=1).connected()
    for _ in range(1001):
        bench.publish()
    with pytest.raises(CongestedError):
        bench.publish()
    assert len(bench.sent) == 1


def test_the_brokers_maximum_packet_size_and_ours_are_obeyed() -> None:
    theirs = Bench(5).connected(b"\x27" + (100).to_bytes(4))
    theirs.publish(bytes(80))
    with pytest.raises(TooLargeError) as caught:
        theirs.publish(bytes(101))
    assert caught.value.limit == 100
    assert max(len(each) for each in theirs.sent) <= 100
    for version in (4, 5):
        ours = Bench(version, maximum_packet=50).connected()
        with pytest.raises(TooLargeError):
            ours.publish(bytes(51))
        assert ours.sent == []


def test_qos_and_retain_are_lowered_to_what_the_broker_offers() -> None:
    bench = Bench(5).connected(b"\x24\0\x25\0")
    bench.publish(qos=1, retain=True)
    assert bench.sent[0][0] == packets.PUBLISH
    assert bench.codes == []
    full = Bench(5).connected()
    full.publish(qos=1, retain=True)
    assert full.sent[0][0] == packets.PUBLISH | 0b11


@pytest.mark.parametrize("code", [0x00, 0x10, 0x80, 0x87, 0x90, 0x95, 0x97, 0x99, 0xFF])
def test_f25_any_puback_code_reaches_the_caller_and_the_next_message_goes(code: int) -> None:
    bench = Bench(5, window=1).connected()
    bench.publish(b"a")
    bench.publish(b"b")
    bench.acknowledge(0, code)
    bench.acknowledge(1)
    assert bench.codes == [code, 0]
    assert bench.published == [b"a", b"b"]


@BOTH_VERSIONS
def test_f28_a_puback_of_an_unknown_id_is_ignored(version: int) -> None:
    bench = Bench(version).connected()
    bench.publish()
    bench.engine.feed(packets.puback(4711))
    bench.engine.feed(packets.puback(0))
    assert bench.codes == []
    bench.acknowledge(0)
    bench.acknowledge(0)
    assert bench.codes == [0]


def test_a_disconnect_of_mqtt_5_tells_its_reason() -> None:
    bench = Bench(5)
    bench.engine.connect()
    bench.engine.feed(packets.disconnect(0x89))
    bench.engine.feed(packets.disconnect())
    bench.engine.feed(packets.disconnect(0x9D, b"\x1c\0\1x"))
    assert bench.told == [
        ("disconnect", (0x89, None)),
        ("disconnect", (0, None)),
        ("disconnect", (0x9D, "x")),
    ]


@BOTH_VERSIONS
@pytest.mark.parametrize(
    "make",
    [
        packets.connack,
        lambda _: packets.packet(0x00),
        lambda _: packets.packet(0x10, b"\0\4MQTT\4\2\0\0\0\0"),
        lambda _: packets.packet(0x82, b"\0\1\0\1a\0"),
        lambda _: packets.packet(0xC0),
        lambda _: packets.packet(0xF0),
        lambda _: packets.packet(0x90, b"\0"),
        lambda _: packets.packet(0x40, b"\0"),
    ],
)
def test_f28_what_a_broker_never_sends_is_malformed(
    version: int, make: Callable[[int], bytes]
) -> None:
    bench = Bench(version).connected()
    with pytest.raises(MalformedPacketError):
        bench.engine.feed(make(version))


def test_a_disconnect_from_a_broker_of_mqtt_311_is_malformed() -> None:
    with pytest.raises(MalformedPacketError):
        Bench(4).connected().engine.feed(packets.disconnect())


@BOTH_VERSIONS
@pytest.mark.parametrize("early", [packets.puback(1), packets.packet(0x90, b"\0\1\0")])
def test_answers_before_a_connack_are_malformed(version: int, early: bytes) -> None:
    bench = Bench(version)
    bench.engine.connect()
    with pytest.raises(MalformedPacketError):
        bench.engine.feed(early)


@BOTH_VERSIONS
def test_subscribing_unsubscribing_and_leaving(version: int) -> None:
    bench = Bench(version).connected()
    first = bench.engine.subscribe([("a/+", 0), ("b/+", 1)])
    second = bench.engine.unsubscribe(["a/+", "b/+"])
    bench.engine.feed(packets.suback(version, first, 0, 0x80))
    bench.engine.feed(packets.unsuback(version, second, 0, 0x11))
    bench.engine.disconnect()
    assert [each[0] for each in bench.sent] == [
        packets.SUBSCRIBE,
        packets.UNSUBSCRIBE,
        packets.DISCONNECT,
    ]
    assert packets.binary(b"b/+") + b"\1" in bench.sent[0]
    codes = (0, 0x11) if version == 5 else ()
    assert bench.told[1:] == [
        ("suback", Answer(first, (0, 0x80))),
        ("unsuback", Answer(second, codes)),
    ]
    with pytest.raises(NotConnectedError):
        bench.publish()
