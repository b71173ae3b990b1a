"""A try of a broker before a household is made of it."""

import asyncio
from pathlib import Path

import pytest

from custom_components.homesync.client import (
    Cause,
    ConnectError,
    HomeSyncDialect,
    MqttVersion,
    Step,
    Timing,
    preflight,
    subscriptions_of,
)
from custom_components.homesync.client.transport.terms import Subscriptions
from tests.broker import Mosquitto

from ..client.virtual_time import on_virtual_time
from .link import (
    FILTERS,
    NO_PROBES,
    PLAIN_SUBSCRIPTIONS as SUBSCRIPTIONS,
    PlainLink as Link,
    plain_settings as settings,
    until,
)
from .packets import publish
from .scripted import Peer, ScriptedBroker


@pytest.mark.parametrize("version", [None, *MqttVersion])
async def test_a_good_broker_passes_and_is_left_politely(
    mosquitto: Mosquitto, version: MqttVersion | None
) -> None:
    subscriptions = subscriptions_of(HomeSyncDialect("homesync", "villa"))
    report = await preflight(settings(mosquitto.port, version=version), subscriptions, Timing())
    assert report.terms.version is (version or MqttVersion.V5)
    assert report.echo.round_trip is not None
    assert report.echo.unproven == ()
    await until(lambda: "disconnected." in mosquitto.log)
    assert "homesync/villa/nodes/+/response/+ (QoS 1)" in mosquitto.log


async def test_it_does_not_throw_the_running_household_out(mosquitto: Mosquitto) -> None:
    async with Link(mosquitto.port) as link:
        await link.connected()
        await preflight(settings(mosquitto.port), SUBSCRIPTIONS, NO_PROBES)
        assert link.waits == []


async def test_a_wrong_password_is_told(tmp_path: Path, socket_enabled: None) -> None:
    broker = Mosquitto(tmp_path, users={"villa": "right"})
    broker.start()
    try:
        with pytest.raises(ConnectError) as refusal:
            await preflight(
                settings(broker.port, username="villa", password="canary"), SUBSCRIPTIONS, Timing()
            )
    finally:
        broker.stop()
    assert (refusal.value.cause, refusal.value.step) == (Cause.NOT_AUTHORISED, Step.CONNACK)
    assert "canary" not in str(refusal.value)


@pytest.mark.usefixtures("socket_enabled")
@on_virtual_time
async def test_a_mute_broker_is_given_up_after_the_deadline() -> None:
    loop = asyncio.get_running_loop()
    begin = loop.time()
    async with ScriptedBroker(Peer.until_closed) as broker:
        with pytest.raises(ConnectError) as refusal:
            await preflight(settings(broker.port), SUBSCRIPTIONS, Timing(deadline=7))
    assert (refusal.value.cause, refusal.value.step) == (Cause.TIMED_OUT, Step.CONNACK)
    assert loop.time() - begin == pytest.approx(7, abs=0.1)


@pytest.mark.usefixtures("socket_enabled")
@on_virtual_time
async def test_what_arrives_meanwhile_is_ignored() -> None:
    async def talk(peer: Peer) -> None:
        await peer.accept()
        peer.send(publish(4, b"t", b"x", qos=1), publish(4, b"t", bytes(300_000), qos=1))
        await peer.until_closed()

    async with ScriptedBroker(talk) as broker:
        await preflight(settings(broker.port), SUBSCRIPTIONS, NO_PROBES)


@pytest.mark.usefixtures("socket_enabled")
@on_virtual_time
async def test_a_caller_who_leaves_leaves_nothing_behind() -> None:
    async with ScriptedBroker(Peer.until_closed) as broker:
        task = asyncio.create_task(preflight(settings(broker.port), SUBSCRIPTIONS, NO_PROBES))
        await until(lambda: broker.peers and broker.peers[0].received)
        task.cancel()
        await asyncio.wait((task,))
        assert task.cancelled()


@pytest.mark.usefixtures("socket_enabled")
@on_virtual_time
async def test_without_filters_nothing_is_subscribed() -> None:
    async def accept(peer: Peer) -> None:
        await peer.packet()
        peer.send(b"\x20\2\0\0")
        await peer.until_closed()

    async with ScriptedBroker(accept) as broker:
        await preflight(settings(broker.port), Subscriptions(), NO_PROBES)
        await until(lambda: len(broker.peers[0].received) == 2)
        assert [each[0] for each in broker.peers[0].received] == [0x10, 0xE0]


@pytest.mark.usefixtures("socket_enabled")
@on_virtual_time
async def test_a_broker_that_hangs_up_on_the_probe_does_not_pass() -> None:
    async def hang_up(peer: Peer) -> None:
        await peer.accept()
        await peer.packet()

    async with ScriptedBroker(hang_up) as broker:
        subscriptions = Subscriptions(tuple(FILTERS), (("a/+/status/+", "a/_echo/status/x"),))
        with pytest.raises(ConnectError) as refusal:
            await preflight(settings(broker.port), subscriptions, Timing())
    assert (refusal.value.cause, refusal.value.step) == (Cause.CLOSED, Step.LINK)


@pytest.mark.usefixtures("socket_enabled")
@on_virtual_time
async def test_a_probe_of_somebody_else_neither_proves_nor_ends_ours() -> None:
    async def echo_among_others(peer: Peer) -> None:
        await peer.accept()
        peer.send(publish(4, b"a/_echo/status/x", b"of another client"))
        await peer.packet()
        peer.send(publish(4, b"a/_echo/status/x", b"of another client"))
        topic, payload, _ = peer.published[0]
        peer.send(publish(4, topic.encode(), payload))
        await peer.serve()

    async with ScriptedBroker(echo_among_others) as broker:
        subscriptions = Subscriptions(tuple(FILTERS), (("a/+/status/+", "a/_echo/status/x"),))
        report = await preflight(settings(broker.port), subscriptions, Timing())
    assert report.echo.unproven == ()
    assert report.echo.round_trip is not None
