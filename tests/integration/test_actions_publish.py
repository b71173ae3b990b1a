"""The action `homesync.publish`."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from tests.broker import Mosquitto

from .actions import act
from .conftest import SetUp
from .lookup import is_connected
from .waiting import until
from .wire import Wire

COMMAND = "homesync/villa/nodes/plug-1/command/relay"
ROOT = "homesync/villa/nodes"


async def start(hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp) -> MockConfigEntry:
    """Nodes are asked for, so that those that are gone do not come back by what they left."""
    entry = await set_up(mosquitto.port, accepted_nodes=["plug-1"], options={"new_nodes": "ask"})
    await until(hass, lambda: is_connected(hass, entry))
    return entry


@pytest.mark.parametrize(
    ("payload", "sent"),
    [
        ("on", b"on"),
        ({"night": True, "n": [1, None]}, b'{"night":true,"n":[1,null]}'),
        ([1, 2], b"[1,2]"),
        (5, b"5"),
        (None, b"null"),
    ],
)
async def test_a_raw_message_is_published_as_it_is(
    hass: HomeAssistant,
    *,
    mosquitto: Mosquitto,
    set_up: SetUp,
    wire: Wire,
    payload: Any,
    sent: bytes,
) -> None:
    entry = await start(hass, mosquitto, set_up)
    topic = "homesync/villa/notes"
    data = {"config_entry_id": entry.entry_id, "topic": topic, "retain": True}

    await act(hass, "publish", payload=payload, qos=1, **data)
    await until_kept(wire, {topic}, topic)
    assert await wire.kept(topic) == {topic: sent}

    await act(hass, "publish", **data)
    await until_kept(wire, set(), topic)


async def test_a_raw_message_is_not_retained_unless_asked_for(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp, wire: Wire
) -> None:
    entry = await start(hass, mosquitto, set_up)
    data = {"config_entry_id": entry.entry_id, "payload": "x", "qos": 1}

    await act(hass, "publish", topic="homesync/villa/not-kept", **data)
    await act(hass, "publish", topic="homesync/villa/kept", retain=True, **data)

    # The second came after the first.
    await until_kept(wire, {"homesync/villa/kept"}, "homesync/villa/kept")
    assert await wire.kept("homesync/villa/not-kept") == {}


@pytest.mark.parametrize(
    ("topic", "detail"),
    [
        (COMMAND, "commands are not sent as plain messages"),
        ("homesync/cabin/nodes/x/command/ota", "commands are not sent as plain messages"),
        ("homesync/cabin/nodes/x/command", "commands are not sent as plain messages"),
        ("homesync/+/x", "no wildcards + or #"),
        ("$SYS/x", "no leading $, no empty level"),
        ("", "1 to 512 bytes are allowed"),
    ],
)
async def test_a_topic_that_is_not_allowed_is_refused_with_the_reason(
    hass: HomeAssistant, *, mosquitto: Mosquitto, set_up: SetUp, wire: Wire, topic: str, detail: str
) -> None:
    entry = await start(hass, mosquitto, set_up)
    kept = await wire.kept("#")

    with pytest.raises(ServiceValidationError) as caught:
        await act(
            hass,
            "publish",
            config_entry_id=entry.entry_id,
            topic=topic,
            payload="{}",
            retain=True,
        )

    assert caught.value.translation_key == "setting_not_allowed"
    assert caught.value.translation_placeholders == {"field": "topic", "detail": detail}
    assert await wire.kept("#") == kept


async def test_a_message_above_the_brokers_limit_is_refused_with_both_sizes(
    hass: HomeAssistant, start_mosquitto: Callable[..., Mosquitto], set_up: SetUp
) -> None:
    broker = start_mosquitto(settings=["max_packet_size 2000"])
    entry = await set_up(broker.port)
    await until(hass, lambda: is_connected(hass, entry))

    with pytest.raises(HomeAssistantError) as caught:
        await act(
            hass,
            "publish",
            config_entry_id=entry.entry_id,
            topic="homesync/villa/x",
            payload="x" * 3000,
        )

    assert caught.value.translation_key == "message_too_large"
    assert "2000" in str(caught.value)
    assert is_connected(hass, entry)


async def test_a_broker_that_takes_no_more_is_told(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp
) -> None:
    entry = await start(hass, mosquitto, set_up)
    data = {"config_entry_id": entry.entry_id, "topic": "homesync/villa/x", "payload": "x" * 50_000}
    mosquitto.freeze()

    async def publish_for_ever() -> None:
        while True:
            await act(hass, "publish", **data)

    with pytest.raises(HomeAssistantError) as caught:
        await publish_for_ever()

    assert caught.value.translation_key == "broker_busy"
    mosquitto.thaw()


async def until_kept(wire: Wire, topics: Iterable[str], topic_filter: str = f"{ROOT}/#") -> None:
    """Return when the broker keeps exactly these."""
    wanted = set(topics)
    async with asyncio.timeout(60):
        while (await wire.kept(topic_filter)).keys() != wanted:
            pass
