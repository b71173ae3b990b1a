"""What a broker answers to CONNECT and SUBSCRIBE, how it ends a connection, how we do."""

from typing import Any

import pytest

from custom_components.homesync.client import (
    Cause,
    ConnectionState,
    Learned,
    MqttVersion,
    Publication,
    Step,
    Timing,
    preflight,
)

from . import packets
from .conftest import Serve
from .link import BOTH_VERSIONS, ROOT, SILENT, SUBSCRIPTIONS, Link, until
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
    ("answer", "sure"),
    [(packets.connack(4, 1), True), (packets.connack(5, 0x84), True), (b"", False)],
)
async def test_a_broker_that_knows_no_mqtt_5_is_reached_with_311_and_remembered_if_it_says_so(
    answer: bytes, serve: Serve, *, sure: bool
) -> None:
    async def old(peer: Peer) -> None:
        await peer.packet()
        if peer.version == 5:
            peer.send(answer)
            await peer.drain()
            if answer:
                await peer.until_closed()
            return
        peer.send(packets.connack(4))
        whole = await peer.packet()
        peer.send(packets.suback(4, int.from_bytes(whole[2:4]), 0, 1, 1))
        await peer.serve()

    stage = await serve(old)
    async with Link(stage.settings) as link:
        await link.connected()
        assert not link.waits
        assert link.session.learned == Learned(MqttVersion.V311 if sure else None, None)
        stage.broker.peer.reset()
        await until(lambda: len(stage.broker.peers) == (3 if sure else 4))
        await link.connected()
        assert stage.broker.peer.version == 4


async def test_preflight_too_falls_back_to_311_and_leaves_nothing(serve: Serve) -> None:
    async def old(peer: Peer) -> None:
        await peer.packet()
        if peer.version == 5:
            peer.send(packets.connack(4, 1))
            return
        peer.send(packets.connack(4))
        whole = await peer.packet()
        peer.send(packets.suback(4, int.from_bytes(whole[2:4]), 0, 1, 1))
        await peer.serve(echo=True)

    stage = await serve(old, **STATUS)
    report = await preflight(stage.settings, SUBSCRIPTIONS, SILENT)
    assert report.learned == Learned(MqttVersion.V311, None)
    assert report.echo.unproven == ()
    assert report.echo.round_trip is not None
    assert all("_echo" in topic for topic, _, _ in stage.broker.peer.published)
    assert b"hs-transport" not in stage.broker.peer.received[0]
    await until(lambda: stage.broker.peer.received[-1][0] == packets.DISCONNECT)


async def test_preflight_tries_311_where_a_connect_of_mqtt_5_is_not_answered(
    serve: Serve,
) -> None:
    async def mute(peer: Peer) -> None:
        await peer.packet()
        if peer.version == 5:
            await peer.until_closed()
            return
        peer.send(packets.connack(4))
        whole = await peer.packet()
        peer.send(packets.suback(4, int.from_bytes(whole[2:4]), 0, 1, 1))
        await peer.serve(echo=True)

    stage = await serve(mute)
    report = await preflight(stage.settings, SUBSCRIPTIONS, Timing(deadline=0.3))
    assert report.learned == Learned(MqttVersion.V311, None)


@pytest.mark.parametrize(
    ("code", "cause", "state", "wait"),
    [
        (0x86, Cause.CREDENTIALS, ConnectionState.ERROR, 900),
        (0x8A, Cause.BANNED, ConnectionState.ERROR, 900),
        (0x97, Cause.QUOTA, ConnectionState.ERROR, 900),
        (0x88, Cause.SERVER_UNAVAILABLE, ConnectionState.DISCONNECTED, 2),
        (0x9F, Cause.RATE, ConnectionState.DISCONNECTED, 60.5),
    ],
)
async def test_a_refused_connect_waits_as_its_code_says(
    code: int, cause: Cause, state: ConnectionState, wait: float, serve: Serve
) -> None:
    async def refuse(peer: Peer) -> None:
        await peer.connack(code)

    stage = await serve(refuse)
    async with Link(stage.settings) as link:
        await link.failed()
        assert (link.cause, link.step, link.state) == (cause, Step.CONNACK, state)
        assert link.waits == [wait]


async def test_another_server_is_named_but_not_followed(serve: Serve) -> None:
    async def send_away(peer: Peer) -> None:
        await peer.connack(0x9C, b"\x1c" + packets.binary(b"other.example:8883"))

    stage = await serve(send_away)
    async with Link(stage.settings) as link:
        await link.failed()
        assert link.session.error is not None
        assert link.session.error.server == "other.example:8883"
        assert link.waits == [900]
    assert len(stage.broker.peers) == 1


@pytest.mark.parametrize(
    ("code", "cause"), [(0x8E, Cause.TAKEN_OVER), (0x8D, Cause.KEEPALIVE), (0x8B, None)]
)
@pytest.mark.parametrize("body", [None, b""])
async def test_a_disconnect_names_its_reason(
    code: int, cause: Cause | None, body: bytes | None, serve: Serve
) -> None:
    async def end(peer: Peer) -> None:
        await peer.accept()
        peer.send(packets.disconnect(code, body))
        await peer.until_closed()

    stage = await serve(end)
    async with Link(stage.settings) as link:
        await link.failed()
        assert link.cause == (cause or Cause.SERVER_UNAVAILABLE)


