"""What a broker keeps: listed, cleared, and never a command of ours."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import issue_registry as ir
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator, WebSocketGenerator

from custom_components.homesync.const import DOMAIN
from tests.broker import Mosquitto

from .actions import act, respond
from .conftest import SetUp, StartNode
from .lookup import coordinator, device, device_id, is_connected, state
from .waiting import until
from .wire import Wire

COMMAND = "homesync/villa/nodes/plug-1/command/relay"
ROOT = "homesync/villa/nodes"


def found(hass: HomeAssistant, entry: MockConfigEntry) -> ir.IssueEntry | None:
    return ir.async_get(hass).async_get_issue(DOMAIN, f"retained_commands_{entry.entry_id}")


@pytest.fixture
async def littered(mosquitto: Mosquitto, wire: Wire) -> dict[str, int]:
    """A broker that keeps all that it should not; topic → bytes."""
    litter = {
        COMMAND: b'{"action": "on"}',
        f"{ROOT}/plug-1/response/command": b'{"request_id": "1"}',
        f"{ROOT}/plug-1/status/unheard-of": b"{}",
        f"{ROOT}/plug-1/command/": b"no kind",
        f"{ROOT}/": b"nobody",
        f"{ROOT}/gone/status/online": b'{"online": false}',
        f"{ROOT}/gone/telemetry/power": b'{"value": 1}',
    }
    for topic, payload in litter.items():
        wire.publish(topic, payload, retain=True)
    wire.publish("homesync/cabin/nodes/plug-1/command/relay", b"another household", retain=True)
    await wire.drained()
    return {topic: len(payload) for topic, payload in litter.items()}


async def start(hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp) -> MockConfigEntry:
    """Nodes are asked for, so that those that are gone do not come back by what they left."""
    entry = await set_up(mosquitto.port, accepted_nodes=["plug-1"], options={"new_nodes": "ask"})
    await until(hass, lambda: is_connected(hass, entry))
    return entry


async def test_a_dry_run_lists_what_nobody_needs_and_changes_nothing(
    hass: HomeAssistant,
    *,
    mosquitto: Mosquitto,
    set_up: SetUp,
    start_node: StartNode,
    wire: Wire,
    littered: dict[str, int],
) -> None:
    entry = await start(hass, mosquitto, set_up)
    await start_node()
    await until(hass, lambda: state(hass, entry, "switch", "plug-1", "status/relay"))
    before = await wire.kept()

    response = await respond(hass, "purge_retained", config_entry_id=entry.entry_id)

    reasons = {
        COMMAND: "command",
        f"{ROOT}/plug-1/command/": "command",
        f"{ROOT}/plug-1/response/command": "answer",
        f"{ROOT}/plug-1/status/unheard-of": "unknown_topic",
        f"{ROOT}/": "unknown_topic",
        f"{ROOT}/gone/status/online": "unknown_node",
        f"{ROOT}/gone/telemetry/power": "unknown_node",
    }
    assert response == {
        "household": "Villa",
        "dry_run": True,
        "found": [
            {"topic": topic, "bytes": littered[topic], "reason": reasons[topic]}
            for topic in sorted(littered)
        ],
        "cleared": 0,
        "left": sorted(littered),
    }
    assert await wire.kept() == before
    await act(hass, "purge_retained", config_entry_id=entry.entry_id)
    assert await wire.kept() == before


async def test_a_purge_clears_it_and_looks_again(
    hass: HomeAssistant,
    *,
    mosquitto: Mosquitto,
    set_up: SetUp,
    start_node: StartNode,
    wire: Wire,
    littered: dict[str, int],
) -> None:
    entry = await start(hass, mosquitto, set_up)
    node = await start_node()
    await until(hass, lambda: found(hass, entry))

    response = await respond(hass, "purge_retained", config_entry_id=entry.entry_id, dry_run=False)

    assert (response["cleared"], response["left"]) == (len(littered), [])
    kept = await wire.kept()
    assert not littered.keys() & kept.keys()
    assert "homesync/cabin/nodes/plug-1/command/relay" in kept
    assert f"{ROOT}/plug-1/status/online" in kept
    assert found(hass, entry) is None
    assert node.executed == ()
    again = await respond(hass, "purge_retained", config_entry_id=entry.entry_id, dry_run=False)
    assert (again["found"], again["cleared"]) == ([], 0)


async def test_more_than_fits_into_one_go_is_cleared_as_well(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp, wire: Wire
) -> None:
    for number in range(600):
        wire.publish(f"{ROOT}/gone/command/kind-{number}", b"{}", retain=True)
    await wire.drained()
    entry = await start(hass, mosquitto, set_up)

    response = await respond(hass, "purge_retained", config_entry_id=entry.entry_id, dry_run=False)

    assert (response["cleared"], response["left"]) == (600, [])
    assert await wire.kept(f"{ROOT}/gone/#") == {}


async def test_what_the_broker_does_not_let_go_is_told(
    hass: HomeAssistant, start_mosquitto: Callable[..., Mosquitto], set_up: SetUp
) -> None:
    broker = start_mosquitto(
        users={"villa": "villa", "other": "other"},
        acl="user other\ntopic readwrite #\nuser villa\ntopic read #\n",
    )
    other = Wire(broker.port, username="other", password="other")
    await other.open()
    other.publish(COMMAND, b"{}", retain=True)
    await other.drained()
    await other.close()
    # MQTT 3.1.1 knows no refusal: the broker acknowledges and does nothing.
    entry = await set_up(broker.port, username="villa", password="villa", version="3.1.1")
    await until(hass, lambda: is_connected(hass, entry))

    response = await respond(hass, "purge_retained", config_entry_id=entry.entry_id, dry_run=False)
    assert (response["cleared"], response["left"]) == (0, [COMMAND])

    with pytest.raises(HomeAssistantError) as caught:
        await act(hass, "purge_retained", config_entry_id=entry.entry_id, dry_run=False)
    assert caught.value.translation_key == "not_cleared"
    assert caught.value.translation_placeholders == {"household": "Villa", "count": "1"}


async def test_without_connection_nothing_is_purged_or_published(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp
) -> None:
    entry = await start(hass, mosquitto, set_up)
    mosquitto.kill()
    await until(hass, lambda: not is_connected(hass, entry))

    for name, data in (("purge_retained", {}), ("publish", {"topic": "homesync/villa/x"})):
        with pytest.raises(HomeAssistantError) as caught:
            await act(hass, name, config_entry_id=entry.entry_id, **data)
        assert caught.value.translation_key == "no_connection"
        assert str(caught.value) == "Villa has no connection to its broker"


@pytest.mark.parametrize("version", ["3.1.1", "5"])
async def test_the_repair_has_the_broker_forget_retained_commands(
    hass: HomeAssistant,
    *,
    mosquitto: Mosquitto,
    set_up: SetUp,
    wire: Wire,
    hass_client: ClientSessionGenerator,
    version: str,
) -> None:
    await async_setup_component(hass, "repairs", {})
    for kind in ("relay", "led"):
        wire.say(f"command/{kind}", {"action": "on"}, retain=True)
    await wire.drained()
    entry = await set_up(mosquitto.port, version=version)
    await until(hass, lambda: found(hass, entry))
    shown = found(hass, entry)
    assert shown is not None
    assert shown.translation_placeholders is not None
    assert shown.translation_placeholders["count"] == "2"

    client = await hass_client()
    flow = await post(
        client, "/api/repairs/issues/fix", {"handler": DOMAIN, "issue_id": shown.issue_id}
    )
    assert flow["step_id"] == "confirm"
    ended = await post(client, f"/api/repairs/issues/fix/{flow['flow_id']}", {})

    assert ended["type"] == FlowResultType.CREATE_ENTRY
    assert found(hass, entry) is None
    await until_kept(wire, ())
    link = coordinator(entry).household.link
    before = link.terms
    await act(hass, "reconnect", config_entry_id=entry.entry_id)
    await until(hass, lambda: link.terms is not before and is_connected(hass, entry))
    response = await respond(hass, "purge_retained", config_entry_id=entry.entry_id)
    assert response["found"] == []
    assert found(hass, entry) is None


@pytest.mark.parametrize("why", ["disconnected", "unloaded"])
async def test_a_repair_that_is_not_possible_now_says_so_and_keeps_the_issue(
    hass: HomeAssistant,
    *,
    mosquitto: Mosquitto,
    set_up: SetUp,
    wire: Wire,
    hass_client: ClientSessionGenerator,
    why: str,
) -> None:
    await async_setup_component(hass, "repairs", {})
    wire.say("command/relay", {"action": "on"}, retain=True)
    await wire.drained()
    entry = await set_up(mosquitto.port)
    await until(hass, lambda: found(hass, entry))
    client = await hass_client()
    issue = {"handler": DOMAIN, "issue_id": f"retained_commands_{entry.entry_id}"}
    flow = await post(client, "/api/repairs/issues/fix", issue)
    if why == "disconnected":
        mosquitto.kill()
        await until(hass, lambda: not is_connected(hass, entry))
    else:
        await hass.config_entries.async_unload(entry.entry_id)

    ended = await post(client, f"/api/repairs/issues/fix/{flow['flow_id']}", {})

    assert (ended["type"], ended["reason"]) == ("abort", "not_cleared")
    assert (found(hass, entry) is not None) is (entry.state is ConfigEntryState.LOADED)


async def test_a_node_that_is_removed_leaves_nothing_on_the_broker(
    hass: HomeAssistant,
    mosquitto: Mosquitto,
    set_up: SetUp,
    wire: Wire,
    hass_ws_client: WebSocketGenerator,
) -> None:
    await async_setup_component(hass, "config", {})
    entry = await set_up(mosquitto.port)
    for leaf in ("status/online", "status/relay", "telemetry/power", "command/relay", "notes/x"):
        wire.say(leaf, {"online": False, "state": "on", "value": 1}, retain=True)
    wire.say("status/online", {"online": True}, node="plug-2")
    await until(hass, lambda: device(hass, entry, "plug-1") and device(hass, entry, "plug-2"))
    client = await hass_ws_client()

    await client.send_json_auto_id(
        {
            "type": "config/device_registry/remove_config_entry",
            "config_entry_id": entry.entry_id,
            "device_id": device_id(hass, entry, "plug-1"),
        }
    )

    assert (await client.receive_json())["success"]
    assert device(hass, entry, "plug-1") is None
    assert set(coordinator(entry).household.nodes) == {"plug-2"}
    await until_kept(wire, {f"{ROOT}/plug-2/status/online"})


async def post(client: Any, path: str, body: dict[str, Any]) -> dict[str, Any]:
    response = await client.post(path, json=body)
    assert response.status == 200, await response.text()
    answer: dict[str, Any] = await response.json()
    return answer


async def until_kept(wire: Wire, topics: Iterable[str], topic_filter: str = f"{ROOT}/#") -> None:
    """Return when the broker keeps exactly these."""
    wanted = set(topics)
    async with asyncio.timeout(60):
        while (await wire.kept(topic_filter)).keys() != wanted:
            pass
