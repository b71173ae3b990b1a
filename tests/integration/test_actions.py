"""Commands of every kind, for several nodes at once, and their withdrawal."""

import asyncio
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.homesync.services import ACTIONS
from simulator import Behaviour, Led, Node
from tests.broker import Mosquitto

from .actions import act, ids, respond, send
from .lookup import coordinator, is_connected
from .waiting import reached, until


def test_the_actions_are_these_and_only_administrators_may_call_the_dangerous_ones() -> None:
    admin = {"get_statistics", "install_firmware", "purge_retained", "publish", "reconnect"}
    assert {name for name, action in ACTIONS.items() if action.admin} == admin
    assert set(ACTIONS) == admin | {"send_command", "cancel_commands"}


@pytest.mark.parametrize(
    ("data", "result", "settings"),
    [
        ({"command": "led", "action": "off"}, "off", None),
        (
            {"command": "led", "action": True, "brightness": 9, "color": [1, 2, 3]},
            "on",
            None,
        ),
        ({"command": "led", "action": "identify"}, "on", None),
        (
            {"command": "config", "config": {"interval": 30, "wifi": {"name": "x"}}},
            "applied",
            {"interval": 30, "wifi": {"name": "x"}},
        ),
        ({"command": "restart"}, "restarting", None),
        ({"command": "shutter", "content": {"position": 40}}, "at 40", None),
        ({"command": "echo"}, "{}", None),
    ],
)
async def test_every_kind_of_command_reaches_the_node_and_tells_its_result(
    hass: HomeAssistant,
    *,
    entry: MockConfigEntry,
    nodes: tuple[Node, Node],
    data: dict[str, Any],
    result: str,
    settings: dict[str, Any] | None,
) -> None:
    node, _ = nodes
    node.show(Led(on=True))

    told = await send(hass, ids(hass, entry)[0], **data)

    assert told["outcome"] == "confirmed", told
    assert told["result"] == result
    assert told["settings"] == settings
    assert [each.kind for each in node.executed] == [data["command"]]
    if "color" in data:
        assert node.led == Led(on=True, brightness=9, color=(1, 2, 3))


async def test_settings_are_neither_logged_nor_told_on_the_bus(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    nodes: tuple[Node, Node],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("DEBUG", "custom_components.homesync")

    told = await send(hass, ids(hass, entry)[0], command="config", config={"password": "canary-1"})

    assert told["settings"] == {"password": "canary-1"}
    ours = [each for each in caplog.records if each.name.startswith("custom_components")]
    assert any("confirmed" in each.getMessage() for each in ours)
    assert not any("canary-1" in each.getMessage() for each in ours)


async def test_a_command_the_node_does_not_know_is_rejected_in_its_words(
    hass: HomeAssistant, entry: MockConfigEntry, nodes: tuple[Node, Node]
) -> None:
    told = await send(hass, ids(hass, entry)[1], command="shutter", content={"position": 1})

    assert (told["outcome"], told["detail"]) == ("rejected", "unsupported")


async def test_several_nodes_are_commanded_at_once_and_each_tells_its_outcome(
    hass: HomeAssistant, entry: MockConfigEntry, nodes: tuple[Node, Node]
) -> None:
    first, second = nodes
    first.behaviour = Behaviour(deaf=True)
    second.behaviour = Behaviour(reject="no")

    call = asyncio.create_task(
        respond(hass, "send_command", device_id=ids(hass, entry), action="on", timeout=3, retries=0)
    )
    await first.wait_for(lambda: bool(first.received))
    await second.wait_for(lambda: bool(second.refused))
    assert not call.done()

    results = (await call)["results"]
    assert [
        (each["node_id"], each["household"], each["outcome"], each["reason"]) for each in results
    ] == [
        ("plug-1", "Villa", "timed_out", "no_answer"),
        ("plug-2", "Villa", "rejected", "refused_by_node"),
    ]
    assert [each["device_id"] for each in results] == ids(hass, entry)


async def test_without_response_all_that_failed_are_named_in_one_error(
    hass: HomeAssistant, entry: MockConfigEntry, nodes: tuple[Node, Node]
) -> None:
    chosen = ids(hass, entry)
    await act(hass, "send_command", device_id=chosen, action="on")

    nodes[1].behaviour = Behaviour(reject="too hot")
    with pytest.raises(HomeAssistantError) as caught:
        await act(hass, "send_command", device_id=chosen, action="off")

    assert caught.value.translation_key == "several_failed"
    assert str(caught.value) == ("1 of 2 nodes failed. Villa: plug-2 refused the command: too hot")
    assert nodes[0].relay is False


@pytest.mark.parametrize(("whole", "count"), [(True, 2), (False, 1)])
async def test_commands_of_nodes_or_of_a_household_are_withdrawn(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    nodes: tuple[Node, Node],
    *,
    whole: bool,
    count: int,
) -> None:
    for node in nodes:
        node.behaviour = Behaviour(deaf=True)
    chosen = ids(hass, entry)
    calls = [asyncio.create_task(send(hass, each, action="on", timeout=60)) for each in chosen]
    await reached(lambda: coordinator(entry).household.commands.sent == 2)

    what = {"config_entry_id": entry.entry_id} if whole else {"device_id": chosen[0]}
    assert await respond(hass, "cancel_commands", **what) == {"cancelled": count}

    told = await calls[0]
    assert (told["outcome"], told["reason"]) == ("cancelled", "withdrawn")
    assert calls[1].done() is whole
    await act(hass, "cancel_commands", config_entry_id=entry.entry_id)
    assert (await calls[1])["outcome"] == "cancelled"


async def test_nodes_and_a_household_are_not_cancelled_in_one(
    hass: HomeAssistant, entry: MockConfigEntry, nodes: tuple[Node, Node]
) -> None:
    with pytest.raises(ServiceValidationError) as caught:
        await act(
            hass,
            "cancel_commands",
            config_entry_id=entry.entry_id,
            device_id=ids(hass, entry),
        )
    assert caught.value.translation_key == "nodes_or_household"


async def test_a_caller_who_gives_up_withdraws_his_commands(
    hass: HomeAssistant, entry: MockConfigEntry, nodes: tuple[Node, Node]
) -> None:
    nodes[0].behaviour = Behaviour(deaf=True)
    call = asyncio.create_task(send(hass, ids(hass, entry)[0], action="on"))
    await nodes[0].wait_for(lambda: bool(nodes[0].received))

    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call

    assert coordinator(entry).household.counts["cancelled"] == 1


async def test_a_household_is_connected_anew_when_asked_for(
    hass: HomeAssistant, entry: MockConfigEntry, mosquitto: Mosquitto
) -> None:
    await until(hass, lambda: is_connected(hass, entry))
    before = mosquitto.log.count(" as homesync_villa_")

    await act(hass, "reconnect", config_entry_id=entry.entry_id)

    await until(hass, lambda: mosquitto.log.count(" as homesync_villa_") == before + 1)
    await until(hass, lambda: is_connected(hass, entry))


async def test_a_household_that_waits_for_its_next_try_connects_at_once(
    hass: HomeAssistant, entry: MockConfigEntry, mosquitto: Mosquitto
) -> None:
    await until(hass, lambda: is_connected(hass, entry))
    mosquitto.kill()
    await until(hass, lambda: not is_connected(hass, entry))
    mosquitto.start()

    await act(hass, "reconnect", config_entry_id=entry.entry_id)

    await until(hass, lambda: is_connected(hass, entry))
