"""Byte streams to a broker: TCP, TLS and WebSocket, each an asyncio transport.

The caller sets the deadline; every failure becomes a ConnectError that names the step.
"""

import asyncio
from collections.abc import Callable
import contextlib
import socket
import ssl
from typing import override

import aiohappyeyeballs
import aiohttp
from yarl import URL

from ..errors import Cause, ConnectError, Step
from .reader import HARD_LIMIT
from .settings import BrokerSettings, Transport
from .tcp import TcpTransport
from .websocket import CLOSE_WITHIN, WebSocketTransport

_IPV6_HEAD_START = 0.25  # RFC 8305 section 8

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
            timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_WITHIN),
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
