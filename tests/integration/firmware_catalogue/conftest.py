"""Catalogues, and an HTTPS server that offers them as a test says."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
import json
import ssl
from typing import Any

from aiohttp import web
from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import async_fire_time_changed
import trustme

from custom_components.homesync.firmware_catalogue import FirmwareCatalogue

PLUG = {
    "model": "Plug S",
    "version": "1.3.0",
    "url": "https://firmware.example/plug.bin",
    "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
}

type Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Server:
    """Answers each path as a test says, and counts."""

    def __init__(self) -> None:
        self.port = 0
        self.requests: list[web.Request] = []
        self.answers: dict[str, Answer] = {}
        self.over = asyncio.Event()

    def offer(self, *entries: object, path: str = "/firmware.json") -> None:
        self.send(json.dumps({"firmware": entries}).encode(), path=path)

    def send(
        self, body: bytes, path: str = "/firmware.json", status: int = 200, **headers: str
    ) -> None:
        async def answer(_request: web.Request) -> web.Response:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            return web.Response(body=body, status=status, headers=named)

        self.answers[path] = answer

    def redirect(self, to: str, path: str = "/firmware.json", status: int = 302) -> None:
        self.send(b"", path=path, status=status, Location=to)

    def url(self, path: str = "/firmware.json", host: str = "127.0.0.1") -> str:
        return f"https://{host}:{self.port}{path}"

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        return await self.answers[request.path](request)


@pytest.fixture
async def server(authority: trustme.CA, socket_enabled: None) -> AsyncIterator[Server]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    running = Server()
    app = web.Application()
    app.router.add_get("/{path:.*}", running.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    running.port = runner.addresses[0][1]
    running.offer(PLUG)
    yield running
    running.over.set()
    await runner.cleanup()


class Told:
    """Counts how often the catalogue told of a change."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> None:
        self.times += 1


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


type Make = Callable[..., FirmwareCatalogue]


@pytest.fixture
async def make(
    hass: HomeAssistant, server: Server, told: Told, trusting: ssl.SSLContext
) -> AsyncIterator[Make]:
    """Make catalogues that end with the test."""
    made: list[FirmwareCatalogue] = []

    def _make(url: str | None = None, **options: Any) -> FirmwareCatalogue:
        options = {"ssl": trusting, **options}
        made.append(FirmwareCatalogue(hass, url or server.url(), "Villa", told, **options))
        return made[-1]

    yield _make
    for each in made:
        each.stop()


def version_in(catalogue: FirmwareCatalogue) -> str | None:
    firmware = catalogue.latest("Plug S", None)
    return None if firmware is None else firmware.version


async def later(hass: HomeAssistant, **time: float) -> None:
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(**time))
    await hass.async_block_till_done(wait_background_tasks=True)
