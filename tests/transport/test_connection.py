"""One connection by itself: what may come at moments when nobody expects it."""

import asyncio
from typing import Any
from unittest.mock import patch

import pytest

from custom_components.homesync.client import Cause, ConnectError, MqttVersion, Transport
from custom_components.homesync.client.errors import MalformedPacketError, NotConnectedError
from custom_components.homesync.client.records import Publication
from custom_components.homesync.client.transport.connection import Connection
from custom_components.homesync.client.transport.reader import Message
from custom_components.homesync.client.transport.terms import Receiver, Terms

from ..client.virtual_time import on_virtual_time
from .link import PLAIN_SUBSCRIPTIONS as SUBSCRIPTIONS, plain_settings as settings, until
from .packets import (
    CONNACK,
    PINGREQ,
    UNSUBSCRIBE,
    body_of,
    disconnect,
    puback,
    publish,
    read_publish,
    unsuback,
)
from .scripted import Peer, ScriptedBroker

pytestmark = pytest.mark.usefixtures("socket_enabled")

TERMS = Terms(version=MqttVersion.V311, transport=Transport.TCP, keepalive=60, window=20)


async def accept(peer: Peer) -> None:
    """Grant all and say nothing more."""
    await peer.accept()
    await peer.until_closed()


class Records:
    def __init__(self) -> None:
        self.topics: list[bytes] = []
        self.came = asyncio.Event()
        self.batches = 0

    def connection(self, port: int, **changes: Any) -> Connection:
        receiver = Receiver(on_messages=self._take, on_oversize=self._skip)
        return Connection(settings(port, **changes), TERMS, SUBSCRIPTIONS, receiver)

    def _take(self, messages: list[Message]) -> None:
        self.topics += [topic for topic, _, _ in messages]
        self.batches += 1
        self.came.set()

    def _skip(self, topic: bytes) -> None:
        raise AssertionError


@on_virtual_time
async def test_before_it_is_open_it_sends_nothing_and_can_be_paused_and_closed() -> None:
    connection = Records().connection(1883)
    connection.pause_reading()
    connection.resume_reading()
    with pytest.raises(NotConnectedError):
        connection.publish(Publication("t", b""))
    closing = asyncio.get_running_loop().create_task(connection.close(2))
    error = await connection.closed
    await closing
    assert error.cause is Cause.CLOSED


@on_virtual_time
async def test_closing_twice_and_bytes_after_the_end_change_nothing() -> None:
    records = Records()
    async with ScriptedBroker(accept) as broker:
        connection = records.connection(broker.port)
        await connection.open(5)
        await connection.close(1.5)
        first = connection.closed.result()
        await connection.close(1.5)
        connection.data_received(publish(4, b"t", b""))
        connection.connection_lost(None)
        assert connection.closed.result() is first
    assert records.topics == []
    assert records.batches == 0


@on_virtual_time
async def test_who_waits_for_an_answer_has_his_turn_before_the_broker_its_receipt() -> None:
    records = Records()
    written: list[bytes] = []
    async with ScriptedBroker(accept) as broker:
        connection = records.connection(broker.port)
        await connection.open(5)
        # As Home Assistant awaits an entity's part of an action.
        waiting = asyncio.get_running_loop().create_task(records.came.wait())
        await asyncio.sleep(0)
        with patch.object(connection, "_write", written.append):
            for packet_id in (1, 2):
                connection.data_received(publish(4, b"t", b"", qos=1, packet_id=packet_id))
            await waiting
            assert written == []
            await asyncio.sleep(0)
            assert written == [puback(1) + puback(2)]
        await connection.close(2)


@on_virtual_time
async def test_receipts_that_are_due_leave_with_the_next_message_in_one_write() -> None:
    written: list[bytes] = []
    async with ScriptedBroker(accept) as broker:
        connection = Records().connection(broker.port)
        await connection.open(5)
        transport = connection._transport
        assert transport is not None
        with patch.object(transport, "write", written.append):
            connection.data_received(publish(4, b"t", b"", qos=1, packet_id=7))
            connection.publish(Publication("t", b"x", qos=0))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        assert written == [publish(4, b"t", b"x") + puback(7)]
        await connection.close(2)


@on_virtual_time
async def test_receipts_wait_while_the_stream_is_full_and_no_ping_takes_them_along() -> None:
    written: list[bytes] = []
    async with ScriptedBroker(accept) as broker:
        connection = Records().connection(broker.port)
        await connection.open(5)
        transport = connection._transport
        assert transport is not None
        with patch.object(transport, "write", written.append):
            connection.data_received(publish(4, b"t", b"", qos=1, packet_id=7))
            connection.pause_writing()
            await asyncio.sleep(35)
            connection.data_received(publish(4, b"t", b"", qos=1, packet_id=8))
            await asyncio.sleep(1)
            assert written == [PINGREQ]
            connection.resume_writing()
            assert written == [PINGREQ, puback(7) + puback(8)]
        await connection.close(2)


def reading(connection: Connection) -> bool:
    transport = connection._transport
    assert transport is not None
    return transport.is_reading()


