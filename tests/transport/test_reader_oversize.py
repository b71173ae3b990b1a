"""Messages that are too large are skipped by counting, not kept."""

import tracemalloc
from unittest.mock import patch

import pytest

from custom_components.homesync.client.transport import reader
from custom_components.homesync.client.transport.reader import HARD_LIMIT, SOFT_LIMIT

from .packets import PINGRESP, puback, publish
from .test_reader_slices import Read

AFTER = publish(4, b"t", b"after")


def oversize(topic: bytes, length: int, qos: int) -> bytes:
    """A PUBLISH with exactly this remaining length."""
    return publish(4, topic, bytes(length - 2 - len(topic) - 2 * qos), qos=qos, packet_id=7)


@pytest.mark.parametrize("qos", [0, 1])
def test_at_the_limit_a_message_is_taken_and_above_it_skipped(qos: int) -> None:
    read = Read().feed(oversize(b"t", SOFT_LIMIT, qos) + AFTER)
    assert [event[0] for event in read.events] == [b"t", b"t"]
    read = Read().feed(oversize(b"topic", SOFT_LIMIT + 1, qos) + AFTER)
    assert read.events == [("oversize", b"topic"), (b"t", b"after", False)]
    assert read.acks == puback(7) * qos


@pytest.mark.parametrize("qos", [0, 1])
@pytest.mark.parametrize("topic", [b"", b"t", b"t" * 150])
def test_it_is_skipped_and_acknowledged_once_wherever_it_is_cut(topic: bytes, qos: int) -> None:
    with patch.object(reader, "SOFT_LIMIT", 200):
        message = oversize(topic, 201, qos)
        stream = PINGRESP + message + AFTER
        for cut in range(len(stream)):
            read = Read().feed(stream[:cut], stream[cut:])
            assert read.events == [(PINGRESP,), ("oversize", topic), (b"t", b"after", False)]
            assert read.acks == puback(7) * qos


@pytest.mark.parametrize("qos", [0, 1])
def test_two_in_a_row_are_skipped_one_byte_at_a_time(qos: int) -> None:
    with patch.object(reader, "SOFT_LIMIT", 20):
        read = Read()
        for byte in oversize(b"a", 40, qos) + oversize(b"b", 21, qos) + AFTER[:0] + PINGRESP:
            read.feed(bytes((byte,)))
    assert read.events == [("oversize", b"a"), ("oversize", b"b"), (PINGRESP,)]
    assert read.acks == puback(7) * 2 * qos


def test_the_longest_topic_is_named_though_it_comes_in_pieces() -> None:
    topic = b"x" * 65_535
    message = oversize(topic, SOFT_LIMIT + 1, 1)
    read = Read()
    for position in range(0, len(message), 1000):
        read.feed(message[position : position + 1000])
    assert read.feed(AFTER).events == [("oversize", topic), (b"t", b"after", False)]


@pytest.mark.parametrize("header", [0x34, 0x36])
def test_an_oversize_message_of_another_qos_ends_the_reading(header: int) -> None:
    message = bytearray(oversize(b"t", SOFT_LIMIT + 1, 1))
    message[0] = header
    assert Read().try_to_feed([bytes(message)]).error is not None


def test_s05_sixteen_mebibytes_pass_by_without_being_kept() -> None:
    message = publish(4, b"t", b"", qos=1, packet_id=7)
    header = message[:1] + b"\x80\x80\x80\x08" + message[2:]
    block = bytes(65_536)
    read = Read()
    tracemalloc.start()
    try:
        read.feed(header)
        for _ in range(HARD_LIMIT // len(block) - 1):
            read.feed(block)
        read.feed(block[: len(block) - 5])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 300_000
    assert read.feed(AFTER).events == [("oversize", b"t"), (b"t", b"after", False)]
