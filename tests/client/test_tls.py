"""TLS to a real broker: verified, or no connection at all."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
import ssl
from unittest.mock import patch

import pytest
import trustme

from custom_components.homesync.client.records import Publication
from tests.broker import Mosquitto

from .link import Link as QuietLink, ProbingLink as Link, until
from .scripted import Peer, ScriptedBroker
from .virtual_time import on_virtual_time

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def broker_with(folder: Path, certificate: trustme.LeafCert) -> Mosquitto:
    chain, key = folder / "chain.pem", folder / "key.pem"
    chain.write_bytes(b"".join(each.bytes() for each in certificate.cert_chain_pems))
    certificate.private_key_pem.write_to_path(str(key))
    broker = Mosquitto(folder, settings=(f"certfile {chain}", f"keyfile {key}"))
    broker.start()
    return broker


@pytest.fixture
def tls_broker(tmp_path: Path, authority: trustme.CA, socket_enabled: None) -> Iterator[Mosquitto]:
    broker = broker_with(tmp_path, authority.issue_cert("127.0.0.1"))
    yield broker
    broker.stop()


async def test_a_trusted_broker_is_talked_to(
    tls_broker: Mosquitto, client_tls: ssl.SSLContext
) -> None:
    async with Link(tls_broker.port, tls=client_tls) as link:
        await link.connected()
        for number in range(50):
            payload = b"%02d" % number + bytes(5000)
            link.session.publish(Publication("a/n/status/x", payload))
        await until(lambda: len(link.messages) == 50)
        assert [int(payload[:2]) for _, payload, _ in link.messages] == list(range(50))
    await until(lambda: "Client hs-test disconnected." in tls_broker.log)


async def test_f20_a_foreign_authority_is_not_trusted(
    tls_broker: Mosquitto, caplog: pytest.LogCaptureFixture
) -> None:
    async with Link(tls_broker.port, tls=ssl.create_default_context()) as link:
        await link.failed()
        assert (link.cause, link.step) == ("tls_unknown_issuer", "tls")
        assert "certificate is not valid" in str(link.session.error)
    assert "as hs-test" not in tls_broker.log


async def test_f20_a_certificate_for_another_name_is_not_trusted(
    tmp_path: Path, authority: trustme.CA, client_tls: ssl.SSLContext, socket_enabled: None
) -> None:
    broker = broker_with(tmp_path, authority.issue_cert("127.0.0.2"))
    try:
        async with Link(broker.port, tls=client_tls) as link:
            await link.failed()
            assert (link.cause, link.step) == ("tls_wrong_host", "tls")
            assert "IP address mismatch" in str(link.session.error)
    finally:
        broker.stop()


async def test_f20_an_expired_certificate_is_not_trusted(
    tmp_path: Path, authority: trustme.CA, client_tls: ssl.SSLContext, socket_enabled: None
) -> None:
    expired = authority.issue_cert(
        "127.0.0.1", not_before=LONG_AGO, not_after=LONG_AGO + timedelta(1)
    )
    broker = broker_with(tmp_path, expired)
    try:
        async with Link(broker.port, tls=client_tls) as link:
            await link.failed()
            assert (link.cause, link.step) == ("tls_expired", "tls")
            assert "certificate has expired" in str(link.session.error)
    finally:
        broker.stop()


@pytest.mark.parametrize(("name", "trusted"), [("broker.example", True), ("evil.example", False)])
@on_virtual_time
async def test_f20_the_certificate_must_be_for_the_name_that_was_asked_for(
    authority: trustme.CA,
    client_tls: ssl.SSLContext,
    socket_enabled: None,
    name: str,
    *,
    trusted: bool,
) -> None:
    async def accept(peer: Peer) -> None:
        await peer.accept()
        await peer.until_closed()

    loop = asyncio.get_running_loop()
    real = loop.getaddrinfo

    async def look_up(host: str, port: int, **options: int) -> object:
        return await real("127.0.0.1", port, **options)

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    async with ScriptedBroker(accept, tls=context) as broker:
        with patch.object(loop, "getaddrinfo", look_up):
            async with QuietLink(broker.port, tls=client_tls, host="broker.example") as link:
                await (link.connected() if trusted else link.failed())
                assert link.cause == ("" if trusted else "tls_wrong_host")


async def test_plain_to_a_tls_port_is_no_connection(tls_broker: Mosquitto) -> None:
    async with Link(tls_broker.port) as link:
        await link.failed()
        assert link.step == "connack"
        assert link.cause in {"closed", "protocol_error"}


async def test_s13_tls_to_a_plain_port_never_falls_back(
    mosquitto: Mosquitto, client_tls: ssl.SSLContext
) -> None:
    async with Link(mosquitto.port, tls=client_tls) as link:
        await link.failed(2)
        assert (link.cause, link.step) == ("tls", "tls")
    assert "as hs-test" not in mosquitto.log
