"""Nodes that are asked for before they are added."""

from homeassistant.config_entries import (
    SOURCE_IGNORE,
    SOURCE_INTEGRATION_DISCOVERY,
    ConfigFlowResult,
)
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType

from custom_components.homesync.const import DOMAIN
from tests.broker import Mosquitto

from .conftest import SetUp
from .lookup import coordinator, device, is_connected
from .waiting import until
from .wire import Wire

ASK = {"new_nodes": "ask"}


def questions(hass: HomeAssistant) -> list[ConfigFlowResult]:
    return [
        flow
        for flow in hass.config_entries.flow.async_progress_by_handler(DOMAIN)
        if flow["context"]["source"] == SOURCE_INTEGRATION_DISCOVERY
    ]


async def test_a_node_that_is_accepted_appears_and_stays_accepted(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp, wire: Wire
) -> None:
    entry = await set_up(mosquitto.port, options=ASK)
    await until(hass, lambda: is_connected(hass, entry))

    wire.say("status/online", {"online": True})
    await until(hass, lambda: questions(hass))
    assert device(hass, entry, "plug-1") is None
    (question,) = questions(hass)
    assert question["step_id"] == "node"
    assert question["context"]["title_placeholders"] == {"name": "Villa plug-1"}

    shown = await hass.config_entries.flow.async_configure(question["flow_id"])
    assert shown["description_placeholders"] == {"node": "plug-1", "household": "Villa"}
    result = await hass.config_entries.flow.async_configure(question["flow_id"], {})
    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "node_added"
    assert entry.data["accepted_nodes"] == ["plug-1"]
    # Its retained status comes again with the reload.
    await until(hass, lambda: device(hass, entry, "plug-1"))
    assert questions(hass) == []


async def test_a_node_is_asked_for_once_and_not_at_all_when_it_was_ignored(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp, wire: Wire
) -> None:
    entry = await set_up(mosquitto.port, options=ASK)
    await until(hass, lambda: is_connected(hass, entry))
    counts = coordinator(entry).household
    for _ in range(3):
        wire.say("status/online", {"online": True})
    await until(hass, lambda: counts.counts.get("node_not_accepted", 0) >= 3)
    (question,) = questions(hass)

    await hass.config_entries.flow.async_init(
        DOMAIN,
        context={"source": SOURCE_IGNORE},
        data={"unique_id": question["context"]["unique_id"], "title": "plug-1"},
    )
    await hass.config_entries.async_reload(entry.entry_id)
    await until(hass, lambda: is_connected(hass, entry))
    counts = coordinator(entry).household
    await until(hass, lambda: counts.counts.get("node_not_accepted", 0) >= 1)
    assert questions(hass) == []
    assert device(hass, entry, "plug-1") is None


async def test_invented_nodes_lead_to_a_bounded_number_of_questions(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp, wire: Wire
) -> None:
    entry = await set_up(mosquitto.port, options=ASK)
    await until(hass, lambda: is_connected(hass, entry))
    household = coordinator(entry).household

    for number in range(40):
        wire.say("telemetry/power", {"value": 1}, node=f"stranger-{number}")
    await until(hass, lambda: household.counts.get("node_not_accepted", 0) >= 40)

    assert len(questions(hass)) == 25
    assert household.nodes == {}


async def test_a_question_of_a_household_that_was_removed_ends(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp, wire: Wire
) -> None:
    entry = await set_up(mosquitto.port, options=ASK)
    await until(hass, lambda: is_connected(hass, entry))
    wire.say("status/online", {"online": True})
    await until(hass, lambda: questions(hass))
    (question,) = questions(hass)

    await hass.config_entries.async_remove(entry.entry_id)

    result = await hass.config_entries.flow.async_configure(question["flow_id"], {})
    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "household_removed"
