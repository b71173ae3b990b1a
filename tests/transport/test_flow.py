"""Bytes in both directions when one side is slower."""

import asyncio
from contextlib import AbstractContextManager, nullcontext, suppress
from ssl import SSLContext
from typing import Any
from unittest.mock import patch

import pytest

from custom_components.homesync.client import Cause, ConnectionState
from custom_components.homesync.client.errors import (
    CongestedError,
    InvalidSettingError,
    NotConnectedError,
)
from custom_components.homesync.client.records import Publication

from ..client.virtual_time import on_virtual_time
from .link import FILTERS, PlainLink as Link, ProbingLink, until
from .packets import PINGREQ, PINGRESP, puback, publish, read_publish, suback
from .scripted import Peer, ScriptedBroker

pytestmark = pytest.mark.usefixtures("socket_enabled")


async def mute(peer: Peer) -> None:
    await peer.accept()
    await peer.until_closed()


@pytest.mark.parametrize("tls", [False, True])
@on_virtual_time
async def test_f14_ten_messages_in_one_record_come_without_another_byte(
    broker_tls: SSLContext, client_tls: SSLContext, *, tls: bool
) -> None:
    async def send_ten(peer: Peer) -> None:
        await peer.accept()
        peer.send(b"".join(publish(4, b"t", b"%d" % number, qos=1) for number in range(10)))
        await peer.until_closed()

    async with (
        ScriptedBroker(send_ten, tls=broker_tls if tls else None) as broker,
        Link(broker.port, tls=client_tls if tls else None) as link,
    ):
        await until(lambda: len(link.messages) == 10)
        assert [int(payload) for _, payload, _ in link.messages] == list(range(10))


@on_virtual_time
async def test_f13_a_slow_broker_gets_everything_that_was_taken_in_order() -> None:
    go_on = asyncio.Event()

    async def slow(peer: Peer) -> None:
        await peer.accept()
        peer.stop_reading()
        await go_on.wait()
        peer._writer.transport.resume_reading()  # type: ignore[attr-defined]  # a test looks inside
        await peer.until_closed()

    async with ScriptedBroker(slow) as broker, Link(broker.port) as link:
        await link.connected()
        await asyncio.sleep(1)
        taken = 0
        with suppress(CongestedError):
            while taken < 1000:
                payload = b"%04d" % taken + bytes(60_000)
                link.session.publish(Publication("t", payload, qos=0))
                taken += 1
                await asyncio.sleep(0)
        # The kernel keeps some megabytes; beyond them no more than one message waits.
        assert 1 <= taken < 500
        go_on.set()
        await until(lambda: len(broker.peers[0].received) == taken + 2)
        numbers = [int(each[7:11]) for each in broker.peers[0].received[2:]]
        assert numbers == list(range(taken))
        link.session.publish(Publication("t", b"", qos=0))


async def clog(link: Link) -> None:
    """Publish until the stream is full."""
    await link.connected()
    with suppress(CongestedError):
        while True:
            link.session.publish(Publication("t", bytes(60_000), qos=0))
            await asyncio.sleep(0)


def readings(count: int) -> bytes:
    return b"".join(publish(4, b"t", b"", qos=1, packet_id=1 + n) for n in range(count))


@on_virtual_time
async def test_a_broker_that_reads_late_gets_each_receipt_once_and_in_order() -> None:
    async def read_late(peer: Peer) -> None:
        await peer.accept()
        peer.stop_reading()
        await clogged.wait()
        peer.send(readings(1000))
        await asyncio.sleep(5)
        peer.go_on_reading()
        await peer.until_closed()

    clogged = asyncio.Event()
    async with ScriptedBroker(read_late) as broker, Link(broker.port) as link:
        await clog(link)
        clogged.set()
        await until(lambda: len(link.messages) == 1000)
        await until(lambda: broker.peer.received[-1] == puback(1000))
        receipts = [each for each in broker.peer.received if each[0] == puback(1)[0]]
        assert receipts == [puback(1 + n) for n in range(1000)]


@on_virtual_time
async def test_a_broker_that_reads_nothing_may_open_as_many_messages_as_there_are_packet_ids() -> (
    None
):
    async def read_nothing(peer: Peer) -> None:
        await peer.accept()
        peer.stop_reading()
        await clogged.wait()
        peer.send(readings(65_535))
        await more.wait()
        peer.send(readings(40_000))
        await asyncio.Event().wait()

    clogged, more = asyncio.Event(), asyncio.Event()
    async with ScriptedBroker(read_nothing) as broker, Link(broker.port) as link:
        await clog(link)
        clogged.set()
        await until(lambda: len(link.messages) == 65_535)
        assert not link.causes
        more.set()
        await link.failed()
        assert link.cause == "protocol_error"
        assert len(link.messages) < 90_000


@on_virtual_time
async def test_nothing_is_taken_after_the_connection_ended() -> None:
    async with ScriptedBroker(mute) as broker, Link(broker.port) as link:
        await link.connected()
        connection = link.session._connection
        assert connection is not None
        broker.peers[0].reset()
        await link.failed()
        for publish_to in (link.session.publish, connection.publish):
            with pytest.raises(NotConnectedError):
                publish_to(Publication("t", b""))


@on_virtual_time
async def test_a_topic_that_no_broker_takes_is_refused_and_the_connection_stays() -> None:
    async with ScriptedBroker(mute) as broker, Link(broker.port) as link:
        await link.connected()
        with pytest.raises(InvalidSettingError):
            link.session.publish(Publication("a/#", b""))
        link.session.publish(Publication("a/b", b"taken"))
        await until(lambda: broker.peer.published)
        assert [each[:2] for each in broker.peer.published] == [("a/b", b"taken")]


