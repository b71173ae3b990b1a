"""Sessions on a real mosquitto: will, birth and farewell, stored sessions, echo, refusals."""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
import socket
from time import monotonic
from typing import Self

import gmqtt  # type: ignore[import-untyped]  # it has no types
import pytest
import trustme

from custom_components.homesync.client import (
    ASKS_FOR_CREDENTIALS,
    Cause,
    ConnectionState,
    MqttVersion,
    Publication,
    Transport,
    WebSocketSettings,
    preflight,
)
from custom_components.homesync.client.transport import echo
from custom_components.homesync.client.transport.settings import Timing
from tests.broker import Mosquitto, free_port

from .certificates import issue
from .chaos import Proxy
from .link import ALL_WAYS, BOTH_VERSIONS, ROOT, SUBSCRIPTIONS, Link, Means, Way, settings, until
from .web import WebFront

type Start = Callable[..., Mosquitto]

STATUS = {
    "will": Publication("villa/status", b"offline", 1, True),
    "birth": Publication("villa/status", b"online", 1, True),
    "farewell": Publication("villa/status", b"offline", 1, True),
}
RELAY_TOPIC = f"{ROOT}/plug-1/status/relay"
TIMING = Timing(echo_within=60, way_back_every=1800)


class Observer:
    """Another client; sees everything and may publish."""

    def __init__(self, port: int) -> None:
        self.seen: list[tuple[str, bytes]] = []
        self._port = port
        self._client = gmqtt.Client(f"observer-{id(self)}")
        self._client.set_config({"reconnect_retries": 0})
        self._client.on_message = self._message

    async def __aenter__(self) -> Self:
        await self._client.connect("127.0.0.1", self._port)
        self._client.subscribe("#", qos=1)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.disconnect()

    def publish(self, topic: str, payload: str) -> None:
        self._client.publish(topic, payload, qos=1)

    @property
    def states(self) -> list[bytes]:
        return [payload for topic, payload in self.seen if topic == "villa/status"]

    def _message(self, _client: object, topic: str, payload: bytes, *_: object) -> int:
        self.seen.append((topic, payload))
        return 0


@pytest.fixture(autouse=True)
def _many_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """See soon that an echo has come back, however long it may take."""
    monkeypatch.setattr(echo, "_LOOKS", 3000)


@pytest.fixture
async def observer(mosquitto: Mosquitto) -> AsyncIterator[Observer]:
    async with Observer(mosquitto.port) as found:
        yield found


@BOTH_VERSIONS
async def test_birth_will_and_farewell_are_seen_by_others(
    version: int, mosquitto: Mosquitto, observer: Observer
) -> None:
    async with Proxy(mosquitto.port) as proxy:
        chosen = settings(proxy.port, version=MqttVersion(version), **STATUS)
        async with Link(chosen) as link:
            await until(lambda: observer.states == [b"online"])
            proxy.reset()
            await until(lambda: observer.states == [b"online", b"offline", b"online"])
            await link.connected()
        await until(lambda: observer.states == [b"online", b"offline", b"online", b"offline"])
    await until(lambda: f"Received DISCONNECT from {chosen.client_id}" in mosquitto.log)
    again = Observer(mosquitto.port)
    async with again:
        await until(lambda: again.states == [b"offline"])


@BOTH_VERSIONS
@pytest.mark.parametrize("expiry", [0, 600])
async def test_a_stored_session_brings_what_was_missed_and_none_is_relied_on(
    version: int, expiry: int, mosquitto: Mosquitto
) -> None:
    chosen = settings(mosquitto.port, version=MqttVersion(version), session_expiry=expiry)
    async with Link(chosen) as first:
        await first.connected()
    async with Observer(mosquitto.port) as observer:
        observer.publish(RELAY_TOPIC, "missed")
        await until(lambda: (RELAY_TOPIC, b"missed") in observer.seen)
    async with Link(chosen) as second:
        await second.connected()
        async with Observer(mosquitto.port) as observer:
            observer.publish(RELAY_TOPIC, "fresh")
            await until(lambda: b"fresh" in second.payloads)
        assert (b"missed" in second.payloads) is (expiry > 0)


@BOTH_VERSIONS
@pytest.mark.parametrize("expiry", [0, 600])
async def test_f31_a_broker_that_forgot_everything_is_subscribed_to_again(
    version: int, expiry: int, mosquitto: Mosquitto
) -> None:
    chosen = settings(mosquitto.port, version=MqttVersion(version), session_expiry=expiry)
    async with Link(chosen) as link:
        await link.connected()
        mosquitto.kill()
        mosquitto.start()
        await until(lambda: link.waits)
        await link.connected()
        async with Observer(mosquitto.port) as observer:
            observer.publish(RELAY_TOPIC, "after")
            await until(lambda: b"after" in link.payloads)


