"""More than one address or way to a broker, of which some are dead."""

import asyncio
import shutil
import socket
import subprocess
import sys
from typing import Any

import pytest
import pytest_socket

from custom_components.homesync.client import Cause, Timing, WebSocketSettings

from .conftest import Serve
from .link import Link, Means, settings
from .scripted import HOST, Peer, ScriptedBroker
from .silent import silent_port
from .web import WebFront

# Long enough for a busy machine to connect, short enough to wait for three times.
IMPATIENT = Timing(echo_every=0, first_deadline=0.5, deadline=10)


async def serve_all(peer: Peer) -> None:
    await peer.accept()
    await peer.serve()


@pytest.fixture
def any_address(socket_enabled: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Allow the loopback address of IPv6, too."""
    monkeypatch.setattr(socket.socket, "connect", pytest_socket._true_connect)
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            pass
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")


@pytest.mark.usefixtures("any_address")
@pytest.mark.parametrize("how", ["refused", "silent"])
async def test_f11_a_dead_ipv6_address_is_raced_by_a_living_ipv4_one(
    how: str, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = await serve(serve_all)
    loop = asyncio.get_running_loop()
    with silent_port("::1") as silent:
        dead = silent if how == "silent" else 1

        async def look_up(*_: object, **__: object) -> list[Any]:
            kind = (socket.SOCK_STREAM, socket.IPPROTO_TCP, "")
            return [
                (socket.AF_INET6, *kind, ("::1", dead, 0, 0)),
                (socket.AF_INET, *kind, (HOST, stage.settings.port)),
            ]

        monkeypatch.setattr(loop, "getaddrinfo", look_up)
        async with Link(settings(8883, host="broker.example")) as link:
            await link.connected()
            assert link.waits == []


async def test_f12_a_tls_port_that_swallows_everything_gives_way_to_the_websocket(
    means: Means,
) -> None:
    async with (
        ScriptedBroker(serve_all) as broker,
        WebFront(broker.port, means.broker_tls) as front,
    ):
        with silent_port() as dropped:
            chosen = settings(
                dropped,
                tls=means.client_tls,
                http=means.http,
                websocket=WebSocketSettings(port=front.port),
            )
            async with Link(chosen, timing=IMPATIENT) as link:
                await link.connected()
                assert link.causes == [Cause.TIMED_OUT] * 3
                assert link.session.learned.transport == "websocket"


_NO_NFT = shutil.which("nft") is None and shutil.which("nft", path="/usr/sbin") is None
_FIREWALL = """
set -e
ip link set lo up
nft add table inet t
nft add chain inet t in '{ type filter hook input priority 0; }'
nft add rule inet t in tcp dport 18883 drop
exec "$@"
"""


@pytest.mark.skipif(_NO_NFT, reason="nft is not installed")
def test_f12_a_firewall_that_drops_the_tls_port_gives_way_to_the_websocket() -> None:
    program = [sys.executable, "-m", "tests.transport.firewalled"]
    alone = ["unshare", "--net", "sh", "-c", _FIREWALL, "sh", *program]
    done = subprocess.run(alone, capture_output=True, text=True, timeout=250, check=False)
    if "unshare failed" in done.stderr or "Operation not permitted" in done.stderr:
        pytest.skip("this user may not make a network of its own")
    assert done.stdout.split() == ["timed_out", "timed_out", "timed_out", "websocket"], done.stderr
