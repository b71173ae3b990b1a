"""A plain TCP connection as an asyncio transport, whose reads take one call each.

asyncio's own needs three calls for a read, and allocates all that it could hold. At a slow pace
each message is a read of its own.
"""

import asyncio
from collections.abc import Callable
from functools import partial
import socket
from typing import override

# What is read at once: more would hold everybody else up for too long, and what could come is
# allocated for each read.
_MUCH = 32 * 1024
_LITTLE = 8 * 1024
HIGH_WATER = 64 * 1024  # as asyncio's own transports
LOW_WATER = HIGH_WATER // 4
# Linux only: elsewhere acknowledgements come as late as the system likes.
_QUICK_ACK: int | None = getattr(socket, "TCP_QUICKACK", None)


def quick_acknowledgement(transport: asyncio.BaseTransport) -> Callable[[], object]:
    """Return what has received bytes acknowledged at once; to be called after each write.

    Brokers that keep Nagle's algorithm hold a second small packet back until the first is
    acknowledged, and Linux takes 40 ms for that once it has seen us write: a command's PUBACK
    would delay its answer.
    """
    sock = transport.get_extra_info("socket")
    if _QUICK_ACK is None or sock is None:
        return bool
    ask = partial(sock.setsockopt, socket.IPPROTO_TCP, _QUICK_ACK, 1)

    def acknowledge() -> None:
        # aiohttp closes the socket before it hands out what came last.
        try:
            ask()
        except OSError:
            return

    return acknowledge


class TcpTransport(asyncio.Transport):
    """A connected, non-blocking socket; `protocol` is told of the connection at once.

    Bytes that the socket does not take wait here, above 64 KiB with the protocol paused. When the
    protocol fails while it takes bytes, the connection ends: what follows may be no packet.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, sock: socket.socket, protocol: asyncio.Protocol
    ) -> None:
        super().__init__({"socket": sock})
        self._loop = loop
        self._socket = sock
        self._protocol = protocol
        self._receive = sock.recv
        self._hand_on = protocol.data_received
        self._size = _LITTLE
        self._waiting = bytearray()
        self._reading = False
        self._paused = False
        self._closing = self._ended = False
        protocol.connection_made(self)
        self.resume_reading()

    @override
    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._ended:
            return
        if not self._waiting:
            sent = self._send(data)
            if sent == len(data) or self._ended:
                return
            data = memoryview(data)[sent:]
            self._loop.add_writer(self._socket, self._write_on)
        self._waiting += data
        if not self._paused and len(self._waiting) > HIGH_WATER:
            self._paused = True
            self._protocol.pause_writing()

    @override
    def pause_reading(self) -> None:
        if self._reading:
            self._reading = False
            self._loop.remove_reader(self._socket)

    @override
    def resume_reading(self) -> None:
        if not self._reading and not self._closing:
            self._reading = True
            self._loop.add_reader(self._socket, self._read)

    @override
    def is_reading(self) -> bool:
        return self._reading

    @override
    def is_closing(self) -> bool:
        return self._closing

    @override
    def close(self) -> None:
        """Send what waits, then close."""
        self._closing = True
        self.pause_reading()
        if not self._waiting:
            self._end(None)

    @override
    def abort(self) -> None:
        """Close without sending what waits."""
        self._end(None)

    def _read(self) -> None:
        try:
            data = self._receive(self._size)
        except BlockingIOError, InterruptedError:
            return
        except OSError as err:
            self._end(err)
            return
        if not data:
            self._end(None)
            return
        self._size = _MUCH if len(data) == self._size else _LITTLE
        try:
            self._hand_on(data)
        except SystemExit, KeyboardInterrupt:
            raise
        except BaseException as err:  # noqa: BLE001 - as asyncio's own
            self._loop.call_exception_handler(
                {
                    "message": "Received bytes could not be handled",
                    "exception": err,
                    "transport": self,
                    "protocol": self._protocol,
                }
            )
            self._end(err if isinstance(err, Exception) else None)

    def _send(self, data: bytes | bytearray | memoryview) -> int:
        try:
            return self._socket.send(data)
        except BlockingIOError, InterruptedError:
            return 0
        except OSError as err:
            self._end(err)
            return 0

    def _write_on(self) -> None:
        del self._waiting[: self._send(self._waiting)]
        if self._ended:
            return
        if not self._waiting:
            self._loop.remove_writer(self._socket)
            if self._closing:
                self._end(None)
                return
        if self._paused and len(self._waiting) < LOW_WATER:
            self._paused = False
            self._protocol.resume_writing()

    def _end(self, error: Exception | None) -> None:
        """Close the socket; the protocol is told in a turn of its own."""
        if self._ended:
            return
        self._closing = self._ended = True
        self.pause_reading()
        self._loop.remove_writer(self._socket)
        self._waiting.clear()
        self._loop.call_soon(self._tell_end, error)

    def _tell_end(self, error: Exception | None) -> None:
        self._socket.close()
        self._protocol.connection_lost(error)
