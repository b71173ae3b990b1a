"""Commands that wait for a broker or a node, over reloads and removal."""

import asyncio
from pathlib import Path

from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from simulator import Node
from tests.broker import Mosquitto

from .actions import Events, act, send
from .conftest import SetUp, StartNode
from .lookup import coordinator, device_id, is_connected, state
from .queueing import SOON, file_of, queue, stored, write
from .waiting import reached, until

RELAY = ("switch", "plug-1", "status/relay")


@pytest.fixture(autouse=True)
def _own_folder(hass: HomeAssistant, tmp_path: Path) -> None:
    """Whatever rests here rests in this test alone."""
    hass.config.config_dir = str(tmp_path)


@pytest.fixture
def events(hass: HomeAssistant) -> Events:
    return Events(hass)


@pytest.fixture
async def entry(hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp) -> MockConfigEntry:
    return await set_up(mosquitto.port)


@pytest.fixture
async def node(hass: HomeAssistant, entry: MockConfigEntry, start_node: StartNode) -> Node:
    node = await start_node(relay_on=False)
    await until(hass, lambda: state(hass, entry, *RELAY) == "off")
    return node


@pytest.fixture
async def away(
    hass: HomeAssistant, entry: MockConfigEntry, node: Node, mosquitto: Mosquitto
) -> Mosquitto:
    """The broker, after it went away."""
    mosquitto.kill()
    await until(hass, lambda: not is_connected(hass, entry))
    return mosquitto


async def test_f48_what_is_queued_is_sent_once_when_the_broker_is_back(
    hass: HomeAssistant, entry: MockConfigEntry, node: Node, away: Mosquitto, events: Events
) -> None:
    call = queue(hass, entry)
    await reached(lambda: len(stored(hass, entry)) == 1)
    (waiting,) = stored(hass, entry)
    assert not call.done()

    away.start()
    told = await call

    assert (told["outcome"], told["request_id"]) == ("confirmed", waiting["request_id"])
    assert [each.request_id for each in node.executed] == [waiting["request_id"]]
    assert len(events.of(waiting["request_id"])) == 1
    await reached(lambda: stored(hass, entry) == [])


async def test_f48_a_node_that_is_away_gets_it_when_it_is_back(
    hass: HomeAssistant, entry: MockConfigEntry, node: Node, start_node: StartNode
) -> None:
    node.die()
    await until(hass, lambda: state(hass, entry, *RELAY) == "unavailable")
    refused = await send(hass, device_id(hass, entry, "plug-1"), action="off")
    assert (refused["outcome"], refused["reason"]) == ("rejected", "node_offline")

    call = queue(hass, entry)
    await reached(lambda: coordinator(entry).household.commands.waiting == 1)
    again = await start_node(relay_on=False)

    assert (await call)["outcome"] == "confirmed"
    assert [each.action for each in again.executed] == ["on"]


async def test_f48_what_waited_too_long_is_never_sent_and_told_as_expired(
    hass: HomeAssistant, entry: MockConfigEntry, node: Node, away: Mosquitto, events: Events
) -> None:
    told = await queue(hass, entry, ttl=1)
    assert (told["outcome"], told["attempts"], told["latency_ms"]) == ("expired", 0, None)
    assert [each["outcome"] for each in events.of(told["request_id"])] == ["expired"]
    with pytest.raises(HomeAssistantError) as caught:
        await act(
            hass,
            "send_command",
            device_id=device_id(hass, entry, "plug-1"),
            action="on",
            queue=True,
            ttl=1,
        )
    assert caught.value.translation_key == "expired"

    away.start()
    await until(hass, lambda: is_connected(hass, entry))
    later = await queue(hass, entry, action="off")

    assert [each.request_id for each in node.executed] == [later["request_id"]]
    await reached(lambda: stored(hass, entry) == [])


async def test_of_what_waits_for_one_actuator_the_newest_counts(
    hass: HomeAssistant, entry: MockConfigEntry, node: Node, away: Mosquitto, events: Events
) -> None:
    calls = [queue(hass, entry, action=action) for action in ("on", "off", "on")]
    led = queue(hass, entry, command="led", action="on", brightness=5)
    await reached(lambda: coordinator(entry).household.commands.waiting == 2)
    await reached(lambda: [each["kind"] for each in stored(hass, entry)] == ["relay", "led"])

    away.start()
    told = [await each for each in calls]

    assert [each["outcome"] for each in told] == ["cancelled", "cancelled", "confirmed"]
    assert [each["reason"] for each in told] == ["superseded", "superseded", None]
    assert (await led)["outcome"] == "confirmed"
    assert [(each.kind, each.action) for each in node.executed] == [
        ("relay", "on"),
        ("led", "on"),
    ]
    assert len(events.told) == 4


