"""The WebSocket commands for administrators."""

import asyncio
from collections.abc import Iterator
import json
import re
from typing import Any
from unittest.mock import patch

from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, MockUser
from pytest_homeassistant_custom_component.typing import MockHAClientWebSocket, WebSocketGenerator

from custom_components.homesync import api
from custom_components.homesync.live_statistics import _EVERY, changes
from custom_components.homesync.message_monitor import shown, topic_filter
from custom_components.homesync.websocket_api import COMMANDS
from tests.broker import Mosquitto

from .conftest import SetUp, StartNode
from .lookup import coordinator, is_connected, state
from .test_http_api import CANARY, PAGE, steady
from .waiting import reached, until
from .wire import Wire

# A message of every command that would be answered if an administrator sent it.
MESSAGES: list[dict[str, Any]] = [
    {"type": "homesync/stats"},
    {"type": "homesync/connections"},
    {"type": "homesync/households"},
    {"type": "homesync/household", "household_id": "villa"},
    {"type": "homesync/status", "household_id": "villa"},
    {"type": "homesync/stats/subscribe"},
    {"type": "homesync/messages/subscribe", "household_id": "villa"},
    {"type": "homesync/publish", "household_id": "villa", "topic": "homesync/villa/note"},
    {"type": "homesync/retained/scan", "household_id": "villa"},
    {"type": "homesync/reconnect", "household_id": "villa"},
]


@pytest.fixture(autouse=True)
def _fast() -> Iterator[None]:
    """Look more often than once a second; that it is once a second has its own test."""
    with patch("custom_components.homesync.live_statistics._EVERY", 0.02):
        yield


@pytest.fixture
async def entry(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp, start_node: StartNode
) -> MockConfigEntry:
    entry = await set_up(mosquitto.port)
    await start_node(relay_on=False)
    await until(hass, lambda: state(hass, entry, "switch", "plug-1", "status/relay") == "off")
    return entry


@pytest.fixture
async def client(
    entry: MockConfigEntry, hass_ws_client: WebSocketGenerator
) -> MockHAClientWebSocket:
    return await hass_ws_client()


async def ask(client: MockHAClientWebSocket, **message: Any) -> Any:
    """Return what a command is answered."""
    await client.send_json_auto_id(message)
    answer = await client.receive_json()
    assert answer["success"], answer
    return answer["result"]


async def refused(client: MockHAClientWebSocket, **message: Any) -> dict[str, Any]:
    """Return why a command is refused."""
    await client.send_json_auto_id(message)
    answer = await client.receive_json()
    assert not answer["success"]
    error = answer["error"]
    assert isinstance(error, dict)
    return error


async def event(client: MockHAClientWebSocket) -> Any:
    """Return the next event of a subscription."""
    async with asyncio.timeout(10):
        return (await client.receive_json())["event"]


