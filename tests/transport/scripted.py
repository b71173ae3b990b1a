"""A broker on the loopback interface that does exactly what a test tells it."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from ssl import SSLContext
from typing import Self

from . import packets

HOST = "127.0.0.1"


class Left(Exception):
    """The client went before it said anything, as one does that is ended while it connects."""


class Peer:
    """One client's connection as the broker sees it; speaks the version of its CONNECT."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.received: list[bytes] = []
        self.version = 4
        self._reader = reader
        self._writer = writer

    async def packet(self) -> bytes:
        """Read one whole packet; b"" at the end."""
        try:
            whole = await self._reader.readexactly(2)
            while whole[-1] & 0x80:
                whole += await self._reader.readexactly(1)
            length = sum((digit & 0x7F) << 7 * at for at, digit in enumerate(whole[1:]))
            whole += await self._reader.readexactly(length)
        except OSError, asyncio.IncompleteReadError:
            return b""
        self.received.append(whole)
        if whole[0] == packets.CONNECT:
            self.version = packets.version_of(whole)
        return whole

    def send(self, *raw: bytes) -> None:
        self._writer.write(b"".join(raw))

    async def drain(self) -> None:
        await self._writer.drain()

    async def connack(self, code: int = 0, properties: bytes = b"", present: int = 0) -> None:
        """Read CONNECT and answer it."""
        whole = await self.packet()
        if not whole:
            raise Left
        assert whole[0] == packets.CONNECT
        self.send(packets.connack(self.version, code, properties, present))

    async def accept(self, *codes: int, properties: bytes = b"", present: int = 0) -> None:
        """Read CONNECT and SUBSCRIBE and grant them."""
        await self.connack(0, properties, present)
        whole = await self.packet()
        if whole:
            packet_id = int.from_bytes(packets.body_of(whole)[:2])
            count = len(packets.read_filters(whole, self.version))
            self.send(packets.suback(self.version, packet_id, *(codes or (0, 1, 1)[-count:])))

    async def serve(self, *, echo: bool = False, ack: bool = True) -> None:
        """Answer everything until the client is gone; `echo` sends back what it publishes."""
        while whole := await self.packet():
            kind = whole[0] & 0xF0
            if whole == packets.PINGREQ:
                self.send(packets.PINGRESP)
            elif kind == packets.PUBLISH:
                topic, payload, packet_id = packets.read_publish(whole, self.version)
                if packet_id and ack:
                    self.send(packets.puback(packet_id))
                if echo:
                    self.send(packets.publish(self.version, topic.encode(), payload))
            elif whole[0] == packets.UNSUBSCRIBE:
                packet_id = int.from_bytes(packets.body_of(whole)[:2])
                self.send(packets.unsuback(self.version, packet_id, 0, 0, 0))
            elif kind == packets.DISCONNECT:
                return

    async def until_closed(self) -> None:
        """Read and say nothing until the client is gone."""
        while await self.packet():
            pass

    @property
    def published(self) -> list[tuple[str, bytes, int]]:
        """Topic, payload and packet id of what the client published."""
        return [
            packets.read_publish(each, self.version)
            for each in self.received
            if each[0] & 0xF0 == packets.PUBLISH
        ]

    def stop_reading(self) -> None:
        self._writer.transport.pause_reading()  # type: ignore[attr-defined]  # a test looks inside

    def go_on_reading(self) -> None:
        self._writer.transport.resume_reading()  # type: ignore[attr-defined]  # a test looks inside

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
        self.failures: list[BaseException] = []
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
        await self._end_tasks()
        self._server.abort_clients()
        await self._server.wait_closed()
        # Those of clients that were let in meanwhile.
        await self._end_tasks()
        assert not self.failures

    @property
    def peer(self) -> Peer:
        return self.peers[-1]

    async def _end_tasks(self) -> None:
        for task in tuple(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._play(Peer(reader, writer)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _play(self, peer: Peer) -> None:
        self.peers.append(peer)
        try:
            with suppress(Left):
                await self._script(peer)
            await peer.close()
        except Exception as err:  # noqa: BLE001 - a script's failure must fail its test
            self.failures.append(err)
        finally:
            peer.reset()
