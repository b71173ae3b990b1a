"""A session can be ended at any moment, and nothing is left of it then."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from ssl import SSLContext
from typing import Any
from unittest.mock import patch

import pytest

from custom_components.homesync.client import ConnectionState, Timing
from custom_components.homesync.client.errors import CongestedError, NotConnectedError
from custom_components.homesync.client.records import Publication
from custom_components.homesync.client.transport import streams

from ..client.virtual_time import on_virtual_time
from .link import PlainLink as Link, until
from .packets import CONNACK, GOODBYE, UNSUBSCRIBE, puback, publish, unsuback
from .scripted import Peer, ScriptedBroker

pytestmark = pytest.mark.usefixtures("socket_enabled")

STATES = ConnectionState
FAREWELL = [STATES.STOPPING, STATES.STOPPED]


async def never(*_: object, **__: object) -> Any:
    await asyncio.Event().wait()


async def mute(peer: Peer) -> None:
    await peer.until_closed()


async def connack_only(peer: Peer) -> None:
    await peer.packet()
    peer.send(CONNACK)
    await peer.until_closed()


async def polite(peer: Peer) -> None:
    """Answer everything, also the goodbye."""
    await peer.accept()
    while received := await peer.packet():
        if received[0] == 0xA2:
            peer.send(unsuback(4, int.from_bytes(received[2:4])))


async def granted_then_mute(peer: Peer) -> None:
    await peer.accept()
    await peer.until_closed()


def writers(loop: Any) -> int:
    """How many sockets the loop watches besides its own."""
    return len(loop._selector.get_map()) - 1


@on_virtual_time
async def test_f16_stopping_does_not_wait_for_the_name_look_up() -> None:
    loop = asyncio.get_running_loop()
    with patch.object(loop, "getaddrinfo", never):
        async with Link(1883) as link:
            await asyncio.sleep(1)
            begin = loop.time()
        assert loop.time() == begin
    assert link.states == [STATES.CONNECTING, *FAREWELL]


@on_virtual_time
async def test_f16_stopping_does_not_wait_for_tcp() -> None:
    loop = asyncio.get_running_loop()
    with patch.object(loop, "sock_connect", never):
        async with Link(1883) as link:
            await asyncio.sleep(1)
            begin = loop.time()
        assert loop.time() == begin
        assert writers(loop) == 0
    assert link.states == [STATES.CONNECTING, *FAREWELL]


@pytest.mark.parametrize("script", [mute, connack_only])
@on_virtual_time
async def test_f16_stopping_does_not_wait_for_the_broker(
    script: Callable[[Peer], Awaitable[None]],
) -> None:
    loop = asyncio.get_running_loop()
    async with ScriptedBroker(script) as broker:
        async with Link(broker.port) as link:
            await until(lambda: broker.peers and broker.peers[0].received)
            begin = loop.time()
        assert loop.time() == begin
    assert writers(loop) == 0
    assert link.states == [STATES.CONNECTING, *FAREWELL]
    assert link.waits == []


@on_virtual_time
async def test_f16_stopping_does_not_wait_for_tls(client_tls: SSLContext) -> None:
    loop = asyncio.get_running_loop()
    async with ScriptedBroker(mute) as broker:
        async with Link(broker.port, tls=client_tls) as link:
            await until(lambda: broker.peers)
            begin = loop.time()
        assert loop.time() == begin
    assert writers(loop) == 0
    assert link.states == [STATES.CONNECTING, *FAREWELL]


@on_virtual_time
async def test_stopping_does_not_wait_for_the_next_attempt() -> None:
    async with ScriptedBroker(mute) as broker:
        port = broker.port
    async with Link(port) as link:
        await link.failed()
        assert link.cause == "refused"
    assert link.states == [STATES.CONNECTING, STATES.DISCONNECTED, *FAREWELL]


@on_virtual_time
async def test_stopping_before_the_first_step_is_fine() -> None:
    link = Link(1883)
    link.session.start()
    await link.session.stop()
    assert link.states == FAREWELL


@on_virtual_time
async def test_the_goodbye_is_unsubscribe_and_disconnect_and_nothing_more() -> None:
    async with ScriptedBroker(polite) as broker:
        async with Link(broker.port) as link:
            await link.connected()
            broker.peers[0].send(publish(4, b"t", b"1"))
            await until(lambda: link.messages)
        received = broker.peers[0].received
        await until(lambda: received[-1] == GOODBYE)
        assert [each[0] for each in received] == [0x10, 0x82, 0xA2, 0xE0]
    assert link.states == [STATES.CONNECTING, STATES.CONNECTED, *FAREWELL]
    assert link.waits == []


@on_virtual_time
async def test_nothing_is_handed_on_after_the_stop() -> None:
    async def talk_on(peer: Peer) -> None:
        await peer.accept()
        while True:
            peer.send(publish(4, b"t", b"1"))
            await asyncio.sleep(0.1)

    async with ScriptedBroker(talk_on) as broker:
        async with Link(broker.port) as link:
            await until(lambda: link.messages)
        count, batches = len(link.messages), link.batches
        await asyncio.sleep(5)
        assert (len(link.messages), link.batches) == (count, batches)


@on_virtual_time
async def test_a_broker_that_does_not_answer_the_unsubscribe_still_gets_the_disconnect() -> None:
    loop = asyncio.get_running_loop()
    async with ScriptedBroker(granted_then_mute) as broker:
        async with Link(broker.port) as link:
            await link.connected()
            begin = loop.time()
        assert loop.time() - begin == pytest.approx(1, abs=0.1)
        await until(lambda: broker.peers[0].received[-1] == GOODBYE)


@on_virtual_time
async def test_a_broker_that_takes_no_bytes_holds_the_stop_up_no_longer_than_the_goodbye() -> None:
    async def clog(peer: Peer) -> None:
        await peer.accept()
        peer.stop_reading()
        await asyncio.Event().wait()

    loop = asyncio.get_running_loop()
    async with ScriptedBroker(clog) as broker:
        async with Link(broker.port, timing=Timing(goodbye=2.0)) as link:
            await link.connected()
            await asyncio.sleep(1)
            link.session._connection._write(bytes(20_000_000))  # type: ignore[union-attr]  # a test looks inside
            begin = loop.time()
        assert loop.time() - begin == pytest.approx(2, abs=0.1)
    assert writers(loop) == 0


@pytest.mark.parametrize("answers", [True, False])
@on_virtual_time
async def test_a_broker_that_takes_bytes_late_gets_the_whole_goodbye(*, answers: bool) -> None:
    async def read_late(peer: Peer) -> None:
        await peer.accept()
        peer.stop_reading()
        await stopping.wait()
        await asyncio.sleep(1.3)
        peer.go_on_reading()
        await (peer.serve() if answers else peer.until_closed())

    stopping = asyncio.Event()
    farewell = Publication("a/online", b"bye", qos=1 if answers else 0)
    async with ScriptedBroker(read_late) as broker:
        async with Link(broker.port, farewell=farewell) as link:
            await link.connected()
            with suppress(CongestedError):
                while True:
                    link.session.publish(Publication("t", bytes(60_000), qos=0))
                    await asyncio.sleep(0)
            stopping.set()
        await until(lambda: broker.peer.received[-1] == GOODBYE)
        assert broker.peer.received[-3][0] == UNSUBSCRIBE
        assert broker.peer.published[-1][:2] == ("a/online", b"bye")
    assert link.states[-2:] == FAREWELL


@on_virtual_time
async def test_a_stream_that_receipts_have_filled_gets_the_disconnect_all_the_same() -> None:
    async def read_late(peer: Peer) -> None:
        await peer.accept()
        await peer.until_closed()

    async with ScriptedBroker(read_late) as broker:
        async with Link(broker.port, session_expiry=60) as link:
            await link.connected()
            connection = link.session._connection
            assert connection is not None
            connection._acks = puback(7)
            write = connection._transport.write  # type: ignore[union-attr]  # a test looks inside

            def fill(data: bytes) -> None:
                write(data)
                connection.pause_writing()
                asyncio.get_running_loop().call_later(1, connection.resume_writing)
                patched.stop()

            patched = patch.object(connection._transport, "write", fill)
            patched.start()
        await until(lambda: broker.peer.received[-2:] == [puback(7), GOODBYE])


@on_virtual_time
async def test_a_broker_that_breaks_the_rules_during_the_goodbye_is_left_at_once() -> None:
    async def swear(peer: Peer) -> None:
        await peer.accept()
        while (await peer.packet())[0] != 0xA2:
            pass
        peer.send(CONNACK)
        await peer.until_closed()

    loop = asyncio.get_running_loop()
    async with ScriptedBroker(swear) as broker:
        async with Link(broker.port) as link:
            await link.connected()
            begin = loop.time()
        assert loop.time() - begin < 0.5
    assert link.states[-2:] == FAREWELL


@on_virtual_time
async def test_stopping_what_does_not_run_does_nothing() -> None:
    link = Link(1883)
    await link.session.stop()
    assert link.states == []
    link.session.pause_reading()
    link.session.resume_reading()
    with pytest.raises(NotConnectedError):
        link.session.publish(Publication("t", b""))


@on_virtual_time
async def test_a_session_is_started_once_and_can_be_started_again_after_a_stop() -> None:
    async with ScriptedBroker(polite) as broker:
        async with Link(broker.port) as link:
            await link.connected()
            with pytest.raises(RuntimeError):
                link.session.start()
        async with link:
            await link.connected()
        assert len(broker.peers) == 2


@on_virtual_time
async def test_a_listener_that_fails_stops_nobody(caplog: pytest.LogCaptureFixture) -> None:
    async with ScriptedBroker(polite) as broker:
        link = Link(broker.port)
        told: list[str] = []

        def fail_once(_: ConnectionState) -> None:
            remove()
            told.append("failing")
            raise ZeroDivisionError

        remove = link.session.add_listener(fail_once)
        link.session.add_listener(told.append)
        async with link:
            await link.connected()
        assert told == ["failing", "connecting", "connected", "stopping", "stopped"]
    assert [each.levelname for each in caplog.records if each.exc_info] == ["ERROR"]


@on_virtual_time
async def test_no_state_follows_that_must_not() -> None:
    link = Link(1883)
    with pytest.raises(RuntimeError, match="stopped is not followed by connected"):
        link.session._set(ConnectionState.CONNECTED)
    assert link.session.state is ConnectionState.STOPPED


@on_virtual_time
async def test_a_socket_that_was_opened_in_vain_is_closed() -> None:
    opened: list[Any] = []
    real = streams._connect

    async def connect(addresses: Any) -> Any:
        opened.append(await real(addresses))
        return opened[-1]

    loop = asyncio.get_running_loop()
    async with ScriptedBroker(mute) as broker:
        with (
            patch.object(streams, "_connect", connect),
            patch.object(loop, "create_connection", side_effect=ZeroDivisionError),
        ):
            async with Link(broker.port) as link:
                await link.failed()
    assert [each.fileno() for each in opened] == [-1]
