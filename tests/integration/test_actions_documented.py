"""docs/actions.md: its examples are run, and its tables name what there is."""

import asyncio
from pathlib import Path
import re
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
import yaml

from custom_components.homesync.client import Outcome, Reason
from custom_components.homesync.services import ACTIONS
from custom_components.homesync.services.targets import TARGET_FIELDS
from simulator import Behaviour, Led, Node
from tests.broker import Mosquitto

from .actions import Events
from .conftest import SetUp, StartNode
from .lookup import device_id, state
from .waiting import until
from .wire import Wire

PAGE = (Path(__file__).parents[2] / "docs" / "actions.md").read_text()
DEVICE, ENTRY = "0123456789abcdef0123456789abcdef", "01JQ2X3Y4Z5A6B7C8D9E0F1G2H"
# They differ with each call.
VOLATILE = {
    "bytes_received",
    "bytes_sent",
    "connected_since",
    "latency_ms",
    "messages_published",
    "messages_received",
    "request_id",
    "url",
}
# Their answers are too long for the page.
SHORTENED = {"get_statistics"}


@pytest.fixture
async def entry(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp, wire: Wire
) -> MockConfigEntry:
    wire.say("command/relay", b'{"action": "on"}', retain=True)
    await wire.drained()
    return await set_up(mosquitto.port, options={"firmware_hosts": ["firmware.example"]})


@pytest.fixture
async def node(hass: HomeAssistant, entry: MockConfigEntry, start_node: StartNode) -> Node:
    node = await start_node(relay_on=False, own_commands={"shutter": None})
    await until(hass, lambda: state(hass, entry, "switch", "plug-1", "status/relay") == "off")
    return node


def blocks() -> list[dict[str, Any]]:
    return [yaml.safe_load(each) for each in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)]


def documented(action: str) -> set[str]:
    """The fields in the first table of an action."""
    part = PAGE.partition(f"\n## `homesync.{action}`\n")[2].partition("\n## ")[0]
    table = re.search(r"\| field \| meaning \|\n\|---\|---\|\n((?:\|.*\n)+)", part)
    if table is None:
        return set()
    cells = [row.split("|")[1] for row in table[1].splitlines()]
    return {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}


def steady(value: Any) -> Any:
    """Leave out what differs with each call; that it is there still counts."""
    if isinstance(value, dict):
        return {key: key if key in VOLATILE else steady(each) for key, each in value.items()}
    return [steady(each) for each in value] if isinstance(value, list) else value


async def test_every_example_runs_and_answers_what_is_written(
    hass: HomeAssistant, entry: MockConfigEntry, node: Node
) -> None:
    events = Events(hass)
    page = yaml.safe_load(
        yaml.safe_dump(blocks())
        .replace(DEVICE, device_id(hass, entry, "plug-1"))
        .replace(ENTRY, entry.entry_id)
    )
    called = set()
    for example, following in zip(page, [*page[1:], {}], strict=True):
        if "action" not in example or "outcome" in example:
            continue
        domain, _, action = example["action"].partition(".")
        assert domain == "homesync"
        called.add(action)
        takes_response = "response_variable" in example
        response = await hass.services.async_call(
            domain,
            action,
            example.get("data", {}),
            blocking=True,
            target=example.get("target"),
            return_response=takes_response,
        )
        if takes_response:
            if action in SHORTENED and response is not None:
                response = {key: each for key, each in response.items() if key in following}
            assert steady(response) == steady(following), action

    assert called == set(ACTIONS)
    (event,) = [each for each in page if "outcome" in each]
    assert steady(events.told[0]) == steady(event)
    assert node.led == Led(on=True, brightness=200, color=(255, 120, 0))


async def test_the_automation_on_the_page_tells_what_failed(
    hass: HomeAssistant, entry: MockConfigEntry, node: Node
) -> None:
    (automation,) = [each for each in blocks() if "triggers" in each]
    await async_setup_component(hass, "persistent_notification", {})
    assert await async_setup_component(hass, "automation", {"automation": automation})
    made: list[dict[str, Any]] = []
    told = asyncio.Event()

    def take(event: Any) -> None:
        if event.data["domain"] == "persistent_notification":
            made.append(event.data["service_data"])
            told.set()

    hass.bus.async_listen("call_service", take)
    target = {"device_id": device_id(hass, entry, "plug-1")}
    for behaviour in (Behaviour(), Behaviour(reject="no")):
        node.behaviour = behaviour
        await hass.services.async_call(
            "homesync",
            "send_command",
            {"action": "on"},
            target=target,
            blocking=True,
            return_response=True,
        )
    await until(hass, told.is_set)

    assert made == [{"title": "Villa", "message": "plug-1: relay rejected (refused_by_node)"}]


@pytest.mark.parametrize("action", ACTIONS)
def test_all_fields_of_an_action_are_documented(action: str) -> None:
    fields = {str(each) for each in ACTIONS[action].schema.schema}
    if action in {"send_command", "install_firmware", "cancel_commands"}:
        fields -= {str(each) for each in TARGET_FIELDS}
    assert documented(action) == fields
    row = next(line for line in PAGE.splitlines() if line.startswith(f"| [`homesync.{action}`]"))
    assert ("administrators" in row) is ACTIONS[action].admin


def test_all_outcomes_and_reasons_are_documented() -> None:
    for each in (*Outcome, *Reason):
        assert f"`{each.value}`" in PAGE, each
