"""Messages as they come in, over the WebSocket."""

from typing import Any

from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.typing import MockHAClientWebSocket, WebSocketGenerator

from custom_components.homesync.message_monitor import shown, topic_filter

from ..asking import ask, event, refused
from ..lookup import coordinator, is_connected
from ..waiting import reached, until
from ..wire import Wire


async def test_messages_are_shown_as_they_come(
    hass: HomeAssistant, *, client: MockHAClientWebSocket, entry: MockConfigEntry, wire: Wire
) -> None:
    await ask(
        client,
        type="homesync/messages/subscribe",
        household_id="villa",
        topic="homesync/villa/nodes/+/telemetry/#",
        payload_bytes=8,
    )
    wire.say("status/rssi", {"rssi": -60})
    wire.say("telemetry/power", b'{"value": 42}')
    wire.say("telemetry/raw", b"\x00\xff")

    seen: list[Any] = []
    while len(seen) < 2:
        told = await event(client)
        assert told["held_back"] == 0
        seen += told["messages"]
    text, raw = seen
    assert isinstance(text.pop("at"), float)
    assert text == {
        "topic": "homesync/villa/nodes/plug-1/telemetry/power",
        "payload": '{"value"',
        "encoding": "text",
        "bytes": 13,
        "truncated": True,
        "retained": False,
    }
    assert (raw["payload"], raw["encoding"], raw["truncated"]) == ("00ff", "hex", False)


async def test_what_comes_too_fast_is_counted(
    hass: HomeAssistant, *, client: MockHAClientWebSocket, entry: MockConfigEntry, wire: Wire
) -> None:
    await ask(client, type="homesync/messages/subscribe", household_id="villa", topic="+/villa/#")
    intake = coordinator(entry).household._intake
    for number in range(1000):
        topic = f"homesync/villa/nodes/plug-1/telemetry/m{number}".encode()
        intake.receive([(topic, b"{}", False)])

    told = await event(client)

    assert len(told["messages"]) == 50
    assert told["held_back"] == 950


async def test_the_monitor_ends_with_its_connection(
    hass: HomeAssistant,
    *,
    client: MockHAClientWebSocket,
    entry: MockConfigEntry,
    hass_ws_client: WebSocketGenerator,
    wire: Wire,
) -> None:
    other = await hass_ws_client()
    for each in (client, other):
        await ask(each, type="homesync/messages/subscribe", household_id="villa")
    intake = coordinator(entry).household._intake
    assert intake.on_message is not None

    intake.receive([(b"x", b"waits to be told", False)])
    await client.close()
    await reached(lambda: len(coordinator(entry).household._overhearing) == 1)
    assert (await event(other))["messages"][0]["topic"] == "x"
    await other.close()
    await reached(lambda: intake.on_message is None)


async def test_the_monitor_follows_its_household_over_a_reload(
    hass: HomeAssistant, *, client: MockHAClientWebSocket, entry: MockConfigEntry, wire: Wire
) -> None:
    topic = "homesync/villa/nodes/plug-1/telemetry/power"
    await ask(client, type="homesync/messages/subscribe", household_id="villa", topic=topic)
    before = coordinator(entry).household
    assert await hass.config_entries.async_reload(entry.entry_id)
    await until(hass, lambda: is_connected(hass, entry))
    assert before._intake.on_message is None

    wire.say("telemetry/power", {"value": 7})

    (message,) = (await event(client))["messages"]
    assert message["topic"] == topic


@pytest.mark.parametrize(
    ("wanted", "topic", "matches"),
    [
        ("#", "a/b", True),
        ("#", "", True),
        ("#", "$SYS/x", False),
        ("+/x", "$SYS/x", False),
        ("$SYS/#", "$SYS/x", True),
        ("a/#", "a", True),
        ("a/#", "a/b/c", True),
        ("a/#", "ab", False),
        ("a/+", "a", False),
        ("a/+", "a/", True),
        ("a/+/c", "a/b/c", True),
        ("a/+/c", "a/b/b/c", False),
        ("+", "a\nb", True),
        ("#", "a\nb", True),
        ("a.c", "abc", False),
        ("/", "/", True),
        ("+/+", "/", True),
    ],
)
def test_a_filter_matches_as_mqtt_says(wanted: str, topic: str, matches: bool) -> None:
    assert bool(topic_filter(wanted)(topic)) is matches


@pytest.mark.parametrize(
    "wrong", ["", "a/#/b", "a#", "#/a", "a+/b", "a/b+", "\0", "a\n", "x" * 513]
)
async def test_what_is_no_filter_is_refused(client: MockHAClientWebSocket, wrong: str) -> None:
    error = await refused(
        client, type="homesync/messages/subscribe", household_id="villa", topic=wrong
    )

    assert error["code"] == "invalid_format"


@pytest.mark.parametrize(
    ("payload", "most", "told"),
    [
        (b"on", 10, ("on", "text", False)),
        (b"", 10, ("", "text", False)),
        ("äö".encode(), 3, ("ä", "text", True)),
        ("äö".encode()[:3], 3, ("c3a4c3", "hex", False)),
        (b"a\tb\r\n", 10, ("a\tb\r\n", "text", False)),
        (b"\x1b[31m", 10, ("1b5b33316d", "hex", False)),
        (b"\xff" * 9, 2, ("ffff", "hex", True)),
    ],
)
def test_a_payload_is_shown_as_text_or_else_as_hexadecimal(
    payload: bytes, most: int, told: tuple[str, str, bool]
) -> None:
    message = shown(b"t", payload, False, most)

    assert (message["payload"], message["encoding"], message["truncated"]) == told
    assert message["bytes"] == len(payload)