@pytest.fixture
async def port(
    way: Way, means: Means, authority: trustme.CA, tmp_path: Path, start_mosquitto: Start
) -> AsyncIterator[int]:
    """Where a broker is reached this way."""
    chain, key = issue(authority).files(tmp_path, "server")
    lines = [f"certfile {chain}", f"keyfile {key}"] if way is Way.TLS else []
    broker = start_mosquitto(settings=lines)
    async with WebFront(broker.port, means.broker_tls) as front:
        yield front.port if way is Way.WSS else broker.port


@pytest.mark.skipif(not hasattr(socket, "TCP_QUICKACK"), reason="only Linux tells and lets choose")
@ALL_WAYS
async def test_what_comes_after_a_message_of_ours_is_acknowledged_at_once(
    way: Way, means: Means, port: int
) -> None:
    async def exchange(payload: bytes) -> None:
        link.session.publish(Publication(RELAY_TOPIC, payload))
        await until(lambda: payload in link.payloads)

    async with Link(means.settings(way, port)) as link:
        await link.connected()
        for payload in (b"1", b"2", b"3"):
            # To send right after bytes came is what makes Linux wait with the next ones.
            await exchange(payload)
        sock = link.session._connection._transport.get_extra_info("socket")  # type: ignore[union-attr]  # connected
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK) == 1


@ALL_WAYS
@BOTH_VERSIONS
async def test_an_echo_proves_every_filter_and_measures_the_round_trip(
    way: Way, version: int, means: Means, port: int
) -> None:
    chosen = means.settings(way, port, version=MqttVersion(version))
    begin = monotonic()
    async with Link(chosen, timing=TIMING) as link:
        await until(lambda: link.session.echo)
        assert link.session.echo is not None
        assert link.session.echo.unproven == ()
        assert link.session.echo.round_trip is not None
        assert 0 < link.session.echo.round_trip < monotonic() - begin
        assert link.messages == []
    report = await preflight(chosen, SUBSCRIPTIONS, TIMING)
    assert report.echo.unproven == ()
    assert report.terms.version == version
    assert report.terms.transport is (Transport.WEBSOCKET if way is Way.WSS else Transport.TCP)
    assert (report.certificate_expires is None) is (way is Way.TCP)
    assert report.limits.receive_maximum == (20 if version == 5 else 65_535)


ACL = f"""
topic read {ROOT}/+/telemetry/+
topic read {ROOT}/+/status/+
topic write {ROOT}/_echo/#
"""


@BOTH_VERSIONS
async def test_f22_a_filter_that_the_broker_grants_but_ignores_is_found(
    version: int, start_mosquitto: Start
) -> None:
    broker = start_mosquitto(acl=ACL)
    chosen = settings(broker.port, version=MqttVersion(version))
    async with Link(chosen, timing=TIMING) as link:
        await until(lambda: link.echoes == 2)
        link.impatient = True
        await until(lambda: link.session.echo)
        assert link.session.echo is not None
        assert link.session.echo.unproven == (f"{ROOT}/+/response/+",)
        assert link.session.echo.round_trip is not None
        assert link.state is ConnectionState.CONNECTED


