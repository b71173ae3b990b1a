"""Connects where a firewall drops port 18883; prints each cause and then the way that worked.

Run as a program in a network of its own, where the firewall's rules hurt nobody.
"""

import asyncio
import ssl
import sys

import aiohttp
import trustme

from custom_components.homesync.client import Timing, WebSocketSettings

from .link import Link, Means, settings
from .scripted import Peer, ScriptedBroker
from .web import WebFront


async def serve_all(peer: Peer) -> None:
    await peer.accept()
    await peer.serve()


async def main() -> None:
    authority = trustme.CA()
    broker_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(broker_tls)
    client_tls = ssl.create_default_context()
    authority.configure_trust(client_tls)
    timing = Timing(echo_every=0, first_deadline=0.5)
    async with (
        aiohttp.ClientSession() as http,
        ScriptedBroker(serve_all) as broker,
        WebFront(broker.port, broker_tls) as front,
    ):
        means = Means(broker_tls, client_tls, http)
        chosen = settings(
            18883,
            tls=means.client_tls,
            http=means.http,
            websocket=WebSocketSettings(port=front.port),
        )
        async with Link(chosen, timing=timing) as link:
            await link.connected()
            sys.stdout.write(" ".join([*link.causes, str(link.session.learned.transport)]))


if __name__ == "__main__":
    asyncio.run(main())
