"""Connections that were there and end: how it is noticed, and what follows."""

import asyncio

import pytest

from custom_components.homesync.client import ConnectionState

from ..client.virtual_time import on_virtual_time
from .link import LOGGER, PlainLink as Link, RestingLink, told, until
from .packets import CONNACK, PINGREQ, PINGRESP, packet, puback, publish
from .scripted import Peer, ScriptedBroker

pytestmark = pytest.mark.usefixtures("socket_enabled")

GOOD = publish(4, b"a/n/telemetry/power", b"good")


async def mute(peer: Peer) -> None:
    await peer.accept()
    await peer.until_closed()


async def faithful(peer: Peer) -> None:
    """Answer pings."""
    await peer.accept()
    while received := await peer.packet():
        if received == PINGREQ:
            peer.send(PINGRESP)


@on_virtual_time
async def test_f10_a_broker_that_accepts_and_closes_soon_never_resets_the_waits() -> None:
    async def close_soon(peer: Peer) -> None:
        await peer.accept()
        await asyncio.sleep(6)

    async with ScriptedBroker(close_soon) as broker, Link(broker.port) as link:
        await link.failed(20, seconds=200)
        assert link.states.count(ConnectionState.CONNECTED) == 20
        assert link.waits == [0.5, 1, 2, 4, 8, 16, *[30] * 14]
        assert (link.cause, link.step) == ("closed", "link")


@on_virtual_time
async def test_three_short_lives_mean_a_rival_until_a_connection_holds() -> None:
    async def fall_out(peer: Peer) -> None:
        await peer.accept()
        if len(broker.peers) > 3:
            await asyncio.sleep(90)

    async with ScriptedBroker(fall_out) as broker, Link(broker.port, keepalive=600) as link:
        await link.failed(3)
        assert link.waits == [0.5, 1, 300]
        assert (link.session.rival, link.session.state) == (True, ConnectionState.ERROR)
        link.go_on()
        await link.failed(4, seconds=100)
        assert link.waits[3:] == [0.5]
        assert (link.session.rival, link.session.state) == (False, ConnectionState.DISCONNECTED)


@on_virtual_time
async def test_a_connection_that_held_resets_the_waits() -> None:
    async def hold_a_while(peer: Peer) -> None:
        await peer.accept()
        await asyncio.sleep(21)

    async with ScriptedBroker(hold_a_while) as broker, Link(broker.port) as link:
        await link.failed(3, seconds=100)
        assert link.waits == [0.5, 0.5, 0.5]


@pytest.mark.parametrize(("keepalive", "lost_after"), [(60, 40), (10, 15), (1, 1.5)])
@on_virtual_time
async def test_f03_f04_a_silent_broker_is_noticed(keepalive: int, lost_after: float) -> None:
    loop = asyncio.get_running_loop()
    async with ScriptedBroker(mute) as broker, Link(broker.port, keepalive=keepalive) as link:
        await link.connected()
        begin = loop.time()
        await link.failed(seconds=100)
        assert (link.cause, link.step) == ("silent", "link")
        assert loop.time() - begin == pytest.approx(lost_after, abs=0.5)
        assert broker.peers[0].received.count(PINGREQ) == 1


@on_virtual_time
async def test_a_broker_that_answers_pings_keeps_the_connection() -> None:
    async with ScriptedBroker(faithful) as broker, Link(broker.port, keepalive=20) as link:
        await link.connected()
        await asyncio.sleep(205)
        assert link.waits == []
        assert broker.peers[0].received.count(PINGREQ) == 20


@on_virtual_time
async def test_p10_what_only_sends_pings_when_nothing_else_went() -> None:
    async def talkative(peer: Peer) -> None:
        await peer.accept()
        reading = asyncio.create_task(peer.until_closed())
        while not reading.done():
            await asyncio.sleep(0.5)
            peer.send(publish(4, b"t", b"", qos=1))

    async with ScriptedBroker(talkative) as broker, Link(broker.port, keepalive=20) as link:
        await link.connected()
        await asyncio.sleep(60)
        assert link.waits == []
        assert PINGREQ not in broker.peers[0].received
        assert broker.peers[0].received.count(puback(1)) >= 100


@on_virtual_time
async def test_f04_a_broker_that_talks_but_does_not_hear_is_given_up_after_an_interval() -> None:
    async def deaf(peer: Peer) -> None:
        await peer.accept()
        while True:
            peer.send(publish(4, b"t", b"tick"))
            await asyncio.sleep(0.04)

    loop = asyncio.get_running_loop()
    async with ScriptedBroker(deaf) as broker, Link(broker.port, keepalive=2) as link:
        await link.connected()
        begin = loop.time()
        await link.failed()
        assert link.cause == "silent"
        assert loop.time() - begin == pytest.approx(3.5, abs=0.5)


