"""A WebSocket as an asyncio transport."""

import asyncio
import contextlib
import socket
from typing import cast, override

import aiohttp

from .tcp import HIGH_WATER, LOW_WATER, quick_acknowledgement

_FRAME = 64 * 1024
_PIECE = 32 * 1024  # as much as a read of TCP
CLOSE_WITHIN = 0.5


class WebSocketTransport(asyncio.Transport):
    """A WebSocket as the byte stream that MQTT makes of it.

    A packet may span frames and a frame may hold many; a large one is handed on in pieces, each in
    a turn of its own. Bytes to send wait here, above 64 KiB with the protocol paused.
    """

    def __init__(
        self, websocket: aiohttp.ClientWebSocketResponse, protocol: asyncio.Protocol
    ) -> None:
        super().__init__()
        loop = asyncio.get_running_loop()
        self._websocket = websocket
        self._protocol = protocol
        self._acknowledge_quickly = quick_acknowledgement(self)
        self._waiting = bytearray()
        self._wake = asyncio.Event()
        self._may_read = asyncio.Event()
        self._may_read.set()
        self._paused = False
        self._closing = False
        self._error: BaseException | None = None
        protocol.connection_made(self)
        self._tasks = (loop.create_task(self._read()), loop.create_task(self._write()))
        self._end = loop.create_task(self._finish())

    @override
    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._waiting += data
        self._wake.set()
        if not self._paused and len(self._waiting) > HIGH_WATER:
            self._paused = True
            self._protocol.pause_writing()

    @override
    def pause_reading(self) -> None:
        self._may_read.clear()

    @override
    def resume_reading(self) -> None:
        self._may_read.set()

    @override
    def is_reading(self) -> bool:
        return self._may_read.is_set()

    @override
    def is_closing(self) -> bool:
        return self._closing

    @override
    def get_extra_info(self, name: str, default: object = None) -> object:
        return self._websocket.get_extra_info(name, default)

    @override
    def close(self) -> None:
        """Send what waits, then close."""
        self._closing = True
        self._wake.set()

    @override
    def abort(self) -> None:
        """Close without sending what waits."""
        self._closing = True
        for task in self._tasks:
            task.cancel()
        self._cut()

    async def wait_closed(self) -> None:
        """Return when nothing of the connection is left."""
        await asyncio.wait((self._end,))

    async def _read(self) -> None:
        while True:
            await self._may_read.wait()
            message = await self._websocket.receive()
            if message.type is not aiohttp.WSMsgType.BINARY:
                self._error = self._websocket.exception()
                return
            # aiohttp may have answered a PING meanwhile.
            self._acknowledge_quickly()
            data = message.data
            self._protocol.data_received(data[:_PIECE])
            for at in range(_PIECE, len(data), _PIECE):
                await asyncio.sleep(0)
                await self._may_read.wait()
                self._protocol.data_received(data[at : at + _PIECE])

    async def _write(self) -> None:
        while self._waiting or not self._closing:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                frame = bytes(self._waiting[:_FRAME])
                del self._waiting[:_FRAME]
                await self._websocket.send_bytes(frame)
                self._acknowledge_quickly()
                if self._paused and len(self._waiting) < LOW_WATER:
                    self._paused = False
                    self._protocol.resume_writing()

    async def _finish(self) -> None:
        """Close when reading or writing has ended, and tell the protocol."""
        await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        self._closing = True
        reading, writing = self._tasks
        if writing.done() and not writing.cancelled() and writing.exception():
            # What came before the peer's end is there to be read.
            await asyncio.wait((reading,), timeout=CLOSE_WITHIN)
        for task in self._tasks:
            task.cancel()
        results = await asyncio.gather(*self._tasks, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception):
                self._error = result
        try:
            async with asyncio.timeout(CLOSE_WITHIN):
                await self._websocket.close()
        except TimeoutError:
            pass
        finally:
            self._cut()
        error = self._error
        self._protocol.connection_lost(error if isinstance(error, Exception) else None)

    def _cut(self) -> None:
        """End the socket: a peer that reads nothing would keep it, or one that never stops."""
        sock = cast("socket.socket | None", self.get_extra_info("socket"))
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
