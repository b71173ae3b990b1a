"""QoS 1 messages that wait for the broker's acknowledgement."""

import asyncio

import pytest

from custom_components.homesync.client import MqttVersion, Publication
from custom_components.homesync.client.errors import CongestedError
from custom_components.homesync.client.transport.policy import FIRST_WINDOW

from ..client.virtual_time import on_virtual_time
from . import packets
from .link import BOTH_VERSIONS, Link, RestingLink, settings, until
from .scripted import Peer, ScriptedBroker

pytestmark = pytest.mark.usefixtures("socket_enabled")

MESSAGE = Publication("a/b", b"payload")


@BOTH_VERSIONS
@on_virtual_time
async def test_what_may_not_wait_is_refused_while_the_window_is_full(version: int) -> None:
    async def script(peer: Peer) -> None:
        await peer.accept()
        await peer.serve(ack=False)

    async with (
        ScriptedBroker(script) as broker,
        Link(settings(broker.port, version=MqttVersion(version))) as link,
    ):
        await link.connected()
        for _ in range(FIRST_WINDOW):
            link.session.publish(MESSAGE, wait=False)
        with pytest.raises(CongestedError):
            link.session.publish(MESSAGE, wait=False)
        link.session.publish(Publication("a/b", b"waits"))
        await until(lambda: len(broker.peer.published) == FIRST_WINDOW)
        broker.peer.send(packets.puback(broker.peer.published[0][2]))
        await until(lambda: len(broker.peer.published) == FIRST_WINDOW + 1)
        assert broker.peer.published[-1][1] == b"waits"


@BOTH_VERSIONS
@on_virtual_time
async def test_what_may_not_wait_does_not_overtake_what_waits(version: int) -> None:
    async def script(peer: Peer) -> None:
        await peer.accept()
        await peer.serve(ack=False)

    async with (
        ScriptedBroker(script) as broker,
        Link(settings(broker.port, version=MqttVersion(version))) as link,
    ):
        await link.connected()
        for _ in range(FIRST_WINDOW + 1):
            link.session.publish(MESSAGE)
        with pytest.raises(CongestedError):
            link.session.publish(MESSAGE, wait=False)


@BOTH_VERSIONS
@on_virtual_time
async def test_a_broker_that_stops_to_acknowledge_is_left_after_a_minute(version: int) -> None:
    async def script(peer: Peer) -> None:
        await peer.accept()
        await peer.serve(ack=False)

    async with (
        ScriptedBroker(script) as broker,
        Link(settings(broker.port, version=MqttVersion(version))) as link,
    ):
        await link.connected()
        for _ in range(FIRST_WINDOW):
            link.session.publish(MESSAGE)
        await asyncio.sleep(59)
        assert not link.waits
        await link.failed(seconds=5)
        assert link.cause == "silent"


@on_virtual_time
async def test_each_acknowledgement_buys_a_minute() -> None:
    async def script(peer: Peer) -> None:
        await peer.accept()
        await peer.serve(ack=False)

    async with ScriptedBroker(script) as broker, Link(settings(broker.port)) as link:
        await link.connected()
        for _ in range(FIRST_WINDOW + 2):
            link.session.publish(MESSAGE)
        await until(lambda: len(broker.peer.published) == FIRST_WINDOW)
        ids = iter([each[2] for each in broker.peer.published])

        def acknowledge() -> None:
            broker.peer.send(packets.puback(next(ids)))

        await asyncio.sleep(50)
        acknowledge()
        await asyncio.sleep(50)
        acknowledge()
        await asyncio.sleep(55)
        acknowledge()
        await asyncio.sleep(600)
        assert not link.waits


@on_virtual_time
async def test_acknowledgements_that_we_do_not_read_are_not_missed() -> None:
    async def script(peer: Peer) -> None:
        await peer.accept()
        await peer.serve()

    async with ScriptedBroker(script) as broker, Link(settings(broker.port)) as link:
        await link.connected()
        link.session.pause_reading()
        for _ in range(FIRST_WINDOW):
            link.session.publish(MESSAGE)
        await asyncio.sleep(300)
        link.session.resume_reading()
        await asyncio.sleep(1)
        link.session.publish(MESSAGE, wait=False)
        assert not link.waits


@on_virtual_time
async def test_resting_between_reads_hides_no_broker_that_stops_to_acknowledge() -> None:
    async def script(peer: Peer) -> None:
        await peer.accept()
        serving = asyncio.create_task(peer.serve(ack=False))
        while not serving.done():
            peer.send(packets.publish(4, b"t", b"tick"))
            await asyncio.sleep(1)

    async with ScriptedBroker(script) as broker, RestingLink(broker.port, rest=0.9) as link:
        await link.connected()
        for _ in range(FIRST_WINDOW):
            link.session.publish(MESSAGE)
        await asyncio.sleep(59)
        assert not link.waits
        await link.failed(seconds=5)
        assert link.cause == "silent"


@on_virtual_time
async def test_f58_acknowledgements_that_waited_while_reading_rested_are_read_first() -> None:
    async def script(peer: Peer) -> None:
        await peer.accept()
        while len(peer.published) < FIRST_WINDOW:
            await peer.packet()
        await asyncio.sleep(60 - 0.02)
        peer.send(packets.publish(4, b"t", b"tick"))
        await asyncio.sleep(0.01)
        peer.send(packets.puback(peer.published[0][2]))
        await peer.serve(ack=False)

    async with (
        ScriptedBroker(script) as broker,
        RestingLink(broker.port, keepalive=600, rest=0.03) as link,
    ):
        await link.connected()
        for _ in range(FIRST_WINDOW):
            link.session.publish(MESSAGE)
        await asyncio.sleep(61)
        assert link.messages
        assert not link.waits
