"""Firmware on its way into a node, over a real HTTPS server."""

import asyncio
from unittest.mock import patch

from homeassistant.const import EVENT_STATE_CHANGED
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_capture_events

from custom_components.homesync.client import Outcome, Reason
from simulator import Behaviour, Node, Updates
from simulator.images import Fault, ImageServer
from tests.broker import Mosquitto

from .conftest import SetUp, StartNode
from .lookup import coordinator, device, entity_id, state
from .updating import (
    FIRMWARE,
    IMAGE,
    IMPATIENT,
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
    images.spoil(IMAGE, fault)

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
) -> None:
    entry = await set_up_near(hass, set_up, mosquitto.port, images, parallel_updates=1)
    first, second = [
        await start_with_news(
            hass, entry, start_node=start_node, updates=updates, images=images, node_id=node_id
        )
        for node_id in ("plug-1", "plug-2")
    ]
    first.behaviour = Behaviour(ota_stall=10)
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
        IMPATIENT,
        patch("custom_components.homesync.client.inflight._WAIT_FOR_UPDATE", 0.2),
        pytest.raises(HomeAssistantError) as caught,
    ):
        await install(hass, entry)

    assert caught.value.translation_key == "no_answer"
    assert state(hass, entry, *FIRMWARE) == "on"
    assert shows(hass, entry, "in_progress") is False


async def test_a_node_that_is_offline_is_unavailable_unless_it_installs(
    hass: HomeAssistant, entry: MockConfigEntry, node: Node, wire: Wire
) -> None:
    node.behaviour = Behaviour(ota_stall=10)
    task = asyncio.create_task(coordinator(entry).async_install("plug-1"))
    await until(hass, lambda: shows(hass, entry, "in_progress"))

    wire.say("status/online", {"online": False})
    relay = ("switch", "plug-1", "status/relay")
    await until(hass, lambda: state(hass, entry, *relay) == "unavailable")
    assert state(hass, entry, *FIRMWARE) == "on"

    coordinator(entry).household.commands.cancel("plug-1")
    await task
    await until(hass, lambda: state(hass, entry, *FIRMWARE) == "unavailable")


async def test_a_failure_is_told_beside_the_entity_in_the_logbook(
    hass: HomeAssistant, entry: MockConfigEntry, node: Node, images: ImageServer
) -> None:
    images.spoil(IMAGE, Fault(status=404))
    lines = async_capture_events(hass, "logbook_entry")

    await coordinator(entry).async_install("plug-1")
    await hass.async_block_till_done()

    (line,) = lines
    assert line.data["entity_id"] == entity_id(hass, entry, *FIRMWARE)
