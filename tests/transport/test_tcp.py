"""A TCP connection's bytes: handed on as they come, sent as the socket takes them, ended once."""

import asyncio
from collections.abc import AsyncIterator
import select
import socket
import struct
from typing import override

import pytest

from custom_components.homesync.client.transport.tcp import TcpTransport

from .link import until

pytestmark = pytest.mark.usefixtures("socket_enabled")

MIB = 1024 * 1024


class Line(asyncio.Protocol):
    """A transport on one end of a connection, and what it told; `peer` is the other end."""

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            ours = socket.create_connection(server.getsockname())
            self.peer, _ = server.accept()
        for each in (ours, self.peer):
            each.setblocking(False)
        self.socket = ours
        self.reads: list[bytes] = []
        self.ends: list[Exception | None] = []
        self.pauses: list[bool] = []
        self.ends_when_read = False
        self.fails_when_read: BaseException | None = None
        self.writes_when_resumed = b""
        self.made: asyncio.BaseTransport | None = None
        self.transport = TcpTransport(asyncio.get_running_loop(), ours, self)

    @property
    def received(self) -> bytes:
        return b"".join(self.reads)

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.made = transport

    @override
    def data_received(self, data: bytes) -> None:
        self.reads.append(data)
        if self.ends_when_read:
            self.transport.abort()
        if self.fails_when_read is not None:
            raise self.fails_when_read

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self.ends.append(exc)

    @override
    def pause_writing(self) -> None:
        self.pauses.append(True)

    @override
    def resume_writing(self) -> None:
        self.pauses.append(False)
        self.transport.write(self.writes_when_resumed)

    async def send(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self.peer, data)

    async def drain(self, size: int) -> bytes:
        """Take so many bytes as the peer, or all until the end."""
        loop, taken = asyncio.get_running_loop(), bytearray()
        while len(taken) < size and (data := await loop.sock_recv(self.peer, 65536)):
            taken += data
        return bytes(taken)

    async def ended(self) -> Exception | None:
        await until(lambda: self.ends)
        (end,) = self.ends
        return end


@pytest.fixture
async def line() -> AsyncIterator[Line]:
    line = Line()
    yield line
    line.transport.abort()
    await line.ended()
    line.peer.close()


async def test_the_protocol_is_told_of_its_connection_before_anything_is_read(line: Line) -> None:
    assert line.made is line.transport
    assert line.transport.is_reading()
    assert not line.transport.is_closing()
    assert line.transport.get_extra_info("socket") is line.socket


async def test_bytes_arrive_in_order_however_much_comes_at_once(line: Line) -> None:
    data = bytes(range(256)) * 4096
    sending = asyncio.create_task(line.send(data))
    await until(lambda: len(line.received) == len(data))
    await sending
    assert line.received == data
    assert max(map(len, line.reads)) == 32 * 1024


async def test_what_the_peer_sends_is_left_to_wait_while_reading_is_paused(line: Line) -> None:
    line.transport.pause_reading()
    line.transport.pause_reading()
    await line.send(b"later")
    assert select.select([line.socket], [], [], 10)[0]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not line.reads
    assert not line.transport.is_reading()
    line.transport.resume_reading()
    line.transport.resume_reading()
    await until(lambda: line.reads)
    assert line.received == b"later"


async def test_what_the_socket_does_not_take_waits_and_pauses_the_protocol(line: Line) -> None:
    data = bytes(range(256)) * (MIB // 64)
    line.transport.write(b"first ")
    line.transport.write(data)
    line.transport.write(b" last")
    assert line.pauses == [True]
    assert await line.drain(len(data) + 11) == b"first " + data + b" last"
    await until(lambda: line.pauses == [True, False])


async def test_closing_sends_what_waits_and_takes_nothing_more(line: Line) -> None:
    data = bytes(4 * MIB)
    line.transport.write(data)
    line.transport.close()
    line.transport.resume_reading()
    assert line.transport.is_closing()
    assert not line.transport.is_reading()
    assert len(await line.drain(len(data) + 1)) == len(data)
    assert await line.ended() is None
    assert line.socket.fileno() == -1


async def test_closing_with_nothing_to_send_ends_at_once_and_only_once(line: Line) -> None:
    line.transport.close()
    line.transport.close()
    line.transport.abort()
    assert not line.ends
    assert await line.ended() is None
    line.transport.write(b"to nobody")
    assert await line.drain(1) == b""


async def test_an_abort_forgets_what_waits(line: Line) -> None:
    line.transport.write(bytes(8 * MIB))
    line.transport.abort()
    assert await line.ended() is None
    assert len(await line.drain(8 * MIB)) < 8 * MIB


async def test_the_end_of_the_peer_ends_the_connection(line: Line) -> None:
    await line.send(b"bye")
    line.peer.shutdown(socket.SHUT_WR)
    assert await line.ended() is None
    assert line.received == b"bye"


def reset(peer: socket.socket) -> None:
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()


async def test_a_reset_is_told_as_the_reason_by_reading(line: Line) -> None:
    reset(line.peer)
    assert isinstance(await line.ended(), ConnectionResetError)


async def test_a_reset_is_told_as_the_reason_by_writing(line: Line) -> None:
    line.transport.pause_reading()
    reset(line.peer)
    line.transport.write(b"first")
    line.transport.write(b"second")
    assert isinstance(await line.ended(), OSError)


async def test_a_reset_while_bytes_wait_is_told_as_the_reason(line: Line) -> None:
    line.transport.pause_reading()
    line.transport.write(bytes(8 * MIB))
    reset(line.peer)
    assert isinstance(await line.ended(), OSError)


async def test_a_wake_up_without_bytes_changes_nothing(line: Line) -> None:
    await line.send(b"once")
    assert select.select([line.socket], [], [], 10)[0]
    line.transport._read()
    line.transport._read()
    await asyncio.sleep(0)
    assert line.received == b"once"
    assert not line.ends


async def test_the_protocol_may_end_the_connection_while_it_takes_bytes(line: Line) -> None:
    line.ends_when_read = True
    await line.send(bytes(MIB))
    assert await line.ended() is None
    assert len(line.reads) == 1


@pytest.mark.parametrize("failure", [LookupError("of ours"), OSError(), asyncio.CancelledError()])
async def test_a_protocol_that_fails_while_it_takes_bytes_ends_the_connection_and_is_told_of(
    line: Line, failure: BaseException
) -> None:
    told: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    line.fails_when_read = failure
    await line.send(bytes(MIB))
    assert await line.ended() is (failure if isinstance(failure, Exception) else None)
    assert len(line.reads) == 1
    (context,) = told
    assert context["exception"] is failure
    assert context["transport"] is line.transport


@pytest.mark.parametrize("failure", [KeyboardInterrupt, SystemExit])
async def test_what_ends_the_program_is_no_failure_of_the_protocol(
    line: Line, failure: type[BaseException]
) -> None:
    line.fails_when_read = failure()
    line.transport.pause_reading()
    await line.send(b"stop")
    assert select.select([line.socket], [], [], 10)[0]
    with pytest.raises(failure):
        line.transport._read()
    assert not line.transport.is_closing()


async def test_a_protocol_that_is_resumed_may_write_at_once(line: Line) -> None:
    line.writes_when_resumed = b"more"
    size = 4 * MIB
    line.transport.write(bytes(size))
    assert (await line.drain(size + 4)).endswith(b"\0more")
