"""Relays: what a switch shows and how it ends when a node does not do what it is told."""

import asyncio
from functools import partial
from typing import Any
from unittest.mock import patch

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.entity_component import DATA_INSTANCES
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.homesync.client import Delivery
from custom_components.homesync.switch import RelaySwitch
from simulator import Behaviour, Node
from tests.broker import Mosquitto

from .conftest import SetUp, StartNode
from .lookup import coordinator, entity_id, is_connected, state
from .waiting import reached, until
from .wire import Wire

RELAY = ("switch", "plug-1", "status/relay")


@pytest.fixture
async def entry(hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp) -> MockConfigEntry:
    return await set_up(mosquitto.port)


@pytest.fixture
async def node(hass: HomeAssistant, entry: MockConfigEntry, start_node: StartNode) -> Node:
    node = await start_node(relay_on=False)
    await until(hass, lambda: state(hass, entry, *RELAY) == "off")
    return node


async def turn(hass: HomeAssistant, entry: MockConfigEntry, to: str) -> None:
    target = {"entity_id": entity_id(hass, entry, *RELAY)}
    await hass.services.async_call("switch", f"turn_{to}", target, blocking=True)


def impatient(entry: MockConfigEntry, timeout: float = 0.05) -> Any:
    """Wait but a moment for answers."""
    commands = coordinator(entry).household.commands
    once = Delivery(timeout=timeout, retries=0)
    return patch.object(commands, "execute", partial(commands.execute, delivery=once))


def switch_of(hass: HomeAssistant, entry: MockConfigEntry) -> RelaySwitch:
    """The entity itself: Home Assistant passes unavailable ones over."""
    switch = hass.data[DATA_INSTANCES]["switch"].get_entity(str(entity_id(hass, entry, *RELAY)))
    assert isinstance(switch, RelaySwitch)
    return switch


async def test_a_switch_waits_for_the_answer_and_shows_it(
    hass: HomeAssistant, entry: MockConfigEntry, node: Node
) -> None:
    await turn(hass, entry, "on")
    assert state(hass, entry, *RELAY) == "on"

    await turn(hass, entry, "off")
    assert state(hass, entry, *RELAY) == "off"
    assert [each.action for each in node.executed] == ["on", "off"]


async def test_nothing_changes_before_the_node_has_answered(
    hass: HomeAssistant, entry: MockConfigEntry, node: Node
) -> None:
    node.behaviour = Behaviour(deaf=True)
    command = hass.async_create_task(turn(hass, entry, "on"))
    await node.wait_for(lambda: bool(node.received))

    assert state(hass, entry, *RELAY) == "off"
    assert not command.done()
    command.cancel()


async def test_a_command_is_never_retained(
    hass: HomeAssistant, entry: MockConfigEntry, node: Node, wire: Wire
) -> None:
    await turn(hass, entry, "on")

    assert await wire.kept("homesync/villa/nodes/plug-1/command/#") == {}
    assert not node.received[0].retained


@pytest.mark.parametrize("by", ["node", "stranger"])
async def test_a_change_at_the_device_shows(
    hass: HomeAssistant, entry: MockConfigEntry, node: Node, wire: Wire, by: str
) -> None:
    if by == "node":
        node.press()
    else:
        wire.say("status/relay", {"relay": "on"})

    await until(hass, lambda: state(hass, entry, *RELAY) == "on")


async def test_a_relay_is_unknown_until_its_node_tells(
    hass: HomeAssistant, entry: MockConfigEntry, wire: Wire
) -> None:
    wire.say("status/relay", b'{"state": "maybe"}')
    wire.say("status/relay", {"state": "on"}, node="plug-2")
    await until(hass, lambda: state(hass, entry, "switch", "plug-2", "status/relay") == "on")
    assert state(hass, entry, *RELAY) is None

    wire.say("status/relay", {"state": "off"})
    await until(hass, lambda: state(hass, entry, *RELAY) == "off")
    wire.say("status/relay", b"")
    await until(hass, lambda: state(hass, entry, *RELAY) == "unknown")


async def test_a_refusal_is_raised_with_the_words_of_the_node(
    hass: HomeAssistant, entry: MockConfigEntry, node: Node
) -> None:
    node.behaviour = Behaviour(reject="{{ 1/0 }} overload")

    with pytest.raises(HomeAssistantError) as caught:
        await turn(hass, entry, "on")

    assert caught.value.translation_domain == "homesync"
    assert caught.value.translation_key == "refused_by_node"
    assert caught.value.translation_placeholders == {
        "node": "plug-1",
        "household": "Villa",
        "detail": "{{ 1/0 }} overload",
        "attempts": "1",
    }
    assert str(caught.value) == "plug-1 refused the command: {{ 1/0 }} overload"
    assert state(hass, entry, *RELAY) == "off"


