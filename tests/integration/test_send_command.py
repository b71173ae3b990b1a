"""The action `homesync.send_command`: one outcome for each call."""

import asyncio
from typing import Any
from unittest.mock import patch

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.homesync.client import Delivery, Outcome, RelayAction, RelayCommand
from custom_components.homesync.const import DOMAIN
from simulator import Behaviour, Node
from tests.broker import Mosquitto

from .actions import send
from .conftest import SetUp, StartNode
from .lookup import coordinator, device_id, is_connected, state
from .waiting import until

RELAY = ("switch", "plug-1", "status/relay")
INFLIGHT = "custom_components.homesync.client.inflight"


@pytest.fixture
async def entry(hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp) -> MockConfigEntry:
    return await set_up(mosquitto.port)


@pytest.fixture
async def node(hass: HomeAssistant, entry: MockConfigEntry, start_node: StartNode) -> Node:
    node = await start_node(relay_on=False)
    await until(hass, lambda: state(hass, entry, *RELAY) == "off")
    return node


async def call(hass: HomeAssistant, entry: MockConfigEntry, **data: Any) -> dict[str, Any]:
    """Call the action for the node and return how it ended."""
    return await send(hass, device_id(hass, entry, "plug-1"), **{"action": "on", **data})


async def call_without_response(hass: HomeAssistant, entry: MockConfigEntry, **data: Any) -> None:
    target = {"device_id": device_id(hass, entry, "plug-1")}
    await hass.services.async_call(
        DOMAIN, "send_command", {"action": "on", **data}, target=target, blocking=True
    )


async def test_a_confirmed_command_tells_its_result(
    hass: HomeAssistant, entry: MockConfigEntry, node: Node
) -> None:
    response = await call(hass, entry)

    (executed,) = node.executed
    latency = response.pop("latency_ms")
    assert isinstance(latency, float)
    assert 0 < latency < 5000
    assert response == {
        "device_id": device_id(hass, entry, "plug-1"),
        "node_id": "plug-1",
        "household": "Villa",
        "command": "relay",
        "action": "on",
        "outcome": "confirmed",
        "request_id": executed.request_id,
        "result": "on",
        "reason": None,
        "detail": None,
        "attempts": 1,
        "settings": None,
    }
    assert state(hass, entry, *RELAY) == "on"


@pytest.mark.parametrize(
    ("action", "sent"),
    [("on", "on"), ("off", "off"), ("toggle", "toggle"), (True, "on"), (False, "off")],
)
async def test_actions_may_be_words_or_what_yaml_makes_of_them(
    hass: HomeAssistant, entry: MockConfigEntry, node: Node, action: object, sent: str
) -> None:
    response = await call(hass, entry, action=action, command="relay")

    assert response["outcome"] == "confirmed"
    assert [each.action for each in node.executed] == [sent]


async def test_toggling_twice_ends_where_it_began(
    hass: HomeAssistant, entry: MockConfigEntry, node: Node
) -> None:
    assert (await call(hass, entry, action="toggle"))["result"] == "on"
    assert (await call(hass, entry, action="toggle"))["result"] == "off"
    assert state(hass, entry, *RELAY) == "off"


async def test_a_rejected_command_tells_why(
    hass: HomeAssistant, entry: MockConfigEntry, node: Node
) -> None:
    node.behaviour = Behaviour(reject="overload protection")

    response = await call(hass, entry)

    assert response["outcome"] == "rejected"
    assert response["reason"] == "refused_by_node"
    assert response["detail"] == "overload protection"
    assert response["result"] is None
    assert response["attempts"] == 1
    assert len(node.received) == 1


async def test_a_command_without_answer_is_sent_again_with_the_same_id_and_times_out(
    hass: HomeAssistant, entry: MockConfigEntry, node: Node
) -> None:
    node.behaviour = Behaviour(silent=True)

    with patch(f"{INFLIGHT}._FIRST_GAP", 0.01):
        response = await call(hass, entry, timeout=0.5, retries=2)

    assert response["outcome"] == "timed_out"
    assert response["reason"] == "no_answer"
    assert response["latency_ms"] is None
    assert response["attempts"] == 3
    (executed,) = node.executed
    await until(hass, lambda: executed.receptions == 3)
    assert executed.request_id == response["request_id"]


async def test_an_answer_after_the_time_out_changes_no_outcome(
    hass: HomeAssistant, entry: MockConfigEntry, node: Node
) -> None:
    node.behaviour = Behaviour(delay=0.6)

    response = await call(hass, entry, timeout=0.5, retries=0)
    assert response["outcome"] == "timed_out"

    counts = coordinator(entry).household
    await until(hass, lambda: counts.counts.get("late_answer") == 1)
    assert counts.counts["timed_out"] == 1
    assert "confirmed" not in counts.counts


