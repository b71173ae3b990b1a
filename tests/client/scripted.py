"""A broker on a loopback port that does exactly what a test tells it."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from ssl import SSLContext
from typing import Self

from .packets import CONNACK, suback

HOST = "127.0.0.1"


class Peer:
    """One client's connection as the broker sees it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.received: list[bytes] = []
        self._reader = reader
        self._writer = writer

    async def packet(self) -> bytes:
        """Read one whole packet; b"" at the end."""
        try:
            head = await self._reader.readexactly(1)
            length = shift = 0
            while True:
                digit = await self._reader.readexactly(1)
                head += digit
                length |= (digit[0] & 0x7F) << shift
                shift += 7
                if not digit[0] & 0x80:
                    break
            whole = head + await self._reader.readexactly(length)
        except OSError, asyncio.IncompleteReadError:
            return b""
        self.received.append(whole)
        return whole

    def send(self, *packets: bytes) -> None:
        self._writer.write(b"".join(packets))

    async def accept(self, *codes: int) -> None:
        """Read CONNECT and SUBSCRIBE and grant them."""
        assert (await self.packet())[0] == 0x10
        self.send(CONNACK)
        subscribe = await self.packet()
        if subscribe:
            self.send(suback(int.from_bytes(subscribe[2:4]), *(codes or (0, 1, 1))))

    async def until_closed(self) -> None:
        """Read and say nothing until the client is gone."""
        while await self.packet():
            pass

    def stop_reading(self) -> None:
        self._writer.transport.pause_reading()  # type: ignore[attr-defined]  # a test looks inside

    def reset(self) -> None:
        self._writer.transport.abort()

    async def close(self) -> None:
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()


type Script = Callable[[Peer], Awaitable[None]]


class ScriptedBroker:
    """Plays `script` to each client and then closes the connection."""

    def __init__(self, script: Script, tls: SSLContext | None = None) -> None:
        self.port = 0
        self.peers: list[Peer] = []
        self.failures: list[Exception] = []
        self._script = script
        self._tls = tls
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, HOST, 0, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self._server.wait_closed()
        assert not self.failures

    def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._play(Peer(reader, writer)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _play(self, peer: Peer) -> None:
        self.peers.append(peer)
        try:
            await self._script(peer)
        except Exception as err:  # noqa: BLE001 - a script's failure must fail its test
            self.failures.append(err)
        finally:
            await peer.close()
