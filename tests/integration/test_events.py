"""How commands ended: on Home Assistant's bus, and in its logbook when they failed."""

from collections.abc import Callable
from datetime import timedelta
import logging
from typing import Any

from homeassistant.components.recorder.core import Recorder
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.components.recorder.common import (
    async_wait_recording_done,
)
from pytest_homeassistant_custom_component.typing import WebSocketGenerator

from simulator import Behaviour, Node
from tests.broker import Mosquitto

from .actions import Events, respond, send
from .conftest import SetUp, StartNode
from .lookup import device_id, entity_id, is_connected, state
from .waiting import until

# The recorder's thread logs every statement, also between tests.
logging.getLogger("sqlalchemy.engine").setLevel(logging.WARNING)

RELAY = ("switch", "plug-1", "status/relay")


@pytest.fixture(autouse=True)
def _custom_integrations(recorder_mock: Recorder, enable_custom_integrations: None) -> None:
    """The logbook looks into the recorder, which must be there before Home Assistant."""


@pytest.fixture
def events(hass: HomeAssistant) -> Events:
    return Events(hass)


@pytest.fixture
async def entry(hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp) -> MockConfigEntry:
    assert await async_setup_component(hass, "logbook", {})
    return await set_up(mosquitto.port)


@pytest.fixture
async def node(hass: HomeAssistant, entry: MockConfigEntry, start_node: StartNode) -> Node:
    node = await start_node(relay_on=False)
    await until(hass, lambda: state(hass, entry, *RELAY) == "off")
    return node


@pytest.fixture
async def read_logbook(
    hass: HomeAssistant, hass_ws_client: WebSocketGenerator
) -> Callable[..., Any]:
    """Ask the logbook as its page does; returns our own lines, those on the connection left out."""
    since = dt_util.utcnow() - timedelta(minutes=1)
    client = await hass_ws_client()

    async def read(**about: Any) -> list[dict[str, Any]]:
        await async_wait_recording_done(hass)
        await client.send_json_auto_id(
            {"type": "logbook/get_events", "start_time": since.isoformat(), **about}
        )
        answer = await client.receive_json()
        assert answer["success"], answer
        ours = [each for each in answer["result"] if each.get("domain") == "homesync"]
        return [each for each in ours if each["name"] != "Villa"]

    return read


async def test_a_confirmed_command_is_told_on_the_bus_and_not_in_the_logbook(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    node: Node,
    events: Events,
    read_logbook: Callable[..., Any],
) -> None:
    response = await send(hass, device_id(hass, entry, "plug-1"), action="on")

    (event,) = events.told
    assert event == {
        "entry_id": entry.entry_id,
        "household": "Villa",
        "home_id": "villa",
        "node_id": "plug-1",
        "device_id": device_id(hass, entry, "plug-1"),
        "command": "relay",
        "action": "on",
        "outcome": "confirmed",
        "request_id": response["request_id"],
        "result": "on",
        "reason": None,
        "detail": None,
        "latency_ms": response["latency_ms"],
        "attempts": 1,
    }
    assert await read_logbook() == []


@pytest.mark.parametrize(
    ("behaviour", "outcome", "line"),
    [
        (
            Behaviour(reject="overload"),
            "rejected",
            "relay: plug-1 refused the command: overload",
        ),
        (
            Behaviour(deaf=True),
            "timed_out",
            "relay: plug-1 did not answer (sent 1 times). Whether the command was carried out is unknown",
        ),
        (
            Behaviour(reject="{{ 1/0 }}<b>"),
            "rejected",
            "relay: plug-1 refused the command: {{ 1/0 }}<b>",
        ),
    ],
)
async def test_a_failure_is_a_line_in_the_logbook_beside_its_entity(
    hass: HomeAssistant,
    *,
    entry: MockConfigEntry,
    node: Node,
    events: Events,
    read_logbook: Callable[..., Any],
    behaviour: Behaviour,
    outcome: str,
    line: str,
) -> None:
    node.behaviour = behaviour

    plug = device_id(hass, entry, "plug-1")
    timeout = 0.5 if outcome == "timed_out" else 60
    await send(hass, plug, action="on", timeout=timeout, retries=0)

    assert events.outcomes == [outcome]
    for about in ({}, {"entity_ids": [entity_id(hass, entry, *RELAY)]}):
        (shown,) = await read_logbook(**about)
        assert shown["name"] == "Villa plug-1"
        assert shown["message"].rstrip(".") == line
        assert shown["entity_id"] == entity_id(hass, entry, *RELAY)


async def test_an_entitys_command_is_told_as_well(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    node: Node,
    events: Events,
    read_logbook: Callable[..., Any],
) -> None:
    await hass.services.async_call(
        "switch", "turn_on", {"entity_id": entity_id(hass, entry, *RELAY)}, blocking=True
    )

    assert events.outcomes == ["confirmed"]
    assert await read_logbook() == []


async def test_a_failure_without_an_entity_names_its_device(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    node: Node,
    events: Events,
    read_logbook: Callable[..., Any],
) -> None:
    node.behaviour = Behaviour(reject="no")

    await send(hass, device_id(hass, entry, "plug-1"), command="config", config={"secret": "s3"})

    assert events.told[0]["command"] == "config"
    assert "s3" not in str(events.told)
    (shown,) = await read_logbook()
    assert (shown["name"], shown["message"]) == (
        "Villa plug-1",
        "config: plug-1 refused the command: no",
    )


async def test_what_is_withdrawn_refused_at_once_or_dropped_is_told_once_each(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    node: Node,
    events: Events,
    mosquitto: Mosquitto,
) -> None:
    node.behaviour = Behaviour(deaf=True)
    target = device_id(hass, entry, "plug-1")
    call = hass.async_create_background_task(send(hass, target, action="on"), "sending")
    await node.wait_for(lambda: bool(node.received))
    await respond(hass, "cancel_commands", device_id=target)
    await call
    mosquitto.kill()
    await until(hass, lambda: not is_connected(hass, entry))
    await send(hass, target, command="restart")

    assert [(each["command"], each["outcome"], each["reason"]) for each in events.told] == [
        ("relay", "cancelled", "withdrawn"),
        ("restart", "rejected", "not_connected"),
    ]
    assert len({each["request_id"] for each in events.told}) == 2