async def test_settings_and_restarts_wait_only_if_that_is_asked_for(
    hass: HomeAssistant, entry: MockConfigEntry, node: Node, away: Mosquitto
) -> None:
    target = device_id(hass, entry, "plug-1")
    for data in ({"command": "config", "config": {"a": 1}}, {"command": "restart"}):
        told = await send(hass, target, **data)
        assert (told["outcome"], told["reason"]) == ("rejected", "not_connected")

    call = asyncio.create_task(send(hass, target, command="config", config={"a": 1}, **SOON))
    await reached(lambda: len(stored(hass, entry)) == 1)
    away.start()

    assert (await call)["settings"] == {"a": 1}
    assert node.settings == {"a": 1}


async def test_a_reload_keeps_what_waits_and_its_caller_hears_queued(
    hass: HomeAssistant, entry: MockConfigEntry, node: Node, away: Mosquitto, events: Events
) -> None:
    call = queue(hass, entry)
    plain = asyncio.create_task(send(hass, device_id(hass, entry, "plug-1"), command="restart"))
    assert (await plain)["outcome"] == "rejected"
    await reached(lambda: len(stored(hass, entry)) == 1)
    (waiting,) = stored(hass, entry)

    assert await hass.config_entries.async_reload(entry.entry_id)

    told = await call
    assert (told["outcome"], told["reason"]) == ("queued", "stopped")
    assert events.of(told["request_id"]) == []
    assert stored(hass, entry) == [waiting]
    away.start()
    await until(hass, lambda: events.of(told["request_id"]))
    (event,) = events.of(told["request_id"])
    assert event["outcome"] == "confirmed"
    assert [each.request_id for each in node.executed] == [told["request_id"]]
    await reached(lambda: stored(hass, entry) == [])


async def test_without_response_queued_is_no_failure(
    hass: HomeAssistant, entry: MockConfigEntry, node: Node, away: Mosquitto
) -> None:
    target = device_id(hass, entry, "plug-1")
    call = asyncio.create_task(
        act(hass, "send_command", device_id=target, action="on", queue=True, ttl=60)
    )
    await reached(lambda: coordinator(entry).household.commands.waiting == 1)

    assert await hass.config_entries.async_unload(entry.entry_id)

    await call


async def test_an_unload_writes_what_waits_and_the_time_goes_on(
    hass: HomeAssistant, entry: MockConfigEntry, node: Node, away: Mosquitto, events: Events
) -> None:
    queue(hass, entry, ttl=60)
    await reached(lambda: coordinator(entry).household.commands.waiting == 1)
    assert await hass.config_entries.async_unload(entry.entry_id)
    (waiting,) = stored(hass, entry)
    assert (waiting["ttl"], waiting["attempts"]) == (60, 0)
    older = {**waiting, "created": waiting["created"] - 61}
    write(hass, entry, {"version": 1, "commands": [older]})

    assert await hass.config_entries.async_setup(entry.entry_id)

    (event,) = events.told
    assert (event["outcome"], event["request_id"]) == ("expired", waiting["request_id"])
    away.start()
    await until(hass, lambda: is_connected(hass, entry))
    assert node.received == ()
    await reached(lambda: stored(hass, entry) == [])


async def test_a_household_that_is_removed_ends_what_waited_and_takes_its_file_along(
    hass: HomeAssistant, entry: MockConfigEntry, node: Node, away: Mosquitto, events: Events
) -> None:
    call = queue(hass, entry)
    await reached(lambda: len(stored(hass, entry)) == 1)

    await hass.config_entries.async_remove(entry.entry_id)

    told = await call
    assert told["outcome"] == "queued"
    (event,) = events.told
    assert event["request_id"] == told["request_id"]
    assert (event["outcome"], event["reason"]) == ("cancelled", "withdrawn")
    assert not file_of(hass, entry).exists()
    assert entry.state is ConfigEntryState.NOT_LOADED
