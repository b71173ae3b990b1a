"""Byte streams to a broker: TCP and TLS, native asyncio."""

import asyncio
from collections.abc import Callable
import socket
import ssl

import aiohappyeyeballs

from ..errors import Cause, ConnectError, Step
from .settings import BrokerSettings

_IPV6_HEAD_START = 0.25  # RFC 8305 section 8


async def open_stream(
    settings: BrokerSettings, protocol: asyncio.Protocol, entered: Callable[[Step], None]
) -> asyncio.Transport:
    """Connect `protocol` to the broker; `entered` is told of each step that begins.

    The caller sets the deadline. Raises ConnectError.
    """
    loop = asyncio.get_running_loop()
    entered(Step.RESOLVE)
    addresses = await _resolve(loop, settings)
    entered(Step.TCP)
    sock = await _connect(addresses)
    try:
        if settings.tls is None:
            transport, _ = await loop.create_connection(lambda: protocol, sock=sock)
            return transport
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
        raise ConnectError(
            Cause.CANNOT_RESOLVE, Step.RESOLVE, "the broker's host name cannot be resolved"
        ) from err
    return list(found)


async def _connect(addresses: list[aiohappyeyeballs.AddrInfoType]) -> socket.socket:
    try:
        sock = await aiohappyeyeballs.start_connection(
            addresses, happy_eyeballs_delay=_IPV6_HEAD_START
        )
    except ConnectionRefusedError as err:
        raise ConnectError(
            Cause.REFUSED, Step.TCP, "nothing listens on the broker's port (connection refused)"
        ) from err
    except TimeoutError as err:
        raise ConnectError(Cause.TIMED_OUT, Step.TCP, "the broker does not answer") from err
    except OSError as err:
        raise ConnectError(
            Cause.UNREACHABLE, Step.TCP, f"the broker cannot be reached ({err.strerror or err})"
        ) from err
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
            lambda: protocol, sock=sock, ssl=context, server_hostname=settings.host
        )
    except ssl.SSLCertVerificationError as err:
        raise ConnectError(
            Cause.TLS, Step.TLS, f"the broker's certificate is not valid: {err.verify_message}"
        ) from err
    except ssl.SSLError as err:
        raise ConnectError(
            Cause.TLS, Step.TLS, f"TLS could not be agreed ({err.reason or 'handshake failed'})"
        ) from err
    except OSError as err:
        raise ConnectError(
            Cause.TLS, Step.TLS, "the broker ended the TLS handshake; is this its TLS port?"
        ) from err
    return transport
