"""What may happen to a connection, the same over TCP, TLS and WebSocket."""

import asyncio
import contextlib

import pytest

from custom_components.homesync.client import Cause, ConnectionState, MqttVersion, Publication, Step
from custom_components.homesync.client.errors import CongestedError
from custom_components.homesync.client.transport.settings import Timing

from . import packets
from .conftest import Serve
from .link import ALL_WAYS, BOTH_VERSIONS, ROOT, SILENT, Link, Way, until
from .scripted import Peer

QUICK = Timing(echo_every=0, first_deadline=0.15, deadline=0.15)
READINGS = [(f"{ROOT}/plug-{n}/telemetry/power".encode(), b"%d" % n, False) for n in range(10)]


def readings(version: int) -> bytes:
    return b"".join(packets.publish(version, topic, payload) for topic, payload, _ in READINGS)


async def serve_all(peer: Peer) -> None:
    await peer.accept()
    await peer.serve()


@ALL_WAYS
async def test_f02_a_lost_connection_comes_back_with_each_filter_subscribed_once(
    way: Way, serve: Serve
) -> None:
    stage = await serve(serve_all, way)
    async with Link(stage.settings) as link:
        await link.connected()
        stage.broker.peer.reset()
        await until(lambda: len(stage.broker.peers) == 2)
        await link.connected()
        asked = [each for each in stage.broker.peer.received if each[0] == packets.SUBSCRIBE]
        assert len(asked) == 1
        assert [asked[0].count(branch) for branch in (b"telemetry", b"status", b"response")] == [
            1,
            1,
            1,
        ]
        assert link.causes == [Cause.CLOSED]


@ALL_WAYS
async def test_f05_half_a_packet_before_a_reset_is_gone(way: Way, serve: Serve) -> None:
    first = packets.publish(5, *READINGS[0][:2])

    async def send_part(peer: Peer) -> None:
        await peer.accept()
        cut = len(stage.broker.peers) - 1
        if cut < len(first):
            peer.send(first[:cut])
            await peer.drain()
            return
        peer.send(readings(5))
        await peer.serve()

    stage = await serve(send_part, way)
    async with Link(stage.settings) as link:
        await until(lambda: len(stage.broker.peers) > len(first), 30)
        await until(lambda: len(link.messages) == len(READINGS))
        assert link.messages == READINGS


@ALL_WAYS
async def test_f06_bytes_one_by_one_are_the_same_messages(way: Way, serve: Serve) -> None:
    async def send(peer: Peer) -> None:
        await peer.accept()
        stage.proxy.down.pieces = 1
        peer.send(readings(5))
        await peer.serve()

    stage = await serve(send, way)
    async with Link(stage.settings) as link:
        await until(lambda: len(link.messages) == len(READINGS))
        assert link.messages == READINGS


@ALL_WAYS
async def test_f07_a_broker_without_connack_is_given_up_at_the_deadline(
    way: Way, serve: Serve
) -> None:
    stage = await serve(Peer.until_closed, way)
    async with Link(stage.settings, timing=QUICK, random_number=1.0) as link:
        await link.failed(12)
        assert link.causes == [Cause.TIMED_OUT] * 12
        assert link.step == Step.CONNACK
        assert link.waits == [2.0, 2.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0, 60.0]


@pytest.mark.parametrize(("way", "step"), [(Way.TLS, Step.TLS), (Way.WSS, Step.WEBSOCKET)])
async def test_f08_a_silent_handshake_is_given_up_at_the_deadline(
    way: Way, step: Step, serve: Serve
) -> None:
    stage = await serve(serve_all, way)
    stage.proxy.down.hold()
    async with Link(stage.settings, timing=QUICK) as link:
        await link.failed()
        assert (link.cause, link.step) == (Cause.TIMED_OUT, step)


@pytest.mark.parametrize(("way", "step"), [(Way.TLS, Step.TLS), (Way.WSS, Step.WEBSOCKET)])
async def test_f09_a_handshake_byte_by_byte_is_given_up_at_the_same_deadline(
    way: Way, step: Step, serve: Serve
) -> None:
    stage = await serve(serve_all, way)
    stage.proxy.down.pieces = 1
    stage.proxy.down.gap = 0.02
    async with Link(stage.settings, timing=QUICK) as link:
        await link.failed()
        assert (link.cause, link.step) == (Cause.TIMED_OUT, step)
        assert 0 < stage.proxy.down.passed < 40


@ALL_WAYS
async def test_f08_f16_a_stop_does_not_wait_for_a_silent_broker(way: Way, serve: Serve) -> None:
    stage = await serve(Peer.until_closed, way)
    if way is not Way.TCP:
        stage.proxy.down.hold()
    link = Link(stage.settings)
    async with link:
        await until(lambda: stage.proxy.connections)
    assert link.state is ConnectionState.STOPPED


@ALL_WAYS
async def test_f10_a_broker_that_accepts_and_closes_is_tried_ever_less(
    way: Way, serve: Serve
) -> None:
    stage = await serve(Peer.accept, way)
    async with Link(stage.settings, random_number=1.0) as link:
        await link.failed(20)
        assert link.waits == [1.0, 2.0, *[300.0] * 18]
        assert link.session.rival


@BOTH_VERSIONS
async def test_f10_a_broker_that_closes_after_its_connack_is_tried_ever_less(
    version: int, serve: Serve
) -> None:
    stage = await serve(Peer.connack, version=MqttVersion(version))
    async with Link(stage.settings, random_number=1.0) as link:
        await link.failed(20)
        assert link.waits == [2.0, 2.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, *[60.0] * 12]