async def test_an_answer_that_comes_twice_counts_once(
    hass: HomeAssistant, entry: MockConfigEntry, node: Node
) -> None:
    node.behaviour = Behaviour(twice=True)

    assert (await call(hass, entry))["outcome"] == "confirmed"

    household = coordinator(entry).household
    await until(hass, lambda: household.counts.get("repeated_answer") == 1)
    assert household.counts["confirmed"] == 1


async def test_an_answer_with_another_id_is_no_answer(
    hass: HomeAssistant, entry: MockConfigEntry, node: Node
) -> None:
    node.behaviour = Behaviour(wrong_id=True)

    response = await call(hass, entry, timeout=0.5, retries=0)

    assert response["outcome"] == "timed_out"


async def test_an_offline_node_rejects_at_once(
    hass: HomeAssistant, entry: MockConfigEntry, node: Node
) -> None:
    node.die()
    await until(hass, lambda: state(hass, entry, *RELAY) == "unavailable")

    response = await call(hass, entry)

    assert response["outcome"] == "rejected"
    assert response["reason"] == "node_offline"
    assert response["attempts"] == 0


async def test_without_connection_what_is_no_state_is_refused_at_once(
    hass: HomeAssistant, entry: MockConfigEntry, node: Node, mosquitto: Mosquitto
) -> None:
    mosquitto.kill()
    await until(hass, lambda: not is_connected(hass, entry))

    response = await send(hass, device_id(hass, entry, "plug-1"), command="restart")

    assert response["outcome"] == "rejected"
    assert response["reason"] == "not_connected"
    assert response["attempts"] == 0


async def test_unloading_cancels(hass: HomeAssistant, entry: MockConfigEntry, node: Node) -> None:
    node.behaviour = Behaviour(deaf=True)
    command = asyncio.create_task(call(hass, entry))
    await node.wait_for(lambda: bool(node.received))

    assert await hass.config_entries.async_unload(entry.entry_id)

    response = await command
    assert response["outcome"] == "cancelled"
    assert response["reason"] == "stopped"


async def test_without_response_a_success_is_silent(
    hass: HomeAssistant, entry: MockConfigEntry, node: Node
) -> None:
    await call_without_response(hass, entry)

    assert state(hass, entry, *RELAY) == "on"


@pytest.mark.parametrize(
    ("behaviour", "key"),
    [
        (Behaviour(reject="no"), "refused_by_node"),
        (Behaviour(reject=""), "refused_without_reason"),
        (Behaviour(deaf=True), "no_answer"),
    ],
)
async def test_without_response_a_failure_is_raised(
    hass: HomeAssistant, entry: MockConfigEntry, node: Node, behaviour: Behaviour, key: str
) -> None:
    node.behaviour = behaviour

    timeout = 0.5 if behaviour.deaf else 60
    with pytest.raises(HomeAssistantError) as caught:
        await call_without_response(hass, entry, timeout=timeout, retries=0)

    assert caught.value.translation_key == key


async def test_f47_of_a_hundred_toggles_at_once_the_newest_waits_and_counts(
    hass: HomeAssistant, entry: MockConfigEntry, node: Node
) -> None:
    node.behaviour = Behaviour(lose_every=2)

    with patch(f"{INFLIGHT}._FIRST_GAP", 0.0):
        responses = await asyncio.gather(
            *(call(hass, entry, action="toggle", timeout=0.5) for _ in range(100))
        )

    outcomes = [response["outcome"] for response in responses]
    assert outcomes == ["confirmed", *["cancelled"] * 98, "confirmed"]
    assert {response["reason"] for response in responses[1:-1]} == {"superseded"}
    assert len({response["request_id"] for response in responses}) == 100
    first, last = node.executed
    assert (first.request_id, last.request_id) == (
        responses[0]["request_id"],
        responses[-1]["request_id"],
    )
    assert any(response["attempts"] > 1 for response in responses)
    assert node.relay is False
    await until(hass, lambda: state(hass, entry, *RELAY) == "off")


async def test_a_hundred_toggles_in_turn_with_lost_answers_are_each_done_once(
    hass: HomeAssistant, entry: MockConfigEntry, node: Node
) -> None:
    node.behaviour = Behaviour(lose_every=5)

    with patch(f"{INFLIGHT}._FIRST_GAP", 0.0):
        commands = coordinator(entry).household.commands
        toggle = RelayCommand(RelayAction.TOGGLE)
        results = [
            await commands.execute("plug-1", toggle, Delivery(timeout=0.1, retries=10))
            for _ in range(100)
        ]

    assert {result.outcome for result in results} == {Outcome.CONFIRMED}
    assert [each.request_id for each in node.executed] == [each.request_id for each in results]
    assert any(result.attempts > 1 for result in results)
    assert node.relay is False
    await until(hass, lambda: state(hass, entry, *RELAY) == "off")
