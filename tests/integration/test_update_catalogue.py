"""Firmware that a household's catalogue offers."""

from collections.abc import Iterator
from functools import partial
import ssl
from unittest.mock import patch

from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
import pytest
import trustme

from custom_components.homesync.client import Outcome
from custom_components.homesync.const import DOMAIN
from custom_components.homesync.firmware_catalogue import FirmwareCatalogue
from simulator import Info, Updates
from simulator.images import Fault, ImageServer
from tests.broker import Mosquitto

from .conftest import SetUp, StartNode
from .lookup import coordinator, device, is_connected, state
from .updating import FIRMWARE, IMAGE, announced, catalogued, latest, refresh, shows, with_catalogue
from .waiting import until
from .wire import Wire


@pytest.fixture(autouse=True)
def _trusting_catalogue(authority: trustme.CA) -> Iterator[None]:
    """Trust the images' server for catalogues, too."""
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    catalogue = partial(FirmwareCatalogue, ssl=trusting)
    with patch("custom_components.homesync.firmware_updates.FirmwareCatalogue", catalogue):
        yield


async def test_the_catalogue_offers_firmware_by_model_and_tells_of_changes_by_itself(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp, wire: Wire, images: ImageServer
) -> None:
    other = images.url("1.bin")
    url = images.serve_json("all.json", catalogued("1.3.0", "1.2.9", url=other, notes="New."))
    entry = await with_catalogue(hass, set_up, mosquitto.port, url)
    wire.say("status/firmware", {"version": "1.2.3"})
    await until(hass, lambda: state(hass, entry, *FIRMWARE) == "off")

    wire.say("status/info", {"model": "Plug S"})
    await until(hass, lambda: latest(hass, entry) == "1.3.0")
    assert shows(hass, entry, "release_summary") == "New."

    images.serve_json("all.json", catalogued("1.4.0", url=other))
    await refresh(hass, entry)
    assert latest(hass, entry) == "1.4.0"
    assert shows(hass, entry, "release_summary") is None

    wire.say("status/info", {"model": "Plug M"})
    await until(hass, lambda: state(hass, entry, *FIRMWARE) == "off")


@pytest.mark.parametrize(
    ("listed", "told", "expected"),
    [
        ("1.3.0", "1.4.0", "1.4.0"),
        ("1.4.0", "1.3.0", "1.4.0"),
        ("1.3.0", "1.0.0", "1.3.0"),
        ("1.0.0", "1.3.0", "1.3.0"),
        ("blue", "green", "blue"),
    ],
)
async def test_the_newer_one_of_announcement_and_catalogue_counts(
    hass: HomeAssistant,
    *,
    mosquitto: Mosquitto,
    set_up: SetUp,
    wire: Wire,
    images: ImageServer,
    listed: str,
    told: str,
    expected: str,
) -> None:
    url = images.serve_json("all.json", catalogued(listed, url=images.url("1.bin")))
    hosts = ["firmware.example"]
    entry = await with_catalogue(hass, set_up, mosquitto.port, url, firmware_hosts=hosts)
    await refresh(hass, entry)
    wire.say("status/firmware", {"version": "1.2.3", "model": "Plug S", **announced(told)})

    await until(hass, lambda: state(hass, entry, *FIRMWARE) == "on")
    assert latest(hass, entry) == expected


async def test_firmware_from_elsewhere_does_not_hide_the_households_own(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp, wire: Wire, images: ImageServer
) -> None:
    url = images.serve_json("all.json", catalogued("1.3.0", url=images.url("1.bin")))
    entry = await with_catalogue(hass, set_up, mosquitto.port, url)
    await refresh(hass, entry)
    evil = announced("99.0.0", host="evil.example")
    wire.say("status/firmware", {"version": "1.2.3", "model": "Plug S", **evil})

    await until(hass, lambda: state(hass, entry, *FIRMWARE) == "on")
    assert latest(hass, entry) == "1.3.0"


async def test_model_and_version_outlive_a_restart(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp, wire: Wire, images: ImageServer
) -> None:
    url = images.serve_json("all.json", catalogued("1.3.0", url=images.url("1.bin")))
    entry = await with_catalogue(hass, set_up, mosquitto.port, url)
    wire.say("status/firmware", {"version": "1.2.3", "model": "Plug S"}, retain=False)
    await until(hass, lambda: latest(hass, entry) == "1.3.0")

    assert await hass.config_entries.async_reload(entry.entry_id)
    await until(hass, lambda: is_connected(hass, entry))

    await until(hass, lambda: latest(hass, entry) == "1.3.0")
    assert shows(hass, entry, "installed_version") == "1.2.3"
    found = device(hass, entry, "plug-1")
    assert found is not None
    assert found.model == "Plug S"


async def test_a_catalogue_that_fails_is_reported_until_it_works(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp, images: ImageServer
) -> None:
    url = images.serve_json("all.json", catalogued("1.3.0", url=images.url("1.bin")))
    images.spoil("all.json", Fault(status=500))
    entry = await with_catalogue(hass, set_up, mosquitto.port, url)
    await refresh(hass, entry)

    registry, key = ir.async_get(hass), f"firmware_catalogue_{entry.entry_id}"
    issue = registry.async_get_issue(DOMAIN, key)
    assert issue is not None
    assert issue.translation_key == "firmware_catalogue"
    assert issue.translation_placeholders is not None
    assert issue.translation_placeholders["household"] == "Villa"
    assert issue.translation_placeholders["reason"].endswith("it answers with status 500")

    images.spoil("all.json", None)
    await refresh(hass, entry)
    assert registry.async_get_issue(DOMAIN, key) is None


async def test_firmware_of_the_catalogue_is_installed_from_its_own_host(
    hass: HomeAssistant,
    *,
    mosquitto: Mosquitto,
    set_up: SetUp,
    start_node: StartNode,
    updates: Updates,
    images: ImageServer,
) -> None:
    image = images.serve(IMAGE, bytes(1000))
    listed = catalogued("1.3.0", url=image.url)["firmware"][0] | {"sha256": image.sha256}
    url = images.serve_json("all.json", {"firmware": [listed]})
    entry = await with_catalogue(hass, set_up, mosquitto.port, url)
    node = await start_node(info=Info(), updates=updates)
    await until(hass, lambda: latest(hass, entry) == "1.3.0")

    result = await coordinator(entry).async_install("plug-1")

    assert result.outcome is Outcome.CONFIRMED
    assert result.result == node.firmware == "1.3.0"