@on_virtual_time
async def test_f04_resting_between_reads_hides_no_broker_that_does_not_hear() -> None:
    async def deaf(peer: Peer) -> None:
        await peer.accept()
        while True:
            peer.send(publish(4, b"t", b"tick"))
            await asyncio.sleep(0.1)

    loop = asyncio.get_running_loop()
    async with (
        ScriptedBroker(deaf) as broker,
        RestingLink(broker.port, keepalive=2, rest=0.09) as link,
    ):
        await link.connected()
        begin = loop.time()
        await link.failed()
        assert link.cause == "silent"
        assert loop.time() - begin == pytest.approx(3.5, abs=0.5)


@on_virtual_time
async def test_f58_what_waited_while_the_loop_was_blocked_is_read_before_the_verdict() -> None:
    loop = asyncio.get_running_loop()

    async def answer_behind_much_else(peer: Peer) -> None:
        await peer.accept()
        while await peer.packet() != PINGREQ:
            pass
        peer.send(publish(4, b"t", bytes(200_000)) * 2, PINGRESP)
        loop._clock.now += 3600  # type: ignore[attr-defined]  # a test looks inside
        await peer.until_closed()

    async with (
        ScriptedBroker(answer_behind_much_else) as broker,
        Link(broker.port, keepalive=20) as link,
    ):
        await link.connected()
        await until(lambda: len(link.messages) == 2, 4000)
        await asyncio.sleep(5)
        assert link.waits == []


@pytest.mark.parametrize(
    "malformed",
    [
        packet(0x30, b"\0\x09abc"),
        packet(0x30, b"\0"),
        packet(0x32, b"\0\1t"),
        packet(0x32, b"\0\1t\0\0"),
        packet(0x90, b"\0\1"),
        packet(0x40, b"\0"),
        b"\x30\x80\x80\x80\x80\x01",
        b"\x30\xff\xff\xff\x7f",
        CONNACK,
        packet(0x34, b"\0\1t\0\1"),
        packet(0x36, b"\0\1t\0\1"),
        packet(0x00),
        packet(0x10, b"\0\4MQTT\4\2\0\0\0\0"),
        packet(0x82, b"\0\1\0\1a\0"),
        packet(0xE0),
        packet(0xF0),
        packet(0x50, b"\0\1"),
        packet(0x62, b"\0\1"),
        packet(0xD0, b"\0"),
    ],
)
@on_virtual_time
async def test_f24_f26_f28_a_malformed_packet_ends_the_connection_and_nothing_after_it_counts(
    malformed: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", LOGGER.name)
    async with ScriptedBroker(mute) as broker, Link(broker.port) as link:
        await link.connected()
        broker.peers[0].send(GOOD, malformed, GOOD)
        await until(lambda: len(broker.peers) == 2)
        await link.connected()
        assert len(link.messages) == 1
        assert link.waits == [0.5]
    assert len([each for each in told(caplog) if "broke the rules of MQTT" in each]) == 1


@on_virtual_time
async def test_f28_answers_to_nothing_are_ignored() -> None:
    async def confuse(peer: Peer) -> None:
        await peer.accept()
        peer.send(puback(999), packet(0xB0, b"\x03\xe7"), PINGRESP, GOOD)
        await peer.until_closed()

    async with ScriptedBroker(confuse) as broker, Link(broker.port) as link:
        await until(lambda: link.messages)
        assert link.waits == []


@on_virtual_time
async def test_f26_a_large_message_is_skipped_and_acknowledged_and_the_link_stays() -> None:
    async def send_much(peer: Peer) -> None:
        await peer.accept()
        peer.send(publish(4, b"big", bytes(1024 * 1024), qos=1, packet_id=77, retain=True), GOOD)
        await peer.until_closed()

    async with ScriptedBroker(send_much) as broker, Link(broker.port) as link:
        await until(lambda: link.messages)
        assert link.oversize == [b"big"]
        assert link.messages == [(b"a/n/telemetry/power", b"good", False)]
        await until(lambda: puback(77) in broker.peers[0].received)
        assert link.waits == []


@on_virtual_time
async def test_a_suback_and_the_end_in_one_breath_is_an_attempt_that_failed() -> None:
    async def breathe_once(peer: Peer) -> None:
        await peer.packet()
        peer.send(CONNACK)
        subscribe = await peer.packet()
        peer.send(packet(0x90, subscribe[2:4] + b"\0\1\1"), packet(0xF0))
        await peer.until_closed()

    async with ScriptedBroker(breathe_once) as broker, Link(broker.port) as link:
        await link.failed(2)
        assert link.cause == "protocol_error"
        assert link.waits == [2, 2]
        assert ConnectionState.CONNECTED not in link.states