async def test_a_refusal_without_words(
    hass: HomeAssistant, entry: MockConfigEntry, node: Node
) -> None:
    node.behaviour = Behaviour(reject="")

    with pytest.raises(HomeAssistantError) as caught:
        await turn(hass, entry, "on")

    assert caught.value.translation_key == "refused_without_reason"
    assert state(hass, entry, *RELAY) == "off"


async def test_no_answer_is_raised_and_the_state_stays(
    hass: HomeAssistant, entry: MockConfigEntry, node: Node
) -> None:
    node.behaviour = Behaviour(deaf=True)

    with impatient(entry), pytest.raises(HomeAssistantError) as caught:
        await turn(hass, entry, "on")

    assert caught.value.translation_key == "no_answer"
    assert caught.value.translation_placeholders is not None
    assert caught.value.translation_placeholders["attempts"] == "1"
    assert state(hass, entry, *RELAY) == "off"


async def test_a_node_that_acts_but_does_not_answer_still_shows_its_state(
    hass: HomeAssistant, entry: MockConfigEntry, node: Node
) -> None:
    node.behaviour = Behaviour(silent=True)

    with impatient(entry), pytest.raises(HomeAssistantError) as caught:
        await turn(hass, entry, "on")

    assert caught.value.translation_key == "no_answer"
    await until(hass, lambda: state(hass, entry, *RELAY) == "on")


async def test_without_grace_time_a_caller_learns_at_once_that_there_is_no_connection(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp, start_node: StartNode
) -> None:
    entry = await set_up(mosquitto.port, options={"grace_time": 0})
    await start_node(relay_on=False)
    await until(hass, lambda: state(hass, entry, *RELAY) == "off")
    mosquitto.kill()
    await until(hass, lambda: not is_connected(hass, entry))

    with pytest.raises(HomeAssistantError) as caught:
        await switch_of(hass, entry).async_turn_on()

    assert caught.value.translation_key == "not_connected"
    assert state(hass, entry, *RELAY) == "unavailable"


async def test_within_the_grace_time_a_command_waits_for_the_broker(
    hass: HomeAssistant, entry: MockConfigEntry, node: Node, mosquitto: Mosquitto
) -> None:
    mosquitto.kill()
    await until(hass, lambda: not is_connected(hass, entry))
    assert state(hass, entry, *RELAY) == "off"

    command = asyncio.create_task(turn(hass, entry, "on"))
    await reached(lambda: coordinator(entry).household.commands.waiting == 1)
    mosquitto.start()
    await command

    assert state(hass, entry, *RELAY) == "on"
    assert [each.action for each in node.executed] == ["on"]


async def test_a_connection_that_is_lost_meanwhile_is_told_as_such(
    hass: HomeAssistant, entry: MockConfigEntry, node: Node, mosquitto: Mosquitto
) -> None:
    node.behaviour = Behaviour(deaf=True)
    with impatient(entry, 2):
        command = hass.async_create_task(turn(hass, entry, "on"))
        await node.wait_for(lambda: bool(node.received))
    mosquitto.kill()

    with pytest.raises(HomeAssistantError) as caught:
        await command
    assert caught.value.translation_key == "connection_lost"


async def test_an_offline_node_is_not_commanded(
    hass: HomeAssistant, entry: MockConfigEntry, node: Node
) -> None:
    node.die()
    await until(hass, lambda: state(hass, entry, *RELAY) == "unavailable")

    # Home Assistant passes unavailable entities over; whoever gets through is told.
    await turn(hass, entry, "on")
    with pytest.raises(HomeAssistantError) as caught:
        await switch_of(hass, entry).async_turn_on()

    assert caught.value.translation_key == "node_offline"
    assert node.received == ()


async def test_unloading_ends_a_command_that_waits(
    hass: HomeAssistant, entry: MockConfigEntry, node: Node
) -> None:
    node.behaviour = Behaviour(deaf=True)
    command = hass.async_create_task(turn(hass, entry, "on"))
    await node.wait_for(lambda: bool(node.received))

    assert await hass.config_entries.async_unload(entry.entry_id)

    with pytest.raises(HomeAssistantError) as caught:
        await command
    assert caught.value.translation_key == "stopped"


async def test_a_newer_command_takes_the_place_of_one_that_waits_without_a_complaint(
    hass: HomeAssistant, entry: MockConfigEntry, node: Node
) -> None:
    node.behaviour = Behaviour(delay=0.2)
    calls = [hass.async_create_task(turn(hass, entry, to)) for to in ("on", "off", "on", "off")]

    for each in calls:
        await each

    assert [each.action for each in node.executed] == ["on", "off"]
    assert state(hass, entry, *RELAY) == "off"
