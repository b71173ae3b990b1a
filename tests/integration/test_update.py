"""Firmware: what is newer, and its way into a node over a real HTTPS server."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path
import ssl
from typing import Any
from unittest.mock import patch

from homeassistant.const import EVENT_STATE_CHANGED
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import issue_registry as ir
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_capture_events
import trustme

from custom_components.homesync.client import Firmware, Outcome, Reason
from custom_components.homesync.const import DOMAIN
from custom_components.homesync.firmware_catalogue import FirmwareCatalogue
from simulator import Behaviour, Info, Node, Updates
from simulator.images import Fault, Image, ImageServer
from tests.broker import Mosquitto

from .conftest import SetUp, StartNode
from .lookup import attribute, coordinator, device, entity_id, is_connected, state
from .waiting import until
from .wire import Wire

FIRMWARE = ("update", "plug-1", "status/firmware")
IMAGE = bytes(range(256)) * 1000
INSTALL, PROGRESS, NOTES = 1, 4, 16
HASH = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"


@pytest.fixture
async def images(authority: trustme.CA, socket_enabled: None) -> AsyncIterator[ImageServer]:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(tls)
    async with ImageServer(tls) as server:
        yield server


@pytest.fixture
def image(images: ImageServer) -> Image:
    return images.serve("plug-1.3.0.bin", IMAGE)


@pytest.fixture
def updates(authority: trustme.CA, tmp_path: Path) -> Updates:
    """How nodes fetch images: they trust the images' server."""
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    return Updates(ca=tmp_path / "authority.pem")


@pytest.fixture(autouse=True)
def _trusting_catalogue(authority: trustme.CA) -> Iterator[None]:
    """Trust the images' server for catalogues, too."""
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    catalogue = partial(FirmwareCatalogue, ssl=trusting)
    with patch("custom_components.homesync.firmware_updates.FirmwareCatalogue", catalogue):
        yield


@pytest.fixture
async def entry(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp, images: ImageServer
) -> MockConfigEntry:
    """A household that takes firmware from the images' server."""
    hosts = [images.url("").removeprefix("https://").removesuffix("/")]
    entry = await set_up(mosquitto.port, options={"firmware_hosts": hosts})
    await until(hass, lambda: is_connected(hass, entry))
    return entry


@pytest.fixture
async def node(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    *,
    start_node: StartNode,
    updates: Updates,
    image: Image,
) -> Node:
    """A node that announces newer firmware."""
    info = Info(available=image.available("1.3.0", "Measures twice as often."))
    node = await start_node(info=info, updates=updates)
    await until(hass, lambda: state(hass, entry, *FIRMWARE) == "on")
    return node


def shows(hass: HomeAssistant, entry: MockConfigEntry, name: str, node: str = "plug-1") -> Any:
    return attribute(hass, entry, "update", node, "status/firmware", name=name)


def latest(hass: HomeAssistant, entry: MockConfigEntry) -> Any:
    return shows(hass, entry, "latest_version")


async def install(
    hass: HomeAssistant, entry: MockConfigEntry, node: str = "plug-1", **data: str
) -> None:
    target = entity_id(hass, entry, "update", node, "status/firmware")
    await hass.services.async_call(
        "update", "install", {"entity_id": target, **data}, blocking=True
    )


def announced(version: str, host: str = "firmware.example", **more: Any) -> dict[str, Any]:
    url = f"https://{host}/{version}.bin"
    return {"available": {"version": version, "url": url, "sha256": HASH, **more}}


def catalogued(*versions: str, url: str, model: str = "Plug S", **more: Any) -> dict[str, Any]:
    entries = [
        {"model": model, "version": each, "url": url, "sha256": HASH, **more} for each in versions
    ]
    return {"firmware": entries}


async def test_without_anything_newer_the_installed_version_is_the_latest(
    hass: HomeAssistant, entry: MockConfigEntry, wire: Wire
) -> None:
    wire.say("status/firmware", {"version": "1.2.3"})
    await until(hass, lambda: state(hass, entry, *FIRMWARE) == "off")

    assert shows(hass, entry, "installed_version") == latest(hass, entry) == "1.2.3"
    assert shows(hass, entry, "supported_features") == 0
    assert shows(hass, entry, "in_progress") is False

    wire.say("status/firmware", b"")
    await until(hass, lambda: state(hass, entry, *FIRMWARE) == "unknown")


