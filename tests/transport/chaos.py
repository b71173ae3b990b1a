"""A TCP proxy that treats each direction as badly as a test wants."""

import asyncio
from dataclasses import dataclass, field
import socket
from ssl import SSLContext
import struct
from typing import Self

from .scripted import HOST


@dataclass(slots=True)
class Direction:
    """`pieces` bytes at a time with `gap` seconds between; None means as they come.

    `swallow` loses bytes, `held` leaves them unread, `reset_after` bytes both ends are reset.
    """

    swallow: bool = False
    pieces: int | None = None
    gap: float = 0.0
    reset_after: int | None = None
    passed: int = 0
    open: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.open.set()

    def hold(self) -> None:
        self.open.clear()

    def release(self) -> None:
        self.open.set()


class Proxy:
    """`up` is from the client to the broker, `down` back; both for all connections.

    With `tls` it ends the client's TLS, and passes on what was in it.
    """

    def __init__(self, target: int, tls: SSLContext | None = None) -> None:
        self.port = 0
        self.up = Direction()
        self.down = Direction()
        self.connections = 0
        self._target = target
        self._tls = tls
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, HOST, 0, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        await self._end_tasks()
        self._server.abort_clients()
        await self._server.wait_closed()
        # Those of clients that were let in meanwhile.
        await self._end_tasks()

    def reset(self) -> None:
        """Reset every connection at both ends."""
        for writer in tuple(self._writers):
            _reset(writer)

    async def _end_tasks(self) -> None:
        for task in tuple(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._bridge(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _bridge(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        pumps: list[asyncio.Task[None]] = []
        ends = [writer]
        try:
            there, back = await asyncio.open_connection(HOST, self._target)
            ends.append(back)
            self._writers.add(back)
            pumps = [
                asyncio.create_task(self._pump(reader, back, self.up)),
                asyncio.create_task(self._pump(there, writer, self.down)),
            ]
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        except OSError:
            pass
        finally:
            for pump in pumps:
                pump.cancel()
            for end in ends:
                self._writers.discard(end)
                end.transport.abort()
            await asyncio.gather(*pumps, return_exceptions=True)

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: Direction
    ) -> None:
        while True:
            await way.open.wait()
            data = await reader.read(way.pieces or 65_536)
            await way.open.wait()
            if not data:
                return
            if way.swallow:
                continue
            if way.reset_after is not None and way.passed + len(data) > way.reset_after:
                writer.write(data[: way.reset_after - way.passed])
                await writer.drain()
                self.reset()
                return
            way.passed += len(data)
            writer.write(data)
            await writer.drain()
            if way.gap:
                await asyncio.sleep(way.gap)


def _reset(writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    if sock is not None and sock.fileno() >= 0:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
