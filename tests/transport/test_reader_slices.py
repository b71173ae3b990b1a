"""Bytes become packets, however they are cut."""

from collections.abc import Iterable
from itertools import pairwise
from unittest.mock import patch

from hypothesis import given, strategies as st
import pytest

from custom_components.homesync.client.errors import MalformedPacketError
from custom_components.homesync.client.transport import reader as reader_module
from custom_components.homesync.client.transport.reader import Message, PacketReader

from .packets import CONNACK, PINGRESP, packet, puback, publish, suback

type Event = tuple[object, ...]


class Read:
    """What a reader made of chunks."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.acks = b""
        self.error: str | None = None
        self.reader = PacketReader(
            self.events.extend,
            lambda whole: self.events.append((whole,)),
            lambda topic: self.events.append(("oversize", topic)),
        )

    def feed(self, *chunks: bytes) -> Read:
        for chunk in chunks:
            self.acks += self.reader.feed(chunk)
        return self

    def try_to_feed(self, chunks: Iterable[bytes]) -> Read:
        try:
            self.feed(*chunks)
        except MalformedPacketError as err:
            self.error = str(err)
        return self


def one_byte_each(data: bytes) -> list[bytes]:
    return [data[index : index + 1] for index in range(len(data))]


# With these limits, messages with a length of two bytes lie on both sides of the bound.
SOFT = 300
topics = st.binary(max_size=40)
publishes = st.builds(
    publish,
    topics,
    st.binary(max_size=100) | st.integers(100, 900).map(bytes),
    qos=st.integers(0, 1),
    packet_id=st.integers(1, 65_535),
    retain=st.booleans(),
)
controls = st.builds(
    packet, st.sampled_from([0x20, 0x40, 0x90, 0xB0, 0xD0]), st.binary(max_size=200)
)


@st.composite
def cut_streams(draw: st.DrawFn, streams: st.SearchStrategy[bytes]) -> tuple[bytes, list[bytes]]:
    stream = draw(streams)
    cuts = sorted(draw(st.lists(st.integers(0, len(stream)), max_size=30)))
    edges = [0, *cuts, len(stream)]
    return stream, [stream[a:b] for a, b in pairwise(edges)]


good_streams = st.lists(publishes | controls, max_size=8).map(b"".join)


@given(cut_streams(good_streams))
def test_f06_any_cutting_of_a_stream_gives_the_same(cut: tuple[bytes, list[bytes]]) -> None:
    stream, chunks = cut
    with patch.object(reader_module, "SOFT_LIMIT", SOFT):
        uncut = Read().feed(stream)
        sliced = Read().feed(*chunks)
        dripped = Read().feed(*one_byte_each(stream))
    assert sliced.events == dripped.events == uncut.events
    assert sliced.acks == dripped.acks == uncut.acks


@given(cut_streams(st.lists(st.binary(max_size=30) | publishes, max_size=6).map(b"".join)))
def test_any_bytes_however_cut_end_the_same_way_at_the_same_packet(
    cut: tuple[bytes, list[bytes]],
) -> None:
    stream, chunks = cut
    with patch.object(reader_module, "SOFT_LIMIT", SOFT):
        uncut = Read().try_to_feed([stream])
        sliced = Read().try_to_feed(chunks)
    assert sliced.events == uncut.events
    assert sliced.error == uncut.error


@pytest.mark.parametrize("qos", [0, 1])
@pytest.mark.parametrize("retain", [False, True])
@pytest.mark.parametrize("size", [0, 1, 100, 127, 128, 16_383, 16_384, 100_000])
def test_a_message_has_topic_payload_and_the_flag(size: int, qos: int, *, retain: bool) -> None:
    read = Read().feed(
        publish(4, b"a/b", b"x" * size, qos=qos, packet_id=0x1234, retain=retain), PINGRESP
    )
    assert read.events == [(b"a/b", b"x" * size, retain), (PINGRESP,)]
    assert read.acks == (b"\x40\x02\x12\x34" if qos else b"")


def test_an_empty_topic_and_an_empty_payload_are_handed_on() -> None:
    assert Read().feed(publish(4, b"", b"")).events == [(b"", b"", False)]


def test_acknowledgements_come_once_in_the_order_of_the_messages() -> None:
    read = Read()
    batch = b"".join(publish(4, b"t", b"", qos=1, packet_id=number) for number in (3, 1, 2))
    assert read.reader.feed(batch) == puback(3) + puback(1) + puback(2)
    assert read.reader.feed(PINGRESP) == b""


def test_f29_a_packet_id_may_come_again_with_new_content() -> None:
    read = Read().feed(publish(4, b"t", b"1", qos=1), publish(4, b"t", b"2", qos=1))
    assert [event[1] for event in read.events] == [b"1", b"2"]
    assert read.acks == puback(1) * 2


def test_other_packets_are_handed_on_whole_and_in_order() -> None:
    stream = CONNACK + suback(4, 1, 0, 1, 1) + publish(4, b"t", b"") + puback(9) + PINGRESP
    assert Read().feed(stream).events == [
        (CONNACK,),
        (suback(4, 1, 0, 1, 1),),
        (b"t", b"", False),
        (puback(9),),
        (PINGRESP,),
    ]


@pytest.mark.parametrize("kind", [0, 1, 8, 15])
def test_f28_packets_of_types_that_no_broker_sends_are_handed_on_to_be_refused(kind: int) -> None:
    odd = packet(kind << 4, b"\0\1")
    assert Read().feed(odd).events == [(odd,)]


@pytest.mark.parametrize(
    ("malformed", "words"),
    [
        (packet(0x30), "without topic"),
        (packet(0x30, b"\0"), "without topic"),
        (packet(0x30, b"\0\5abcd"), "shorter than its header"),
        (packet(0x30, b"\xff\xffabcd"), "shorter than its header"),
        (packet(0x32, b"\0\1t"), "shorter than its header"),
        (packet(0x32, b"\0\1t\0"), "shorter than its header"),
        (packet(0x32, b"\0\1t\0\0payload"), "packet id 0"),
        (packet(0x34, b"\0\1t\0\1payload"), "not subscribed"),
        (packet(0x36, b"\0\1t\0\1payload"), "not subscribed"),
        (packet(0x3E, b"\0\1t\0\1payload"), "not subscribed"),
        (b"\x30\x80\x80\x80\x80\x01", "more than four bytes"),
        (b"\xd0\x80\x80\x80\x80\x00", "more than four bytes"),
        (b"\x30\xff\xff\xff\x7f", "268435455 bytes announced"),
        (b"\x30\x81\x80\x80\x08", "16777217 bytes announced"),
        (packet(0x90, bytes(65_537)), "control packet of 65537 bytes"),
    ],
)
def test_f24_f26_a_malformed_packet_ends_the_reading(malformed: bytes, words: str) -> None:
    for chunks in ([malformed], one_byte_each(malformed)):
        read = Read().feed(publish(4, b"t", b"before")).try_to_feed(chunks)
        assert read.error is not None
        assert words in read.error
        assert read.events == [(b"t", b"before", False)]


def test_the_length_is_judged_before_the_body_comes() -> None:
    with pytest.raises(MalformedPacketError):
        Read().feed(b"\x30\xff\xff\xff\x7f")
    with pytest.raises(MalformedPacketError):
        Read().feed(b"\x90\x81\x80\x04")


def test_a_length_may_be_written_longer_than_needed() -> None:
    assert Read().feed(b"\x30\x83\x80\x80\x00\0\1t").events == [(b"t", b"", False)]


def test_f05_a_fresh_reader_knows_nothing_of_the_last_connections_rest() -> None:
    message = publish(4, b"topic", b"payload", qos=1)
    for cut in range(len(message)):
        Read().feed(message[:cut])
        assert Read().feed(message).events == [(b"topic", b"payload", False)]


def test_once_closed_nothing_more_is_handed_on_even_of_the_same_bytes() -> None:
    read = Read()

    def close(whole: bytes) -> None:
        read.events.append((whole,))
        read.reader.close()

    read.reader = PacketReader(read.events.extend, close, lambda _: None)
    read.feed(publish(4, b"t", b"1") + CONNACK + publish(4, b"t", b"2"), publish(4, b"t", b"3"))
    assert read.events == [(b"t", b"1", False), (CONNACK,)]


def test_what_one_read_brought_is_handed_on_at_once_but_never_before_what_came_earlier() -> None:
    calls: list[object] = []
    reader = PacketReader(calls.append, calls.append, calls.append)
    one, two, three = (publish(4, b"t", b"%d" % number) for number in (1, 2, 3))
    with patch.object(reader_module, "SOFT_LIMIT", SOFT):
        reader.feed(one + two + PINGRESP + three + publish(4, b"big", bytes(SOFT)) + one + two[:3])
    assert calls == [
        [(b"t", b"1", False), (b"t", b"2", False)],
        PINGRESP,
        [(b"t", b"3", False)],
        b"big",
        [(b"t", b"1", False)],
    ]


def test_f24_what_came_before_a_malformed_packet_is_handed_on() -> None:
    read = Read().try_to_feed(
        [publish(4, b"t", b"1") + packet(0x30, b"\0"), publish(4, b"t", b"2")]
    )
    assert read.error == "PUBLISH without topic"
    assert read.events == [(b"t", b"1", False)]


def test_whoever_closes_while_he_is_handed_messages_gets_nothing_more() -> None:
    read = Read()

    def take(messages: list[Message]) -> None:
        read.events.extend(messages)
        read.reader.close()

    def refuse(_: bytes) -> None:
        pytest.fail("more is handed on")

    read.reader = PacketReader(take, refuse, refuse)
    with patch.object(reader_module, "SOFT_LIMIT", SOFT):
        big = publish(4, b"big", bytes(SOFT))
        read.feed(publish(4, b"t", b"1") + PINGRESP + publish(4, b"t", b"2") + big)
    assert read.events == [(b"t", b"1", False)]


@pytest.mark.parametrize("after", [b"", PINGRESP])
def test_what_nobody_could_handle_is_not_acknowledged_later(after: bytes) -> None:
    def fail(_: object) -> None:
        raise LookupError

    read = Read()
    read.reader.on_messages = fail
    with pytest.raises(LookupError):
        read.feed(publish(4, b"t", b"1", qos=1, packet_id=1) + after)
    read.reader.on_messages = read.events.extend
    assert read.feed(publish(4, b"t", b"2", qos=1, packet_id=2)).acks == puback(2)
