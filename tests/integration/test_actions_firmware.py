"""The action `homesync.install_firmware`."""

import asyncio
import json
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ServiceValidationError
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from simulator import Node
from tests.broker import Mosquitto

from .actions import act, ids, respond, send
from .conftest import SetUp, StartNode
from .lookup import coordinator, device_id, state
from .updating import IMPATIENT
from .waiting import reached, until

FIRMWARE = {
    "version": "9.9.9",
    "url": "https://firmware.example/plug.bin",
    "sha256": "9f" * 32,
    "size": 1000,
}


async def test_firmware_is_sent_to_each_node_and_its_answer_told(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp, start_node: StartNode
) -> None:
    entry = await set_up(mosquitto.port, options={"firmware_hosts": ["firmware.example"]})
    node = await start_node("plug-1")
    await until(hass, lambda: state(hass, entry, "switch", "plug-1", "status/relay"))

    response = await respond(
        hass, "install_firmware", device_id=device_id(hass, entry, "plug-1"), **FIRMWARE
    )

    (result,) = response["results"]
    assert (result["command"], result["outcome"]) == ("ota", "rejected")
    assert (result["reason"], result["detail"]) == ("refused_by_node", "unsupported")
    (received,) = node.received
    sent = json.loads(received.payload)
    assert {**FIRMWARE, "action": "install"}.items() <= sent.items()

    node.die()
    await until(
        hass, lambda: state(hass, entry, "switch", "plug-1", "status/relay") == "unavailable"
    )
    plug = device_id(hass, entry, "plug-1")
    with IMPATIENT:
        call = asyncio.create_task(
            respond(hass, "install_firmware", device_id=plug, queue=True, **FIRMWARE)
        )
        await reached(lambda: coordinator(entry).household.commands.waiting == 1)
    again = await start_node("plug-1")
    (result,) = (await call)["results"]
    assert result["detail"] == "unsupported"
    assert len(again.received) == 1


@pytest.mark.parametrize(
    ("data", "key"),
    [
        ({"version": "2"}, "firmware_incomplete"),
        ({"size": 5}, "firmware_incomplete"),
        ({**FIRMWARE, "url": "http://firmware.example/x"}, "setting_not_allowed"),
        ({**FIRMWARE, "sha256": "short"}, "setting_not_allowed"),
        ({**FIRMWARE, "version": ""}, "setting_not_allowed"),
        (FIRMWARE, "firmware_host"),
        ({}, "no_newer_firmware"),
    ],
)
async def test_s12_firmware_that_no_node_is_told_to_fetch_is_refused(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    nodes: tuple[Node, Node],
    data: dict[str, Any],
    key: str,
) -> None:
    with pytest.raises(ServiceValidationError) as caught:
        await act(hass, "install_firmware", device_id=ids(hass, entry)[0], **data)
    assert caught.value.translation_key == key
    assert nodes[0].received == ()


async def test_a_refusal_of_ours_is_a_line_of_the_response(
    hass: HomeAssistant, entry: MockConfigEntry, nodes: tuple[Node, Node]
) -> None:
    response = await respond(hass, "install_firmware", device_id=ids(hass, entry))

    assert [each["node_id"] for each in response["results"]] == ["plug-1", "plug-2"]
    for each in response["results"]:
        assert (each["outcome"], each["reason"]) == ("rejected", "no_newer_firmware")
        assert each["node_id"] in each["detail"]
        assert (each["attempts"], each["request_id"], each["settings"]) == (0, None, None)
    told = await send(hass, ids(hass, entry)[0], action="on")
    assert set(response["results"][0]) == set(told)
