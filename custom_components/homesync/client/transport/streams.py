"""Byte streams to a broker: TCP, TLS and WebSocket, each an asyncio transport.

The caller sets the deadline; every failure becomes a ConnectError that names the step.
"""

import asyncio
from collections.abc import Callable
import contextlib
from functools import partial
import socket
import ssl
from typing import cast, override

import aiohappyeyeballs
import aiohttp
from yarl import URL

from ..errors import Cause, ConnectError, Step
from .reader import HARD_LIMIT
from .settings import BrokerSettings, Transport
from .tcp import TcpTransport

_IPV6_HEAD_START = 0.25  # RFC 8305 section 8
_HIGH_WATER = 64 * 1024  # as asyncio's own transports
_LOW_WATER = _HIGH_WATER // 4
_FRAME = 64 * 1024
_CLOSE_WITHIN = 0.5

# OpenSSL's X509_V_ERR_…: verify(1).
_TLS_CAUSES = {
    9: Cause.TLS_NOT_YET_VALID,
    10: Cause.TLS_EXPIRED,
    18: Cause.TLS_SELF_SIGNED,
    19: Cause.TLS_UNKNOWN_ISSUER,
    20: Cause.TLS_UNKNOWN_ISSUER,
    62: Cause.TLS_WRONG_HOST,
    64: Cause.TLS_WRONG_HOST,
}
# TLS alerts by which a broker refuses or misses our certificate: RFC 8446 section 6.
_CLIENT_CERTIFICATE_ALERTS = (
    "CERTIFICATE_REQUIRED",
    "BAD_CERTIFICATE",
    "UNSUPPORTED_CERTIFICATE",
    "CERTIFICATE_REVOKED",
    "CERTIFICATE_EXPIRED",
    "CERTIFICATE_UNKNOWN",
    "UNKNOWN_CA",
    "ALERT_HANDSHAKE_FAILURE",
)

# Linux only: elsewhere acknowledgements come as late as the system likes.
_QUICK_ACK: int | None = getattr(socket, "TCP_QUICKACK", None)

# An eighth of what asyncio takes, and allocates for each read: handling more would hold everybody
# else up.
_READ = 32 * 1024

type Entered = Callable[[Step], None]


class _ReadBuffer(asyncio.BufferedProtocol):
    """Hands on what asyncio's TLS decrypts, through one buffer for all reads.

    A view, not the bytes: TLS fills it piece by piece, through slices.
    """

    def __init__(self, receiver: asyncio.Protocol) -> None:
        self._receiver = receiver
        self._view = memoryview(bytearray(_READ))

    @override
    def get_buffer(self, sizehint: int) -> memoryview:
        return self._view

    @override
    def buffer_updated(self, nbytes: int) -> None:
        self._receiver.data_received(bytes(self._view[:nbytes]))

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._secured: ssl.SSLObject = transport.get_extra_info("ssl_object")
        self._receiver.connection_made(transport)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        # asyncio reads once more at the end, and leaves what the buffer does not hold. After any
        # other error than of the connection, nobody knows where a packet begins.
        rest = self._rest() if exc is None or isinstance(exc, ConnectionError) else b""
        if not rest:
            self._receiver.connection_lost(exc)
            return
        try:
            self._receiver.data_received(rest)
        except Exception as err:
            exc = err
            raise
        finally:
            asyncio.get_running_loop().call_soon(self.connection_lost, exc)

    @override
    def pause_writing(self) -> None:
        self._receiver.pause_writing()

    @override
    def resume_writing(self) -> None:
        self._receiver.resume_writing()

    def _rest(self) -> bytes:
        """Decrypt of what has come as much as is handed on at once."""
        rest = bytearray()
        with contextlib.suppress(ssl.SSLError):
            while len(rest) < _READ and (data := self._secured.read(_READ - len(rest))):
                rest += data
        return bytes(rest)


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


def certificate_expires(transport: asyncio.BaseTransport) -> float | None:
    """When the peer's certificate ends, in seconds since the epoch; None if it showed none."""
    secured = transport.get_extra_info("ssl_object")
    certificate = secured.getpeercert() if secured is not None else None
    ends = certificate.get("notAfter") if certificate else None
    return float(ssl.cert_time_to_seconds(ends)) if isinstance(ends, str) else None


async def open_stream(
    settings: BrokerSettings, transport: Transport, protocol: asyncio.Protocol, entered: Entered
) -> asyncio.Transport:
    """Connect `protocol` to the broker; `entered` is told of each step that begins."""
    if transport is Transport.WEBSOCKET:
        return await _open_websocket(settings, protocol, entered)
    loop = asyncio.get_running_loop()
    entered(Step.RESOLVE)
    addresses = await _resolve(loop, settings)
    entered(Step.TCP)
    sock = await _connect(addresses)
    try:
        if settings.tls is None:
            return TcpTransport(loop, sock, protocol)
        entered(Step.TLS)
        return await _secure(loop, settings, settings.tls, protocol, sock)
    except BaseException:
        sock.close()
        raise


async def _resolve(
    loop: asyncio.AbstractEventLoop, settings: BrokerSettings
) -> list[aiohappyeyeballs.AddrInfoType]:
    try:
        found = await loop.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)
    except (OSError, ValueError) as err:
        raise _unresolved(err) from err
    return list(found)


async def _connect(addresses: list[aiohappyeyeballs.AddrInfoType]) -> socket.socket:
    try:
        sock = await aiohappyeyeballs.start_connection(
            addresses, happy_eyeballs_delay=_IPV6_HEAD_START
        )
    except OSError as err:
        raise _unreachable(err, Step.TCP) from err
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


