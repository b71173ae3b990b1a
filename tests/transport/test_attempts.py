"""Attempts that fail: how far each got, why, and how long the session waits then."""

import asyncio
import socket
from ssl import SSLContext
from unittest.mock import patch

import aiohappyeyeballs
import pytest

from custom_components.homesync.client import ConnectionState
from custom_components.homesync.client.transport import streams

from ..client.virtual_time import on_virtual_time
from .link import FILTERS, LOGGER, PlainLink as Link, told, until
from .packets import CONNACK, connack, packet, publish, suback
from .scripted import Peer, ScriptedBroker

pytestmark = pytest.mark.usefixtures("socket_enabled")


async def mute(peer: Peer) -> None:
    await peer.until_closed()


async def connack_only(peer: Peer) -> None:
    await peer.packet()
    peer.send(CONNACK)
    await peer.until_closed()


@on_virtual_time
async def test_f07_a_broker_that_never_answers_the_connect(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", LOGGER.name)
    loop = asyncio.get_running_loop()
    async with ScriptedBroker(mute) as broker, Link(broker.port) as link:
        begin = loop.time()
        await link.failed(12, seconds=200)
        assert (link.cause, link.step) == ("timed_out", "connack")
        assert link.waits == [2, 2, 0.5, 1, 2, 4, 8, 16, 30, 30, 30, 30]
        assert loop.time() - begin == pytest.approx(3 * 5 + 9 * 10, abs=1)
        assert len(broker.peers) == 12
    (line,) = told(caplog)
    assert line == (
        "Household Villa: no connection to its broker:"
        " the broker did not answer the CONNECT; is this an MQTT port?"
    )


@on_virtual_time
async def test_a_broker_that_never_answers_the_subscribe() -> None:
    async with ScriptedBroker(connack_only) as broker, Link(broker.port) as link:
        await link.failed()
        assert (link.cause, link.step) == ("timed_out", "subscribe")
        assert ConnectionState.CONNECTED not in link.states


@on_virtual_time
async def test_f08_a_broker_that_is_silent_in_the_tls_handshake(client_tls: SSLContext) -> None:
    async with ScriptedBroker(mute) as broker, Link(broker.port, tls=client_tls) as link:
        await link.failed()
        assert (link.cause, link.step) == ("timed_out", "tls")


@on_virtual_time
async def test_f09_a_broker_that_drips_has_one_deadline_for_all() -> None:
    async def drip(peer: Peer) -> None:
        for byte in packet(0x20, bytes(100)):
            peer.send(bytes((byte,)))
            await asyncio.sleep(0.9)

    async with ScriptedBroker(drip) as broker, Link(broker.port) as link:
        await link.failed()
        assert (link.cause, link.step) == ("timed_out", "connack")


@pytest.mark.parametrize(
    ("code", "cause", "state"),
    [
        (1, "protocol_version", ConnectionState.ERROR),
        (2, "client_id", ConnectionState.ERROR),
        (3, "server_unavailable", ConnectionState.DISCONNECTED),
        (4, "credentials", ConnectionState.ERROR),
        (5, "not_authorised", ConnectionState.ERROR),
        (9, "server_unavailable", ConnectionState.DISCONNECTED),
    ],
)
@on_virtual_time
async def test_f18_a_refusal_is_an_error_and_tried_again_slowly_if_a_person_must_settle_it(
    code: int, cause: str, state: ConnectionState, caplog: pytest.LogCaptureFixture
) -> None:
    async def refuse(peer: Peer) -> None:
        await peer.packet()
        peer.send(connack(4, code))

    caplog.set_level("INFO", LOGGER.name)
    async with ScriptedBroker(refuse) as broker, Link(broker.port) as link:
        await link.failed(4)
        assert (link.cause, link.step, link.session.state) == (cause, "connack", state)
        assert link.waits == ([900] * 4 if state is ConnectionState.ERROR else [2, 2, 0.5, 1])
    assert len(told(caplog)) == 1


@pytest.mark.parametrize(
    ("codes", "cause", "words"),
    [
        ((0, 0x80, 1), "subscription_refused", FILTERS[1][0]),
        ((0x80, 0x80, 0x80), "subscription_refused", FILTERS[0][0]),
        ((0, 1), "protocol_error", "SUBACK of the wrong length"),
        ((0, 1, 1, 1), "protocol_error", "SUBACK of the wrong length"),
        ((0, 1, 0x7F), "protocol_error", "SUBACK with the unknown code 0x7f"),
    ],
)
@on_virtual_time
async def test_f22_a_refused_subscription_names_its_filter(
    codes: tuple[int, ...], cause: str, words: str
) -> None:
    async def refuse(peer: Peer) -> None:
        await peer.accept(*codes)
        await peer.until_closed()

    async with ScriptedBroker(refuse) as broker, Link(broker.port) as link:
        await link.failed()
        assert (link.cause, link.step) == (cause, "subscribe")
        assert words in str(link.session.error)
        assert link.waits == [900 if cause == "subscription_refused" else 2]


@on_virtual_time
async def test_a_suback_to_another_packet_grants_nothing() -> None:
    async def confuse(peer: Peer) -> None:
        await peer.packet()
        peer.send(CONNACK)
        subscribe = await peer.packet()
        peer.send(suback(4, int.from_bytes(subscribe[2:4]) + 1, 0, 1, 1))
        await peer.until_closed()

    async with ScriptedBroker(confuse) as broker, Link(broker.port) as link:
        await link.failed()
        assert (link.cause, link.step) == ("timed_out", "subscribe")


@pytest.mark.parametrize("read_first", [False, True])
@on_virtual_time
async def test_a_broker_that_hangs_up_before_connack(*, read_first: bool) -> None:
    async def hang_up(peer: Peer) -> None:
        if read_first:
            await peer.packet()

    async with ScriptedBroker(hang_up) as broker, Link(broker.port) as link:
        await link.failed()
        assert (link.cause, link.step) == ("closed", "connack")


@pytest.mark.parametrize(
    "banner",
    [
        b"SSH-2.0-OpenSSH_9.2p1\r\n",
        b"HTTP/1.1 400 Bad Request\r\nServer: canary\r\n\r\n",
        b"220 mail.example ESMTP canary\r\n",
        b"\x15\x03\x01\x00\x02\x02\x16",
    ],
)
@on_virtual_time
async def test_s14_what_speaks_no_mqtt_is_left_and_not_quoted(banner: bytes) -> None:
    async def greet(peer: Peer) -> None:
        peer.send(banner)
        await peer.until_closed()

    async with ScriptedBroker(greet) as broker, Link(broker.port) as link:
        await link.failed()
        assert link.cause in {"protocol_error", "timed_out"}
        assert "canary" not in str(link.session.error)
        assert not link.messages


@pytest.mark.parametrize("welcome", [b"", connack(4, 5)])
@on_virtual_time
async def test_nothing_is_taken_from_a_broker_before_it_accepted(welcome: bytes) -> None:
    async def hurry(peer: Peer) -> None:
        await peer.packet()
        peer.send(welcome, publish(4, b"a/n/status/online", b"{}"), CONNACK)
        await peer.until_closed()

    async with ScriptedBroker(hurry) as broker, Link(broker.port) as link:
        await link.failed()
        assert link.cause == ("not_authorised" if welcome else "protocol_error")
        assert not link.messages


@on_virtual_time
async def test_f11_the_address_that_lives_wins() -> None:
    async def accept(peer: Peer) -> None:
        await peer.accept()
        await peer.until_closed()

    loop = asyncio.get_running_loop()
    async with ScriptedBroker(mute) as gone:
        dead = await loop.getaddrinfo("127.0.0.1", gone.port, type=1)
    async with ScriptedBroker(accept) as broker:
        alive = await loop.getaddrinfo("127.0.0.1", broker.port, type=1)

        async def look_up(*_: object, **__: object) -> list[object]:
            return [*dead, *alive]

        with patch.object(loop, "getaddrinfo", look_up):
            async with Link(broker.port, host="broker.example") as link:
                await link.connected()
                assert link.waits == []


@pytest.mark.parametrize(
    "error",
    [
        socket.gaierror(-2, "Name or service not known"),
        UnicodeError("label empty or too long"),
        ValueError("embedded null character"),
    ],
)
@on_virtual_time
async def test_a_name_that_leads_nowhere_is_told_as_such(error: Exception) -> None:
    with patch.object(asyncio.get_running_loop(), "getaddrinfo", side_effect=error):
        async with Link(1883, host="broker.example") as link:
            await link.failed()
            assert (link.cause, link.step) == ("cannot_resolve", "resolve")
            assert link.waits == [2]


@on_virtual_time
async def test_credentials_that_mqtt_cannot_carry_fail_and_harm_nothing() -> None:
    async with ScriptedBroker(mute) as broker, Link(broker.port, username="\ud800") as link:
        await link.failed()
        assert (link.cause, link.step) == ("protocol_error", "connack")


@on_virtual_time
async def test_s14_what_answers_tls_with_other_words_is_not_quoted(
    client_tls: SSLContext,
) -> None:
    async def greet(peer: Peer) -> None:
        peer.send(b"HTTP/1.1 400 Bad Request\r\nServer: canary\r\n\r\n")
        await peer.until_closed()

    async with ScriptedBroker(greet) as broker, Link(broker.port, tls=client_tls) as link:
        await link.failed()
        assert (link.cause, link.step) == ("tls", "tls")
        assert "TLS could not be agreed" in str(link.session.error)
        assert "canary" not in str(link.session.error)


@pytest.mark.parametrize(
    ("error", "cause", "words"),
    [
        (OSError(101, "Network is unreachable"), "unreachable", "Network is unreachable"),
        (OSError("Multiple exceptions"), "unreachable", "Multiple exceptions"),
        (ConnectionRefusedError(111, "x"), "refused", "nothing listens"),
        (TimeoutError(110, "x"), "timed_out", "does not answer"),
    ],
)
@on_virtual_time
async def test_a_network_that_fails_is_told_in_words(
    error: OSError, cause: str, words: str
) -> None:
    with patch.object(aiohappyeyeballs, "start_connection", side_effect=error):
        async with Link(1883) as link:
            await link.failed()
            assert (link.cause, link.step) == (cause, "tcp")
            assert words in str(link.session.error)


@on_virtual_time
async def test_an_unexpected_failure_is_logged_and_tried_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def accept(peer: Peer) -> None:
        await peer.accept()
        await peer.until_closed()

    real, fails = streams._connect, [ZeroDivisionError("oops")]

    async def fail_once(addresses: list[aiohappyeyeballs.AddrInfoType]) -> object:
        if fails:
            raise fails.pop()
        return await real(addresses)

    with patch.object(streams, "_connect", fail_once):
        async with ScriptedBroker(accept) as broker, Link(broker.port) as link:
            await until(lambda: link.waits)
            await link.connected()
    assert [each.exc_info is not None for each in caplog.records if each.levelname == "ERROR"] == [
        True
    ]