def lay_over(before: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """Do with a change what a subscriber has to do."""
    after = dict(before)
    for key, value in change.items():
        old = after.get(key)
        if value is None and key in before and isinstance(old, dict):
            del after[key]
        else:
            both = isinstance(value, dict) and isinstance(old, dict)
            after[key] = lay_over(old, value) if both else value
    return after


def test_every_command_is_tried() -> None:
    assert [each["type"] for each in MESSAGES] == [each._ws_command for each in COMMANDS]  # type: ignore[attr-defined]  # what the decorator sets


@pytest.mark.parametrize("message", MESSAGES, ids=lambda each: each["type"])
async def test_nobody_but_administrators_may(
    hass: HomeAssistant,
    *,
    entry: MockConfigEntry,
    hass_ws_client: WebSocketGenerator,
    hass_read_only_access_token: str,
    hass_admin_user: MockUser,
    message: dict[str, Any],
) -> None:
    reader = await hass_ws_client(hass, hass_read_only_access_token)
    assert (await refused(reader, **message))["code"] == "unauthorized"

    user = await hass_ws_client()
    hass_admin_user.groups = []
    assert (await refused(user, **message))["code"] == "unauthorized"


@pytest.mark.parametrize("message", MESSAGES, ids=lambda each: each["type"])
async def test_what_is_not_known_is_refused(
    client: MockHAClientWebSocket, message: dict[str, Any]
) -> None:
    assert (await refused(client, **message, extra=1))["code"] == "invalid_format"
    if message["type"] != "homesync/households":
        for wrong in ("", "a/b", "villa\n", 1, None, ["villa"]):
            error = await refused(client, **{**message, "household_id": wrong})
            assert error["code"] == "invalid_format"
        error = await refused(client, **{**message, "household_id": "nowhere"})
        assert error == {"code": "unknown_household", "message": "No household has this id"}


async def test_the_figures_are_those_of_the_snapshot(
    client: MockHAClientWebSocket, entry: MockConfigEntry
) -> None:
    stats = await ask(client, type="homesync/stats")
    one = await ask(client, type="homesync/stats", household_id="villa")
    household = await ask(client, type="homesync/household", household_id=entry.entry_id)
    connections = await ask(client, type="homesync/connections")
    households = await ask(client, type="homesync/households")
    status = await ask(client, type="homesync/status", household_id="villa")

    now = coordinator(entry).household.statistics.snapshot()
    assert steady(stats) == steady(one) == steady(api.plain(api.stats([entry])))
    assert steady(household["statistics"]) == steady(api.plain(now))
    assert steady(connections) == steady(stats["connections"])
    assert [each["name"] for each in households] == ["Villa"]
    assert status["since"] == now.connection.since


async def test_live_figures_are_what_changed(
    hass: HomeAssistant, *, client: MockHAClientWebSocket, entry: MockConfigEntry, wire: Wire
) -> None:
    await ask(client, type="homesync/stats/subscribe")
    first = await event(client)
    assert first.pop("type") == "snapshot"
    received = first["summary"]["messages_received"]

    wire.say("telemetry/power", {"value": 42})
    told = first
    while told["summary"]["messages_received"] == received:
        update = await event(client)
        assert update.pop("type") == "update"
        assert "name" not in update.get("households", {}).get(entry.entry_id, {})
        told = lay_over(told, update)

    figures = told["households"][entry.entry_id]["statistics"]
    now = coordinator(entry).household.statistics.snapshot()
    assert steady(figures["traffic"]) == steady(api.plain(now.traffic))


async def test_nothing_is_told_while_only_the_clock_goes_on(
    hass: HomeAssistant, *, client: MockHAClientWebSocket, entry: MockConfigEntry, set_up: SetUp
) -> None:
    looks = 0
    original = api.household_statistics

    def look(*args: Any) -> Any:
        nonlocal looks
        looks += 1
        return original(*args)

    # The probe at connecting and the pace of samples have an end.
    await reached(lambda: coordinator(entry).household.echo is not None)
    with patch.object(api, "household_statistics", look):
        await ask(client, type="homesync/stats/subscribe")
        await event(client)
        before = looks
        await reached(lambda: looks > before + 5)
        coordinator(entry).household.statistics.node_refused("new")
        update = await event(client)

    changed = update["households"][entry.entry_id]["statistics"]
    assert changed["nodes"] == {"refused": 1}
    assert changed.keys() >= {"at", "connection", "nodes"}
    assert changed["connection"].keys() == {"seconds", "connected_seconds", "uptime"}


async def test_only_one_household_is_told_of_if_one_is_asked_for(
    hass: HomeAssistant,
    *,
    client: MockHAClientWebSocket,
    entry: MockConfigEntry,
    set_up: SetUp,
    mosquitto: Mosquitto,
) -> None:
    await ask(client, type="homesync/stats/subscribe", household_id="villa")
    first = await event(client)
    assert first.keys() == {"type", "households"}
    assert first["households"].keys() == {entry.entry_id}

    await set_up(mosquitto.port, "cabin", title="Cabin")
    assert await hass.config_entries.async_unload(entry.entry_id)
    told = lay_over(first, await event(client))
    while told["households"][entry.entry_id]["loaded"]:
        told = lay_over(told, await event(client))

    assert told["households"].keys() == {entry.entry_id}


async def test_a_household_that_is_removed_is_taken_back(
    hass: HomeAssistant,
    *,
    client: MockHAClientWebSocket,
    entry: MockConfigEntry,
    set_up: SetUp,
    mosquitto: Mosquitto,
) -> None:
    await ask(client, type="homesync/stats/subscribe")
    await event(client)
    assert await hass.config_entries.async_remove(entry.entry_id)

    households: dict[str, Any] = {}
    while households.get(entry.entry_id, 1) is not None:
        households = (await event(client)).get("households", {})


def test_live_figures_come_once_a_second() -> None:
    assert _EVERY == 1


async def test_one_look_serves_all_and_the_last_ends_it(
    hass: HomeAssistant,
    *,
    client: MockHAClientWebSocket,
    entry: MockConfigEntry,
    hass_ws_client: WebSocketGenerator,
) -> None:
    def looking() -> int:
        return sum(each.get_name() == "homesync statistics" for each in asyncio.all_tasks())

    other = await hass_ws_client()
    for each in (client, other):
        await ask(each, type="homesync/stats/subscribe")
        await event(each)
    assert looking() == 1

    await client.close()
    await other.close()
    await reached(lambda: not looking())


def test_what_changed_lies_over_what_was() -> None:
    before = {"a": 1, "b": {"c": 1, "d": 2}, "gone": {"x": 1}, "e": None}
    after = {"a": 1, "b": {"c": 3, "d": 2}, "e": {"new": 1}}

    assert changes(before, after) == {"b": {"c": 3}, "gone": None, "e": {"new": 1}}
    assert changes(after, after) == {}


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
        intake.receive(topic, b"{}", False)

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

    intake.receive(b"x", b"waits to be told", False)
    await client.close()
    await reached(lambda: len(getattr(intake.on_message, "listeners", ())) == 1)
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


async def test_a_message_can_be_published(client: MockHAClientWebSocket, wire: Wire) -> None:
    await ask(
        client,
        type="homesync/publish",
        household_id="villa",
        topic="homesync/villa/note",
        payload="hello",
        qos=1,
        retain=True,
    )

    async with asyncio.timeout(10):
        while await wire.kept("homesync/villa/note") != {"homesync/villa/note": b"hello"}:
            pass


@pytest.mark.parametrize(
    ("topic", "qos", "code"),
    [
        ("homesync/villa/nodes/plug-1/command/relay", 0, "home_assistant_error"),
        ("homesync/cabin/nodes/x/command/ota", 0, "home_assistant_error"),
        ("homesync/#", 0, "home_assistant_error"),
        ("homesync/villa/x", 2, "invalid_format"),
    ],
)
async def test_commands_and_what_is_no_topic_are_not_published(
    client: MockHAClientWebSocket, wire: Wire, topic: str, qos: int, code: str
) -> None:
    kept = await wire.kept("#")

    error = await refused(
        client,
        type="homesync/publish",
        household_id="villa",
        topic=topic,
        payload="{}",
        qos=qos,
        retain=True,
    )

    assert error["code"] == code
    if code == "home_assistant_error":
        assert error["translation_key"] == "setting_not_allowed"
    assert await wire.kept("#") == kept


async def test_a_household_connects_anew_when_asked(
    hass: HomeAssistant, client: MockHAClientWebSocket, entry: MockConfigEntry
) -> None:
    since = coordinator(entry).household.statistics.snapshot().connection.connects

    await ask(client, type="homesync/reconnect", household_id="villa")

    await until(
        hass,
        lambda: coordinator(entry).household.statistics.snapshot().connection.connects > since,
    )


async def test_what_the_broker_keeps_for_nobody_is_listed_and_left(
    client: MockHAClientWebSocket, wire: Wire
) -> None:
    topic = "homesync/villa/nodes/plug-1/command/relay"
    wire.publish(topic, b"{}", retain=True)
    await wire.drained()

    told = await ask(client, type="homesync/retained/scan", household_id="villa")

    assert told == {"found": [{"topic": topic, "bytes": 2, "reason": "command"}]}
    assert topic in await wire.kept()


@pytest.mark.parametrize("message", MESSAGES[-3:], ids=lambda each: each["type"])
async def test_a_household_that_does_not_run_can_do_nothing(
    hass: HomeAssistant,
    *,
    client: MockHAClientWebSocket,
    entry: MockConfigEntry,
    message: dict[str, Any],
) -> None:
    assert await hass.config_entries.async_unload(entry.entry_id)

    assert (await refused(client, **message))["code"] == "not_loaded"


async def test_no_secret_is_told(
    hass: HomeAssistant,
    *,
    mosquitto: Mosquitto,
    set_up: SetUp,
    hass_ws_client: WebSocketGenerator,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await set_up(mosquitto.port, username=f"user-{CANARY}", password=CANARY, client_id=CANARY)
    client = await hass_ws_client()

    for message in MESSAGES[:5]:
        assert CANARY not in repr(await ask(client, **message))
    await ask(client, type="homesync/stats/subscribe")
    assert CANARY not in repr(await event(client))
    assert CANARY not in caplog.text


async def test_every_command_on_the_page_is_answered(client: MockHAClientWebSocket) -> None:
    examples = [
        message
        for each in re.findall(r"```json\n(\{.*?\})\n```", PAGE, re.DOTALL)
        if "id" in (message := json.loads(each))
    ]
    assert [each["type"] for each in examples] == [each["type"] for each in MESSAGES]
    for each in MESSAGES:
        row = next(line for line in PAGE.splitlines() if line.startswith(f"| `{each['type']}` |"))
        assert each.keys() - {"type"} <= set(re.findall(r"`(\w+)`", row))

    for message in examples:
        await client.send_json(message)
        answer = await client.receive_json()
        while answer["type"] != "result" or answer["id"] != message["id"]:
            answer = await client.receive_json()
        assert answer["success"], message
