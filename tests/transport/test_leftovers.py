"""A session ends in any phase, and nothing of it is left: no task, thread, timer or descriptor."""

import asyncio
from dataclasses import replace
from pathlib import Path
import threading
from typing import Any

import pytest

from custom_components.homesync.client import BrokerSettings, ConnectionState

from .conftest import Serve
from .link import Link, Way, until
from .scripted import Peer
from .silent import silent_port

PHASES = {
    "dns": Way.TCP,
    "tcp": Way.TCP,
    "tls": Way.TLS,
    "ws": Way.WSS,
    "connect": Way.WSS,
    "subscribe": Way.TLS,
    "connected": Way.WSS,
    "waiting": Way.TLS,
}


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def threads() -> int:
    """Count those that end with what began them; the loop keeps its pool's for the next look-up."""
    pool = ("asyncio_", "SyncWorker_")
    return sum(not each.name.startswith(pool) for each in threading.enumerate())


def ours() -> list[str]:
    return [each for each in map(str, asyncio.all_tasks()) if "homesync/client" in each]


def counts() -> tuple[int, int, int]:
    return descriptors(), threads(), len(ours())


async def play(peer: Peer, phase: str) -> None:
    if phase == "connect":
        await peer.until_closed()
    elif phase == "subscribe":
        await peer.connack()
        await peer.until_closed()
    elif phase == "waiting":
        await peer.connack(0x88)
    else:
        await peer.accept()
        await peer.serve()


async def reached(link: Link, phase: str, stage: Any, asked: list[str]) -> None:
    """Wait until the session is in the phase."""
    match phase:
        case "dns":
            await until(lambda: asked)
        case "tcp":
            await until(lambda: link.state is ConnectionState.CONNECTING)
            await until(lambda: link.session._connection._step == "tcp")  # type: ignore[union-attr]  # a test looks inside
        case "tls" | "ws":
            await until(lambda: stage.proxy.connections)
        case "connect" | "subscribe":
            packets = 1 if phase == "connect" else 2
            await until(lambda: stage.broker.peers and len(stage.broker.peer.received) == packets)
        case "connected":
            await link.connected()
        case _:
            await link.failed()


@pytest.mark.parametrize("phase", list(PHASES))
async def test_f16_nothing_is_left_of_a_session_that_ends_in_any_phase(
    phase: str, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = asyncio.get_running_loop()
    asked: list[str] = []

    async def look_up(host: str, *_: object, **__: object) -> None:
        asked.append(host)
        await asyncio.Event().wait()

    stage = await serve(lambda peer: play(peer, phase), PHASES[phase])
    chosen: BrokerSettings = stage.settings
    if phase in {"tls", "ws"}:
        stage.proxy.down.hold()
    await loop.getaddrinfo(chosen.host, chosen.port)
    if phase == "dns":
        monkeypatch.setattr(loop, "getaddrinfo", look_up)
    with silent_port() as nowhere:
        if phase == "tcp":
            chosen = replace(chosen, port=nowhere)
        before = counts()
        link = Link(chosen)
        async with link:
            await reached(link, phase, stage, asked)
            assert ours()
        states = list(link.states)
        stage.proxy.down.release()
        # Fewer is fine: what earlier tests left may go meanwhile.
        await until(lambda: all(now <= was for now, was in zip(counts(), before, strict=True)))
        assert link.states == states
        assert states[-1] is ConnectionState.STOPPED