@ALL_WAYS
async def test_f14_ten_messages_in_one_record_arrive_without_another_byte(
    way: Way, serve: Serve
) -> None:
    async def send(peer: Peer) -> None:
        await peer.accept()
        peer.send(readings(5))
        await peer.serve()

    stage = await serve(send, way)
    async with Link(stage.settings) as link:
        await until(lambda: len(link.messages) == len(READINGS), 2)
        assert link.messages == READINGS


@ALL_WAYS
@pytest.mark.parametrize("step", ["handshake", "connack", "suback", "connected", "waiting"])
async def test_f16_a_stop_in_any_phase_leaves_nothing(way: Way, step: str, serve: Serve) -> None:
    async def play(peer: Peer) -> None:
        if step == "connack":
            await peer.until_closed()
        elif step == "suback":
            await peer.connack()
            await peer.until_closed()
        elif step == "waiting":
            await peer.connack(0x88)
        else:
            await serve_all(peer)

    stage = await serve(play, way)
    if step == "handshake":
        stage.proxy.down.hold()
    before = asyncio.all_tasks()
    link = Link(stage.settings)
    async with link:
        if step == "handshake":
            await until(lambda: stage.proxy.connections)
        elif step == "connected":
            await link.connected()
        elif step == "waiting":
            await link.failed()
        else:
            await until(lambda: stage.broker.peers and stage.broker.peer.received)
    ours = [task for task in asyncio.all_tasks() - before if "homesync" in str(task)]
    assert ours == []
    await until(lambda: len(stage.proxy._writers) == 0)
    assert link.messages == []


@ALL_WAYS
@pytest.mark.parametrize("qos", [0, 1])
async def test_f13_large_messages_to_a_slow_reader_arrive_whole_and_in_order(
    way: Way, qos: int, serve: Serve
) -> None:
    stage = await serve(serve_all, way)
    sent: list[bytes] = []
    async with Link(stage.settings) as link:
        await link.connected()
        stage.proxy.up.hold()
        with contextlib.suppress(CongestedError):
            while len(sent) < 500:
                payload = len(sent).to_bytes(2) * 30_000
                link.session.publish(Publication("t", payload, qos=qos))
                sent.append(payload)
                await asyncio.sleep(0)
        assert 40 <= len(sent) < 500 if not qos else len(sent) >= 20
        stage.proxy.up.release()
        await until(lambda: len(stage.broker.peer.published) == len(sent), 30)
        assert [payload for _, payload, _ in stage.broker.peer.published] == sent
        assert link.waits == []


@ALL_WAYS
async def test_f04_a_broker_that_hears_nothing_bounds_what_waits_and_does_not_hold_a_stop(
    way: Way, serve: Serve
) -> None:
    stage = await serve(serve_all, way)
    link = Link(stage.settings, timing=Timing(echo_every=0, goodbye=0.1))
    refused = 0
    async with link:
        await link.connected()
        stage.proxy.up.hold()
        for _ in range(1000):
            try:
                link.session.publish(Publication("t", bytes(60_000), qos=0))
            except CongestedError:
                refused += 1
            await asyncio.sleep(0)
        assert 500 < refused < 1000
        loop = asyncio.get_running_loop()
        begin = loop.time()
        await link.session.stop()
        assert loop.time() - begin < 5
    assert not [each for each in asyncio.all_tasks() if "homesync" in str(each)]


@ALL_WAYS
async def test_f52_a_stop_while_the_stream_is_full_says_goodbye(way: Way, serve: Serve) -> None:
    stage = await serve(serve_all, way, session_expiry=60)
    link = Link(stage.settings, timing=Timing(echo_every=0, goodbye=30))
    async with link:
        await link.connected()
        stage.proxy.up.hold()
        with contextlib.suppress(CongestedError):
            while True:
                link.session.publish(Publication("t", bytes(60_000), qos=0))
                await asyncio.sleep(0)
        stopping = asyncio.create_task(link.session.stop())
        await until(lambda: link.state is ConnectionState.STOPPING)
        stage.proxy.up.release()
        await stopping
    await until(lambda: stage.broker.peer.received[-1][0] == packets.DISCONNECT)


@ALL_WAYS
@pytest.mark.parametrize("version", [4, 5])
async def test_f03_a_silent_broker_is_given_up_after_its_keep_alive(
    way: Way, version: int, serve: Serve
) -> None:
    async def fall_silent(peer: Peer) -> None:
        await peer.accept()
        await peer.until_closed()

    stage = await serve(fall_silent, way, keepalive=1, version=MqttVersion(version))
    async with Link(stage.settings, timing=SILENT) as link:
        await link.failed()
        assert link.cause == Cause.SILENT
        assert stage.broker.peers[0].received[-1] == packets.PINGREQ


@ALL_WAYS
async def test_f04_a_broker_that_sends_but_answers_no_ping_is_given_up(
    way: Way, serve: Serve
) -> None:
    async def talk(peer: Peer) -> None:
        await peer.accept()
        while not link.waits:
            peer.send(readings(5))
            await asyncio.sleep(0.05)

    stage = await serve(talk, way, keepalive=1)
    link = Link(stage.settings, timing=SILENT)
    async with link:
        await link.failed()
        assert link.cause == Cause.SILENT
        assert len(link.messages) > 100