@BOTH_VERSIONS
@pytest.mark.parametrize("code", [0x80, 0x87])
async def test_f22_a_refused_filter_is_named(version: int, code: int, serve: Serve) -> None:
    async def refuse(peer: Peer) -> None:
        await peer.accept(0, 1, code)
        await peer.until_closed()

    stage = await serve(refuse, version=MqttVersion(version))
    async with Link(stage.settings) as link:
        await link.failed()
        assert (link.cause, link.step) == (Cause.SUBSCRIPTION_REFUSED, Step.SUBSCRIBE)
        assert f"{ROOT}/+/response/+" in str(link.session.error)
        assert link.waits == [900]


@pytest.mark.parametrize(
    ("code", "lowered"), [(0x9A, {"retain": False, "qos": 1}), (0x9B, {"retain": True, "qos": 0})]
)
async def test_a_will_that_the_broker_does_not_take_is_lowered(
    code: int, lowered: dict[str, Any], serve: Serve
) -> None:
    async def refuse_once(peer: Peer) -> None:
        if len(stage.broker.peers) == 1:
            await peer.connack(code)
            return
        await serve_all(peer)

    stage = await serve(refuse_once, **STATUS)
    async with Link(stage.settings) as link:
        await link.connected()
        await until(lambda: stage.broker.peer.published)
        flags = packets.body_of(stage.broker.peer.received[0])[7]
        assert bool(flags & 0x20) is lowered["retain"]
        assert flags >> 3 & 3 == lowered["qos"]
        birth = stage.broker.peer.received[-1][0]
        assert (bool(birth & 1), birth >> 1 & 3) == (lowered["retain"], lowered["qos"])


@pytest.mark.parametrize(("code", "flags"), [(0x9A, (1, 0)), (0x9B, (0, 1))])
async def test_what_a_broker_disconnects_for_is_not_published_again(
    code: int, flags: tuple[int, int], serve: Serve
) -> None:
    async def object_once(peer: Peer) -> None:
        await peer.accept()
        if len(stage.broker.peers) == 1:
            await peer.packet()
            peer.send(packets.disconnect(code))
            return
        await peer.serve()

    stage = await serve(object_once)
    async with Link(stage.settings) as link:
        for times in (1, 2, 3):
            await until(lambda: len(stage.broker.peers) == times)  # noqa: B023 - awaited at once
            await link.connected()
            link.session.publish(Publication("t", b"x", 1, True))
            # The first one may have gone by the time we look.
            peer = stage.broker.peers[times - 1]
            await until(lambda: len(peer.published) == 1)  # noqa: B023 - awaited at once
            if times == 2:
                peer.reset()
        sent = stage.broker.peer.received[-1][0]
        assert (sent >> 1 & 3, sent & 1) == flags


@pytest.mark.parametrize("refusal", [packets.connack(4, 1), packets.connack(5, 0x84)])
async def test_a_broker_that_knows_no_311_any_more_is_asked_for_5_at_once(
    refusal: bytes, serve: Serve
) -> None:
    async def modern(peer: Peer) -> None:
        await peer.packet()
        if peer.version == 4:
            peer.send(refusal)
            await peer.until_closed()
            return
        peer.send(packets.connack(5))
        whole = await peer.packet()
        peer.send(packets.suback(5, int.from_bytes(packets.body_of(whole)[:2]), 0, 1, 1))
        await peer.serve()

    stage = await serve(modern)
    async with Link(stage.settings, learned=Learned(MqttVersion.V311)) as link:
        await link.connected()
        assert len(stage.broker.peers) == 2
        assert link.session.learned == Learned(MqttVersion.V5)


@BOTH_VERSIONS
@pytest.mark.parametrize("code", [0x81, 0x82])
async def test_a_broker_that_objects_three_times_is_tried_rarely(
    version: int, code: int, serve: Serve
) -> None:
    async def object_to_it(peer: Peer) -> None:
        if len(stage.broker.peers) == 2 and version == 5:
            await peer.accept()
            peer.send(packets.disconnect(code))
        else:
            await peer.connack(code)
        await peer.until_closed()

    stage = await serve(object_to_it, version=MqttVersion(version))
    async with Link(stage.settings, random_number=1.0) as link:
        await link.failed(3)
        assert link.waits[-1] == 900
        assert link.state is ConnectionState.ERROR
        assert link.states.count(ConnectionState.ERROR) == 1


async def test_a_birth_that_is_too_large_for_the_broker_does_not_keep_us_away(
    serve: Serve,
) -> None:
    async def small(peer: Peer) -> None:
        await peer.accept(properties=b"\x27" + (20).to_bytes(4))
        await peer.serve()

    stage = await serve(small, birth=Publication("status", bytes(100), 1, True))
    async with Link(stage.settings) as link:
        await link.connected()
        assert link.waits == []


@BOTH_VERSIONS
async def test_a_stop_unsubscribes_says_offline_and_goodbye_in_that_order(
    version: int, serve: Serve
) -> None:
    stage = await serve(serve_all, version=MqttVersion(version), **STATUS)
    async with Link(stage.settings) as link:
        await link.connected()
    await until(lambda: stage.broker.peer.received[-1][0] == packets.DISCONNECT)
    kinds = [each[0] & 0xF0 for each in stage.broker.peer.received]
    assert kinds == [0x10, 0x80, 0x30, 0xA0, 0x30, 0xE0]
    assert [payload for _, payload, _ in stage.broker.peer.published] == [b"online", b"offline"]


async def test_a_stop_keeps_the_subscriptions_of_a_session_that_is_to_last(serve: Serve) -> None:
    stage = await serve(serve_all, session_expiry=600)
    async with Link(stage.settings) as link:
        await link.connected()
    await until(lambda: stage.broker.peer.received[-1][0] == packets.DISCONNECT)
    kinds = [each[0] & 0xF0 for each in stage.broker.peer.received]
    assert kinds == [0x10, 0x80, 0xE0]
