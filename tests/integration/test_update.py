"""Firmware that a node announces: what is offered, and what no node is told to fetch."""

from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.homesync.client import Firmware
from simulator import Node, Updates
from simulator.images import ImageServer
from tests.broker import Mosquitto

from .conftest import SetUp, StartNode
from .lookup import coordinator, entity_id, state
from .updating import (
    FIRMWARE,
    HASH,
    INSTALL,
    NOTES,
    PROGRESS,
    announced,
    install,
    latest,
    set_up_near,
    shows,
    start_with_news,
)
from .waiting import until
from .wire import Wire


@pytest.fixture
async def entry(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp, images: ImageServer
) -> MockConfigEntry:
    return await set_up_near(hass, set_up, mosquitto.port, images)


@pytest.fixture
async def node(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    start_node: StartNode,
    updates: Updates,
    images: ImageServer,
) -> Node:
    return await start_with_news(hass, entry, start_node=start_node, updates=updates, images=images)


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


async def test_the_person_who_presses_install_learns_which_host_is_not_allowed(
    hass: HomeAssistant, entry: MockConfigEntry, wire: Wire
) -> None:
    wire.say("status/firmware", {"version": "1.2.3", **announced("2.0.0")})
    await until(hass, lambda: state(hass, entry, *FIRMWARE) == "on")

    with pytest.raises(ServiceValidationError) as caught:
        await install(hass, entry)

    assert caught.value.translation_key == "firmware_host"
    assert "firmware.example:443" in str(caught.value)


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
