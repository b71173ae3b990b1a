"""A household, a real broker and the reference node."""

import asyncio
from collections.abc import AsyncIterator
import json
import re

import pytest

from custom_components.homesync.client import (
    ConnectionState,
    Delivery,
    Outcome,
    Reason,
    RelayAction,
    RelayCommand,
    inflight,
)
from simulator import Behaviour, Broker, Node, NodeConfig
from tests.broker import Mosquitto

from ..transport.link import until
from .home import Home, Stranger

ON, OFF, TOGGLE = (RelayCommand(action) for action in RelayAction)


@pytest.fixture
async def node(mosquitto: Mosquitto) -> AsyncIterator[Node]:
    """Online with its relay off; sends telemetry only on demand and comes back fast."""
    config = NodeConfig(
        home_id="villa",
        node_id="plug-1",
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
        yield home


async def test_a_node_that_was_there_before_is_known_by_what_the_broker_kept(home: Home) -> None:
    await home.knows("status/rssi", home.plug.get("status/rssi"))
    assert home.plug.get("status/online") is True
    assert home.plug.get("status/firmware") == "1.2.3"
    assert not home.plug.offline
    assert home.plug.last_boot is not None


async def test_telemetry_is_told_value_by_value(home: Home, node: Node) -> None:
    home.changes.clear()
    await node.send_telemetry({"power": 12.5, "voltage": 230})
    await home.knows("telemetry/power", 12.5)
    await home.knows("telemetry/voltage", 230)
    told = [key for _, key in home.changes if key.startswith("telemetry/")]
    assert sorted(told) == ["telemetry/power", "telemetry/voltage"]


async def test_a_command_is_confirmed_and_the_state_follows(home: Home, node: Node) -> None:
    result = await home.household.commands.execute("plug-1", ON)
    assert (result.outcome, result.result, result.attempts) == (Outcome.CONFIRMED, "on", 1)
    assert result.latency is not None
    assert home.plug.get("status/relay") is True
    assert node.relay is True
    result = await home.household.commands.execute("plug-1", TOGGLE)
    assert result.result == "off"
    await home.knows("status/relay", False)


async def test_f45_a_command_is_rejected_in_the_nodes_words(home: Home, node: Node) -> None:
    node.behaviour = Behaviour(reject="overload protection")
    result = await home.household.commands.execute("plug-1", ON)
    assert (result.outcome, result.reason) == (Outcome.REJECTED, Reason.REFUSED_BY_NODE)
    assert result.detail == "overload protection"
    assert home.plug.get("status/relay") is False


async def test_f40_a_deaf_node_is_asked_again_with_the_same_id(
    home: Home, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inflight, "_FIRST_GAP", 0.01)
    node.behaviour = Behaviour(deaf=True)
    result = await home.household.commands.execute("plug-1", ON, Delivery(timeout=0.05, retries=2))
    assert (result.outcome, result.reason) == (Outcome.TIMED_OUT, Reason.NO_ANSWER)
    assert result.attempts == 3
    await until(lambda: len(node.received) == 3)
    ids = {json.loads(each.payload)["request_id"] for each in node.received}
    assert ids == {result.request_id}
    assert not any(each.retained for each in node.received)


async def test_f46_a_lost_answer_is_given_again_and_the_command_carried_out_once(
    home: Home, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inflight, "_FIRST_GAP", 0.01)
    node.behaviour = Behaviour(skip_first=1)
    result = await home.household.commands.execute("plug-1", TOGGLE, Delivery(timeout=2))
    assert (result.outcome, result.result, result.attempts) == (Outcome.CONFIRMED, "on", 2)
    assert len(node.executed) == 1
    assert node.relay is True


async def test_f42_an_answer_given_twice_counts_once(home: Home, node: Node) -> None:
    node.behaviour = Behaviour(twice=True)
    result = await home.household.commands.execute("plug-1", ON)
    assert result.outcome is Outcome.CONFIRMED
    await home.counted("repeated_answer", 1)
    assert home.household.counts["confirmed"] == 1


async def test_f43_an_answer_to_another_id_confirms_nothing(home: Home, node: Node) -> None:
    node.behaviour = Behaviour(wrong_id=True)
    result = await home.household.commands.execute("plug-1", ON, Delivery(timeout=0.2, retries=0))
    assert result.outcome is Outcome.TIMED_OUT
    await home.counted("unmatched_answer", 1)
    assert home.household.counts["unmatched_answer"] == 1


async def test_f31_a_broker_that_restarts_meanwhile_loses_no_command(
    home: Home, node: Node, mosquitto: Mosquitto
) -> None:
    node.behaviour = Behaviour(silent=True)
    task = asyncio.create_task(home.household.commands.execute("plug-1", TOGGLE))
    await until(lambda: len(node.executed) == 1)
    home.may_reconnect.clear()
    mosquitto.kill()
    await until(lambda: home.household.link.state is not ConnectionState.CONNECTED)
    await until(lambda: not node.online)
    mosquitto.start()
    node.behaviour = Behaviour()
    await node.wait_online()
    home.may_reconnect.set()
    result = await task
    assert (result.outcome, result.result) == (Outcome.CONFIRMED, "on")
    assert len(node.executed) == 1
    await home.knows("status/relay", True)


async def test_f47_of_100_toggles_the_first_and_the_last_are_carried_out(
    home: Home, node: Node
) -> None:
    commands = home.household.commands
    results = await asyncio.gather(*(commands.execute("plug-1", TOGGLE) for _ in range(100)))
    first, *others, last = results
    assert (first.result, last.result) == ("on", "off")
    assert {(each.outcome, each.reason, each.attempts) for each in others} == {
        (Outcome.CANCELLED, Reason.SUPERSEDED, 0)
    }
    assert len(node.executed) == 2
    await home.knows("status/relay", False)


async def test_f60_the_last_will_makes_a_node_offline_and_its_return_online(
    home: Home, node: Node
) -> None:
    node.die()
    await home.knows("status/online", False)
    result = await home.household.commands.execute("plug-1", ON)
    assert (result.outcome, result.reason) == (Outcome.REJECTED, Reason.NODE_OFFLINE)
    await node.start()
    await home.knows("status/online", True)
    assert (await home.household.commands.execute("plug-1", ON)).outcome is Outcome.CONFIRMED


async def test_f33_malformed_telemetry_leaves_the_last_good_value(home: Home, node: Node) -> None:
    await node.send_telemetry({"power": 5})
    await home.knows("telemetry/power", 5)
    node.behaviour = Behaviour(malformed=True)
    for _ in range(20):
        await node.send_telemetry()
    await home.counted("malformed_json", 1)
    node.behaviour = Behaviour()
    await node.send_telemetry({"power": 6})
    await home.knows("telemetry/power", 6)


async def test_f49_no_command_is_retained_on_the_wire(
    home: Home, node: Node, mosquitto: Mosquitto
) -> None:
    await home.household.commands.execute("plug-1", ON)
    await home.household.commands.execute("plug-1", OFF)
    flags = re.findall(r"Received PUBLISH from hs-villa \((.+?), m\d+, '(.+?)'", mosquitto.log)
    commands = [each for each in flags if "/_echo/" not in each[1]]
    assert commands == [("d0, q1, r0", "homesync/villa/nodes/plug-1/command/relay")] * 2
    assert not [each for each in flags if not each[0].endswith("r0")]


async def test_a_removed_node_is_gone_for_the_next_household_too(
    mosquitto: Mosquitto, home: Home, node: Node
) -> None:
    await node.stop()
    await home.knows("status/online", False)
    home.household.remove_node("plug-1")
    async with Stranger(mosquitto) as stranger:
        stranger.publish("villa/nodes/plug-2/status/online", '{"online": true}')
        await home.knows("status/online", True, "plug-2")
    assert list(home.household.nodes) == ["plug-2"]
    await home.household.stop()
    async with Home(mosquitto) as next_home, Stranger(mosquitto) as stranger:
        stranger.publish("villa/nodes/plug-3/status/online", '{"online": true}')
        await next_home.knows("status/online", True, "plug-3")
        assert list(next_home.household.nodes) == ["plug-3"]


async def test_f52_stopping_during_a_command_ends_it(home: Home, node: Node) -> None:
    node.behaviour = Behaviour(silent=True)
    task = asyncio.create_task(home.household.commands.execute("plug-1", ON))
    await until(lambda: node.executed)
    await home.household.stop()
    result = await task
    assert (result.outcome, result.reason) == (Outcome.CANCELLED, Reason.STOPPED)
