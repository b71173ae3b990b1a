"""Households do not feel each other."""

import asyncio
from collections.abc import Callable
import json

from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant

from custom_components.homesync.client import Outcome, RelayAction, RelayCommand
from simulator import Behaviour
from tests.broker import Mosquitto

from .conftest import SetUp, StartNode
from .lookup import connection_state, coordinator, device, is_connected, state
from .waiting import until
from .wire import Wire

RELAY = ("switch", "plug-1", "status/relay")
POWER = ("sensor", "plug-1", "telemetry/power")


async def test_two_households_share_a_broker_but_no_node(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp, start_node: StartNode
) -> None:
    villa = await set_up(mosquitto.port, "villa")
    cabin = await set_up(mosquitto.port, "cabin", title="Cabin")
    in_villa = await start_node("plug-1", "villa", relay_on=True)
    in_cabin = await start_node("plug-1", "cabin", relay_on=False)
    await until(hass, lambda: state(hass, villa, *RELAY) == "on")
    await until(hass, lambda: state(hass, cabin, *RELAY) == "off")

    await in_villa.send_telemetry({"power": 1})
    await in_cabin.send_telemetry({"power": 2})
    await until(hass, lambda: state(hass, villa, *POWER) == "1")
    await until(hass, lambda: state(hass, cabin, *POWER) == "2")

    node = device(hass, cabin, "plug-1")
    assert node is not None
    await hass.services.async_call(
        "homesync",
        "send_command",
        {"device_id": node.id, "action": "on"},
        blocking=True,
        return_response=True,
    )
    await until(hass, lambda: state(hass, cabin, *RELAY) == "on")
    assert [each.action for each in in_cabin.executed] == ["on"]
    assert in_villa.executed == ()


async def test_answers_from_elsewhere_match_no_request(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp, start_node: StartNode, wire: Wire
) -> None:
    villa = await set_up(mosquitto.port, "villa")
    cabin = await set_up(mosquitto.port, "cabin", title="Cabin")
    node = await start_node("plug-1", "villa")
    node.behaviour = Behaviour(deaf=True)
    for other in (("plug-2", "villa"), ("plug-1", "cabin")):
        await start_node(*other)
    await until(hass, lambda: state(hass, villa, "switch", "plug-2", "status/relay") == "on")
    await until(hass, lambda: state(hass, villa, *RELAY) == "on")
    await until(hass, lambda: state(hass, cabin, *RELAY) == "on")

    command = asyncio.create_task(
        coordinator(villa).household.commands.execute("plug-1", RelayCommand(RelayAction.OFF))
    )
    await node.wait_for(lambda: bool(node.received))
    answer = {
        "request_id": json.loads(node.received[0].payload)["request_id"],
        "status": "success",
        "result": "off",
    }
    wire.say("response/command", answer, node="plug-2")
    wire.say("response/command", answer, home="cabin")
    wire.say("response/ota", answer)
    wire.say("response/command", {**answer, "request_id": "another"})
    await until(hass, lambda: coordinator(cabin).household.counts.get("unmatched_answer"))
    await wire.drained()
    counts = coordinator(villa).household
    await until(hass, lambda: counts.counts.get("unmatched_answer") == 1)
    assert counts.counts["foreign_answer"] == 1
    assert counts.counts["misplaced_answer"] == 1
    assert not command.done()

    wire.say("response/command", answer)
    assert (await command).outcome is Outcome.CONFIRMED
    assert state(hass, villa, "switch", "plug-2", "status/relay") == "on"
    assert state(hass, cabin, *RELAY) == "on"


async def test_a_dead_broker_of_one_household_changes_nothing_for_the_other(
    hass: HomeAssistant,
    start_mosquitto: Callable[..., Mosquitto],
    set_up: SetUp,
    start_node: StartNode,
    mosquitto: Mosquitto,
) -> None:
    dying = start_mosquitto()
    villa = await set_up(mosquitto.port, "villa")
    cabin = await set_up(dying.port, "cabin", title="Cabin", options={"grace_time": 0})
    node = await start_node("plug-1", "villa")
    await start_node("plug-1", "cabin", port=dying.port)
    await until(hass, lambda: state(hass, villa, *RELAY) == "on")
    await until(hass, lambda: state(hass, cabin, *RELAY) == "on")

    dying.kill()
    await until(hass, lambda: state(hass, cabin, *RELAY) == "unavailable")

    assert is_connected(hass, villa)
    assert state(hass, villa, *RELAY) == "on"
    await hass.services.async_call(
        "switch", "turn_off", {"entity_id": "switch.villa_plug_1_relay"}, blocking=True
    )
    assert state(hass, villa, *RELAY) == "off"
    assert [each.action for each in node.executed] == ["off"]
    connections = mosquitto.log.count(" as homesync_villa_")
    assert connections == 1


async def test_wrong_credentials_of_one_household_do_not_touch_the_other(
    hass: HomeAssistant, start_mosquitto: Callable[..., Mosquitto], set_up: SetUp
) -> None:
    broker = start_mosquitto(users={"right": "right"})
    villa = await set_up(broker.port, "villa", username="right", password="right")
    cabin = await set_up(broker.port, "cabin", title="Cabin", username="right", password="wrong")

    await until(hass, lambda: is_connected(hass, villa))
    await until(hass, lambda: connection_state(hass, cabin) == "error")

    assert villa.state is cabin.state is ConfigEntryState.LOADED
    assert is_connected(hass, villa)
    (flow,) = hass.config_entries.flow.async_progress()
    assert flow["context"]["entry_id"] == cabin.entry_id


async def test_unloading_one_household_leaves_the_other_connected(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp, start_node: StartNode
) -> None:
    villa = await set_up(mosquitto.port, "villa")
    cabin = await set_up(mosquitto.port, "cabin", title="Cabin")
    node = await start_node("plug-1", "cabin")
    await until(hass, lambda: state(hass, cabin, *RELAY) == "on")

    assert await hass.config_entries.async_unload(villa.entry_id)
    node.press(on=False)

    await until(hass, lambda: state(hass, cabin, *RELAY) == "off")


async def test_messages_that_belong_to_nobody_are_counted_and_harmless(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp, wire: Wire
) -> None:
    entry = await set_up(mosquitto.port)
    await until(hass, lambda: is_connected(hass, entry))

    wire.say("response/command", {"request_id": "x", "status": "success", "result": "on"})
    wire.say("status/nonsense", {"online": True})
    wire.say("telemetry/power", {"value": 1}, node="_echo")
    wire.say("telemetry/power", {"value": 1}, node="spaces are wrong")
    wire.say("status/online", {"online": True}, node="last")
    await until(hass, lambda: device(hass, entry, "last"))

    counts = coordinator(entry).household.counts
    assert counts["unmatched_answer"] == 1
    assert counts["unknown_topic"] == 1
    assert counts["invalid_topic"] == 2
    assert set(coordinator(entry).household.nodes) == {"last"}
