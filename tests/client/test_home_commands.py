"""All that a node can be told, by a household over a real broker to the reference node."""

import asyncio
from collections.abc import AsyncIterator
import json

import pytest

from custom_components.homesync.client import (
    Command,
    ConfigCommand,
    Delivery,
    LedAction,
    LedCommand,
    LedState,
    Outcome,
    OwnCommand,
    Reason,
    RestartCommand,
)
from simulator import Behaviour, Broker, Info, Node, NodeConfig
from tests.broker import Mosquitto

from ..transport.link import until
from .desk import IDENTIFY, ON, TOGGLE, UPDATE, light
from .home import Home

pytestmark = pytest.mark.usefixtures("socket_enabled")


@pytest.fixture
async def node(mosquitto: Mosquitto) -> AsyncIterator[Node]:
    """Announces what it can; online with its relay off."""
    config = NodeConfig(
        home_id="villa",
        node_id="plug-1",
        info=Info(),
        interval=None,
        relay_on=False,
        backoff_min=0.02,
        backoff_max=0.1,
    )
    node = Node(config, Broker(host=mosquitto.host, port=mosquitto.port))
    await node.start()
    yield node
    await node.stop()


@pytest.fixture
async def home(mosquitto: Mosquitto, node: Node) -> AsyncIterator[Home]:
    async with Home(mosquitto) as home:
        await home.knows("status/relay", False)
        await home.knows("status/model", "Plug S")
        yield home


async def test_a_node_tells_what_it_is_and_can_do(home: Home) -> None:
    assert home.plug.get("status/effects") == ("rainbow", "blink")
    capabilities = home.plug.get("status/capabilities")
    assert isinstance(capabilities, tuple)
    assert {"led", "identify", "restart"} <= set(capabilities)
    assert {("plug-1", "capability/identify"), ("plug-1", "capability/restart")} <= set(
        home.changes
    )


async def test_an_led_shows_what_it_was_told(home: Home, node: Node) -> None:
    command = light(brightness=9, color=(1, 2, 3), effect="blink")
    result = await home.household.commands.execute("plug-1", command)
    assert (result.outcome, result.result) == (Outcome.CONFIRMED, "on")
    shown = LedState(on=True, brightness=9, color=(1, 2, 3), effect="blink")
    await home.knows("status/led", shown)
    await home.household.commands.execute("plug-1", LedCommand(LedAction.OFF))
    await until(lambda: not node.led.on)
    result = await home.household.commands.execute("plug-1", IDENTIFY)
    assert (result.outcome, node.identified) == (Outcome.CONFIRMED, 1)


async def test_a_node_tells_which_settings_now_hold(home: Home, node: Node) -> None:
    command = ConfigCommand('{"interval": 5}')
    result = await home.household.commands.execute("plug-1", command)
    assert (result.outcome, result.result) == (Outcome.CONFIRMED, "applied")
    assert node.settings == {"interval": 5}


async def test_a_node_restarts_after_its_answer(home: Home, node: Node) -> None:
    before = node.connections
    result = await home.household.commands.execute("plug-1", RestartCommand())
    assert (result.outcome, result.result) == (Outcome.CONFIRMED, "restarting")
    await until(lambda: node.connections > before)
    await home.knows("status/online", True)
    assert not any(each.retained for each in node.received)


@pytest.mark.parametrize(
    ("command", "words"),
    [(OwnCommand("dance"), "unsupported"), (light(effect="unknown to it"), "unknown effect")],
)
async def test_f45_what_a_node_cannot_do_it_says(home: Home, command: Command, words: str) -> None:
    result = await home.household.commands.execute("plug-1", command)
    assert (result.outcome, result.reason) == (Outcome.REJECTED, Reason.REFUSED_BY_NODE)
    assert words in (result.detail or "")
    assert result.attempts == 1


async def test_a_node_that_takes_its_time_is_waited_for_without_repeats(
    home: Home, node: Node
) -> None:
    node.behaviour = Behaviour(accept_first=True, delay=1.5)
    delivery = Delivery(timeout=1, retries=3)
    result = await home.household.commands.execute("plug-1", ON, delivery)
    assert (result.outcome, result.attempts) == (Outcome.CONFIRMED, 1)
    assert len(node.received) == 1


async def test_f41_an_answer_after_the_timeout_changes_nothing(home: Home, node: Node) -> None:
    node.behaviour = Behaviour(delay=0.3)
    commands = home.household.commands
    result = await commands.execute("plug-1", ON, Delivery(timeout=0.05, retries=0))
    assert (result.outcome, result.reason) == (Outcome.TIMED_OUT, Reason.NO_ANSWER)
    await home.counted("late_answer", 1)
    assert home.household.counts["timed_out"] == 1
    assert "confirmed" not in home.household.counts
    await home.knows("status/relay", True)


async def test_f48_what_is_queued_for_a_node_is_carried_out_when_it_is_back(
    home: Home, node: Node
) -> None:
    await node.stop()
    await home.knows("status/online", False)
    queued = asyncio.create_task(
        home.household.commands.execute("plug-1", TOGGLE, Delivery(queue=True))
    )
    refused = await home.household.commands.execute("plug-1", UPDATE)
    assert (refused.outcome, refused.reason) == (Outcome.REJECTED, Reason.NODE_OFFLINE)
    await node.start()
    result = await queued
    assert (result.outcome, result.result) == (Outcome.CONFIRMED, "on")
    assert len(node.executed) == 1


async def test_f49_a_node_that_reboots_in_between_gets_nothing_that_was_kept(
    home: Home, node: Node
) -> None:
    await home.household.commands.execute("plug-1", ON)
    node.die()
    await home.knows("status/online", False)
    await node.start()
    await home.knows("status/online", True)
    await home.household.commands.execute("plug-1", TOGGLE)
    assert not any(each.retained for each in node.received)
    assert len(node.executed) == 2


async def test_f46_f53_commands_in_turn_are_carried_out_once_each_though_answers_are_lost(
    home: Home, node: Node
) -> None:
    node.behaviour = Behaviour(lose_every=7)
    home_commands = home.household.commands
    for number in range(50):
        delivery = Delivery(timeout=0.05, retries=0, queue=False)
        result = await home_commands.execute("plug-1", TOGGLE, delivery)
        if result.outcome is Outcome.CONFIRMED:
            assert result.result == ("off" if number % 2 else "on")
    await until(lambda: len(node.executed) == 50)
    ids = [json.loads(each.payload)["request_id"] for each in node.received]
    assert len(ids) == len(set(ids)) == 50