async def test_what_a_node_announces_is_offered_with_its_notes(
    hass: HomeAssistant, entry: MockConfigEntry, node: Node, hass_ws_client: Any
) -> None:
    assert latest(hass, entry) == "1.3.0"
    assert shows(hass, entry, "title") == "Plug S"
    assert shows(hass, entry, "release_summary") == "Measures twice as often."
    assert shows(hass, entry, "supported_features") == INSTALL | PROGRESS | NOTES
    websocket = await hass_ws_client(hass)
    asked = {"type": "update/release_notes", "entity_id": entity_id(hass, entry, *FIRMWARE)}
    await websocket.send_json_auto_id(asked)
    assert (await websocket.receive_json())["result"] == "Measures twice as often."

    node.offer(None)
    await until(hass, lambda: state(hass, entry, *FIRMWARE) == "off")
    assert latest(hass, entry) == "1.2.3"
    assert shows(hass, entry, "release_summary") is None


async def test_notes_are_shown_as_they_are_written_and_never_as_markup(
    hass: HomeAssistant, entry: MockConfigEntry, wire: Wire
) -> None:
    notes = "[win](https://evil.example) <img src=x> ![x](y) **now** {{ 1/0 }}"
    wire.say("status/firmware", {"version": "1", **announced("2", notes=notes)})
    await until(hass, lambda: state(hass, entry, *FIRMWARE) == "on")

    assert shows(hass, entry, "release_summary") == (
        r"\[win\](https://evil.example) \<img src=x\> \!\[x\](y) \*\*now\*\* {{ 1/0 }}"
    )


@pytest.mark.parametrize("version", ["1.2.2", "1.2.3", "1.2.3b1"])
async def test_what_is_not_newer_is_not_offered(
    hass: HomeAssistant, entry: MockConfigEntry, wire: Wire, version: str
) -> None:
    wire.say("status/firmware", {"version": "1.2.3", **announced(version)})
    await until(hass, lambda: state(hass, entry, *FIRMWARE) == "off")

    assert latest(hass, entry) == "1.2.3"
    assert shows(hass, entry, "supported_features") == 0
    with pytest.raises(ServiceValidationError) as caught:
        await coordinator(entry).async_install("plug-1")
    assert caught.value.translation_key == "no_newer_firmware"
    assert caught.value.translation_placeholders == {"node": "plug-1", "household": "Villa"}


async def test_a_node_that_does_not_understand_it_is_not_told_to_install(
    hass: HomeAssistant, entry: MockConfigEntry, wire: Wire
) -> None:
    wire.say("status/firmware", {"version": "1", "capabilities": ["led"], **announced("2")})
    await until(hass, lambda: state(hass, entry, *FIRMWARE) == "on")
    assert shows(hass, entry, "supported_features") == 0

    wire.say("status/info", {"capabilities": ["led", "ota"]})
    await until(hass, lambda: shows(hass, entry, "supported_features") == INSTALL | PROGRESS)


async def with_catalogue(
    hass: HomeAssistant, set_up: SetUp, port: int, url: str, **options: Any
) -> MockConfigEntry:
    entry = await set_up(port, options={"firmware_catalogue": url, **options})
    await until(hass, lambda: is_connected(hass, entry))
    return entry


