"""The catalogue, fetched by the real Home Assistant from a real HTTPS server."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
import gzip
import json
import logging
from pathlib import Path
import ssl
from typing import Any

from aiohttp import web
from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import async_fire_time_changed
import trustme

from custom_components.homesync.firmware_catalogue import FirmwareCatalogue
from tests.broker import Mosquitto

from .certificates import listener
from .waiting import until

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


async def test_the_newest_firmware_of_a_model_is_offered(make: Make, server: Server) -> None:
    server.offer(PLUG, {**PLUG, "version": "1.2.0"}, {**PLUG, "model": "Strip", "version": "7"})
    catalogue = make()
    assert catalogue.latest("Plug S", "1.2.0") is None
    await catalogue.async_refresh()
    found = catalogue.latest("Plug S", "1.2.0")
    assert found is not None
    assert (found.version, found.url) == ("1.3.0", PLUG["url"])
    assert catalogue.latest("Plug S", None) == found
    assert catalogue.latest("Plug S", "1.3.0") is None
    assert catalogue.latest("Plug S", "2.0.0") is None
    assert catalogue.latest("plug s", "1.2.0") is None
    assert catalogue.latest(None, "1.2.0") is None
    assert catalogue.error is None
    assert catalogue.host == server.host


async def test_it_is_fetched_at_the_start_and_twice_a_day(
    hass: HomeAssistant, make: Make, server: Server
) -> None:
    catalogue = make()
    catalogue.start()
    await until(hass, lambda: version_in(catalogue) == "1.3.0")
    server.offer({**PLUG, "version": "1.4.0"})
    await later(hass, hours=10)
    assert len(server.requests) == 1
    await later(hass, hours=14)
    assert len(server.requests) == 2
    assert version_in(catalogue) == "1.4.0"


async def test_a_change_is_told_and_only_that(make: Make, server: Server, told: Told) -> None:
    catalogue = make()
    await catalogue.async_refresh()
    await catalogue.async_refresh()
    assert told.times == 1
    server.offer({**PLUG, "version": "1.4.0"})
    await catalogue.async_refresh()
    assert told.times == 2
    server.send(b"", status=500)
    await catalogue.async_refresh()
    await catalogue.async_refresh()
    assert told.times == 3


async def test_two_refreshes_at_once_are_one(make: Make, server: Server) -> None:
    catalogue = make()
    await asyncio.gather(catalogue.async_refresh(), catalogue.async_refresh())
    assert len(server.requests) == 1


async def test_nothing_is_left_after_the_end(
    hass: HomeAssistant, make: Make, server: Server
) -> None:
    asked = asyncio.Event()

    async def never(_request: web.Request) -> web.StreamResponse:
        asked.set()
        await server.over.wait()
        return web.Response()

    server.answers["/firmware.json"] = never
    catalogue = make()
    catalogue.start()
    await asked.wait()
    catalogue.stop()
    await later(hass, hours=24)
    assert len(server.requests) == 1

    server.offer(PLUG)
    await catalogue.async_refresh()
    requests = len(server.requests)
    await later(hass, hours=24)
    assert len(server.requests) == requests


async def test_a_failure_keeps_what_was_read_and_is_logged_once(
    hass: HomeAssistant, make: Make, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "custom_components.homesync")
    catalogue = make(server.url("/firmware.json?token=canary"))
    await catalogue.async_refresh()
    server.send(b"", status=503)
    await catalogue.async_refresh()
    server.send(b"nonsense")
    await later(hass, minutes=20)
    assert len(server.requests) == 3, "a failure is followed by a try within the hour"
    assert version_in(catalogue) == "1.3.0"
    assert catalogue.error == f"{server.host}: what it sends is not JSON"

    server.offer({**PLUG, "version": "1.4.0"})
    await later(hass, minutes=20)
    assert version_in(catalogue) == "1.4.0"
    lines = [each.message for each in caplog.records if each.name.endswith("firmware_catalogue")]
    assert lines == [
        f"Household Villa: no firmware catalogue: {server.host}: it answers with status 503",
        "Household Villa: the firmware catalogue is there again",
    ]


@pytest.mark.parametrize("status", [201, 204, 304, 400, 401, 404, 500])
async def test_only_status_200_counts(make: Make, server: Server, status: int) -> None:
    server.send(b"", status=status)
    catalogue = make()
    await catalogue.async_refresh()
    assert catalogue.error is not None
    assert catalogue.error.endswith(f"it answers with status {status}")


async def test_skipped_entries_are_logged_when_they_change(
    make: Make, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    server.offer(PLUG, {**PLUG, "sha256": "short"})
    catalogue = make()
    await catalogue.async_refresh()
    await catalogue.async_refresh()
    assert version_in(catalogue) == "1.3.0"
    assert catalogue.content.skipped == 1
    [line] = [each.message for each in caplog.records if "skipped" in each.message]
    assert line == (
        "Household Villa: 1 entries of the firmware catalogue are skipped: "
        "entry 2 ('Plug S' '1.3.0'): sha256: 64 hexadecimal digits are needed"
    )


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_on_the_same_host_is_followed(
    make: Make, server: Server, status: int
) -> None:
    server.redirect("/moved.json", status=status)
    server.redirect(server.url("/here.json"), path="/moved.json")
    server.offer(PLUG, path="/here.json")
    catalogue = make()
    await catalogue.async_refresh()
    assert catalogue.error is None
    assert version_in(catalogue) == "1.3.0"


@pytest.mark.parametrize(
    "target",
    [
        "https://localhost:{port}/other.json",
        "https://127.0.0.1:1/other.json",
        "https://127.0.0.1/other.json",
        "http://127.0.0.1:{port}/other.json",
        "//localhost:{port}/other.json",
        "https://127.0.0.1:{port}@localhost:{port}/other.json",
        "https://user@127.0.0.1:{port}/other.json",
        "https://[::1]:{port}/other.json",
        "file:///etc/passwd",
        "javascript:alert(1)",
    ],
)
async def test_a_redirect_to_another_host_is_not_followed(
    make: Make, server: Server, target: str
) -> None:
    server.offer(PLUG, path="/other.json")
    server.redirect(target.format(port=server.port))
    catalogue = make()
    await catalogue.async_refresh()
    assert catalogue.error is not None
    assert catalogue.error.endswith("it redirects to another host, which is not followed")
    assert [each.path for each in server.requests] == ["/firmware.json"]


async def test_a_redirect_to_what_is_no_address_is_an_error(make: Make, server: Server) -> None:
    server.redirect("https://127.0.0.1:port/")
    catalogue = make()
    await catalogue.async_refresh()
    assert catalogue.error is not None
    assert catalogue.error.endswith("it redirects to no address")


async def test_redirects_in_a_circle_end(make: Make, server: Server) -> None:
    server.redirect("/firmware.json")
    catalogue = make()
    await catalogue.async_refresh()
    assert catalogue.error is not None
    assert catalogue.error.endswith("it redirects in a circle")
    assert len(server.requests) == 6


async def test_more_than_a_mebibyte_is_not_read(make: Make, server: Server) -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(b" " * 65_536)
        except ConnectionError:
            return response

    server.answers["/firmware.json"] = endless
    catalogue = make()
    await catalogue.async_refresh()
    assert catalogue.error is not None
    assert catalogue.error.endswith("it sends more than 1048576 bytes")


async def test_a_mebibyte_is_read(make: Make, server: Server) -> None:
    body = json.dumps({"firmware": [PLUG]}).encode()
    server.send(body + b" " * (1_048_576 - len(body)))
    catalogue = make()
    await catalogue.async_refresh()
    assert catalogue.error is None


async def test_a_packed_answer_is_not_unpacked(make: Make, server: Server) -> None:
    server.send(gzip.compress(json.dumps({"firmware": [PLUG]}).encode()), Content_Encoding="gzip")
    catalogue = make()
    await catalogue.async_refresh()
    assert catalogue.error is not None
    assert catalogue.error.endswith("what it sends is not JSON")
    assert server.requests[0].headers["Accept-Encoding"] == "identity"


@pytest.mark.parametrize("begun", [False, True])
async def test_a_server_that_does_not_end_is_given_up(
    make: Make, server: Server, begun: bool
) -> None:
    async def silent(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        if begun:
            await response.prepare(request)
            await response.write(b"{")
        await server.over.wait()
        return response

    server.answers["/firmware.json"] = silent
    catalogue = make(within=0.1)
    await catalogue.async_refresh()
    assert catalogue.error == f"{server.host}: no answer in time"


async def test_an_answer_that_breaks_off_is_an_error(make: Make, server: Server) -> None:
    async def cut(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(b"{")
        assert request.transport is not None
        request.transport.abort()
        return response

    server.answers["/firmware.json"] = cut
    catalogue = make()
    await catalogue.async_refresh()
    assert catalogue.error == f"{server.host}: its answer cannot be read"


async def test_a_certificate_of_a_stranger_is_not_accepted(
    make: Make,
    start_mosquitto: Callable[..., Mosquitto],
    tmp_path: Path,
    authority: trustme.CA,
) -> None:
    # Any server with TLS will do; one in this process reports the end of the handshake as error.
    port = start_mosquitto(settings=listener(tmp_path, authority)).port
    catalogue = make(f"https://127.0.0.1:{port}/firmware.json", ssl=None)
    await catalogue.async_refresh()
    words = "no secure connection, its certificate may be wrong"
    assert catalogue.error == f"127.0.0.1:{port}: {words}"


async def test_a_server_that_is_not_there_is_an_error(make: Make, unused_tcp_port: int) -> None:
    catalogue = make(f"https://127.0.0.1:{unused_tcp_port}/firmware.json")
    await catalogue.async_refresh()
    assert catalogue.error == f"127.0.0.1:{unused_tcp_port}: it cannot be reached"


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:{port}/firmware.json",
        "https://user:canary@127.0.0.1:{port}/firmware.json",
        "https://[::1]:{port}/firmware.json",
        "not an address",
    ],
)
async def test_an_address_that_is_not_plain_https_is_never_asked(
    make: Make, server: Server, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    catalogue = make(url.format(port=server.port))
    await catalogue.async_refresh()
    assert catalogue.error == "an https address without user name and password is needed"
    assert catalogue.host is None
    assert server.requests == []
    assert "canary" not in caplog.text
