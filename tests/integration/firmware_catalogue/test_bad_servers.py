"""What servers of catalogues may do wrong."""

from collections.abc import Callable
import gzip
import json
import logging
from pathlib import Path

from aiohttp import web
import pytest
import trustme

from tests.broker import Mosquitto, free_port

from ..certificates import listener
from .conftest import PLUG, Make, Server, version_in


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


async def test_a_server_that_is_not_there_is_an_error(make: Make) -> None:
    port = free_port()
    catalogue = make(f"https://127.0.0.1:{port}/firmware.json")
    await catalogue.async_refresh()
    assert catalogue.error == f"127.0.0.1:{port}: it cannot be reached"


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
