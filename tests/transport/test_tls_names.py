"""The name in a certificate, and a broker that speaks no TLS."""

import asyncio
import ssl
from unittest.mock import patch

import pytest
import trustme

from tests.broker import Mosquitto

from ..client.virtual_time import on_virtual_time
from .link import PlainLink as QuietLink, ProbingLink as Link
from .scripted import Peer, ScriptedBroker


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


async def test_s13_tls_to_a_plain_port_never_falls_back(
    mosquitto: Mosquitto, client_tls: ssl.SSLContext
) -> None:
    async with Link(mosquitto.port, tls=client_tls) as link:
        await link.failed(2)
        assert (link.cause, link.step) == ("tls", "tls")
    assert "as hs-test" not in mosquitto.log
