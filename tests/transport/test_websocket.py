"""MQTT over WebSocket: handshake, frames, flow control, the end."""

import asyncio
from contextlib import suppress
from dataclasses import replace
import ssl

from aiohttp import web
import pytest

from custom_components.homesync.client import Cause, Publication, Step, Transport, WebSocketSettings
from custom_components.homesync.client.transport.settings import Timing

from . import packets
from .chaos import Proxy
from .conftest import Serve
from .link import ROOT, Link, Means, Way, settings, until
from .scripted import HOST, Peer, ScriptedBroker
from .web import WebFront

TOPIC = f"{ROOT}/plug-1/status/online".encode()


async def serve_all(peer: Peer) -> None:
    await peer.accept()
    await peer.serve()


def through(means: Means, port: int, path: str = "/mqtt", **headers: str) -> Link:
    chosen = means.settings(Way.WSS, port)
    websocket = WebSocketSettings(port=port, path=path, headers=headers)
    return Link(replace(chosen, websocket=websocket))


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
async def test_a_packet_may_span_frames_and_a_frame_may_hold_many(size: int, means: Means) -> None:
    async def send(peer: Peer) -> None:
        await peer.accept()
        for n in range(20):
            peer.send(packets.publish(5, TOPIC, b"%d" % n))
        await peer.serve()

    def cut(data: bytes) -> list[bytes]:
        return [data[at : at + size] for at in range(0, len(data), size)]

    async with (
        ScriptedBroker(send) as broker,
        WebFront(broker.port, means.broker_tls, cut=cut) as front,
        through(means, front.port) as link,
    ):
        await until(lambda: len(link.messages) == 20)
        assert [payload for _, payload, _ in link.messages] == [b"%d" % n for n in range(20)]


async def test_a_text_frame_closes(means: Means) -> None:
    async with (
        ScriptedBroker(serve_all) as broker,
        WebFront(broker.port, means.broker_tls) as front,
        through(means, front.port) as link,
    ):
        await link.connected()
        await front.sockets[0].send_str("hello")
        await link.failed()
        assert link.cause == Cause.CLOSED


async def test_a_frame_above_the_hard_limit_closes(means: Means) -> None:
    async with (
        ScriptedBroker(serve_all) as broker,
        WebFront(broker.port, means.broker_tls) as front,
        through(means, front.port) as link,
    ):
        await link.connected()
        with suppress(ConnectionError):
            await front.sockets[0].send_bytes(bytes(17 * 1024 * 1024))
        await until(lambda: link.waits)
        assert link.messages == []


async def test_a_wrong_path_is_named_by_its_http_status(means: Means) -> None:
    async with (
        ScriptedBroker(serve_all) as broker,
        WebFront(broker.port, means.broker_tls) as front,
        through(means, front.port, "/wrong") as link,
    ):
        await link.failed()
        assert (link.cause, link.step) == (Cause.WEBSOCKET, Step.WEBSOCKET)
        assert "HTTP 404" in str(link.session.error)


async def test_a_server_without_the_mqtt_sub_protocol_is_refused(means: Means) -> None:
    async with (
        ScriptedBroker(Peer.until_closed) as broker,
        WebFront(broker.port, means.broker_tls, protocols=()) as front,
        through(means, front.port) as link,
    ):
        await link.failed()
        assert (link.cause, link.step) == (Cause.WEBSOCKET, Step.WEBSOCKET)
        assert "does not offer MQTT" in str(link.session.error)
        assert all(not peer.received for peer in broker.peers)


async def test_headers_go_along_and_a_path_needs_no_slash(means: Means) -> None:
    async with (
        ScriptedBroker(serve_all) as broker,
        WebFront(broker.port, means.broker_tls) as front,
        through(means, front.port, "mqtt", **{"X-Token": "canary"}) as link,
    ):
        await link.connected()
        assert front.headers[0]["X-Token"] == "canary"
        assert front.headers[0]["Sec-WebSocket-Protocol"] == "mqtt"
        assert "canary" not in repr(link.session._settings)


async def test_s14_a_banner_on_the_port_is_not_repeated(means: Means) -> None:
    async def banner(_request: web.Request) -> web.Response:
        return web.Response(status=401, reason="canary", text="canary")

    app = web.Application()
    app.router.add_get("/mqtt", banner)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, HOST, 0, ssl_context=means.broker_tls).start()
    async with through(means, runner.addresses[0][1]) as link:
        await link.failed()
        assert "HTTP 401" in str(link.session.error)
        assert "canary" not in str(link.session.error)
    await runner.cleanup()


async def test_nothing_listens_on_the_websocket_port(means: Means) -> None:
    async with ScriptedBroker(serve_all) as broker:
        port = broker.port
    async with through(means, port) as link:
        await link.failed()
        assert (link.cause, link.step) == (Cause.REFUSED, Step.WEBSOCKET)


async def test_f20_a_websocket_verifies_the_brokers_certificate(means: Means) -> None:
    stranger = replace(means, client_tls=ssl.create_default_context())
    async with (
        ScriptedBroker(serve_all) as broker,
        WebFront(broker.port, means.broker_tls) as front,
        through(stranger, front.port) as link,
    ):
        await link.failed()
        assert (link.cause, link.step) == (Cause.TLS_UNKNOWN_ISSUER, Step.TLS)
        assert link.waits == [900]