@on_virtual_time
async def test_a_filter_that_paho_cannot_send_ends_the_connection() -> None:
    async with ScriptedBroker(mute) as broker, Link(broker.port) as link:
        await link.connected()
        with pytest.raises(NotConnectedError):
            await link.session.listen_in(("\ud800",))
        await link.failed()
        assert link.cause == "protocol_error"


@on_virtual_time
async def test_while_reading_is_paused_the_broker_waits() -> None:
    async with ScriptedBroker(mute) as broker, Link(broker.port) as link:
        await link.connected()
        link.session.pause_reading()
        broker.peers[0].send(publish(4, b"t", b"1"))
        await asyncio.sleep(2)
        assert not link.messages
        link.session.resume_reading()
        await until(lambda: link.messages)


@on_virtual_time
async def test_f38_a_pause_of_our_own_is_not_taken_for_the_brokers_silence() -> None:
    async def faithful(peer: Peer) -> None:
        await peer.accept()
        while received := await peer.packet():
            if received == PINGREQ:
                peer.send(PINGRESP)

    async with ScriptedBroker(faithful) as broker, Link(broker.port, keepalive=10) as link:
        await link.connected()
        link.session.pause_reading()
        await asyncio.sleep(120)
        assert link.waits == []
        assert broker.peers[0].received.count(PINGREQ) >= 10
        link.session.resume_reading()
        await asyncio.sleep(60)
        assert link.waits == []
        broker.peers[0].send(publish(4, b"t", b"1"))
        await until(lambda: link.messages)


@pytest.mark.parametrize("paused_before", [True, False])
@on_virtual_time
async def test_f38_a_link_that_was_paused_during_a_probe_is_not_deaf(
    *, paused_before: bool
) -> None:
    async def echo_once(peer: Peer) -> None:
        await peer.accept()
        for _ in FILTERS:
            topic, payload, _ = read_publish(await peer.packet(), peer.version)
            peer.send(publish(peer.version, topic.encode(), payload))
        await peer.serve()

    async with ScriptedBroker(echo_once) as broker, ProbingLink(broker.port) as link:
        await link.probed()
        await asyncio.sleep(299 if paused_before else 301)
        link.session.pause_reading()
        await asyncio.sleep(5)
        link.session.resume_reading()
        await asyncio.sleep(20)
        assert link.session.echo is not None
        assert link.session.echo.round_trip is None
        assert link.waits == []
        # The next probe judges again.
        link.halt_after(1)
        await asyncio.sleep(310)
        assert link.cause == "deaf"


def lose(link: Link) -> None:
    """End the connection: one that is not read does not notice its end, only a timer does."""
    connection = link.session._connection
    assert connection is not None
    connection.end(Cause.CLOSED, "test")


@on_virtual_time
async def test_while_reading_is_paused_no_connection_is_begun() -> None:
    async with ScriptedBroker(mute) as broker, Link(broker.port) as link:
        await link.connected()
        link.session.pause_reading()
        lose(link)
        await asyncio.sleep(100)
        link.session.reconnect()
        await asyncio.sleep(100)
        assert len(broker.peers) == 1
        assert link.state is ConnectionState.DISCONNECTED
        link.session.resume_reading()
        await link.connected()
        broker.peer.send(publish(4, b"t", b"1"))
        await until(lambda: link.messages)


@on_virtual_time
async def test_a_pause_that_comes_at_once_again_is_obeyed() -> None:
    async with ScriptedBroker(mute) as broker, Link(broker.port) as link:
        link.session.pause_reading()
        await asyncio.sleep(1)
        link.session.resume_reading()
        link.session.pause_reading()
        await asyncio.sleep(1)
        assert not broker.peers
        link.session.resume_reading()
        await link.connected()


@on_virtual_time
async def test_f16_a_stop_waits_for_no_pause_and_a_new_start_does() -> None:
    loop = asyncio.get_running_loop()
    async with ScriptedBroker(mute) as broker:
        link = Link(broker.port)
        link.session.pause_reading()
        begin = loop.time()
        async with link:
            await asyncio.sleep(1)
        assert loop.time() - begin == pytest.approx(1, abs=0.1)
        async with link:
            await asyncio.sleep(1)
            assert not broker.peers
            link.session.resume_reading()
            await link.connected()


@pytest.mark.parametrize("step", ["before the first", "look-up"])
@on_virtual_time
async def test_a_pause_during_an_attempt_also_holds_what_comes_before_the_suback(step: str) -> None:
    async def empty_a_stored_session(peer: Peer) -> None:
        await peer.connack()
        await peer.packet()
        peer.send(publish(4, b"t", b"1"), suback(4, 1, 0, 1, 1))
        await peer.until_closed()

    async def look_up(*args: Any, **options: Any) -> Any:
        link.session.pause_reading()
        return await real_look_up(*args, **options)

    def begin(state: ConnectionState) -> None:
        if state is ConnectionState.CONNECTING:
            link.session.pause_reading()

    loop = asyncio.get_running_loop()
    real_look_up = loop.getaddrinfo
    async with ScriptedBroker(empty_a_stored_session) as broker:
        link = Link(broker.port)
        patched: AbstractContextManager[Any] = nullcontext()
        if step == "look-up":
            patched = patch.object(loop, "getaddrinfo", look_up)
        else:
            link.session.add_listener(begin)
        with patched:
            async with link:
                await asyncio.sleep(2)
                assert len(broker.peer.received) == 2
                assert not link.messages
                link.session.resume_reading()
                await link.connected()
                assert link.payloads == [b"1"]