@on_virtual_time
async def test_f38_after_a_read_that_brought_little_it_rests_as_it_was_asked_to() -> None:
    records = Records()
    async with ScriptedBroker(accept) as broker:
        connection = records.connection(broker.port)
        await connection.open(5)
        connection.rest_reading(3)
        broker.peer.send(publish(4, b"one", b""))
        await records.came.wait()
        assert not reading(connection)
        broker.peer.send(publish(4, b"two", b"") + publish(4, b"three", b""))
        await asyncio.sleep(2.9)
        assert records.topics == [b"one"]
        await asyncio.sleep(0.2)
        assert reading(connection)
        await until(lambda: records.topics == [b"one", b"two", b"three"])
        assert records.batches == 2
        assert reading(connection)
        await connection.close(2)


@on_virtual_time
async def test_f38_a_read_that_brought_much_is_followed_by_the_next_at_once() -> None:
    async with ScriptedBroker(accept) as broker:
        connection = Records().connection(broker.port)
        await connection.open(5)
        connection.rest_reading(3)
        connection.data_received(publish(4, b"t", bytes(8192)))
        assert reading(connection)
        # It was asked for once.
        connection.data_received(publish(4, b"t", b""))
        assert reading(connection)
        await connection.close(2)


@on_virtual_time
async def test_a_websocket_never_rests_as_it_hands_on_message_by_message() -> None:
    async with ScriptedBroker(accept) as broker:
        connection = Records().connection(broker.port)
        await connection.open(5)
        connection.rest_reading(3)
        with patch.object(connection._flow, "_may_rest", False):
            connection.data_received(publish(4, b"t", b""))
        assert reading(connection)
        await connection.close(2)


@on_virtual_time
async def test_whoever_holds_the_broker_back_is_obeyed_also_when_a_rest_is_over() -> None:
    async with ScriptedBroker(accept) as broker:
        connection = Records().connection(broker.port)
        await connection.open(5)
        connection.rest_reading(3)
        connection.data_received(publish(4, b"t", b""))
        connection.pause_reading()
        await asyncio.sleep(4)
        assert not reading(connection)
        connection.rest_reading(3)
        connection.data_received(publish(4, b"t", b""))
        connection.resume_reading()
        assert not reading(connection)
        await asyncio.sleep(4)
        assert reading(connection)
        await connection.close(2)


@on_virtual_time
async def test_f16_a_connection_may_end_while_it_rests() -> None:
    async with ScriptedBroker(accept) as broker:
        connection = Records().connection(broker.port)
        await connection.open(5)
        connection.rest_reading(3)
        connection.data_received(publish(4, b"t", b""))
        connection.end(Cause.CLOSED, "over")
        assert connection._flow._resting is None
        await asyncio.sleep(4)
        connection.data_received(publish(4, b"t", b""))


@on_virtual_time
async def test_a_receipt_that_waits_leaves_before_the_goodbye() -> None:
    async with ScriptedBroker(accept) as broker:
        connection = Records().connection(broker.port)
        await connection.open(5)
        written: list[bytes] = []
        with patch.object(connection, "_write", written.append):
            connection.data_received(publish(4, b"t", b"", qos=1, packet_id=7))
            closing = asyncio.get_running_loop().create_task(connection.close(0.5))
            await asyncio.sleep(0)
            await closing
        assert written[0] == puback(7)
        assert written.count(puback(7)) == 1


@on_virtual_time
async def test_what_comes_with_the_answer_to_the_farewell_is_acknowledged() -> None:
    async def answer_late(peer: Peer) -> None:
        await peer.accept()
        while (whole := await peer.packet())[0] != UNSUBSCRIBE:
            pass
        peer.send(unsuback(4, int.from_bytes(body_of(whole)[:2])))
        _, _, packet_id = read_publish(await peer.packet(), 4)
        peer.send(publish(4, b"t", b"", qos=1, packet_id=9) + puback(packet_id))
        while whole := await peer.packet():
            after.append(whole)

    after: list[bytes] = []
    async with ScriptedBroker(answer_late) as broker:
        farewell = Publication("villa/status", b"offline", 1, True)
        connection = Records().connection(broker.port, farewell=farewell)
        await connection.open(5)
        await connection.close(5)
        await until(lambda: len(after) == 2)
    assert after == [puback(9), disconnect()]


@on_virtual_time
async def test_a_broker_that_ends_it_while_goodbyes_are_said_is_not_waited_for() -> None:
    async def leave_first(peer: Peer) -> None:
        await peer.accept()
        while (await peer.packet())[0] != 0xA2:
            pass

    loop = asyncio.get_running_loop()
    async with ScriptedBroker(leave_first) as broker:
        connection = Records().connection(broker.port)
        await connection.open(5)
        begin = loop.time()
        await connection.close(2)
        assert loop.time() - begin < 0.5
        assert connection.closed.result().cause is Cause.CLOSED


@on_virtual_time
async def test_one_that_ended_before_its_first_packet_says_why() -> None:
    async def greet(peer: Peer) -> None:
        peer.send(CONNACK, CONNACK)
        await peer.until_closed()

    async with ScriptedBroker(greet) as broker:
        connection = Records().connection(broker.port)
        with pytest.raises(ConnectError) as failure:
            await connection.open(5)
        assert failure.value is connection.closed.result()


@on_virtual_time
async def test_paho_failing_when_the_stream_has_room_again_ends_it() -> None:
    async with ScriptedBroker(accept) as broker:
        connection = Records().connection(broker.port)
        await connection.open(5)
        with patch.object(connection._engine, "resume", side_effect=MalformedPacketError("x")):
            connection.resume_writing()
        assert connection.closed.result().cause is Cause.PROTOCOL_ERROR