async def test_a_paused_reader_lets_the_broker_wait_and_loses_nothing(serve: Serve) -> None:
    async def flood(peer: Peer) -> None:
        await peer.accept()
        await paused.wait()
        for n in range(400):
            peer.send(packets.publish(5, TOPIC, n.to_bytes(2) * 30_000))
            await peer.drain()
            sent.append(n)
        await peer.serve()

    sent: list[int] = []
    paused = asyncio.Event()
    stage = await serve(flood, Way.WSS)
    async with Link(stage.settings) as link:
        await link.connected()
        link.session.pause_reading()
        paused.set()
        before = -1
        while before != len(sent):
            before = len(sent)
            await asyncio.sleep(0.1)
        assert len(link.messages) < 100
        link.session.resume_reading()
        await until(lambda: len(link.messages) == 400, 20)
        assert [payload[:2] for _, payload, _ in link.messages] == [
            n.to_bytes(2) for n in range(400)
        ]


async def test_what_came_before_the_peers_end_is_handed_on_though_the_socket_is_closed(
    means: Means,
) -> None:
    may_leave = asyncio.Event()

    async def send_and_leave(peer: Peer) -> None:
        await peer.accept()
        await may_leave.wait()
        peer.send(*(packets.publish(5, TOPIC, b"%d" % n) for n in range(5)))
        peer.send(packets.disconnect(0x8E))

    async with (
        ScriptedBroker(send_and_leave) as broker,
        WebFront(broker.port, means.broker_tls, cut=lambda data: [data[:9], data[9:]]) as front,
        through(means, front.port) as link,
    ):
        await link.connected()
        link.halt_after(1)
        assert link.session._connection is not None
        transport = link.session._connection._transport
        assert transport is not None
        sock = transport.get_extra_info("socket")
        link.session.pause_reading()
        may_leave.set()
        await until(lambda: sock.fileno() == -1)
        assert link.messages == []
        link.session.resume_reading()
        await link.failed()
        assert link.payloads == [b"%d" % n for n in range(5)]
        assert link.cause == Cause.TAKEN_OVER


async def test_f16_a_stop_right_after_a_loss_leaves_nothing(means: Means) -> None:
    async with (
        ScriptedBroker(serve_all) as broker,
        WebFront(broker.port, means.broker_tls) as front,
        Proxy(front.port) as proxy,
    ):
        async with through(means, proxy.port) as link:
            await link.connected()
            proxy.up.hold()
            broker.peer.send(packets.packet(0xF0))
            await link.failed()
        left = [str(task) for task in asyncio.all_tasks() if "homesync" in str(task)]
        assert left == []


async def test_a_goodbye_over_websocket_reaches_the_broker(serve: Serve) -> None:
    farewell = Publication("status", b"offline", 1, True)
    stage = await serve(serve_all, Way.WSS, farewell=farewell)
    async with Link(stage.settings) as link:
        await link.connected()
    await until(lambda: stage.broker.peer.received[-1][0] == packets.DISCONNECT)
    assert stage.broker.peer.published[-1][:2] == ("status", b"offline")


async def test_f12_the_websocket_takes_over_and_the_way_back_is_found(means: Means) -> None:
    async with (
        ScriptedBroker(serve_all) as broker,
        WebFront(broker.port, means.broker_tls) as front,
        ScriptedBroker(serve_all, means.broker_tls) as direct,
        Proxy(direct.port) as proxy,
    ):
        proxy.down.hold()
        chosen = replace(
            settings(proxy.port),
            tls=means.client_tls,
            http=means.http,
            websocket=WebSocketSettings(port=front.port),
            birth=Publication("status", b"online", 1, True),
        )
        timing = Timing(echo_every=0, first_deadline=0.1)
        async with Link(chosen, timing=timing) as link:
            await link.connected()
            assert link.causes == [Cause.TIMED_OUT] * 3
            assert link.session.terms is not None
            assert link.session.terms.transport is Transport.WEBSOCKET
            assert link.session.learned.transport is Transport.WEBSOCKET
            proxy.down.release()
            link.look_back.set()
            await until(lambda: link.session.learned.transport is None)
            await until(lambda: link.session.terms and link.session.terms.transport == "tcp")
            await link.connected()
            scout = next(each for each in direct.peers if each.received)
            assert len(scout.received[0]) <= len(direct.peer.received[0])
            assert b"hs-transport" not in scout.received[0]
            assert scout.published == []
            await until(lambda: direct.peer.published)
            # The way in use is left as agreed, so that nobody sees our will.
            await until(lambda: broker.peer.received[-1][0] == packets.DISCONNECT)
            assert link.session.history.disconnects == {"left": 1}


async def test_f12_a_way_that_stays_blocked_changes_nothing(means: Means) -> None:
    async with ScriptedBroker(serve_all) as gone:
        closed = gone.port
    async with (
        ScriptedBroker(serve_all) as broker,
        WebFront(broker.port, means.broker_tls) as front,
    ):
        chosen = replace(means.settings(Way.WSS, front.port), transport=Transport.TCP, port=closed)
        async with Link(chosen) as link:
            await link.connected()
            for _ in range(3):
                link.look_back.set()
                await until(lambda: not link.look_back.is_set())
            assert len(broker.peers) == 1
            assert link.causes == [Cause.REFUSED] * 3