async def test_where_nothing_may_be_published_all_filters_are_unproven_and_the_link_stays(
    start_mosquitto: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(echo, "_LOOKS", 20)
    broker = start_mosquitto(acl=f"topic read {ROOT}/#\n")
    async with Link(settings(broker.port), timing=replace(TIMING, echo_within=0.4)) as link:
        for _ in range(2):
            await until(lambda: link.session.echo)
            assert link.session.echo is not None
            assert link.session.echo.round_trip is None
            assert len(link.session.echo.unproven) == 3
            link.session.echo = None
            link.next_echo.set()
        await until(lambda: link.session.echo)
        assert link.waits == []


async def test_a_link_gone_deaf_is_found_and_replaced(mosquitto: Mosquitto) -> None:
    async with (
        Proxy(mosquitto.port) as proxy,
        Link(settings(proxy.port), timing=TIMING) as link,
    ):
        await until(lambda: link.session.echo)
        proxy.down.swallow = link.impatient = True
        link.next_echo.set()
        await link.failed()
        assert link.cause == Cause.DEAF
        proxy.down.swallow = False
        link.go_on()
        await link.connected()


async def test_a_reader_that_is_paused_is_not_deaf(mosquitto: Mosquitto) -> None:
    async with Link(settings(mosquitto.port), timing=TIMING) as link:
        await until(lambda: link.session.echo)
        assert link.session.echo is not None
        assert link.session.echo.round_trip is not None
        link.session.echo = None
        link.session.pause_reading()
        link.impatient = True
        link.next_echo.set()
        await until(lambda: link.session.echo)
        assert link.waits == []
        link.session.resume_reading()


async def test_f23_a_rival_with_our_client_id_is_found(mosquitto: Mosquitto) -> None:
    async with (
        Link(settings(mosquitto.port)) as ours,
        Link(settings(mosquitto.port)) as theirs,
    ):
        await until(lambda: ours.session.rival or theirs.session.rival)
        found = ours if ours.session.rival else theirs
        await until(lambda: 300.0 in found.waits)
        assert ConnectionState.ERROR in found.states


@BOTH_VERSIONS
async def test_f18_a_wrong_password_is_for_the_user(version: int, start_mosquitto: Start) -> None:
    broker = start_mosquitto(users={"villa": "right"})
    wrong = settings(broker.port, version=MqttVersion(version), username="villa", password="no")
    async with Link(wrong) as link:
        await link.failed()
        assert link.cause in ASKS_FOR_CREDENTIALS
        assert (link.state, link.waits) == (ConnectionState.ERROR, [900])
    right = settings(broker.port, version=MqttVersion(version), username="villa", password="right")
    async with Link(right) as link:
        await link.connected()


@BOTH_VERSIONS
async def test_f19_a_revoked_password_is_noticed_at_the_next_connect_and_a_new_one_works(
    version: int, start_mosquitto: Start
) -> None:
    broker = start_mosquitto(users={"villa": "right"})
    async with Proxy(broker.port) as proxy:
        chosen = settings(
            proxy.port, version=MqttVersion(version), username="villa", password="right"
        )
        async with Link(chosen) as link:
            await link.connected()
            link.halt_after(2)
            broker.revoke_users({"villa": "changed"})
            await until(lambda: "Reloading config" in broker.log)
            # Some versions end such connections by themselves.
            if not link.waits:
                proxy.reset()
            await link.failed(2)
            assert link.cause in ASKS_FOR_CREDENTIALS
            assert (link.state, link.waits[-1]) == (ConnectionState.ERROR, 900)
            broker.revoke_users({"villa": "right"})
            await until(lambda: broker.log.count("Reloading config") == 2)
            link.session.reconnect()
            await link.connected()


async def test_f25_a_message_above_mosquittos_limit_is_refused_once_and_the_link_stays(
    start_mosquitto: Start,
) -> None:
    broker = start_mosquitto(settings=["message_size_limit 1000"])
    codes: list[int] = []
    async with Link(settings(broker.port)) as link:
        await link.connected()
        link.session.publish(Publication("t", bytes(2000)), codes.append)
        link.session.publish(Publication("t", b"x"), codes.append)
        await until(lambda: len(codes) == 2)
        assert codes[0] >= 0x80
        assert codes[1] < 0x80
        assert link.waits == []


async def test_limits_that_mosquitto_announces_are_kept(start_mosquitto: Start) -> None:
    broker = start_mosquitto(
        settings=["max_packet_size 5000", "max_qos 0", "retain_available false", "max_keepalive 20"]
    )
    async with Link(settings(broker.port, **STATUS)) as link:
        await link.connected()
        limits = link.session.limits
        assert limits is not None
        assert (limits.maximum_packet, limits.maximum_qos) == (5000, 0)
        assert not limits.retain_available
        assert limits.keepalive == 20
        link.session.publish(Publication("t", b"x", 1, True))
        assert link.causes in ([Cause.NO_RETAIN], [Cause.NO_QOS], [Cause.NO_RETAIN, Cause.NO_QOS])


async def test_f12_from_a_closed_tls_port_to_a_secure_websocket_before_mosquitto(
    means: Means, mosquitto: Mosquitto
) -> None:
    async with WebFront(mosquitto.port, means.broker_tls) as front:
        chosen = settings(
            free_port(),
            tls=means.client_tls,
            http=means.http,
            websocket=WebSocketSettings(port=front.port),
            **STATUS,
        )
        async with Link(chosen, timing=TIMING) as link:
            await link.connected()
            assert link.causes == [Cause.REFUSED] * 3
            await until(lambda: link.session.echo)
        report = await preflight(chosen, SUBSCRIPTIONS, TIMING)
        assert report.blocked is not None
        assert report.blocked.cause is Cause.REFUSED
        assert report.learned.transport is Transport.WEBSOCKET
