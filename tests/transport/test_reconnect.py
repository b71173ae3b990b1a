"""Connecting anew because somebody asks for it."""

import asyncio

import pytest

from custom_components.homesync.client import ConnectionState, MqttVersion, Publication
from custom_components.homesync.client.errors import CongestedError, NotConnectedError

from ..client.virtual_time import on_virtual_time
from . import packets
from .link import BOTH_VERSIONS, Link, settings, until
from .scripted import Peer, ScriptedBroker

pytestmark = pytest.mark.usefixtures("socket_enabled")

CONNECTING, CONNECTED = ConnectionState.CONNECTING, ConnectionState.CONNECTED
DISCONNECTED, ERROR = ConnectionState.DISCONNECTED, ConnectionState.ERROR


async def serve(peer: Peer) -> None:
    await peer.accept()
    await peer.serve()


@BOTH_VERSIONS
@on_virtual_time
async def test_a_connection_is_left_politely_and_made_anew_at_once(version: int) -> None:
    farewell = Publication("a/online", b"bye")
    async with (
        ScriptedBroker(serve) as broker,
        Link(settings(broker.port, version=MqttVersion(version), farewell=farewell)) as link,
    ):
        await link.connected()
        link.session.reconnect()
        link.session.reconnect()
        await until(lambda: len(broker.peers) == 2)
        await link.connected()
        assert broker.peers[0].received[-1][0] == packets.DISCONNECT
        assert broker.peers[0].published[-1][:2] == ("a/online", b"bye")
        assert link.states == [CONNECTING, CONNECTED, DISCONNECTED, CONNECTING, CONNECTED]
        assert not link.waits


@on_virtual_time
async def test_asking_often_never_looks_like_a_rival() -> None:
    async with ScriptedBroker(serve) as broker, Link(settings(broker.port)) as link:
        for times in range(1, 6):
            await until(lambda: len(broker.peers) == times)  # noqa: B023 - awaited at once
            await link.connected()
            link.session.reconnect()
        await until(lambda: len(broker.peers) == 6)
        assert not link.session.rival
        assert not link.waits


@BOTH_VERSIONS
@on_virtual_time
async def test_a_wait_ends_when_somebody_wants_to_connect_now(version: int) -> None:
    async def refuse(peer: Peer) -> None:
        await peer.connack(0x86 if version == 5 else 4)
        await peer.until_closed()

    async with (
        ScriptedBroker(refuse) as broker,
        Link(settings(broker.port, version=MqttVersion(version))) as link,
    ):
        await link.failed()
        assert link.state is ERROR
        link.session.reconnect()
        await link.failed(2)
        assert len(broker.peers) == 2
        assert link.states == [CONNECTING, ERROR, CONNECTING, ERROR]


@on_virtual_time
async def test_an_attempt_that_is_under_way_goes_on() -> None:
    go_on = asyncio.Event()

    async def hesitate(peer: Peer) -> None:
        await go_on.wait()
        await serve(peer)

    async with ScriptedBroker(hesitate) as broker, Link(settings(broker.port)) as link:
        await until(lambda: broker.peers)
        link.session.reconnect()
        go_on.set()
        await link.connected()
        await asyncio.sleep(5)
        assert len(broker.peers) == 1


@on_virtual_time
async def test_asking_before_the_start_or_after_the_end_does_nothing() -> None:
    async with ScriptedBroker(serve) as broker:
        link = Link(settings(broker.port))
        link.session.reconnect()
        async with link:
            await link.connected()
        link.session.reconnect()
        await asyncio.sleep(5)
        assert link.state is ConnectionState.STOPPED


@on_virtual_time
async def test_a_stop_ends_the_goodbye_that_comes_before_connecting_anew() -> None:
    async def deaf(peer: Peer) -> None:
        await peer.accept()
        await peer.until_closed()

    async with ScriptedBroker(deaf) as broker, Link(settings(broker.port)) as link:
        await link.connected()
        link.session.reconnect()
        await until(lambda: link.state is DISCONNECTED)
        with pytest.raises(NotConnectedError):
            link.session.publish(Publication("a/b", b""))
        await link.session.stop()
        assert link.state is ConnectionState.STOPPED
        assert len(broker.peers) == 1


MORE = ("a/+/command/+", "b/#")


