"""What a broker may do that it should not, and what it may announce; on both versions."""

import asyncio

import pytest

from custom_components.homesync.client import Cause, MqttVersion, Publication

from . import packets
from .conftest import Serve
from .link import BOTH_VERSIONS, LOGGER, ROOT, Link, until
from .scripted import Peer

GOOD_TOPIC = f"{ROOT}/plug-1/status/online".encode()
STATUS = {
    "will": Publication("s", b"offline", 1, True),
    "birth": Publication("s", b"online", 1, True),
    "farewell": Publication("s", b"offline", 1, True),
}


async def serve_all(peer: Peer) -> None:
    await peer.accept()
    await peer.serve()


@pytest.mark.parametrize(
    ("versions", "malformed"),
    [
        ((4, 5), packets.packet(0x30, b"\0\x09abc")),
        ((4, 5), packets.packet(0x30, b"\0")),
        ((4, 5), packets.packet(0x32, b"\0\1t")),
        ((4, 5), packets.packet(0x32, b"\0\1t\0\0\0")),
        ((4, 5), packets.packet(0x34, b"\0\1t\0\1\0")),
        ((4, 5), packets.packet(0x36, b"\0\1t\0\1\0")),
        ((4, 5), packets.packet(0x90, b"\0")),
        ((4, 5), packets.packet(0x40, b"\0")),
        ((4, 5), packets.packet(0x00)),
        ((4, 5), packets.packet(0xF0)),
        ((4, 5), b"\x30\x80\x80\x80\x80\x01"),
        ((4, 5), b"\x30\xff\xff\xff\x7f"),
        ((4,), packets.connack(4)),
        ((5,), packets.connack(5)),
        ((5,), packets.publish(5, b"t", b"x", properties=b"\x23\0\1")),
        ((5,), packets.publish(5, b"t", b"x", properties=b"\x7f\0")),
    ],
)
async def test_f24_f26_f28_f32_a_malformed_packet_ends_the_connection_and_nothing_after_it_counts(
    versions: tuple[int, ...], malformed: bytes, serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", LOGGER.name)
    for version in versions:
        caplog.clear()
        await one_broken_rule(malformed, version, serve)
        told = [each for each in caplog.records if each.name == LOGGER.name]
        assert len([each for each in told if "broke the rules" in each.getMessage()]) == 1
        assert {each.levelname for each in told} == {"INFO"}


async def one_broken_rule(malformed: bytes, version: int, serve: Serve) -> None:
    async def break_the_rules(peer: Peer) -> None:
        await peer.accept()
        # The birth comes when the connection is made.
        assert (await peer.packet())[0] == packets.PUBLISH
        if len(stage.broker.peers) == 1:
            good = packets.publish(version, GOOD_TOPIC, b"{}")
            peer.send(good, malformed, good)
        await peer.serve()

    birth = Publication("status", b"online", 0)
    stage = await serve(break_the_rules, version=MqttVersion(version), birth=birth)
    async with Link(stage.settings) as link:
        await until(lambda: len(stage.broker.peers) == 2)
        await link.connected()
        assert len(link.messages) == 1
        assert link.causes == [Cause.PROTOCOL_ERROR]
        assert link.waits == [0.5]


@BOTH_VERSIONS
@pytest.mark.parametrize("present", [0, 1])
@pytest.mark.parametrize("expiry", [0, 600])
async def test_f30_every_connection_subscribes_whatever_session_the_broker_claims_to_have(
    version: int, present: int, expiry: int, serve: Serve
) -> None:
    async def claim(peer: Peer) -> None:
        await peer.accept(present=present)
        if len(stage.broker.peers) < 3:
            return
        await peer.serve()

    stage = await serve(claim, version=MqttVersion(version), session_expiry=expiry)
    async with Link(stage.settings) as link:
        await until(lambda: len(stage.broker.peers) == 3)
        await link.connected()
    for peer in stage.broker.peers:
        assert [each[0] for each in peer.received].count(packets.SUBSCRIBE) == 1


async def test_f15_the_brokers_keep_alive_replaces_ours(serve: Serve) -> None:
    async def shorten(peer: Peer) -> None:
        await peer.accept(properties=b"\x13\0\1")
        await peer.serve()

    stage = await serve(shorten, keepalive=60)
    async with Link(stage.settings) as link:
        await link.connected()
        begin = asyncio.get_running_loop().time()
        await until(lambda: packets.PINGREQ in stage.broker.peer.received, 2)
        assert asyncio.get_running_loop().time() - begin < 0.75
        assert packets.keepalive_of(stage.broker.peer.received[0]) == 60


async def test_f15_a_keep_alive_of_zero_leaves_ours(serve: Serve) -> None:
    async def need_none(peer: Peer) -> None:
        await peer.accept(properties=b"\x13\0\0")
        await peer.serve()

    stage = await serve(need_none, keepalive=1)
    async with Link(stage.settings) as link:
        await link.connected()
        begin = asyncio.get_running_loop().time()
        await until(lambda: stage.broker.peer.received.count(packets.PINGREQ) >= 2)
        assert asyncio.get_running_loop().time() - begin > 0.8
        assert link.waits == []
