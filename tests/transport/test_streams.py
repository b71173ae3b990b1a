"""Streams hand on all that comes, in pieces, and then the end."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
import socket
import ssl
import struct
import threading
from typing import override

from aiohttp import web
import pytest

from custom_components.homesync.client.transport.settings import Transport
from custom_components.homesync.client.transport.streams import open_stream

from .link import Means, Way, settings, until
from .scripted import HOST, Peer, ScriptedBroker
from .web import WebFront

pytestmark = pytest.mark.usefixtures("socket_enabled")

DATA = b"".join(b"%07d\n" % n for n in range(25_000))


class TlsPeer:
    """A server that lives in a thread: told to, it sends all at once, and is gone."""

    def __init__(self, context: ssl.SSLContext, *, abruptly: bool) -> None:
        self._server = socket.create_server((HOST, 0))
        self._context = context
        self._abruptly = abruptly
        self._may_send, self._may_leave = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()
        self.port = self._server.getsockname()[1]

    def send(self) -> None:
        self._may_send.set()

    def leave(self) -> None:
        self._may_leave.set()
        self._thread.join()

    def _serve(self) -> None:
        with self._server:
            plain, _ = self._server.accept()
        with self._context.wrap_socket(plain, server_side=True) as secured:
            self._may_send.wait()
            # Brokers make a record of each write.
            for at in range(0, len(DATA), 1000):
                secured.sendall(DATA[at : at + 1000])
            self._may_leave.wait()
            if self._abruptly:
                secured.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class Receiver(asyncio.Protocol):
    """Notes what it is told; `then` is what it does after each read."""

    def __init__(self) -> None:
        self.then: Callable[[], object] = bool
        self.reads: list[bytes] = []
        self.ends: list[Exception | None] = []
        self.turns: list[int] = []
        self._turn = 0

    @override
    def data_received(self, data: bytes) -> None:
        assert not self.ends
        self.reads.append(data)
        self.turns.append(self._turn)
        asyncio.get_running_loop().call_soon(self._next_turn)
        self.then()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self.ends.append(exc)

    def _next_turn(self) -> None:
        self._turn += 1

    @property
    def received(self) -> bytes:
        return b"".join(self.reads)


async def read_all(
    receiver: Receiver, peer: TlsPeer, client_tls: ssl.SSLContext, *, late: bool
) -> None:
    """Hold the reading until all has come; `late` until the end is known, too."""
    chosen = settings(peer.port, tls=client_tls)
    transport = await open_stream(chosen, Transport.TCP, receiver, lambda _: None)
    transport.pause_reading()
    peer.send()
    has_come: Callable[[], int] = transport.get_read_buffer_size  # type: ignore[attr-defined]  # TLS has it
    await until(lambda: has_come() > len(DATA))
    peer.leave()
    if late:
        for _ in range(3):
            await asyncio.sleep(0)
    transport.resume_reading()
    await until(lambda: receiver.ends)


@pytest.mark.parametrize("abruptly", [False, True])
@pytest.mark.parametrize("late", [False, True])
async def test_all_that_came_over_tls_is_read_in_pieces_before_the_end_is_told(
    broker_tls: ssl.SSLContext, client_tls: ssl.SSLContext, *, late: bool, abruptly: bool
) -> None:
    receiver = Receiver()
    await read_all(receiver, TlsPeer(broker_tls, abruptly=abruptly), client_tls, late=late)
    assert receiver.received == DATA
    assert max(map(len, receiver.reads)) == 32 * 1024
    # asyncio itself may read twice in a turn.
    assert receiver.turns[2:] == sorted(set(receiver.turns[2:]))
    (end,) = receiver.ends
    assert isinstance(end, ConnectionResetError) is abruptly


async def test_whoever_fails_while_the_rest_is_read_gets_nothing_more_but_his_error(
    broker_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    def fail() -> None:
        if len(receiver.reads) == 3:
            raise LookupError

    failures: list[object] = []
    asyncio.get_running_loop().set_exception_handler(
        lambda _, context: failures.append(context["exception"])
    )
    receiver = Receiver()
    receiver.then = fail
    await read_all(receiver, TlsPeer(broker_tls, abruptly=False), client_tls, late=False)
    assert len(receiver.reads) == 3
    assert receiver.ends == failures
    assert isinstance(failures[0], LookupError)


@asynccontextmanager
async def websocket(
    means: Means, receiver: Receiver
) -> AsyncIterator[tuple[asyncio.Transport, web.WebSocketResponse]]:
    """Both ends of a WebSocket."""
    async with (
        ScriptedBroker(Peer.until_closed) as broker,
        WebFront(broker.port, means.broker_tls) as front,
    ):
        chosen = means.settings(Way.WSS, front.port)
        transport = await open_stream(chosen, Transport.WEBSOCKET, receiver, lambda _: None)
        await until(lambda: front.sockets)
        yield transport, front.sockets[0]
        transport.abort()
        await until(lambda: receiver.ends)


async def test_a_large_websocket_message_is_handed_on_in_pieces_and_in_order(means: Means) -> None:
    receiver = Receiver()
    async with websocket(means, receiver) as (_, peer):
        await peer.send_bytes(DATA)
        await peer.send_bytes(b"next")
        await until(lambda: len(receiver.received) == len(DATA) + 4)
    assert receiver.received == DATA + b"next"
    *pieces, last = receiver.reads
    assert last == b"next"
    assert max(map(len, pieces)) == 32 * 1024
    # Others have their turn between two.
    assert receiver.turns[:-1] == sorted(set(receiver.turns[:-1]))


async def test_a_held_reading_holds_back_the_rest_of_a_websocket_message(means: Means) -> None:
    receiver = Receiver()
    async with websocket(means, receiver) as (transport, peer):
        receiver.then = transport.pause_reading
        await peer.send_bytes(DATA)
        await until(lambda: receiver.reads)
        for _ in range(10):
            await asyncio.sleep(0)
        assert receiver.reads == [DATA[: 32 * 1024]]
        receiver.then = bool
        transport.resume_reading()
        await until(lambda: len(receiver.received) == len(DATA))
    assert receiver.received == DATA


async def test_nothing_more_of_a_websocket_message_is_handed_on_after_an_abort(
    means: Means,
) -> None:
    receiver = Receiver()
    async with websocket(means, receiver) as (transport, peer):
        receiver.then = transport.abort
        await peer.send_bytes(DATA)
        await until(lambda: receiver.ends)
    assert receiver.reads == [DATA[: 32 * 1024]]
    assert receiver.ends == [None]


async def test_a_failed_write_after_the_peers_end_loses_nothing_that_came_before_it(
    means: Means,
) -> None:
    receiver = Receiver()
    async with websocket(means, receiver) as (transport, peer):
        receiver.then = transport.pause_reading
        sock = transport.get_extra_info("socket")
        await peer.send_bytes(DATA)
        await until(lambda: receiver.reads)
        await peer.close()
        await until(lambda: sock.fileno() == -1)
        receiver.then = lambda: transport.write(b"receipt")
        transport.resume_reading()
        await until(lambda: receiver.ends)
    assert receiver.received == DATA
    assert isinstance(receiver.ends[0], ConnectionError)
