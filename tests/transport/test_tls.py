"""Certificates of brokers and clients: each failure has a cause of its own, none leads to less."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
import ssl
import time

import pytest
import trustme

from custom_components.homesync.client import (
    Cause,
    ConnectError,
    ConnectionState,
    Step,
    WebSocketSettings,
    preflight,
)
from tests.broker import Mosquitto

from .certificates import DAY, Certificate, issue, self_signed, trusting
from .link import SILENT, SUBSCRIPTIONS, Link, settings, until
from .scripted import Peer, ScriptedBroker


async def serve_all(peer: Peer) -> None:
    await peer.accept()
    await peer.serve()


BAD: dict[Cause, Callable[[trustme.CA], Certificate]] = {
    Cause.TLS_EXPIRED: lambda ca: issue(ca, starts=-2 * DAY, ends=-DAY),
    Cause.TLS_NOT_YET_VALID: lambda ca: issue(ca, starts=DAY, ends=2 * DAY),
    Cause.TLS_WRONG_HOST: lambda ca: issue(ca, "broker.example"),
    Cause.TLS_UNKNOWN_ISSUER: lambda _: issue(trustme.CA()),
    Cause.TLS_SELF_SIGNED: lambda _: self_signed(),
}


@pytest.mark.parametrize("cause", list(BAD))
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_f20_each_bad_certificate_of_a_broker_has_its_cause_and_plaintext_is_never_tried(
    cause: Cause, version: ssl.TLSVersion, authority: trustme.CA, socket_enabled: None
) -> None:
    context = BAD[cause](authority).server_context()
    async with (
        ScriptedBroker(serve_all, context) as broker,
        ScriptedBroker(serve_all) as plain,
    ):
        chosen = settings(
            broker.port,
            tls=trusting(authority, version=version),
            websocket=WebSocketSettings(port=plain.port),
        )
        async with Link(chosen) as link:
            await link.failed(4)
            assert link.causes == [cause] * 4
            assert link.step == Step.TLS
            assert link.waits == [900] * 4
            assert "certificate is not valid" in str(link.session.error)
        with pytest.raises(ConnectError) as caught:
            await preflight(chosen, SUBSCRIPTIONS, SILENT)
        assert caught.value.cause == cause
        assert plain.peers == []
        assert all(not peer.received for peer in broker.peers)


async def test_f20_a_broker_whose_authority_changed_is_refused_until_it_is_trusted(
    authority: trustme.CA, socket_enabled: None
) -> None:
    renewed = trustme.CA()
    context = issue(authority).server_context()
    async with ScriptedBroker(serve_all, context) as broker:
        async with Link(settings(broker.port, tls=trusting(authority))) as link:
            await link.connected()
            other = issue(renewed)
            with trustme.Blob(f"{other.key}\n{other.chain}".encode()).tempfile() as path:
                context.load_cert_chain(path)
            broker.peer.reset()
            await until(lambda: 900 in link.waits)
            assert link.cause == Cause.TLS_UNKNOWN_ISSUER
        async with Link(settings(broker.port, tls=trusting(renewed))) as link:
            await link.connected()


async def test_s13_a_broker_with_tls_11_only_is_refused(
    authority: trustme.CA, socket_enabled: None
) -> None:
    context = issue(authority).server_context()
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.minimum_version = ssl.TLSVersion.TLSv1_1
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    async with (
        ScriptedBroker(serve_all, context) as broker,
        Link(settings(broker.port, tls=trusting(authority))) as link,
    ):
        await link.failed()
        assert (link.cause, link.step) == (Cause.TLS, Step.TLS)
        assert broker.peers == []


async def test_tls_on_a_plaintext_port_is_told_as_such(
    authority: trustme.CA, socket_enabled: None
) -> None:
    async with (
        ScriptedBroker(Peer.until_closed) as broker,
        Link(settings(broker.port, tls=trusting(authority), keepalive=10)) as link,
    ):
        await until(lambda: broker.peers)
        broker.peer.send(b"HTTP/1.1 400 Bad canary\r\n\r\n")
        await link.failed()
        assert (link.cause, link.step) == (Cause.TLS, Step.TLS)
        assert "canary" not in str(link.session.error)


async def test_plaintext_on_a_tls_port_ends_at_the_connack(
    broker_tls: ssl.SSLContext, socket_enabled: None
) -> None:
    async with (
        ScriptedBroker(serve_all, broker_tls) as broker,
        Link(settings(broker.port)) as link,
    ):
        await link.failed(2)
        assert link.step == Step.CONNACK


async def test_the_end_of_the_brokers_certificate_is_known(
    authority: trustme.CA, socket_enabled: None
) -> None:
    context = issue(authority, ends=timedelta(days=30)).server_context()
    async with (
        ScriptedBroker(serve_all, context) as broker,
        Link(settings(broker.port, tls=trusting(authority))) as link,
    ):
        await link.connected()
        ends = link.session.certificate_expires
        assert ends is not None
        assert 29 < (ends - time.time()) / 86_400 < 31


def demanding(authority: trustme.CA, folder: Path) -> list[str]:
    """Configuration lines of a mosquitto that wants client certificates of `authority`."""
    chain, key = issue(authority).files(folder, "server")
    trusted = folder / "ca.crt"
    trusted.write_bytes(authority.cert_pem.bytes())
    return [f"certfile {chain}", f"keyfile {key}", f"cafile {trusted}", "require_certificate true"]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("own", ["missing", "expired", "foreign"])
async def test_f20_a_client_certificate_that_mosquitto_refuses_is_told_as_such(
    own: str,
    version: ssl.TLSVersion,
    authority: trustme.CA,
    tmp_path: Path,
    start_mosquitto: Callable[..., Mosquitto],
) -> None:
    broker = start_mosquitto(settings=demanding(authority, tmp_path))
    certificates = {
        "missing": None,
        "expired": issue(authority, "client@example.org", starts=-2 * DAY, ends=-DAY),
        "foreign": issue(trustme.CA(), "client@example.org"),
    }
    chosen = settings(broker.port, tls=trusting(authority, certificates[own], version))
    async with Link(chosen) as link:
        await until(lambda: 900 in link.waits)
        ends = [each for each in link.states if each is not ConnectionState.CONNECTING]
        refused = ends.index(ConnectionState.ERROR)
        assert link.causes[refused] == Cause.TLS_CLIENT_CERTIFICATE
        assert refused <= 1
    with pytest.raises(ConnectError) as caught:
        await preflight(chosen, SUBSCRIPTIONS, SILENT)
    assert caught.value.cause == Cause.TLS_CLIENT_CERTIFICATE


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_good_client_certificate_connects(
    version: ssl.TLSVersion,
    authority: trustme.CA,
    tmp_path: Path,
    start_mosquitto: Callable[..., Mosquitto],
) -> None:
    broker = start_mosquitto(settings=demanding(authority, tmp_path))
    own = issue(authority, "client@example.org")
    async with Link(settings(broker.port, tls=trusting(authority, own, version))) as link:
        await link.connected()
