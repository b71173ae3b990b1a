"""The first steps of a connection: name look-up and TCP."""

import asyncio
import socket
from typing import Any

import pytest

from custom_components.homesync.client import Cause, ConnectionState, Step

from .conftest import Serve
from .link import LOGGER, Link, settings, until
from .scripted import HOST, Peer, ScriptedBroker


async def serve_all(peer: Peer) -> None:
    await peer.accept()
    await peer.serve()


async def test_f01_where_nothing_listens_three_quick_tries_precede_the_backoff(
    socket_enabled: None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", LOGGER.name)
    async with ScriptedBroker(serve_all) as gone:
        closed = gone.port
    async with Link(settings(closed), random_number=1.0) as link:
        await link.failed(6)
        assert (link.cause, link.step) == (Cause.REFUSED, Step.TCP)
        assert link.waits == [2.0, 2.0, 1.0, 2.0, 4.0, 8.0]
        assert link.state is ConnectionState.DISCONNECTED
    told = [each.getMessage() for each in caplog.records if each.name == LOGGER.name]
    assert len(told) == 1
    assert "Villa" in told[0]


async def test_f02_lost_and_regained_are_one_line_each(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", LOGGER.name)

    async def refuse_some(peer: Peer) -> None:
        if len(stage.broker.peers) in range(2, 6):
            await peer.connack(0x88)
            return
        await serve_all(peer)

    stage = await serve(refuse_some)
    async with Link(stage.settings) as link:
        await link.connected()
        stage.broker.peer.reset()
        await until(lambda: len(stage.broker.peers) == 6)
        await link.connected()
    told = [each for each in caplog.records if each.name == LOGGER.name]
    assert [each.levelname for each in told] == ["INFO"] * 3
    assert ["no connection" in each.getMessage() for each in told] == [False, True, False]


async def test_f11_a_name_is_looked_up_at_each_try_and_a_dead_address_is_passed_over(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = await serve(serve_all)
    loop = asyncio.get_running_loop()
    answers: list[list[tuple[str, int]] | OSError] = [
        socket.gaierror("no such host"),
        [(HOST, 1)],
        [(HOST, 1), (HOST, stage.settings.port)],
    ]

    async def look_up(host: str, port: int, **_: Any) -> list[Any]:
        asked.append((host, port))
        answer = answers[len(asked) - 1]
        if isinstance(answer, OSError):
            raise answer
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", address) for address in answer]

    asked: list[tuple[str, int]] = []
    monkeypatch.setattr(loop, "getaddrinfo", look_up)
    async with Link(settings(8883, host="broker.example")) as link:
        await link.connected()
    assert asked == [("broker.example", 8883)] * 3
    assert link.causes == [Cause.CANNOT_RESOLVE, Cause.REFUSED]
