"""Fetching an image as the protocol wants it: HTTPS, verified, not from another host."""

from collections.abc import Awaitable, Callable

import aiohttp
from yarl import URL

from .config import Updates
from .orders import Order
from .refusals import TOO_LARGE

_CHUNK = 16 * 1024
_MAX_REDIRECTS = 5
_MAX_TEXT = 255
_REDIRECTS = frozenset({301, 302, 303, 307, 308})

# Called with the bytes that are here, and how many there will be if that is known.
type OnBytes = Callable[[int, int | None], Awaitable[None]]


class UpdateFailed(Exception):
    """The image cannot be installed; the text is the answer's `error`."""


async def download(order: Order, updates: Updates, on_bytes: OnBytes) -> bytes:
    """Give the image, of the right size but of any content; raises UpdateFailed."""
    wait = aiohttp.ClientTimeout(
        total=None, sock_connect=updates.timeout, sock_read=updates.timeout
    )
    # The image counts, not what compression makes of it.
    headers = {"Accept-Encoding": "identity"}
    try:
        connector = aiohttp.TCPConnector(
            ssl=updates.ssl_context(), resolver=aiohttp.ThreadedResolver()
        )
        async with aiohttp.ClientSession(
            connector=connector, timeout=wait, headers=headers, auto_decompress=False
        ) as session:
            return await _follow(session, order, updates, on_bytes)
    except TimeoutError as error:
        raise UpdateFailed("download failed: timed out") from error
    except (aiohttp.ClientError, OSError, ValueError) as error:
        why = str(error) or type(error).__name__
        raise UpdateFailed(f"download failed: {why}"[:_MAX_TEXT]) from error


async def _follow(
    session: aiohttp.ClientSession, order: Order, updates: Updates, on_bytes: OnBytes
) -> bytes:
    url = URL(order.url)
    for _ in range(_MAX_REDIRECTS):
        async with session.get(url, allow_redirects=False) as response:
            if response.status not in _REDIRECTS:
                return await _read(response, order, updates, on_bytes)
            url = _target(url, response.headers.get("Location", ""))
    raise UpdateFailed("download failed: too many redirects")


def _target(url: URL, location: str) -> URL:
    target = url.join(URL(location))
    if (target.scheme, target.host) != ("https", url.host):
        raise UpdateFailed("redirect refused")
    return target


async def _read(
    response: aiohttp.ClientResponse, order: Order, updates: Updates, on_bytes: OnBytes
) -> bytes:
    if response.status != 200:
        raise UpdateFailed(f"download failed: HTTP {response.status}")
    limit = order.size or updates.max_size
    announced = response.content_length
    if announced is not None and announced > limit:
        raise UpdateFailed(TOO_LARGE)
    image = bytearray()
    async for chunk in response.content.iter_chunked(_CHUNK):
        image += chunk
        if len(image) > limit:
            raise UpdateFailed(TOO_LARGE)
        await on_bytes(len(image), order.size or announced)
    if order.size is not None and len(image) != order.size:
        raise UpdateFailed("size mismatch")
    return bytes(image)