async def refresh(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    catalogue = coordinator(entry).firmware.catalogue
    assert catalogue is not None
    await catalogue.async_refresh()
    await hass.async_block_till_done()


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


async def test_an_installation_shows_its_progress_and_ends_with_the_new_version(
    hass: HomeAssistant, entry: MockConfigEntry, node: Node
) -> None:
    seen = async_capture_events(hass, EVENT_STATE_CHANGED)

    await install(hass, entry)

    target = entity_id(hass, entry, *FIRMWARE)
    changes = [each.data for each in seen if each.data["entity_id"] == target]
    states = [new for each in changes if (new := each["new_state"]) is not None]
    assert all(each.state != "unavailable" for each in states)
    told = [each.attributes for each in states if each.attributes["in_progress"]]
    assert told[0]["update_percentage"] is None
    percentages = [each["update_percentage"] for each in told[1:]]
    assert percentages == sorted(percentages)
    assert {0, 50, 100} <= set(percentages)
    stages = list(dict.fromkeys(each["stage"] for each in told))
    assert stages == [None, "downloading", "verifying", "writing", "restarting"]
    await until(hass, lambda: latest(hass, entry) == "1.3.0")
    assert node.firmware == shows(hass, entry, "installed_version") == "1.3.0"
    assert state(hass, entry, *FIRMWARE) == "off"
    assert shows(hass, entry, "in_progress") is False
    assert shows(hass, entry, "stage") is None
    found = device(hass, entry, "plug-1")
    assert found is not None
    assert found.sw_version == "1.3.0"


async def test_firmware_of_the_catalogue_is_installed_from_its_own_host(
    hass: HomeAssistant,
    *,
    mosquitto: Mosquitto,
    set_up: SetUp,
    start_node: StartNode,
    updates: Updates,
    images: ImageServer,
    image: Image,
) -> None:
    listed = catalogued("1.3.0", url=image.url)["firmware"][0] | {"sha256": image.sha256}
    url = images.serve_json("all.json", {"firmware": [listed]})
    entry = await with_catalogue(hass, set_up, mosquitto.port, url)
    node = await start_node(info=Info(), updates=updates)
    await until(hass, lambda: latest(hass, entry) == "1.3.0")

    result = await coordinator(entry).async_install("plug-1")

    assert result.outcome is Outcome.CONFIRMED
    assert result.result == node.firmware == "1.3.0"


@pytest.mark.parametrize(
    ("fault", "detail"),
    [
        (Fault(wrong=True), "hash mismatch"),
        (Fault(redirect="https://localhost/evil.bin"), "redirect refused"),
        (Fault(status=404), "download failed: HTTP 404"),
    ],
)
async def test_an_image_that_the_node_does_not_take_is_an_error_in_its_words(
    hass: HomeAssistant,
    *,
    entry: MockConfigEntry,
    node: Node,
    images: ImageServer,
    fault: Fault,
    detail: str,
) -> None:
    images.spoil("plug-1.3.0.bin", fault)

    with pytest.raises(HomeAssistantError) as caught:
        await install(hass, entry)

    assert caught.value.translation_key == "refused_by_node"
    assert caught.value.translation_placeholders == {
        "node": "plug-1",
        "household": "Villa",
        "detail": detail,
        "attempts": "1",
    }
    assert node.firmware == shows(hass, entry, "installed_version") == "1.2.3"
    assert state(hass, entry, *FIRMWARE) == "on"
    assert shows(hass, entry, "in_progress") is False


async def test_firmware_from_a_host_that_is_not_allowed_is_refused_unsent(
    hass: HomeAssistant, entry: MockConfigEntry, node: Node
) -> None:
    wrong = Firmware(version="2.0.0", url="https://evil.example/2.bin", sha256=HASH)

    with pytest.raises(ServiceValidationError) as caught:
        await coordinator(entry).async_install("plug-1", wrong)

    assert caught.value.translation_key == "firmware_host"
    assert caught.value.translation_placeholders == {
        "node": "plug-1",
        "household": "Villa",
        "version": "2.0.0",
        "host": "evil.example:443",
    }
    assert node.received == ()


async def test_the_person_who_presses_install_learns_which_host_is_not_allowed(
    hass: HomeAssistant, entry: MockConfigEntry, wire: Wire
) -> None:
    wire.say("status/firmware", {"version": "1.2.3", **announced("2.0.0")})
    await until(hass, lambda: state(hass, entry, *FIRMWARE) == "on")

    with pytest.raises(ServiceValidationError) as caught:
        await install(hass, entry)

    assert caught.value.translation_key == "firmware_host"
    assert "firmware.example:443" in str(caught.value)


@pytest.mark.parametrize(
    ("version", "host", "key", "given"),
    [
        ("1.2.2", "{host}", "firmware_not_newer", {"version": "1.2.2", "installed": "1.2.3"}),
        ("1.2.3", "{host}", "firmware_not_newer", {"version": "1.2.3", "installed": "1.2.3"}),
        (
            "2.0.0",
            "me@{host}",
            "firmware_address",
            {"version": "2.0.0", "household": "Villa", "host": ""},
        ),
    ],
)
async def test_what_no_node_should_get_is_refused_unsent(
    hass: HomeAssistant,
    *,
    entry: MockConfigEntry,
    node: Node,
    images: ImageServer,
    version: str,
    host: str,
    key: str,
    given: dict[str, str],
) -> None:
    address = images.url("1.bin").replace("127.0.0.1", host.format(host="127.0.0.1"))
    firmware = Firmware(version=version, url=address, sha256=HASH)

    with pytest.raises(ServiceValidationError) as caught:
        await coordinator(entry).async_install("plug-1", firmware)

    assert caught.value.translation_key == key
    assert caught.value.translation_placeholders == {"node": "plug-1", **given}
    assert node.received == ()


async def test_a_version_of_ones_own_choice_cannot_be_installed(
    hass: HomeAssistant, entry: MockConfigEntry, node: Node
) -> None:
    with pytest.raises(HomeAssistantError) as caught:
        await install(hass, entry, version="1.2.9")

    assert caught.value.translation_key == "specific_version_not_supported"
    assert node.received == ()


async def test_a_second_installation_of_a_node_is_refused_and_the_first_goes_on(
    hass: HomeAssistant, entry: MockConfigEntry, node: Node
) -> None:
    node.behaviour = Behaviour(ota_stall=10)
    first = asyncio.create_task(coordinator(entry).async_install("plug-1"))
    await until(hass, lambda: shows(hass, entry, "update_percentage") == 10)

    second = await coordinator(entry).async_install("plug-1")
    with pytest.raises(HomeAssistantError) as caught:
        await install(hass, entry)

    assert (second.outcome, second.reason) == (Outcome.REJECTED, Reason.BUSY)
    assert caught.value.translation_key == "update_in_progress"
    assert shows(hass, entry, "in_progress") is True
    assert shows(hass, entry, "update_percentage") == 10
    assert not first.done()
    assert coordinator(entry).household.commands.cancel("plug-1") == 1
    assert (await first).outcome is Outcome.CANCELLED


async def test_further_nodes_wait_for_their_turn(
    hass: HomeAssistant,
    *,
    mosquitto: Mosquitto,
    set_up: SetUp,
    start_node: StartNode,
    updates: Updates,
    images: ImageServer,
    image: Image,
) -> None:
    url = images.serve_json("none.json", {"firmware": []})
    entry = await with_catalogue(hass, set_up, mosquitto.port, url, parallel_updates=1)
    info = Info(available=image.available("1.3.0"))
    first = await start_node("plug-1", info=info, updates=updates)
    first.behaviour = Behaviour(ota_stall=10)
    second = await start_node("plug-2", info=info, updates=updates)
    await until(hass, lambda: shows(hass, entry, "supported_features") == INSTALL | PROGRESS)
    await until(hass, lambda: shows(hass, entry, "supported_features", "plug-2") == 5)
    stuck = asyncio.create_task(coordinator(entry).async_install("plug-1"))
    await until(hass, lambda: shows(hass, entry, "update_percentage") == 10)

    waiting = asyncio.create_task(coordinator(entry).async_install("plug-2"))
    await until(hass, lambda: shows(hass, entry, "in_progress", "plug-2"))
    assert shows(hass, entry, "update_percentage", "plug-2") is None
    assert second.received == ()

    coordinator(entry).household.commands.cancel("plug-1")
    assert (await stuck).reason is Reason.WITHDRAWN
    assert (await waiting).outcome is Outcome.CONFIRMED
    assert second.firmware == "1.3.0"


async def test_an_installation_without_further_word_is_given_up(
    hass: HomeAssistant, entry: MockConfigEntry, node: Node
) -> None:
    node.behaviour = Behaviour(ota_stall=10)

    with (
        patch("custom_components.homesync.client.inflight._WAIT_FOR_UPDATE", 0.2),
        pytest.raises(HomeAssistantError) as caught,
    ):
        await install(hass, entry)

    assert caught.value.translation_key == "no_answer"
    assert state(hass, entry, *FIRMWARE) == "on"
    assert shows(hass, entry, "in_progress") is False


async def test_a_node_that_is_offline_is_unavailable_unless_it_installs(
    hass: HomeAssistant, entry: MockConfigEntry, node: Node
) -> None:
    node.behaviour = Behaviour(ota_stall=10)
    task = asyncio.create_task(coordinator(entry).async_install("plug-1"))
    await until(hass, lambda: shows(hass, entry, "in_progress"))

    await node.stop()
    await until(
        hass, lambda: state(hass, entry, "switch", "plug-1", "status/relay") == "unavailable"
    )
    assert state(hass, entry, *FIRMWARE) == "on"

    coordinator(entry).household.commands.cancel("plug-1")
    await task
    await until(hass, lambda: state(hass, entry, *FIRMWARE) == "unavailable")


async def test_a_failure_is_told_beside_the_entity_in_the_logbook(
    hass: HomeAssistant, entry: MockConfigEntry, node: Node, images: ImageServer
) -> None:
    images.spoil("plug-1.3.0.bin", Fault(status=404))
    lines = async_capture_events(hass, "logbook_entry")

    await coordinator(entry).async_install("plug-1")
    await hass.async_block_till_done()

    (line,) = lines
    assert line.data["entity_id"] == entity_id(hass, entry, *FIRMWARE)