async def _secure(
    loop: asyncio.AbstractEventLoop,
    settings: BrokerSettings,
    context: ssl.SSLContext,
    protocol: asyncio.Protocol,
    sock: socket.socket,
) -> asyncio.Transport:
    try:
        transport, _ = await loop.create_connection(
            lambda: _ReadBuffer(protocol), sock=sock, ssl=context, server_hostname=settings.host
        )
    except OSError as err:
        raise insecure(err) from err
    return transport


def _unresolved(err: Exception) -> ConnectError:
    words = "the broker's host name cannot be resolved"
    return ConnectError(Cause.CANNOT_RESOLVE, Step.RESOLVE, words)


def _unreachable(err: OSError, step: Step) -> ConnectError:
    match err:
        case ConnectionRefusedError():
            words = "nothing listens on the broker's port (connection refused)"
            return ConnectError(Cause.REFUSED, step, words)
        case TimeoutError():
            return ConnectError(Cause.TIMED_OUT, step, "the broker does not answer")
        case _:
            words = (
                f"the broker cannot be reached ({err.strerror or str(err) or type(err).__name__})"
            )
            return ConnectError(Cause.UNREACHABLE, step, words)


def insecure(err: Exception) -> ConnectError:
    """Return what a failure of TLS means."""
    match err:
        case ssl.SSLCertVerificationError():
            cause = _TLS_CAUSES.get(err.verify_code, Cause.TLS_UNKNOWN_ISSUER)
            words = f"the broker's certificate is not valid: {err.verify_message}"
        case ssl.SSLError() if any(a in (err.reason or "") for a in _CLIENT_CERTIFICATE_ALERTS):
            cause = Cause.TLS_CLIENT_CERTIFICATE
            words = f"the broker does not accept our certificate ({err.reason})"
        case ssl.SSLError():
            cause = Cause.TLS
            words = f"TLS could not be agreed ({err.reason or 'handshake failed'})"
        case _:
            cause = Cause.TLS
            words = "the broker ended the TLS handshake; is this its TLS port?"
    return ConnectError(cause, Step.TLS, words)


async def _open_websocket(
    settings: BrokerSettings, protocol: asyncio.Protocol, entered: Entered
) -> asyncio.Transport:
    """Open a WebSocket with sub-protocol `mqtt` (MQTT 5 section 6)."""
    entered(Step.WEBSOCKET)
    websocket = settings.websocket
    if websocket is None or settings.http is None:
        raise ConnectError(Cause.WEBSOCKET, Step.WEBSOCKET, "no WebSocket address is set")
    url = URL.build(
        scheme="ws" if settings.tls is None else "wss",
        host=settings.host,
        port=websocket.port,
        path="/" + websocket.path.lstrip("/"),
    )
    try:
        connection = await settings.http.ws_connect(
            url,
            protocols=("mqtt",),
            headers=websocket.headers,
            ssl=True if settings.tls is None else settings.tls,
            max_msg_size=HARD_LIMIT,
            timeout=aiohttp.ClientWSTimeout(ws_close=_CLOSE_WITHIN),
        )
    except aiohttp.ClientConnectorCertificateError as err:
        raise insecure(err.certificate_error) from err
    except aiohttp.ClientConnectorDNSError as err:
        raise _unresolved(err) from err
    except aiohttp.ClientConnectorSSLError as err:
        raise insecure(err.os_error) from err
    except aiohttp.ClientConnectorError as err:
        raise _unreachable(err.os_error, Step.WEBSOCKET) from err
    except aiohttp.WSServerHandshakeError as err:
        words = f"the server answered HTTP {err.status} instead of a WebSocket; is the path right?"
        raise ConnectError(Cause.WEBSOCKET, Step.WEBSOCKET, words) from err
    except (aiohttp.ClientError, OSError) as err:
        words = f"no WebSocket came about ({type(err).__name__})"
        raise ConnectError(Cause.WEBSOCKET, Step.WEBSOCKET, words) from err
    if connection.protocol != "mqtt":
        await connection.close()
        words = "the server does not offer MQTT over its WebSocket"
        raise ConnectError(Cause.WEBSOCKET, Step.WEBSOCKET, words)
    return WebSocketTransport(connection, protocol)


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
        if not self._paused and len(self._waiting) > _HIGH_WATER:
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
            self._protocol.data_received(data[:_READ])
            for at in range(_READ, len(data), _READ):
                await asyncio.sleep(0)
                await self._may_read.wait()
                self._protocol.data_received(data[at : at + _READ])

    async def _write(self) -> None:
        while self._waiting or not self._closing:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                frame = bytes(self._waiting[:_FRAME])
                del self._waiting[:_FRAME]
                await self._websocket.send_bytes(frame)
                self._acknowledge_quickly()
                if self._paused and len(self._waiting) < _LOW_WATER:
                    self._paused = False
                    self._protocol.resume_writing()

    async def _finish(self) -> None:
        """Close when reading or writing has ended, and tell the protocol."""
        await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        self._closing = True
        reading, writing = self._tasks
        if writing.done() and not writing.cancelled() and writing.exception():
            # What came before the peer's end is there to be read.
            await asyncio.wait((reading,), timeout=_CLOSE_WITHIN)
        for task in self._tasks:
            task.cancel()
        results = await asyncio.gather(*self._tasks, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception):
                self._error = result
        try:
            async with asyncio.timeout(_CLOSE_WITHIN):
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