async def _serve_scan(peer: Peer, *codes: int) -> None:
    """Grant the start-up subscription, answer the next with `codes`."""
    await peer.accept()
    while whole := await peer.packet():
        packet_id = int.from_bytes(packets.body_of(whole)[:2])
        if whole[0] == packets.SUBSCRIBE and codes:
            peer.send(packets.suback(peer.version, packet_id, *codes))
            if codes[0] < 0x80:
                topic = b"a/x/command/relay"
                peer.send(packets.publish(peer.version, topic, b"kept", retain=True))


def unsubscribed(peer: Peer) -> bool:
    return any(each[0] == packets.UNSUBSCRIBE and b"b/#" in each for each in peer.received)


@BOTH_VERSIONS
@on_virtual_time
async def test_more_can_be_listened_to_for_a_while(version: int) -> None:
    async with (
        ScriptedBroker(lambda peer: _serve_scan(peer, 0, 0)) as broker,
        Link(settings(broker.port, version=MqttVersion(version))) as link,
    ):
        await link.connected()
        assert await link.session.listen_in(MORE)
        await until(lambda: link.messages == [(b"a/x/command/relay", b"kept", True)])
        assert not unsubscribed(broker.peer)
        link.session.leave_off(MORE)
        await until(lambda: unsubscribed(broker.peer))
        assert link.state is CONNECTED


@pytest.mark.parametrize(("version", "codes"), [(4, (0, 0x80)), (5, (0x87, 0)), (5, (0x8F, 0xA2))])
@on_virtual_time
async def test_a_refused_scan_takes_back_what_was_granted(
    version: int, codes: tuple[int, ...]
) -> None:
    async with (
        ScriptedBroker(lambda peer: _serve_scan(peer, *codes)) as broker,
        Link(settings(broker.port, version=MqttVersion(version))) as link,
    ):
        await link.connected()
        assert not await link.session.listen_in(MORE)
        await until(lambda: unsubscribed(broker.peer))
        assert link.state is CONNECTED


@on_virtual_time
async def test_a_broker_that_does_not_answer_a_scan_is_not_waited_for() -> None:
    async with ScriptedBroker(_serve_scan) as broker, Link(settings(broker.port)) as link:
        await link.connected()
        with pytest.raises(CongestedError):
            await link.session.listen_in(MORE)
        await until(lambda: unsubscribed(broker.peer))
        assert link.state is CONNECTED


@on_virtual_time
async def test_a_scan_ends_with_its_connection() -> None:
    async def leave(peer: Peer) -> None:
        await peer.accept()
        await peer.packet()

    async with ScriptedBroker(leave) as broker:
        link = Link(settings(broker.port))
        with pytest.raises(NotConnectedError):
            await link.session.listen_in(MORE)
        link.session.leave_off(MORE)
        async with link:
            await link.connected()
            with pytest.raises(NotConnectedError):
                await link.session.listen_in(MORE)


@BOTH_VERSIONS
@on_virtual_time
async def test_nothing_is_taken_back_from_a_connection_that_is_being_made(version: int) -> None:
    asked, answer = asyncio.Event(), asyncio.Event()

    async def hesitate(peer: Peer) -> None:
        assert (await peer.packet())[0] == packets.CONNECT
        asked.set()
        await answer.wait()
        peer.send(packets.connack(peer.version))
        assert (await peer.packet())[0] == packets.SUBSCRIBE
        peer.send(packets.suback(peer.version, 1, 0, 1, 1))
        await peer.serve()

    async with (
        ScriptedBroker(hesitate) as broker,
        Link(settings(broker.port, version=MqttVersion(version))) as link,
    ):
        await asked.wait()
        link.session.leave_off(MORE)
        answer.set()
        await link.connected()
        assert not unsubscribed(broker.peer)


@BOTH_VERSIONS
@on_virtual_time
async def test_a_session_that_the_broker_keeps_is_rid_of_a_scan_that_was_cut_off(
    version: int,
) -> None:
    async def cut(peer: Peer) -> None:
        await peer.accept()
        if len(broker.peers) == 1:
            await peer.packet()
        else:
            await peer.serve()

    async with (
        ScriptedBroker(cut) as broker,
        Link(settings(broker.port, version=MqttVersion(version), session_expiry=600)) as link,
    ):
        await link.connected()
        with pytest.raises(NotConnectedError):
            await link.session.listen_in(MORE)
        link.session.leave_off(MORE)
        await until(lambda: len(broker.peers) == 2 and unsubscribed(broker.peer))
