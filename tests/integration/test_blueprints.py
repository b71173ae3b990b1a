"""The examples' blueprints, each at work in an automation."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

from homeassistant.components.automation.config import AUTOMATION_BLUEPRINT_SCHEMA
from homeassistant.components.blueprint import models
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.setup import async_setup_component
from homeassistant.util import yaml as yaml_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from simulator import Behaviour, Node
from tests.broker import Mosquitto

from .actions import Events, send
from .conftest import SetUp, StartNode
from .lookup import device_id, entity_id, is_connected, state
from .waiting import until

pytestmark = pytest.mark.usefixtures("automations_at_rest")

FOLDER = Path(__file__).parents[2] / "examples" / "blueprints"
RELAY = ("switch", "plug-1", "status/relay")
ONLINE = ("binary_sensor", "plug-1", "status/online")
POWER = ("sensor", "plug-1", "telemetry/power")


@pytest.fixture(autouse=True)
def examples() -> Iterator[None]:
    """Let Home Assistant take blueprints from the examples instead of its own folder."""

    def load(self: models.DomainBlueprints, path: str) -> models.Blueprint:
        return models.Blueprint(
            yaml_util.load_yaml_dict(str(FOLDER / path)),
            path=path,
            expected_domain=self.domain,
            schema=AUTOMATION_BLUEPRINT_SCHEMA,
        )

    with patch.object(models.DomainBlueprints, "_load_blueprint", load):
        yield


class Told:
    """What automations told, by an event of the test's own."""

    def __init__(self, hass: HomeAssistant) -> None:
        self.data: list[dict[str, Any]] = []
        hass.bus.async_listen("told", self._hear)

    @callback
    def _hear(self, event: Event[dict[str, Any]]) -> None:
        self.data.append(dict(event.data))


def tell(**data: str) -> list[dict[str, Any]]:
    """Actions that tell."""
    return [{"event": "told", "event_data": data}]


async def automate(hass: HomeAssistant, name: str, **inputs: object) -> Told:
    """Set up an automation of a blueprint."""
    told = Told(hass)
    use = {"path": f"{name}.yaml", "input": inputs}
    config = {"automation": {"id": name, "alias": name, "use_blueprint": use}}
    assert await async_setup_component(hass, "automation", config)
    await hass.async_block_till_done()
    automation = hass.states.get(f"automation.{name}")
    assert automation is not None
    assert automation.state == "on"
    return told


@pytest.fixture
async def entry(hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp) -> MockConfigEntry:
    return await set_up(mosquitto.port)


@pytest.fixture
async def node(hass: HomeAssistant, entry: MockConfigEntry, start_node: StartNode) -> Node:
    node = await start_node(relay_on=False)
    await until(hass, lambda: state(hass, entry, *RELAY) == "off")
    return node


async def retry(hass: HomeAssistant, entry: MockConfigEntry, **inputs: object) -> Told:
    short = {"pause": 0.2, "tries": 3, "patience": 20}
    return await automate(
        hass,
        "retry_failed_relay",
        node=device_id(hass, entry, "plug-1"),
        given_up=tell(wanted="{{ wanted }}"),
        **{**short, **inputs},
    )


async def switch(
    hass: HomeAssistant, entry: MockConfigEntry, action: str, *, timeout: float = 0.5
) -> str:
    """Try once, in a hurry unless an answer is to come; return the outcome."""
    node = device_id(hass, entry, "plug-1")
    result = await send(hass, node, action=action, timeout=timeout, retries=0)
    outcome = result["outcome"]
    assert isinstance(outcome, str)
    return outcome


@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("*.yaml")))
def test_a_blueprint_is_one(name: str) -> None:
    blueprint = models.Blueprint(
        yaml_util.load_yaml_dict(str(FOLDER / f"{name}.yaml")),
        expected_domain="automation",
        schema=AUTOMATION_BLUEPRINT_SCHEMA,
    )

    assert blueprint.validate() is None


async def test_a_failed_relay_is_tried_again_until_it_switches(
    hass: HomeAssistant, entry: MockConfigEntry, node: Node
) -> None:
    told = await retry(hass, entry)
    node.behaviour = Behaviour(deaf=True)
    assert await switch(hass, entry, "on") == "timed_out"

    node.behaviour = Behaviour()

    await until(hass, lambda: state(hass, entry, *RELAY) == "on")
    assert [each.action for each in node.executed] == ["on"]
    assert told.data == []


async def test_a_relay_whose_node_is_away_is_switched_when_it_is_back(
    hass: HomeAssistant, entry: MockConfigEntry, node: Node
) -> None:
    await retry(hass, entry)
    await node.stop()
    await until(hass, lambda: state(hass, entry, *ONLINE) == "off")
    assert await switch(hass, entry, "on") == "rejected"

    await node.start()

    await until(hass, lambda: state(hass, entry, *RELAY) == "on")
    assert [each.action for each in node.executed] == ["on"]


async def test_a_relay_that_never_switches_is_given_up(
    hass: HomeAssistant, entry: MockConfigEntry, node: Node
) -> None:
    told = await retry(hass, entry, tries=2, pause=0.05, patience=1)
    await node.stop()
    await until(hass, lambda: state(hass, entry, *ONLINE) == "off")
    events = Events(hass)
    assert await switch(hass, entry, "on") == "rejected"

    await until(hass, lambda: told.data)

    assert told.data == [{"wanted": "on"}]
    assert events.outcomes == ["rejected", "expired", "expired"]


