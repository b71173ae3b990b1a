"""The WebSocket commands for administrators."""

import asyncio
import json
import re
from typing import Any

from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, MockUser
from pytest_homeassistant_custom_component.typing import MockHAClientWebSocket, WebSocketGenerator

from custom_components.homesync import api
from custom_components.homesync.websocket_api import COMMANDS
from tests.broker import Mosquitto

from ..asking import CANARY, PAGE, ask, event, refused, steady
from ..conftest import SetUp
from ..figures import at_rest
from ..lookup import coordinator
from ..waiting import until
from ..wire import Wire

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
    await at_rest(entry)
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

    async with asyncio.timeout(60):
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
