"""The catalogue, fetched by the real Home Assistant from a real HTTPS server."""

import asyncio
import logging

from aiohttp import web
from homeassistant.core import HomeAssistant
import pytest

from ..waiting import until
from .conftest import PLUG, Make, Server, Told, later, version_in


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