@pytest.mark.parametrize("action", ["on", "toggle"])
async def test_what_the_node_refuses_and_a_toggle_are_not_tried_again(
    hass: HomeAssistant, entry: MockConfigEntry, node: Node, action: str
) -> None:
    await retry(hass, entry, pause=0.01)
    node.behaviour = Behaviour(reject="overload") if action == "on" else Behaviour(deaf=True)
    events = Events(hass)
    await switch(hass, entry, action, timeout=60 if action == "on" else 0.5)

    await hass.async_block_till_done(wait_background_tasks=True)

    automation = hass.states.get("automation.retry_failed_relay")
    assert automation is not None
    assert automation.attributes["last_triggered"] is None
    assert len(events.told) == 1


async def test_a_newer_command_takes_the_place_of_a_failed_one(
    hass: HomeAssistant, entry: MockConfigEntry, node: Node
) -> None:
    told = await retry(hass, entry, pause=5)
    node.behaviour = Behaviour(deaf=True)
    assert await switch(hass, entry, "on") == "timed_out"
    node.behaviour = Behaviour()

    assert await switch(hass, entry, "off", timeout=60) == "confirmed"
    await until(hass, lambda: _runs(hass, "retry_failed_relay") == 0)

    assert [each.action for each in node.executed] == ["off"]
    assert told.data == []


async def test_a_newer_command_that_fails_is_the_one_to_try_again(
    hass: HomeAssistant, entry: MockConfigEntry, node: Node
) -> None:
    await retry(hass, entry, pause=3)
    node.behaviour = Behaviour(deaf=True)
    assert await switch(hass, entry, "off") == "timed_out"
    assert await switch(hass, entry, "on") == "timed_out"
    node.behaviour = Behaviour()

    await until(hass, lambda: state(hass, entry, *RELAY) == "on")

    assert [each.action for each in node.executed] == ["on"]


async def test_a_silent_node_is_told_once_and_again_when_it_is_back(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    node: Node,
    mosquitto: Mosquitto,
) -> None:
    told = await automate(
        hass,
        "notify_silent_node",
        nodes=[entity_id(hass, entry, *ONLINE)],
        patience=0.3,
        silent=tell(silent="{{ node }}", minutes="{{ minutes }}"),
        back=tell(back="{{ node }}"),
    )
    await node.stop()
    await _happens(lambda: told.data)

    mosquitto.restart()
    await _happens(lambda: not is_connected(hass, entry))
    await _happens(lambda: is_connected(hass, entry))
    await node.start()
    await _happens(lambda: len(told.data) == 2)

    assert told.data == [{"silent": "Villa plug-1", "minutes": 0.0}, {"back": "Villa plug-1"}]


async def test_a_node_that_is_soon_back_was_not_silent(
    hass: HomeAssistant, entry: MockConfigEntry, node: Node
) -> None:
    told = await automate(
        hass,
        "notify_silent_node",
        nodes=[entity_id(hass, entry, *ONLINE)],
        patience=60,
        silent=tell(silent="{{ node }}"),
    )

    await node.restart()
    await until(hass, lambda: state(hass, entry, *ONLINE) == "on")

    assert told.data == []
    assert _runs(hass, "notify_silent_node") == 0


async def test_power_above_the_limit_switches_relays_off_in_turn(
    hass: HomeAssistant, entry: MockConfigEntry, start_node: StartNode
) -> None:
    nodes = [await start_node(name) for name in ("plug-1", "plug-2", "plug-3")]
    await nodes[0].send_telemetry({"power": 500})
    await until(hass, lambda: state(hass, entry, *POWER) == "500")
    names = ["plug-2", "plug-1", "plug-3"]
    relays = [entity_id(hass, entry, "switch", name, "status/relay") for name in names]
    await until(hass, lambda: all(_is(hass, each, "on") for each in relays))
    told = await automate(
        hass,
        "cap_power",
        power=entity_id(hass, entry, *POWER),
        limit=1000,
        patience=2,
        relays=relays,
        switched_off=tell(relay="{{ relay }}"),
    )
    # The first one does not answer, the second is enough.
    nodes[1].behaviour = Behaviour(reject="stuck")

    await nodes[0].send_telemetry({"power": 1200})
    await _happens(lambda: _is(hass, relays[1], "off"))
    await nodes[0].send_telemetry({"power": 300})
    await _happens(lambda: _runs(hass, "cap_power") == 0)

    assert told.data == [{"relay": relays[1]}]
    assert [node.relay for node in nodes] == [False, True, True]


async def _happens(condition: Callable[[], object]) -> None:
    """Return when it holds; what an automation waits for meanwhile is not waited for."""
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - states have no event of their own
            await asyncio.sleep(0.005)


def _is(hass: HomeAssistant, entity: str | None, wanted: str) -> bool:
    found = None if entity is None else hass.states.get(entity)
    return found is not None and found.state == wanted


def _runs(hass: HomeAssistant, name: str) -> int:
    """How many runs of an automation are under way."""
    automation = hass.states.get(f"automation.{name}")
    assert automation is not None
    return int(automation.attributes["current"])
