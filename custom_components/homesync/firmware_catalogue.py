"""Keeps the firmware catalogue of a household up to date."""

import asyncio
from collections.abc import Callable
import logging
import random
from ssl import SSLContext
from typing import Final

import aiohttp
from homeassistant.core import CALLBACK_TYPE, HassJob, HomeAssistant, callback
from homeassistant.helpers.aiohttp_client import async_get_clientsession
from homeassistant.helpers.event import async_call_later
from yarl import URL

from .client import Firmware, InvalidSettingError
from .firmware import (
    Content,
    NoCatalogueError,
    ascii_address,
    catalogue_host,
    host_of,
    is_newer,
    parse,
)

_LOGGER = logging.getLogger(__name__)

_EVERY: Final = 12 * 3600.0
# After a failure; at a start the network may be up later than we are.
_AGAIN: Final = 900.0
# So that not everybody asks one server in the same moment.
_JITTER: Final = 0.1
_WITHIN: Final = 30.0
_LARGEST_ANSWER: Final = 1024 * 1024
_MOST_REDIRECTS: Final = 5
_MOST_LOGGED: Final = 5
_REDIRECTS: Final = (301, 302, 303, 307, 308)
# An answer that need not be unpacked cannot grow by it.
_HEADERS: Final = {"Accept": "application/json", "Accept-Encoding": "identity"}
_WORDS: Final[tuple[tuple[type[Exception], str], ...]] = (
    (NoCatalogueError, "{error}"),
    (TimeoutError, "no answer in time"),
    (aiohttp.ClientSSLError, "no secure connection, its certificate may be wrong"),
    (aiohttp.ClientConnectorDNSError, "its name cannot be resolved"),
    (aiohttp.ClientConnectorError, "it cannot be reached"),
    (aiohttp.ClientError, "its answer cannot be read"),
    (OSError, "the connection broke"),
)


class FirmwareCatalogue:
    """The catalogue of one household; `on_change` hears of every change.

    `error` says in words, without the address, why the last try failed; what was read
    before stays. `ssl` stands in for Home Assistant's own context, `within` is the
    longest that a try may take, in seconds.
    """

    def __init__(
        self,
        hass: HomeAssistant,
        url: str,
        name: str,
        on_change: Callable[[], None],
        *,
        ssl: SSLContext | None = None,
        within: float = _WITHIN,
    ) -> None:
        self.error: str | None = None
        self.content = Content()
        self._hass = hass
        self._url = url
        self._name = name
        self._on_change = on_change
        self._ssl = ssl
        self._within = within
        self._task: asyncio.Task[None] | None = None
        self._timer: CALLBACK_TYPE | None = None
        self._stopped = False

    @property
    def host(self) -> str | None:
        """`host:port` of the catalogue, which may offer images, too; None if it has no good one."""
        return host_of(ascii_address(self._url))

    def latest(self, model: str | None, installed: str | None) -> Firmware | None:
        """Return the newest firmware of a model if it is an update for who runs `installed`.

        Without `installed` it is the newest one; models are compared to the letter.
        """
        firmware = None if model is None else self.content.newest.get(model)
        if firmware is None or not is_newer(firmware.version, installed):
            return None
        return firmware

    @callback
    def start(self) -> None:
        """Begin to fetch the catalogue, now and twice a day."""
        self._start_refresh()

    @callback
    def stop(self) -> None:
        """End at once; nothing is left afterwards."""
        self._stopped = True
        self._cancel_timer()
        if self._task is not None:
            self._task.cancel()

    async def async_refresh(self) -> None:
        """Fetch the catalogue now; `error` tells whether it worked."""
        await asyncio.wait((self._start_refresh(),))

    def _start_refresh(self) -> asyncio.Task[None]:
        if self._task is None:
            self._cancel_timer()
            self._task = self._hass.async_create_background_task(
                self._refresh(), f"firmware catalogue of {self._name}", eager_start=False
            )
        return self._task

    async def _refresh(self) -> None:
        content, error = self.content, None
        try:
            async with asyncio.timeout(self._within):
                body = await self._fetch()
            content = await self._hass.async_add_executor_job(parse, body)
        except tuple(kind for kind, _ in _WORDS) as err:
            words = next(words for kind, words in _WORDS if isinstance(err, kind))
            error = f"{self.host}: {words.format(error=err)}"
        except InvalidSettingError as err:
            error = str(err)
        finally:
            self._task = None
        self._plan(_EVERY if error is None else _AGAIN)
        self._take(content, error)

    async def _fetch(self) -> bytes:
        host = catalogue_host(self._url)
        address = URL(ascii_address(self._url))
        session = async_get_clientsession(self._hass)
        for _ in range(_MOST_REDIRECTS + 1):
            async with session.get(
                address,
                allow_redirects=False,
                auto_decompress=False,
                headers=_HEADERS,
                ssl=self._ssl or True,
            ) as response:
                if response.status not in _REDIRECTS:
                    return await _body(response)
                address = _redirected(response, host)
        raise NoCatalogueError("it redirects in a circle")

    def _take(self, content: Content, error: str | None) -> None:
        """Note how it went; log what is new about it."""
        if error is not None and self.error is None:
            _LOGGER.info("Household %s: no firmware catalogue: %s", self._name, error)
        elif error is None and self.error is not None:
            _LOGGER.info("Household %s: the firmware catalogue is there again", self._name)
        if content.problems and content.problems != self.content.problems:
            _LOGGER.warning(
                "Household %s: %d entries of the firmware catalogue are skipped: %s",
                self._name,
                content.skipped,
                "; ".join(content.problems[:_MOST_LOGGED]),
            )
        changed = (content, error) != (self.content, self.error)
        self.content, self.error = content, error
        if changed:
            self._on_change()

    def _plan(self, wait: float) -> None:
        if self._stopped:
            return
        wait *= 1 + random.uniform(-_JITTER, _JITTER)
        job = HassJob(self._on_time, cancel_on_shutdown=True)
        self._timer = async_call_later(self._hass, wait, job)

    @callback
    def _on_time(self, _now: object) -> None:
        self._timer = None
        self._start_refresh()

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer()
            self._timer = None


def _redirected(response: aiohttp.ClientResponse, host: str) -> URL:
    """Return where a redirect leads, if it stays at the host."""
    try:
        target = response.url.join(URL(response.headers.get("Location", "")))
    except ValueError:
        raise NoCatalogueError("it redirects to no address") from None
    if host_of(str(target)) != host:
        raise NoCatalogueError("it redirects to another host, which is not followed")
    return target


async def _body(response: aiohttp.ClientResponse) -> bytes:
    """Read an answer, at most as much as is allowed."""
    if response.status != 200:
        raise NoCatalogueError(f"it answers with status {response.status}")
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > _LARGEST_ANSWER:
            raise NoCatalogueError(f"it sends more than {_LARGEST_ANSWER} bytes")
    return bytes(body)
